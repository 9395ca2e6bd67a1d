#!/usr/bin/env bash
# A link of 1280 bytes whose routers tell nobody: no ICMP "too big" gets through. Nothing
# may hang: big transfers by service and by packets pass, in both directions.
#
#   laptop 10.1.0.2 ───── 10.1.0.1 router 10.2.0.1 ───── 10.2.0.2 home
#                   1500            mtu 1280 towards home, ICMP errors dropped
. "$(dirname "$0")/../lib.sh"
need_product
need_tools nft iperf3

host home router laptop
cable laptop eth0 router eth0
cable router eth1 home eth0
attach laptop eth0 10.1.0.2/24
attach router eth0 10.1.0.1/24
attach router eth1 10.2.0.1/24
attach home eth0 10.2.0.2/24
ok on router ip link set eth1 mtu 1280
ok on router sysctl -qw net.ipv4.ip_forward=1
ok on laptop ip route add default via 10.1.0.1
ok on home ip route add default via 10.2.0.1
# Home's own end is narrow too, as behind a PPP link; and the router does not split.
ok on home ip link set eth0 mtu 1280
ok on router nft -f - <<'END'
table inet hole {
	chain out { type filter hook output priority 0; icmp type destination-unreachable drop; }
	chain through { type filter hook forward priority 0; icmp type destination-unreachable drop; }
}
END
no on laptop ping -c 1 -W 1 -M do -s 1400 10.2.0.2
ok on laptop ping -c 1 -W 2 -M do -s 1200 10.2.0.2

web_on home 8080 4000000
node home laptop
befriend home laptop network
ok peerup home service add web 127.0.0.1:8080
up home laptop
linked laptop home
web_on laptop 7000 4000000 "$(vip laptop)"

say "a service: download through the named service"
fetches laptop http://home.p2p:8080/big.bin "$LAB/home/web/big.bin"
say "packets: download over a port that is no service, IPv4 and IPv6"
start home plain python3 -m http.server 7000 --bind :: --directory "$LAB/home/web"
eventually 5 on home bash -c ': < /dev/tcp/127.0.0.1/7000'
fetches laptop http://home.p2p:7000/big.bin "$LAB/home/web/big.bin"
home6=$(vip6 home)
fetches laptop "http://[$home6]:7000/big.bin" "$LAB/home/web/big.bin"
say "and the other way"
fetches home "http://laptop.p2p:7000/big.bin" "$LAB/laptop/web/big.bin"
start home iperf3 iperf3 -s
eventually 5 on home bash -c ': < /dev/tcp/127.0.0.1/5201'
sleep 0.3
says 'receiver' on laptop iperf3 -c home.p2p -t 2
says 'receiver' on laptop iperf3 -c home.p2p -t 2 -R
say "an inner 1280-byte IPv6 packet always passes"
ok on laptop ping -6 -c 2 -W 5 -M do -s 1232 home.p2p
say "one that does not fit is answered with the limit, not swallowed"
complains 'too long|mtu|frag|100% packet loss' on laptop ping -c 2 -W 2 -M do -s 8000 home.p2p
