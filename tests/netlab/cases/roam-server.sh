#!/usr/bin/env bash
# Home, which the laptop dialled, gets other addresses under load: the laptop follows, with
# the connections that there are. (Picture: ../roam.sh)
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/roam.sh"
roam_setup
load 24

renumber() {
	ok on home ip addr add "$2/24" dev eth0
	ok on home ip addr del "$1/24" dev eth0
	on home ip addr add "$2/24" dev eth0 > /dev/null 2>&1
	on home ip route replace default via 11.0.0.1
}

say "home gets another address"
renumber 11.0.0.2 11.0.0.77
answered_within 4000
sleep 5

say "and another one"
renumber 11.0.0.77 11.0.0.78
answered_within 4000
survived 8000
