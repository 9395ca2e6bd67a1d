#!/usr/bin/env bash
# The laptop moves between networks under load: another route, another network behind a NAT,
# another address. Programs notice a pause at most. (Picture: ../roam.sh)
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/roam.sh"
roam_setup
load 32

say "the cable is plugged in and takes the route, the radio stays"
attach laptop eth1 10.2.0.2/24
ok on laptop ip route replace default via 10.2.0.1 dev eth1
answered_within 3000
sleep 4

say "the cable is pulled"
ok on laptop ip link set eth1 down
ok on laptop ip route replace default via 10.1.0.1 dev eth0
answered_within 3000
sleep 4

say "the radio gets another address"
ok on laptop ip addr add 10.1.0.77/24 dev eth0
ok on laptop ip addr del 10.1.0.2/24 dev eth0
on laptop ip addr add 10.1.0.77/24 dev eth0 > /dev/null 2>&1 # secondary addresses go along
on laptop ip route replace default via 10.1.0.1 dev eth0
answered_within 3000
sleep 4

say "no network for five seconds, then the cable again"
ok on laptop ip link set eth0 down
sleep 5
ok on laptop ip link set eth1 up
ok on laptop ip route replace default via 10.2.0.1 dev eth1
answered_within 6000
survived 12000
says '"connected": *true' peerup laptop status --json
