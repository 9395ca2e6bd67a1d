#!/usr/bin/env bash
# A node behind a router that opens ports: others reach it there, and it knows. It cannot reach
# them by itself, so nothing but the opened port leads to it.
#
#   laptop 192.168.5.2 ── 192.168.5.1 router 11.0.0.1 ── 11.0.0.9 outside
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/portmap.sh"
need_product
need_tools nft miniupnpd ss
need_real_root "the router's daemon writes to the system log"

portmap_topology
router_conf yes
router_on
HOST_ADDR[laptop]=/ip4/11.0.0.1
node laptop outside
introduce outside laptop network
ok peerup laptop auth add "${PEER_ID[outside]}" --comment outside --access network
ok peerup laptop name add outside "${PEER_ID[outside]}"
up laptop
advertises() { peerup laptop status --json | grep -q "/ip4/11.0.0.1/$1"; }
eventually 20 advertises "udp/$PORT/quic-v1"
eventually 5 advertises "tcp/$PORT"

say "somebody from outside gets in where the router lets him"
up outside
linked outside laptop
eventually 10 on outside ping -c 1 -W 2 laptop.p2p
is_path outside laptop DIRECT || fail "not direct"

say "and says that it is so, under a name that nobody knows"
reached() { peerup laptop status --json | grep -q "autonat: /ip4/11.0.0.1/$1[^ ]* reached by 1 of 1"; }
eventually 30 reached udp
log_of() { find "$LAB/$1/root" -name '*.log' -exec cat {} +; }
says 'ports are mapped' log_of laptop
silent_about 'stranger refused' log_of laptop

say "at stop the door is closed"
down laptop
closed() { ! on router nft list chain ip filter UPnP | grep -q dnat; }
eventually 5 closed
