#!/usr/bin/env bash
# Machines that want the same name, or none, in a group of both programs: everybody's files stay
# readable by both, and everybody has a name for everybody.
#
#   relay 11.0.0.1, ann .2 and bob .3 (peer-up), cat .4 and dan .5 (ours) on a switch
#
#   RELAY     ours or go
. "$(dirname "$0")/../topo/peerup-go.sh"
. "$(dirname "$0")/../lib.sh"
need_product
need_tools python3
need_go
RELAY=${RELAY:-ours}

# go_joins HOST CODE FLAG...
go_joins() {
	local name=$1
	shift
	on "$name" peerup join "$@" --non-interactive < /dev/null > "$LAB/$name/log/$name-join.log" 2>&1 ||
		fail "peerup join on $name: $(cat "$LAB/$name/log/$name-join.log")"
	go_known "$name"
	eventually 15 gopher "$name" daemon status
}

host relay ann bob cat dan
switch sw relay ann bob cat dan
n=0
for name in relay ann bob cat dan; do
	n=$((n + 1))
	attach $name eth0 11.0.0.$n/24
done
node cat dan
gated_relay relay "$RELAY"
out=$(peerup relay relay pair --count 4 --json) || fail "no codes: $out"
mapfile -t code < <(python3 -c 'import json, sys; print(*json.loads(sys.argv[1])["codes"], sep="\n")' "$out")

say "two boxes, and one without a name, of each program"
go_joins ann "${code[0]}" --name box
ok peerup cat join "${code[1]}" --name box
go_joins bob "${code[2]}"
ok peerup dan join "${code[3]}"

knows_id() { gopher "$1" auth list | grep -q "${PEER_ID[$2]}"; }
for a in cat dan ann bob; do
	for b in ann bob cat dan; do
		[ $a = $b ] && continue
		case $RELAY:$a in
		go:ann | go:bob) ;; # peer-up's relay does not get it across
		*) eventually 15 knows_id $a $b ;;
		esac
	done
done
for name in ann bob cat dan; do
	ok gopher $name config validate
	ok peerup $name config validate
done
# Ours call everybody something, all of them something else, and their lists agree.
for name in cat dan; do
	names=$(peerup $name name list --json | grep -oE '"name":"[^"]+"' | sort -fu | wc -l)
	[ "$names" = 3 ] || fail "$name has not 3 names: $(peerup $name name list)"
	says '# peer-[A-Za-z0-9]{8}$' member $name bob
	comments=$(on $name sed -n 's/^12D3.*# //p' .config/peerup/authorized_keys | sort -fu | wc -l)
	[ "$comments" = 4 ] || fail "not 4 comments: $(on $name cat .config/peerup/authorized_keys)"
done

say "peer-up still starts with these files"
for name in ann bob; do
	go_down $name
done
go_daemon ann bob
for a in cat dan; do
	for b in ann bob cat dan; do
		[ $a = $b ] || eventually 20 peerup $a ping "${PEER_ID[$b]}" -c 1
	done
done
