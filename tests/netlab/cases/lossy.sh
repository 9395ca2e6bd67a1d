#!/usr/bin/env bash
# A bad line: 40 ms, jitter, 2 % loss, reordering. Slow is fine, wrong or stuck is not.
#
#   laptop 192.168.7.2 ═══ link emulator ═══ 192.168.7.1 home
. "$(dirname "$0")/../lib.sh"
need_product
need_wire

host home laptop
wire laptop eth0 home eth0 --delay 20 --jitter 2 --rate 50 --loss 2 --reorder 1 --seed 7
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
web_on home 8080 4000000
node home laptop
befriend home laptop network
ok peerup home service add web 127.0.0.1:8080
up home laptop
linked laptop home

say "a service and a plain port"
fetches laptop http://home.p2p:8080/big.bin "$LAB/home/web/big.bin"
start home plain python3 -m http.server 7000 --bind "$(vip home)" --directory "$LAB/home/web"
sleep 0.5
fetches laptop http://home.p2p:7000/big.bin "$LAB/home/web/big.bin"

say "at 1 % loss too"
wire_set loss=1 reorder=0 jitter=0
fetches laptop http://home.p2p:8080/big.bin "$LAB/home/web/big.bin"

say "silence for 12 s, then it answers"
wire_set loss=100
sleep 12
wire_set loss=0
eventually 20 on laptop ping -c 1 -W 3 home.p2p
