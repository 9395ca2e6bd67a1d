#!/usr/bin/env bash
# The node as its unit starts it: an account with two rights, files in /etc that root's
# commands leave in the account's hands, a config on trial all the same.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home (the service)
. "$(dirname "$0")/../lib.sh"
need_product
need_tools setpriv useradd
need_real_root "it changes accounts"

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
ok on home useradd --system --no-create-home --home-dir "$LAB/home/state" peerup
chmod 755 "$LAB/home"
# As udev makes it; not every container has that.
mknod -m 666 "$LAB/tun" c 10 200 && on home mount --bind "$LAB/tun" /dev/net/tun ||
	skip "no device nodes here"
on home install -d -m 700 -o peerup -g peerup /etc/peerup /run/peerup "$LAB/home/state"

service() { peerup home --config /etc/peerup/config.yaml "$@"; }
owners() { on home find /etc/peerup /run/peerup -printf '%u\n' | sort -u; }
say "commands of root leave the files to the account"
ok service init --non-interactive --port "$PORT"
PEER_ID[home]=$(service whoami)
node laptop
introduce laptop home network
ok service auth add "${PEER_ID[laptop]}" --access network
ok service name add laptop "${PEER_ID[laptop]}"
ok service config validate
[ "$(owners)" = peerup ] || fail "files of $(owners)"

say "two rights are enough"
rights=+net_admin,+net_bind_service
start home service setpriv --reuid peerup --regid peerup --clear-groups --no-new-privs \
	--bounding-set "-all,$rights" --inh-caps "$rights" --ambient-caps "$rights" \
	env HOME="$LAB/home/state" STATE_DIRECTORY="$LAB/home/state" \
	"$PEERUP" up --foreground --heal --config /etc/peerup/config.yaml
running() { service status | grep -q '^peerup-vpn  running'; }
eventually 10 running
up laptop
linked laptop home
eventually 10 on laptop ping -c 1 -W 2 home.p2p
worker=$(daemon_pid home)
# CAP_NET_BIND_SERVICE and CAP_NET_ADMIN
says '^CapPrm:\s+0000000000001400$' cat "/proc/$worker/status"
says '^Seccomp:\s+2$' cat "/proc/$worker/status"
says '^Uid:\s+[1-9]' cat "/proc/$worker/status"

say "another device is no more to ask for"
on home sed 's|"peerup0"|"other0"|' /etc/peerup/config.yaml > "$LAB/new.yaml"
chmod 600 "$LAB/new.yaml"
ok service config apply "$LAB/new.yaml" --confirm-timeout 3s
says other0 on home ip link
back() { on home ip link show peerup0; }
eventually 8 back
[ "$(owners)" = peerup ] || fail "files of $(owners)"

say "it ends in time, although nobody answers its goodbye"
ok on home ip link set eth0 down
begin=$(date +%s%N)
ok service down
gone home
took=$((($(date +%s%N) - begin) / 1000000))
[ $took -lt 5000 ] || fail "stopping takes $took ms"
