#!/usr/bin/env bash
# What one side sends is lost, what the other sends arrives (compare slackhq/nebula#1748):
# both sides notice, in either direction, and the session goes on over TCP.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home
. "$(dirname "$0")/../lib.sh"
need_product
need_tools nft

# deaf HOST: it hears no UDP; hearing HOST: it does again
deaf() {
	on "$1" nft -f - <<-END || fail "no firewall"
		table inet deaf {
			chain in { type filter hook input priority 0; iifname "eth0" meta l4proto udp drop; }
		}
	END
}

hearing() { on "$1" nft delete table inet deaf; }

# is_over HOST PEER TRANSPORT
is_over() {
	[ "$(peerup "$1" paths --json | python3 -c '
import json, sys
for p in json.load(sys.stdin):
    if p["peer_id"] == sys.argv[1]:
        print(p["transport"])' "${PEER_ID[$2]}")" = "$3" ]
}

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
node home laptop
befriend home laptop network
up home laptop
linked laptop home
eventually 10 on laptop ping -c 1 -W 2 home.p2p
start home ticker python3 "$LIB_DIR/ticker.py" count "$(vip home)" 7000

for who in home laptop; do
	eventually 100 is_over laptop home quic
	eventually 100 is_over home laptop quic
	say "$who hears nothing"
	on laptop python3 "$LIB_DIR/ticker.py" listen home.p2p 7000 15 \
		> "$LAB/listen.out" 2> "$LAB/listen.err" &
	listener=$!
	sleep 2
	deaf "$who"
	eventually 8 is_over laptop home tcp
	eventually 8 is_over home laptop tcp
	wait "$listener"
	longest=$(cat "$LAB/listen.out")
	[ -n "$longest" ] || fail "the connection broke: $(cat "$LAB/listen.err")"
	say "longest silence: $longest s"
	python3 -c "import sys; sys.exit(not $longest < 8)" || fail "silent for $longest s"
	hearing "$who"
done
