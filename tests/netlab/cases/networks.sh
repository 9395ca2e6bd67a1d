#!/usr/bin/env bash
# Two networks at once on one machine, and each has names, addresses and sockets of its own.
#
#   office 192.168.8.1 ── eth1 laptop eth0 ── 192.168.7.1 home
#          "work"                                  the ordinary one
. "$(dirname "$0")/../lib.sh"
need_product
need_tools dig

host home office laptop
cable home eth0 laptop eth0
cable office eth0 laptop eth1
attach home eth0 192.168.7.1/24
attach office eth0 192.168.8.1/24
attach laptop eth0 192.168.7.2/24
on laptop ip addr add 192.168.8.2/24 dev eth1
on laptop ip link set eth1 up
resolver_on laptop
resolv=$(on laptop cat /etc/resolv.conf)
node home laptop
befriend home laptop

work() { peerup laptop --instance work "$@"; }
say "init writes another device, range and domain"
node office
complains 'allowed' peerup laptop --instance Work status
ok work init --non-interactive
config=$(work status --json | json config)
case $config in */peerup/work/config.yaml) ;; *) fail "its config is $config" ;; esac
config=$(on laptop readlink -f "$config")
for line in 'interface: "pu-work"' 'dns_suffix: "p2p-work"'; do
	on laptop grep -qF "$line" "$config" || fail "no $line in $config"
done
ok on laptop sed -i 's|^  dns: auto|  dns: resolv-conf|' "$config"
work_id=$(work whoami)
ok peerup office auth add "$work_id"
ok peerup office name add laptop "$work_id"
ok work auth add "${PEER_ID[office]}"
ok work name add office "${PEER_ID[office]}"
ok work peer add "/ip4/192.168.8.1/udp/$PORT/quic-v1/p2p/${PEER_ID[office]}"
[ "$work_id" != "${PEER_ID[laptop]}" ] || fail "both have one identity"

say "both are up"
up home office laptop
ok work up
says 'pu-work' on laptop ip link
says 'peerup0' on laptop ip link
linked laptop home
eventually 15 work ping office -c 1
[ "$(work status --json | json ipv4 | cut -d. -f2)" != "$(vip laptop | cut -d. -f2)" ] ||
	fail "one range for both"

say "names of both, each from its own server"
stub_of() { "$@" status --json | json server; }
ordinary=$(stub_of peerup laptop)
works=$(stub_of work)
eventually 5 on laptop ping -c 1 -W 2 home.p2p
ask() { on laptop dig +short +time=2 +tries=1 "@$1" "$2" A; }
says '^10\.' ask "$works" office.p2p-work
says '^10\.64\.' ask "$ordinary" home.p2p
silent_about '^10\.' ask "$works" home.p2p
silent_about '^10\.' ask "$ordinary" office.p2p-work
eventually 5 on laptop ping -c 1 -W 2 "$(ask "$works" office.p2p-work)"
say "one resolv.conf serves one of them; the other does not take it away"
says '"method":"none"' work status --json
says "$ordinary" on laptop cat /etc/resolv.conf
says '192\.0\.2\.7' on laptop getent hosts www.example.test

say "one goes, the other stays"
ok work down
silent_about pu-work on laptop ip link
ok on laptop ping -c 1 -W 2 home.p2p
says '192\.0\.2\.7' on laptop getent hosts www.example.test
down laptop
ok work up
eventually 5 on laptop ping -c 1 -W 2 office.p2p-work
says '192\.0\.2\.7' on laptop getent hosts www.example.test
ok work down
[ "$(on laptop cat /etc/resolv.conf)" = "$resolv" ] ||
	fail "resolv.conf is not as before: $(on laptop cat /etc/resolv.conf)"
