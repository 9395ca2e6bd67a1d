#!/usr/bin/env bash
# The laptop moves to another network while it is connected: it answers again on its own.
#
#   laptop eth0 192.168.7.2 ───── 192.168.7.1 eth0 home
#          eth1 192.168.8.2 ───── 192.168.8.1 eth1
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop
cable home eth0 laptop eth0
cable home eth1 laptop eth1
attach home eth0 192.168.7.1/24
attach home eth1 192.168.8.1/24
attach laptop eth0 192.168.7.2/24
node home laptop
befriend home laptop network
ok peerup laptop peer add "/ip4/192.168.8.1/udp/$PORT/quic-v1/p2p/${PEER_ID[home]}"
up home laptop
linked laptop home
ok on laptop ping -c 1 -W 5 home.p2p

say "from eth0 to eth1"
on laptop ip link set eth0 down
attach laptop eth1 192.168.8.2/24
eventually 30 on laptop ping -c 1 -W 2 home.p2p
