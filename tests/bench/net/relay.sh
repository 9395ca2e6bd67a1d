#!/usr/bin/env bash
# What a relay costs, and how soon two machines behind routers answer each other: 20 ms each way
# between a machine and its router. Not part of the tests. Needs root; prints medians.
#
#   tests/bench/net/relay.sh [ROUNDS [SECONDS]]
#
#   first ping   from the call of `peerup-vpn up` to the first answer over the device, the relay
#                and the other machine running
#   direct       from there until the path is direct
#   relayed      iperf3 through the relay against a direct path over the same cables, without
#                delay, in turns
. "$(dirname "$0")/../../netlab/lib.sh"
. "$(dirname "$0")/../../netlab/topo/nat.sh"
need_product
need_wire
need_tools nft iperf3
ROUNDS=${1:-5} DURATION=${2:-4}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
now_ms() { date +%s%3N; }

# What a program on that machine sees: the name answers.
first_ping() {
	local until=$(($(now_ms) + 20000))
	while ! on a ping -n -c 1 -W 1 "$1" > /dev/null 2>&1; do
		[ "$(now_ms)" -lt "$until" ] || fail "no answer within 20 s"
	done
}

soon() {
	local n begin answered
	LAN_WIRE='--delay 20'
	host relay a b
	internet relay
	behind a port-restricted 1
	behind b port-restricted 2
	relay_on relay
	node a b
	acquaint a b network
	through a relay
	through b relay
	up b
	eventually 10 reserved b
	up a
	linked a b
	for n in $(seq "$ROUNDS"); do
		down a
		sleep 1
		begin=$(now_ms)
		up a
		first_ping b.p2p
		answered=$(now_ms)
		echo $((answered - begin)) >> "$LAB/first"
		until is_path a b DIRECT; do
			sleep 0.05
			[ $(($(now_ms) - answered)) -lt 60000 ] || fail "never direct"
		done
		echo $(($(now_ms) - answered)) >> "$LAB/direct"
	done
	printf 'up to first answered ping, relay warm: %s ms (all: %s)\n' "$(median < "$LAB/first")" \
		"$(tr '\n' ' ' < "$LAB/first")"
	printf 'from there to a direct path:           %s ms (all: %s)\n' \
		"$(median < "$LAB/direct")" "$(tr '\n' ' ' < "$LAB/direct")"
}

# iperf FROM ADDRESS: Mbit/s
iperf() {
	on "$1" iperf3 -c "$2" -t "$DURATION" -O 1 -J | python3 -c '
import json, sys
print(round(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e6))'
}

# c and d have no way to each other but through the relay; e is a neighbour of c.
throughput() {
	local n
	host middle c d e
	cable c eth0 middle c0
	cable d eth0 middle d0
	cable c eth1 e eth0
	attach middle c0 11.1.0.1/24
	attach middle d0 11.2.0.1/24
	attach c eth0 11.1.0.2/24
	attach d eth0 11.2.0.2/24
	attach c eth1 11.3.0.1/24
	attach e eth0 11.3.0.2/24
	relay_on middle
	node c d e
	acquaint c d network
	befriend c e network
	ok peerup c relay add "/ip4/11.1.0.1/udp/7777/quic-v1/p2p/${PEER_ID[middle]}"
	ok peerup d relay add "/ip4/11.2.0.1/udp/7777/quic-v1/p2p/${PEER_ID[middle]}"
	up c d e
	linked c d
	linked c e
	start d iperf iperf3 -s
	start e iperf iperf3 -s
	sleep 0.5
	for n in $(seq "$ROUNDS"); do
		iperf c d.p2p >> "$LAB/relayed"
		iperf c e.p2p >> "$LAB/straight"
	done
	is_path c d RELAYED || fail "the relayed path was not"
	python3 - "$(median < "$LAB/relayed")" "$(median < "$LAB/straight")" << 'EOF'
import sys
relayed, direct = map(float, sys.argv[1:])
print(f"TCP over the device: relayed {relayed:.0f} Mbit/s, direct {direct:.0f} Mbit/s, "
      f"ratio {relayed / direct:.2f} (budget 0.5)")
EOF
}

soon
throughput
