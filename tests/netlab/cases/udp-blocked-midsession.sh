#!/usr/bin/env bash
# A firewall begins to drop UDP in the middle of a session, later TCP as well: the session
# moves to TCP, then to the relay, then back; a TCP connection through the device sees a
# pause of seconds and nothing else.
#
#   laptop 192.168.7.2 ─┬─ 192.168.7.1 home
#                       └─ 192.168.7.9 relay
. "$(dirname "$0")/../lib.sh"
need_product
need_tools nft

# firewall RULE...: what home drops of what comes from and goes to the laptop
firewall() {
	local rule
	{
		echo 'table inet wall'
		echo 'delete table inet wall'
		echo 'table inet wall {'
		for rule; do
			echo "chain in_$rule { type filter hook input priority 0;
				ip saddr 192.168.7.2 meta l4proto $rule drop; }"
			echo "chain out_$rule { type filter hook output priority 0;
				ip daddr 192.168.7.2 meta l4proto $rule drop; }"
		done
		echo '}'
	} | on home nft -f - || fail "no firewall"
}

transport_to_home() {
	peerup laptop paths --json | python3 -c '
import json, sys
for p in json.load(sys.stdin):
    if p["peer_id"] == sys.argv[1]:
        print(p["path_type"], p["transport"])' "${PEER_ID[home]}"
}

is_over() { [ "$(transport_to_home)" = "$1" ]; }

# shorter FILE SECONDS: the listener is content, and the longest silence was shorter
shorter() {
	local longest
	longest=$(cat "$1")
	[ -n "$longest" ] || fail "the connection broke: $(cat "$1" "${1%.out}.err")"
	say "longest silence: $longest s"
	python3 -c "import sys; sys.exit(not $longest < $2)" || fail "silent for $longest s"
}

# listen SECONDS: to home's ticker, in the background
listen() {
	on laptop python3 "$LIB_DIR/ticker.py" listen home.p2p 7000 "$1" \
		> "$LAB/listen.out" 2> "$LAB/listen.err" &
	LISTENER=$!
}

host home laptop relay
switch lan home laptop relay
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
attach relay eth0 192.168.7.9/24
relay_on relay
node home laptop
befriend home laptop network
through home relay tcp
through laptop relay tcp
up home laptop
linked laptop home
start home ticker python3 "$LIB_DIR/ticker.py" count "$(vip home)" 7000
eventually 10 on laptop ping -c 1 -W 2 home.p2p
eventually 10 is_over "DIRECT quic"

say "UDP is dropped"
listen 20
sleep 2
firewall udp
eventually 15 is_over "DIRECT tcp"
wait "$LISTENER"
shorter "$LAB/listen.out" 10
says 'because.*QUIC|because.*silent' peerup laptop status

say "TCP as well: the relay is left"
listen 30
sleep 2
firewall udp tcp
eventually 20 is_path laptop home RELAYED
wait "$LISTENER"
shorter "$LAB/listen.out" 20
says 'RELAYED' peerup laptop ping home -c 1
says 'path: \[RELAYED\]' peerup laptop traceroute home

say "nothing is dropped any more; that is tried sooner when the network changes"
listen 15
firewall
ok on laptop ip addr add 192.168.99.2/24 dev eth0
eventually 15 is_over "DIRECT quic"
wait "$LISTENER"
shorter "$LAB/listen.out" 10
says '"timed out"' peerup laptop why home --json
