#!/usr/bin/env bash
# A config on trial that cuts the machine off is taken back: device, routes, resolver, peers.
#
#   laptop 192.168.7.2 ───── 192.168.7.1 home
. "$(dirname "$0")/../lib.sh"
need_product

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
resolver_on home
node home laptop
befriend home laptop network
up home laptop
linked laptop home

config=$(config_of home)
dir=$(dirname "$config")
new=$LAB/new.yaml
routes() { on home ip -o route show dev peerup0 | sort; }
state() { routes; on home cat /etc/resolv.conf; cat "$config"; }
before=$(state)
as_before() { [ "$(state)" = "$before" ]; }
reachable() { on laptop ping -c 1 -W 1 home.p2p; }
pid=$(daemon_pid home)

say "another port, range and domain: nobody finds it any more"
sed -E 's|/(tcp\|udp)/4001|/\1/4999|; s|10\.64\.0\.0/16|10.77.0.0/16|' "$config" > "$new"
sed -i 's|^vpn:|vpn:\n  dns_suffix: elsewhere|' "$new"
chmod 600 "$new"
says 'restarted its parts for: network.listen_addresses, vpn.subnet, vpn.dns_suffix' \
	peerup home config apply "$new" --confirm-timeout 3s
[ "$(daemon_pid home)" != "$pid" ] || fail "it runs as before"
says '10\.77\.' routes
says 'On trial until' peerup home config show
complains 'on trial already' peerup home config apply "$new"
ok cmp -s "$config" "$new"
say "unconfirmed: all as before, and it answers again"
eventually 8 as_before
[ ! -e "$dir/.config.pending" ] || fail "the marker stays"
ok cmp -s "$dir/.config.rejected.yaml" "$new"
eventually 10 reachable
says '192\.0\.2\.7' on home getent hosts www.example.test
cmp -s "$dir/.config.last-good.yaml" "$config" || fail "the trial was archived"

say "one that cannot start is taken back at once"
sed 's|10\.64\.0\.0/16|192.168.0.0/16|' "$config" > "$new"
complains 'could not start with it' peerup home config apply "$new"
eventually 5 as_before
eventually 10 reachable

say "one that is confirmed stays"
sed 's|^  mtu: 0|  mtu: 1300|' "$config" > "$new"
ok peerup home config apply "$new" --confirm-timeout 3s
ok peerup home config confirm
sleep 3.5
ok cmp -s "$config" "$new"
says 'mtu 1300' on home ip link show peerup0
eventually 10 reachable
eventually 3 cmp -s "$dir/.config.last-good.yaml" "$new"
says 'in use' peerup home config history

say "killed on trial: the next start goes on with it, and takes it back in time"
sed 's|^  mtu: 1300|  mtu: 1290|' "$config" > "$new"
ok peerup home config apply "$new" --confirm-timeout 4s
kill -9 $(product_pids home)
sleep 0.5
up home
says 'mtu 1290' on home ip link show peerup0
mtu_is_back() { on home ip link show peerup0 | grep -q 'mtu 1300'; }
eventually 8 mtu_is_back

say "killed on trial and started too late: the old one"
ok peerup home config apply "$new" --confirm-timeout 1s
kill -9 $(product_pids home)
sleep 1.2
up home
ok mtu_is_back
grep -q 'mtu: 1300' "$config" || fail "the config of the trial is in place"

say "rollback acts on the running one"
ok peerup home config rollback
mtu_is() { on home ip link show peerup0 | grep -q "mtu $1"; }
eventually 5 mtu_is 1400

say "full disk, read-only disk: refused, nothing changes"
down home
small=$LAB/small
mkdir "$small"
on home mount -t tmpfs -o size=64k,mode=700 tmpfs "$small"
on home cp -a "$dir/config.yaml" "$dir/identity.key" "$dir/authorized_keys" "$small"
on home dd if=/dev/zero of="$small/full" bs=1k count=100 2> /dev/null
was=$(on home ls -A "$small")
complains 'nothing changed' peerup home config apply "$new" --config "$small/config.yaml"
[ "$(on home ls -A "$small")" = "$was" ] || fail "traces on a full disk: $(on home ls -A "$small")"
ok on home cmp -s "$small/config.yaml" "$config"
on home rm "$small/full"
on home mount -o remount,ro "$small"
complains 'nothing changed' peerup home config apply "$new" --config "$small/config.yaml"
[ "$(on home ls -A "$small")" = "${was/full/}" ] || ok on home cmp -s "$small/config.yaml" "$config"

say "a broken config: refused with the way out, healed when asked to"
printf 'vpn: [\n' > "$config"
complains 'config rollback' peerup home up
ok peerup home up --heal
ok grep -q 'vpn: \[' "$dir/.config.rejected.yaml"
eventually 10 reachable
