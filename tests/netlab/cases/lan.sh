#!/usr/bin/env bash
# Two machines on one LAN that know each other's ID and nothing else find each other; a third
# one, which they do not know, is left alone.
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop guest
switch lan home laptop guest
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
attach guest eth0 192.168.7.3/24
node home laptop guest
acquaint home laptop network
ok peerup guest auth add "${PEER_ID[home]}"
up home laptop guest
linked laptop home
ok on home ping -c 1 -W 3 laptop.p2p
is_path laptop home DIRECT || fail "not direct"
says '"?connected_peers"?: ?1[,}]' peerup home status --json
