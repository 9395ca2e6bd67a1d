# A laptop with two ways into the internet, and home with one; everything between them under
# load. Sourced by the cases about machines that move and sleep, after lib.sh:
#
#   laptop eth0 10.1.0.2 ── 10.1.0.1 wifi ┐
#          eth1 10.2.0.2 ── 10.2.0.1 cable ┤ net  11.0.0.1 ── 11.0.0.2 eth0 home
#                                                             talkers: packets :7000,
#                                                             service echo :7001; iperf3
#
# Only the laptop knows where home is. cable is a NAT. With NO_UDP=1 net drops UDP, and the
# conversation over the service, whose stream ends with its TCP connection, is left out.

declare -A TALK_PORT=([packets]=7000 [service]=7001)

roam_setup() {
	need_product
	need_tools ping iperf3 nft python3
	host home laptop net
	cable net wifi laptop eth0
	cable net cable laptop eth1
	cable net uplink home eth0
	attach net wifi 10.1.0.1/24
	attach net cable 10.2.0.1/24
	attach net uplink 11.0.0.1/24
	attach home eth0 11.0.0.2/24
	attach laptop eth0 10.1.0.2/24
	ok on net sysctl -qw net.ipv4.ip_forward=1
	ok on net nft add table ip nat
	ok on net nft 'add chain ip nat post { type nat hook postrouting priority srcnat; }'
	ok on net nft add rule ip nat post ip saddr 10.2.0.0/24 oifname uplink masquerade
	if [ -n "${NO_UDP:-}" ]; then
		ok on net nft 'add chain ip nat forward { type filter hook forward priority 0; }'
		ok on net nft add rule ip nat forward meta l4proto udp drop
	fi
	ok on home ip route add default via 11.0.0.1
	ok on laptop ip route add default via 10.1.0.1
	node home laptop
	introduce laptop home network
	ok peerup home auth add "${PEER_ID[laptop]}" --comment laptop --access network
	ok peerup home name add laptop "${PEER_ID[laptop]}"
	ok peerup home service add echo 127.0.0.1:7001
	up home laptop
	linked laptop home
	HOME4=$(vip home)
	start home echo-service python3 "$LIB_DIR/talker.py" serve 127.0.0.1 7001
	start home echo-packets python3 "$LIB_DIR/talker.py" serve "$HOME4" 7000
	start home iperf iperf3 -s -B "$HOME4"
	eventually 10 on laptop ping -c 1 -W 2 home.p2p
	eventually 5 on laptop bash -c ": < /dev/tcp/$HOME4/7000"
	eventually 5 on laptop bash -c ": < /dev/tcp/$HOME4/7001"
	sleep 1
	for h in home laptop; do
		on $h nft -f - <<-END || fail "no counter of resets on $h"
			table inet lab {
				counter resets { }
				chain in { type filter hook input priority 0;
					iifname peerup0 tcp flags & rst == rst counter name resets; }
				chain out { type filter hook output priority 0;
					oifname peerup0 tcp flags & rst == rst counter name resets; }
			}
		END
	done
}

# load SECONDS [MBITS]: conversations both ways of access, and bulk data
load() {
	local mbits=${2:-20}
	local what
	TALKS=packets
	[ -n "${NO_UDP:-}" ] || TALKS="packets service"
	TALKERS=()
	for what in $TALKS; do
		start laptop "talk-$what" python3 "$LIB_DIR/talker.py" talk "$HOME4" "${TALK_PORT[$what]}" "$1"
		TALKERS+=($!)
	done
	start laptop iperf iperf3 -c "$HOME4" -t "$1" -b "${mbits}M" -J
	TALKERS+=($!)
	sleep 2
}

# survived PAUSE_MS: everything is still talking in the end, nothing was reset, and no
# conversation paused for longer than that
survived() {
	local pid what pause h
	for h in home laptop; do
		says 'packets 0 ' on $h nft list counter inet lab resets
	done
	for pid in "${TALKERS[@]}"; do
		wait "$pid" || fail "a program lost its connection: $(cat "$LAB"/laptop/log/laptop-talk-*.log)"
	done
	for what in $TALKS; do
		pause=$(json pause_ms < "$LAB/laptop/log/laptop-talk-$what.log")
		say "longest pause over $what: $pause ms"
		[ "$pause" -lt "$1" ] || fail "the conversation over $what paused for $pause ms"
	done
}

# answered_within MS: from now
answered_within() {
	local since until=$(($1 / 1000 + 30))
	since=$(date +%s%3N)
	eventually $until on laptop ping -c 1 -W 1 "$HOME4"
	since=$(($(date +%s%3N) - since))
	say "answered after $since ms"
	[ $since -lt "$1" ] || fail "the first answer came after $since ms only"
}
