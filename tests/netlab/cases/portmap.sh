#!/usr/bin/env bash
# A router that opens ports when it is asked to, by each protocol that it may know.
#
#   laptop 192.168.5.2 ── 192.168.5.1 router 11.0.0.1 ── 11.0.0.9 outside
#
#   BY=any    PCP, NAT-PMP and UPnP: the best is taken
#   BY=upnp   UPnP only
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/portmap.sh"
need_tools nft miniupnpd ss
PORTMAPPER=${PORTMAPPER:-$(newest portmapper)}
[ -x "${PORTMAPPER:-}" ] || skip "tests/support/portmapper is not built"
need_real_root "the router's daemon writes to the system log"
BY=${BY:-any}
[ "$BY" = any ] && METHOD=pcp || METHOD=upnp
"$PORTMAPPER" --can | grep -qw "$METHOD" || skip "built without $METHOD"

portmap_topology

# log of the mapper; what it printed last
mapper_log() { cat "$LAB/laptop/log/laptop-mapper.log"; }
last_line() { mapper_log | tail -n 1; }
last_is() { last_line | grep -qE "$1"; }

mapper_on() {
	rm -f "$LAB/laptop/in" "$LAB/laptop/log/laptop-mapper.log"
	mkfifo "$LAB/laptop/in"
	on laptop "$PORTMAPPER" "$@" < "$LAB/laptop/in" \
		> "$LAB/laptop/log/laptop-mapper.log" 2>> "$LAB/laptop/log/laptop-mapper.err" &
	exec {MAPPER_FD}> "$LAB/laptop/in"
}

mapper_off() {
	echo stop >&$MAPPER_FD
	eventually 5 last_is '^stopped'
	exec {MAPPER_FD}>&-
}

# From outside a datagram and a connection get to the laptop's port 4001.
listen_on_laptop() {
	start laptop udp python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 4001))
while True:
    b, a = s.recvfrom(100)
    s.sendto(b, a)'
	start laptop tcp python3 -c '
import socket
s = socket.create_server(("", 4001))
while True:
    c, a = s.accept()
    c.sendall(b"hello")
    c.close()'
	eventually 5 on laptop bash -c 'ss -lnt | grep -q :4001 && ss -lnu | grep -q :4001'
}

reached_by_udp() {
	on outside python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.sendto(b"x", ("11.0.0.1", 4001))
assert s.recv(10) == b"x"'
}

reached_by_tcp() {
	on outside python3 -c '
import socket
assert socket.create_connection(("11.0.0.1", 4001), 2).recv(10) == b"hello"'
}

[ "$BY" = any ] && natpmp=yes || natpmp=no
router_conf $natpmp
listen_on_laptop

say "no daemon on the router: nothing is mapped, nothing hangs"
mapper_on udp:4001 tcp:4001
eventually 20 last_is '^none ETIMEDOUT'
no reached_by_udp
no reached_by_tcp

say "the router learns it; a change of the network is a reason to ask again"
router_on
echo change >&$MAPPER_FD
eventually 20 last_is "^mapped $METHOD udp 4001 11.0.0.1:4001 tcp 4001 11.0.0.1:4001"
ok reached_by_udp
ok reached_by_tcp

say "it is taken back at the end"
mapper_off
no reached_by_udp
no reached_by_tcp

say "without rights and under the filter of the daemon"
mapper_on --sealed udp:4001 tcp:4001
eventually 20 last_is "^mapped $METHOD udp 4001 11.0.0.1:4001 tcp 4001 11.0.0.1:4001"
ok reached_by_udp

say "the way out is gone, then there again"
on laptop ip route del default
echo change >&$MAPPER_FD
eventually 10 last_is '^none EUNREACH'
on laptop ip route add default via 192.168.5.1
echo change >&$MAPPER_FD
eventually 20 last_is "^mapped $METHOD"
mapper_off
no reached_by_udp

say "a port that another machine of the LAN has"
mapper_on udp:4001
eventually 20 last_is '^mapped'
on laptop ip addr add 192.168.5.3/24 dev eth0
on laptop ip addr del 192.168.5.2/24 dev eth0
on laptop ip addr replace 192.168.5.3/24 dev eth0
on laptop ip route replace default via 192.168.5.1
echo change >&$MAPPER_FD
elsewhere() { last_is "^mapped $METHOD udp 4001 11.0.0.1:" && ! last_is ':4001$'; }
eventually 20 elsewhere
mapper_off
router_off

say "with a public address there is nothing to ask for"
on laptop ip addr flush dev eth0
attach laptop eth0 11.0.5.2/24
on router ip addr add 11.0.5.1/24 dev lan
on laptop ip route replace default via 11.0.5.1
mapper_on udp:4001
eventually 5 last_is '^none ENOTSUP'
mapper_off
