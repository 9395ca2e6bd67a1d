#!/usr/bin/env bash
# Checks a model of this folder with Spin.
#
#   check.sh holds MODEL [-DFLAG...]    every property holds in every state
#   check.sh breaks MODEL [-DFLAG...]   without the rule that the flag removes, one does not
#
# Prints how many states there are. 77: Spin is not installed.
set -u -o pipefail
export LC_ALL=C

DEPTH=100000 # steps; runs of the models end long before

usage() {
	echo 'usage: check.sh holds|breaks MODEL [-DFLAG...]' >&2
	exit 2
}

[ $# -ge 2 ] || usage
want=$1 model=$2
shift 2
source=$(cd "$(dirname "$0")" && pwd)/$model.pml
case $want in
holds) optimize=-O2 ;;
breaks) optimize=-O0 ;; # ends early: the compiler would take longer
*) usage ;;
esac
command -v spin > /dev/null || {
	echo 'skipped: spin is not installed (deploy/packages.sh --tests)'
	exit 77
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
spin -a "$@" "$source" > spin.log || { cat spin.log; exit 1; }
"${CC:-cc}" $optimize -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c || exit 1
./pan -m$DEPTH -w22 > pan.log
states=$(awk '/states, stored/ { print $1 }' pan.log)
printf '%s%s: %s states, ' "$model" "${*:+ $*}" "${states:-no}"

if grep -q 'assertion violated' pan.log; then
	found=breaks
elif grep -q 'errors: 0' pan.log && ! grep -qE "not completed|depth too small" pan.log; then
	found=holds
else
	found=unknown
fi
echo "$found"
[ $found = "$want" ] && exit 0
sed -n '/^pan:/p' pan.log
[ $found = breaks ] && cp "$source" . && spin "$@" -t -p -g "$model.pml" 2> /dev/null | tail -60
exit 1
