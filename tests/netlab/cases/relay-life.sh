#!/usr/bin/env bash
# Two machines that only relays bring together: one relay restarts, then goes for good while a
# transfer runs; the other one takes over. Inner TCP is not reset.
#
#   a ── middle ── b      no way from a to b but through middle or other
#   └─── other ────┘
. "$(dirname "$0")/../lib.sh"
need_product
need_tools python3 ss

host middle other a b
cable a eth0 middle eth0
cable b eth0 middle eth1
cable a eth1 other eth0
cable b eth1 other eth1
attach middle eth0 11.1.0.1/24
attach middle eth1 11.2.0.1/24
attach other eth0 11.3.0.1/24
attach other eth1 11.4.0.1/24
attach a eth0 11.1.0.2/24
attach b eth0 11.2.0.2/24
attach a eth1 11.3.0.2/24
attach b eth1 11.4.0.2/24
relay_on middle
relay_on other
node a b
acquaint a b network
ok peerup a relay add "/ip4/11.1.0.1/udp/7777/quic-v1/p2p/${PEER_ID[middle]}" \
	"/ip4/11.3.0.1/udp/7777/quic-v1/p2p/${PEER_ID[other]}"
ok peerup b relay add "/ip4/11.2.0.1/udp/7777/quic-v1/p2p/${PEER_ID[middle]}" \
	"/ip4/11.4.0.1/udp/7777/quic-v1/p2p/${PEER_ID[other]}"
web_on b 8080 33554432 0.0.0.0
up a b
linked a b
is_path a b RELAYED || fail "not through a relay"
fetches a http://b.p2p:8080/hello.txt "$LAB/b/web/hello.txt"

say "1280 bytes pass in one piece"
ok on a ping -c 2 -W 3 -s 1252 -M do "$(vip b)"

say "a slow transfer lives through a restart of one relay and the loss of the other"
start a get curl -sS --limit-rate 1500K --max-time 120 -o "$LAB/a/root/got" http://b.p2p:8080/big.bin
GET=$!
sleep 2
relay_down middle
sleep 1
relay_up middle
eventually 30 peerup a ping b -c 1
eventually 60 reserved a middle
eventually 60 reserved b middle
relay_down other
eventually 30 peerup a ping b -c 1
wait "$GET" || fail "the transfer broke: $(cat "$LAB/a/log/a-get.log")"
cmp "$LAB/a/root/got" "$LAB/b/web/big.bin" || fail "another file arrived"
