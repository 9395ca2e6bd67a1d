#!/usr/bin/env bash
# Strangers get nothing: a node that home never authorised dials it.
#
#   home 192.168.7.1 ──┤
#   laptop      7.2  ──┤ switch      home authorises laptop, not stranger;
#   stranger    7.3  ──┤             stranger authorises home and knows its address
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop stranger
switch sw home laptop stranger
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
attach stranger eth0 192.168.7.3/24
web_on home 8080

node home laptop stranger
befriend home laptop
introduce stranger home network
ok peerup home service add web 127.0.0.1:8080
up home laptop stranger
linked laptop home

say "the stranger is refused"
before=$(counter home inbound_gated)
no peerup stranger ping home -c 2
no on stranger curl -sS --max-time 10 "http://$(peerup stranger status --json | json subnet | sed 's|/.*||; s|0$|1|'):8080/"
no on stranger curl -sS --max-time 10 http://home.p2p:8080/hello.txt
no on stranger ping -c 2 -W 2 home.p2p

say "and counted"
after=$(counter home inbound_gated)
[ "$after" -gt "$before" ] || fail "inbound_gated was $before and is $after"

say "it is not among home's connected peers, and the friend is not disturbed"
silent_about "${PEER_ID[stranger]}" peerup home auth list
says '^hello from home$' on laptop curl -sS --max-time 20 http://home.p2p:8080/hello.txt
linked laptop home
