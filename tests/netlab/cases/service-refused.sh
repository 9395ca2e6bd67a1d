#!/usr/bin/env bash
# A refused connection looks refused: at once, as "Connection refused", never accepted first.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home      web → 127.0.0.1:8080 (runs)
#                                                  dead → 127.0.0.1:9999 (nobody listens)
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
web_on home 8080
node home laptop
befriend home laptop
ok peerup home service add web 127.0.0.1:8080
ok peerup home service add dead 127.0.0.1:9999
up home laptop
linked laptop home

connect() { on laptop timeout 10 bash -c ": < /dev/tcp/home.p2p/$1"; }

say "a service whose program does not listen"
complains 'connection refused' connect 9999
say "a port without service"
complains 'connection refused|permission denied|prohibited|no route' connect 4444
say "quickly"
start=$(date +%s%N)
no connect 9999
took=$((($(date +%s%N) - start) / 1000000))
[ $took -lt 2000 ] || fail "a refusal takes $took ms"
say "the others work"
says '^hello from home$' on laptop curl -sS --max-time 20 http://home.p2p:8080/hello.txt

say "the program starts: the same service works; a disabled one is refused"
start home late python3 -m http.server 9999 --bind 127.0.0.1 --directory "$LAB/home/web"
eventually 10 connect 9999
ok peerup home service disable web
eventually 10 bash -c "! nsenter -t ${HOST_PID[laptop]} -n -m bash -c ': < /dev/tcp/home.p2p/8080' 2> /dev/null"
