#!/usr/bin/env bash
# What can be wrong at up: each time a clear error that says what to do, and nothing left.
#
#   home 192.168.7.1 ───── (a far end without anything)
. "$(dirname "$0")/../lib.sh"
need_product

host home far
cable home eth0 far eth0
attach home eth0 192.168.7.1/24
attach far eth0 192.168.7.2/24

say "up without any config makes one and says what to do next"
out=$(peerup home up 2>&1) || fail "up without config: $out"
grep -qE '12D3Koo|auth add|whoami' <<< "$out" || fail "up without config does not say what is next: $out"
down home
gone home

rm -rf "$LAB/home/root/.config"
node home
config=$(config_of home)
cp "$config" "$LAB/good.yaml"
restore() { cp "$LAB/good.yaml" "$config"; }

say "the interface name is taken"
ok on home ip link add peerup0 type bridge
complains 'peerup0' peerup home up
complains 'try:|interface' peerup home up
ok on home ip link del peerup0
gone home

say "a route overlaps"
ok on home ip route add 10.64.0.0/12 dev eth0
complains 'overlap.*10\.64\.0\.0/12|10\.64\.0\.0/12.*overlap' peerup home up
complains 'subnet' peerup home up
silent_about peerup0 on home ip link
ok on home ip route del 10.64.0.0/12 dev eth0

say "port 53 is taken on all addresses"
start home squatter python3 "$LIB_DIR/resolver.py" 0.0.0.0 53
sleep 0.5
out=$(peerup home up 2>&1)
if [ $? -eq 0 ]; then
	# Going on without names is fine when it says so.
	grep -qiE 'dns|53|names' <<< "$out" || fail "up says nothing about port 53: $out"
	down home
else
	grep -qE '53' <<< "$out" || fail "up does not name port 53: $out"
fi
kill $(pid_in_netns home python3)
gone home

say "a typo in the config is named with its line"
vpn_set home mtu 99
complains "config.yaml.*[0-9]+.*mtu|mtu.*line" peerup home up
restore
sed -i 's/^network:/networc:/' "$config"
says 'config.yaml:[0-9]+:[0-9]+: networc' peerup home up
down home
restore

say "a config that others can read is refused"
chmod 644 "$config"
complains 'chmod 600|permission' peerup home up
chmod 600 "$config"

say "a listen port that is taken"
start home holder python3 -c '
import socket, sys, time
a = socket.socket(); a.bind(("0.0.0.0", int(sys.argv[1]))); a.listen()
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.bind(("0.0.0.0", int(sys.argv[1])))
time.sleep(600)' $PORT
sleep 0.5
out=$(peerup home up 2>&1)
status=$?
grep -qE "in use|taken" <<< "$out" || fail "up does not say that port $PORT is taken: $out"
[ $status -ne 0 ] || down home
gone home
kill $(pid_in_netns home python3)

say "up twice says that it is up"
up home
says 'Already up' peerup home up
down home
say "down twice says that it is not"
says 'Not running' peerup home down
gone home

say "an unknown command and a bad flag are usage errors"
peerup home no-such-command > /dev/null 2>&1
[ $? -eq 2 ] || fail "an unknown command does not exit with 2"
peerup home ping --no-such-flag x > /dev/null 2>&1
[ $? -eq 2 ] || fail "an unknown flag does not exit with 2"
