#!/usr/bin/env bash
# kill -9: the machine still resolves names, no device, no routes; the next up works.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
resolver_on home laptop
before=$(on laptop cat /etc/resolv.conf)
node home laptop
befriend home laptop
up home laptop
linked laptop home
says '10\.64\.' on laptop getent ahostsv4 home.p2p
says '192\.0\.2\.7' on laptop getent hosts www.example.test

say "kill -9 of the daemon"
kill -9 "$(daemon_pid laptop)"
eventually 5 on laptop getent hosts www.example.test
eventually 5 bash -c "! nsenter -t ${HOST_PID[laptop]} -n ip link show peerup0 2> /dev/null"
restored() { [ "$(on laptop cat /etc/resolv.conf)" = "$before" ]; }
eventually 5 restored
gone laptop

say "up works again"
up laptop
linked laptop home
says '10\.64\.' on laptop getent ahostsv4 home.p2p

say "killed with everything that watched over it: the next start cleans up"
kill -9 $(product_pids laptop)
sleep 0.5
silent_about peerup0 on laptop ip link
eventually 5 on laptop getent hosts www.example.test
up laptop
linked laptop home
down laptop
gone laptop
restored || fail "resolv.conf is not as before: $(on laptop cat /etc/resolv.conf)"
says '192\.0\.2\.7' on laptop getent hosts www.example.test
