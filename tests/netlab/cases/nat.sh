#!/usr/bin/env bash
# Two machines behind routers of two kinds, a relay between them. They reach each other at
# once, and without the relay where theory says so (topo/nat.sh).
#
#   A, B      kind of router on either side
#   FAMILY    4, 6 or dual
#   UDP       allowed or blocked
#
# The last line is the cell of the matrix: the kinds, the path, seconds until reached and
# until direct.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/nat.sh"
need_product
need_tools nft
A=${A:-port-restricted} B=${B:-port-restricted}
FAMILY=${FAMILY:-4} UDP=${UDP:-allowed}
WAIT_DIRECT=40
[ "$FAMILY" != 6 ] || UNDERLAY=6

host relay a b
internet relay
behind a "$A" 1
behind b "$B" 2
wired
relay_on relay

node a b
acquaint a b network
for name in a b; do
	through "$name" relay
	through "$name" relay tcp
done
up a b
begun=$SECONDS
eventually 30 peerup a ping b -c 1
eventually 30 on b ping -c 1 -W 2 a.p2p
reached=$((SECONDS - begun))

direct=-
if meets "$A" "$B"; then
	eventually $WAIT_DIRECT is_path a b DIRECT
	eventually 10 is_path b a DIRECT
	direct=$((SECONDS - begun))
else
	sleep 12
fi
on a ping -c 3 -i 0.2 -W 2 b.p2p > /dev/null || fail "the device lost its way"
path=$(path_of a b)
[ -n "$path" ] || fail "not connected at the end"
printf 'cell %s %s %s %s %s %s %s\n' "$A" "$B" "$FAMILY" "$UDP" "$path" "$reached" "$direct"
