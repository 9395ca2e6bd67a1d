#!/usr/bin/env bash
# A network behind a peer: home lets peers with network access into its LAN.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home 172.20.0.1 ───── 172.20.0.2 printer
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop printer
cable home eth0 laptop eth0
cable home eth1 printer eth0
attach home eth0 192.168.7.1/24
attach home eth1 172.20.0.1/24
attach laptop eth0 192.168.7.2/24
attach printer eth0 172.20.0.2/24
ok on printer ip route add default via 172.20.0.1
ok on home sysctl -qw net.ipv4.ip_forward=1
web_on printer 9100 100000 172.20.0.2
node home laptop
befriend home laptop network
vpn_set home routes '["172.20.0.0/24"]'
up home laptop
linked laptop home

say "ip route add 172.20.0.0/24 via HOME dev peerup0"
no on laptop ping -c 1 -W 1 172.20.0.2
ok on laptop ip route add 172.20.0.0/24 via "$(vip home)" dev peerup0
eventually 10 on laptop ping -c 1 -W 2 172.20.0.2
fetches laptop http://172.20.0.2:9100/big.bin "$LAB/printer/web/big.bin"

say "the route goes: so does the way"
ok on laptop ip route del 172.20.0.0/24
no on laptop ping -c 1 -W 1 172.20.0.2

say "a network that home does not offer stays closed"
ok on laptop ip route add 172.21.0.0/24 via "$(vip home)" dev peerup0
no on laptop ping -c 1 -W 1 172.21.0.2
