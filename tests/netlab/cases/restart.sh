#!/usr/bin/env bash
# One side goes away and comes back: by down and up, by kill -9, and by its cable.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
web_on home 8080
node home laptop
befriend home laptop network
ok peerup home service add web 127.0.0.1:8080
up home laptop
linked laptop home
address=$(vip home)

get() { on laptop curl -sS --max-time 5 http://home.p2p:8080/hello.txt; }
says '^hello from home$' get

say "down and up of home: the same address, and it answers again"
down home
no on laptop ping -c 1 -W 2 home.p2p
up home
[ "$(vip home)" = "$address" ] || fail "home was $address and is $(vip home)"
eventually 20 on laptop ping -c 1 -W 2 home.p2p
eventually 10 get

say "kill -9 of home and up"
kill -9 $(product_pids home)
sleep 0.5
up home
eventually 20 on laptop ping -c 1 -W 2 home.p2p
eventually 10 get

say "the cable is out for 5 s: connections survive it"
start laptop slow bash -c '
	exec 3<> /dev/tcp/home.p2p/8080 || exit 1
	sleep 8
	printf "GET /hello.txt HTTP/1.0\r\n\r\n" >&3
	cat <&3'
sleep 1
ok on home ip link set eth0 down
sleep 5
ok on home ip link set eth0 up
eventually 20 on laptop ping -c 1 -W 2 home.p2p
eventually 20 grep -q '^hello from home' "$LAB/laptop/log/laptop-slow.log"
