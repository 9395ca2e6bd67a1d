#!/usr/bin/env bash
# Where UDP does not pass, a move costs a fresh TCP connection; packets change over to it.
# (Picture: ../roam.sh)
NO_UDP=1
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/roam.sh"
roam_setup
load 24 5

say "the cable is plugged in and takes the route, the radio goes"
attach laptop eth1 10.2.0.2/24
ok on laptop ip route replace default via 10.2.0.1 dev eth1
ok on laptop ip link set eth0 down
answered_within 4000
sleep 5

say "and back"
ok on laptop ip link set eth0 up
ok on laptop ip route replace default via 10.1.0.1 dev eth0
ok on laptop ip link set eth1 down
answered_within 4000
survived 8000
