#!/usr/bin/env bash
# The main job: two machines, ordinary programs, over IPv4 or IPv6 (UNDERLAY=6).
#
#   laptop eth0 192.168.7.2 ─────────────── 192.168.7.1 eth0 home
#              fd07::2                           fd07::1        sshd 127.0.0.1:22
#   peerup0 10.64.a.b                       10.64.c.d peerup0   web  127.0.0.1:8080
#
# The services listen on home's loopback only: nothing but the overlay reaches them.
. "$(dirname "$0")/../lib.sh"
need_product
need_tools ssh sshd curl dig ping iperf3 python3

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24 fd07::1/64
attach laptop eth0 192.168.7.2/24 fd07::2/64
if [ -n "$LAB_REAL_ROOT" ]; then
	sshd_on home
else
	say "without ssh, whose server needs real root"
fi
web_on home 8080
resolver_on home laptop

node home laptop
befriend home laptop network
ok peerup home service add ssh 127.0.0.1:22
ok peerup home service add web 127.0.0.1:8080

say "up makes the device, its addresses and routes"
says '10\.64\.[0-9]+\.[0-9]+' peerup home up
says '10\.64\.[0-9]+\.[0-9]+' peerup laptop up
for h in home laptop; do
	says 'UP' on $h ip link show dev peerup0
	says 'inet 10\.64\.' on $h ip addr show dev peerup0
	says 'inet6 fd' on $h ip addr show dev peerup0 scope global
	says '10\.64\.0\.0/16 dev peerup0' on $h ip route show proto 112
	says 'fd.*dev peerup0' on $h ip -6 route show proto 112
done
says '10\.64\.0\.0/16 dev peerup0' on home ip route show proto peerup

say "ping by name, IPv4 and IPv6"
linked laptop home
says ' 0% packet loss' on laptop ping -4 -c 3 -i 0.2 -W 5 home.p2p
says ' 0% packet loss' on laptop ping -6 -c 3 -i 0.2 -W 5 home.p2p
says ' 0% packet loss' on home ping -c 3 -i 0.2 -W 5 laptop.p2p
says '"rtt_ms"' peerup laptop ping home -c 2 --json

say "names: dig, getent, reverse, services, unknown ones"
home4=$(vip home) home6=$(vip6 home)
says "^$home4\$" on laptop dig +short home.p2p A
says "^$home6\$" on laptop dig +short home.p2p AAAA
says "^$home4\$" on laptop dig +tcp +short HOME.P2P A
says 'home\.p2p' on laptop dig +short -x "$home4"
says 'NXDOMAIN' on laptop dig nobody.p2p
says ' 22 home\.p2p' on laptop dig +short _ssh._tcp.home.p2p SRV
says "$home4|$home6" on laptop getent hosts home.p2p
says '192\.0\.2\.7' on laptop getent hosts www.example.test

with_ssh() {
	say "ssh user@home.p2p"
	says '^hello user home$' ssh_from laptop user@home.p2p 'echo hello $(whoami) $(hostname)'
	head -c 3000000 /dev/urandom > "$LAB/laptop/root/file"
	ok on laptop scp -F none -q -i "$LAB/key" -o UserKnownHostsFile="$LAB/laptop/known_hosts" \
		file user@home.p2p:copy
	ok cmp "$LAB/laptop/root/file" "$LAB/home/ssh/home/copy"
}
[ -z "$LAB_REAL_ROOT" ] || with_ssh

say "curl http://home.p2p:8080"
says '^hello from home$' on laptop curl -sS --max-time 20 http://home.p2p:8080/hello.txt
says '^hello from home$' on laptop curl -6 -sS --max-time 20 http://home.p2p:8080/hello.txt
fetches laptop http://home.p2p:8080/big.bin "$LAB/home/web/big.bin"

say "packets: iperf3 through the device, TCP and UDP"
start home iperf3 iperf3 -s
eventually 5 on home bash -c ': < /dev/tcp/127.0.0.1/5201'
sleep 0.3
says 'receiver' on laptop iperf3 -c home.p2p -t 2
says 'receiver' on laptop iperf3 -c home.p2p -t 1 -R
says 'receiver' on laptop iperf3 -6 -c home.p2p -u -b 20M -l 1000 -t 1

say "status tells about it"
says 'home' peerup laptop status
says '"connected"|"connected_peers"' peerup laptop status --json

say "down leaves nothing behind"
down laptop home
gone laptop
gone home
says '192\.0\.2\.7' on laptop getent hosts www.example.test

say "and up works again"
up home laptop
linked laptop home
says '^hello from home$' on laptop curl -sS --max-time 20 http://home.p2p:8080/hello.txt
