#!/usr/bin/env bash
# Two kinds of access: services (the default) and network.
#
#   home 192.168.7.1 ──┤
#   admin       7.2  ──┤ switch      admin has access=network, viewer has services
#   viewer      7.3  ──┤             home: web on loopback as a service;
#                                    a private server on its overlay address, no service
. "$(dirname "$0")/../lib.sh"
need_product
need_tools ping

host home admin viewer
switch sw home admin viewer
attach home eth0 192.168.7.1/24
attach admin eth0 192.168.7.2/24
attach viewer eth0 192.168.7.3/24
node home admin viewer
befriend home admin network
befriend home viewer services
web_on home 8080
ok peerup home service add web 127.0.0.1:8080
up home admin viewer
start home private python3 -m http.server 7000 --bind "$(vip home)" --directory "$LAB/home/web"
linked admin home
linked viewer home

get() { on "$1" curl -sS --max-time 8 "http://home.p2p:$2/hello.txt"; }

say "both ping and use the service"
for h in admin viewer; do
	ok on $h ping -c 1 -W 5 home.p2p
	says '^hello from home$' get $h 8080
done
say "the admin reaches any port, also over UDP"
eventually 5 get admin 7000
start home sink python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 7001))
while True:
	d, a = s.recvfrom(2048)
	s.sendto(b"got " + d, a)' "$(vip home)"
sleep 0.5
udp='
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(3)
s.connect(("home.p2p", 7001))
s.send(b"datagram")
print(s.recv(100).decode())'
says '^got datagram$' on admin python3 -c "$udp"
say "the viewer does not, and is told so rather than left waiting"
start=$(date +%s%N)
no get viewer 7000
took=$((($(date +%s%N) - start) / 1000000))
[ $took -lt 6000 ] || fail "the refusal takes $took ms"
no on viewer python3 -c "$udp"
