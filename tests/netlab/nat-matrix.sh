#!/usr/bin/env bash
# The NAT lab as a table: cases/nat.sh for every pair of routers. Exit status 0 when every
# cell is reached, and direct where it can be.
#
#   tests/netlab/nat-matrix.sh            the spread that every run of the suite has
#   tests/netlab/nat-matrix.sh --all      all cells, about ten minutes
set -u -o pipefail
cd "$(dirname "$0")" || exit 1
export PEERUP_LAB_QUIET=1
jobs=${JOBS:-3}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

kinds=(none full-cone address-restricted port-restricted symmetric cgnat)

every() {
	local a b family udp
	for family in 4 6 dual; do
		for udp in allowed blocked; do
			for a in "${kinds[@]}"; do
				for b in "${kinds[@]}"; do
					# With IPv6 alone a router is a firewall, whatever its kind.
					[ "$family" != 6 ] || case $a:$b in
					none:none | none:port-restricted | port-restricted:none | \
						port-restricted:port-restricted | cgnat:cgnat) ;;
					*) continue ;;
					esac
					echo "$a $b $family $udp"
				done
			done
		done
	done
}

spread() {
	cat << EOF
none port-restricted 4 allowed
port-restricted port-restricted 4 allowed
symmetric address-restricted 4 allowed
symmetric symmetric 4 allowed
cgnat port-restricted 4 allowed
full-cone symmetric 4 blocked
port-restricted cgnat 4 blocked
port-restricted port-restricted 6 allowed
symmetric cgnat dual allowed
EOF
}

cell() {
	local name="$1-$2-$3-$4" status
	A=$1 B=$2 FAMILY=$3 UDP=$4 LAB_CASE=nat-$name bash cases/nat.sh > "$out/$name" 2>&1
	status=$?
	case $status in
	0) grep '^cell ' "$out/$name" ;;
	77) echo "skip $(tail -n 1 "$out/$name")" ;;
	*) echo "fail $1 $2 $3 $4 $(grep -m1 FAILED "$out/$name" | cut -c1-150)" ;;
	esac
}
export -f cell
export out

case ${1:-${PEERUP_TEST_ALL:+--all}} in
--all) list=every ;;
'') list=spread ;;
*)
	echo 'usage: nat-matrix.sh [--all]' >&2
	exit 2
	;;
esac

$list | xargs -P "$jobs" -L 1 bash -c 'cell "$@"' cell > "$out.cells"
mv "$out.cells" "$out/cells"
if ! grep -qv '^skip' "$out/cells"; then
	sed -n '1s/^skip //p' "$out/cells"
	exit 77
fi
python3 nat_table.py < "$out/cells"
