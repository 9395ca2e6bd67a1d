#!/usr/bin/env bash
# A peer with network access puts packets with somebody else's source into the tunnel:
# they are dropped and counted, and never seen on home's device.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
node home laptop
befriend home laptop network
up home laptop
linked laptop home
ok on laptop ping -c 1 -W 5 home.p2p

spoofed() {
	local h total=0 n
	for h in home laptop; do
		for n in $(peerup "$h" status --json | grep -oE '"[a-z_]*spoof[a-z_]*": *[0-9]+' |
			grep -oE '[0-9]+$'); do
			total=$((total + n))
		done
	done
	echo $total
}

before=$(spoofed)
say "forged sources: another overlay address, an address of the Internet"
start home watcher python3 "$LIB_DIR/packets.py" watch peerup0 5
sleep 1
home4=$(vip home) home6=$(vip6 home)
for source in 10.64.200.200 198.51.100.9 "$home4"; do
	ok on laptop python3 "$LIB_DIR/packets.py" send peerup0 "$source" "$home4" 40001
done
ok on laptop python3 "$LIB_DIR/packets.py" send peerup0 2001:db8::9 "$home6" 40001
say "an honest one arrives"
ok on laptop python3 "$LIB_DIR/packets.py" send peerup0 "$(vip laptop)" "$home4" 40002
sleep 5
says ' 40002$' cat "$LAB/home/log/home-watcher.log"
silent_about ' 40001$' cat "$LAB/home/log/home-watcher.log"
say "counted"
after=$(spoofed)
[ "$after" -ge $((before + 3)) ] || fail "spoofed counters were $before and are $after"
