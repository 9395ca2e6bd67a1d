#!/usr/bin/env bash
# A relay from its first command on: it answers its operator, refuses strangers, lets in
# whoever is authorised while it runs, and sends away whoever is not any more.
#
#   relay 11.0.0.1 ──┐
#   home  11.0.0.2 ──┤ switch
. "$(dirname "$0")/../lib.sh"
need_product
need_tools curl

RELAY_PORT=7777

health() { on relay curl -sS --max-time 5 http://127.0.0.1:9090/healthz; }
connected() { [ "$(health | json connected_peers)" = "$1" ]; }

host relay home
switch sw relay home
attach relay eth0 11.0.0.1/24
attach home eth0 11.0.0.2/24
node home

say "without a config it says how to make one"
complains 'peerup-vpn relay setup' peerup relay relay serve
relay_id=$(peerup relay relay setup --json | json peer_id)
[ -n "$relay_id" ] || fail "relay setup told no peer ID"
config=$LAB/relay/root/relay-server.yaml
sed -i '/^health:/,$ s/enabled: false/enabled: true/; s/127.0.0.1:9090/0.0.0.0:9090/' "$config"

say "it starts and is healthy"
start relay serve "$PEERUP" relay serve
eventually 10 health
says '^\{"connected_peers":0,"status":"ok","uptime_seconds":[0-9]+\}$' health
says "/ip4/11.0.0.1/udp/$RELAY_PORT/quic-v1/p2p/$relay_id" peerup relay relay info
complains 403 on home curl -sS -f --max-time 5 http://11.0.0.1:9090/healthz
[ -f "$LAB/relay/root/.relay-server.last-good.yaml" ] || fail "no copy of the config for rollback"

say "a stranger is refused"
ok peerup home peer add "/ip4/11.0.0.1/udp/$RELAY_PORT/quic-v1/p2p/$relay_id"
ok peerup home peer add "/ip4/11.0.0.1/tcp/$RELAY_PORT/p2p/$relay_id"
up home
eventually 10 grep -q 'stranger refused' "$LAB/relay/log/relay-serve.log"
connected 0 || fail "a stranger is connected: $(health)"

say "whoever is authorised gets in, without a restart"
ok peerup relay relay authorize "${PEER_ID[home]}" home
eventually 40 connected 1

say "and goes when the authorisation goes"
ok peerup relay relay deauthorize "${PEER_ID[home]}"
eventually 10 connected 0

say "SIGHUP loads the config, SIGTERM ends it properly"
pid=$(product_pids relay | head -1)
sed -i 's/max_reservations: 128/max_reservations: 5/' "$config"
kill -HUP "$pid"
sleep 0.5
health > /dev/null || fail "it died of SIGHUP"
kill -TERM "$pid"
eventually 10 sh -c "! kill -0 $pid"
silent_about 'LISTEN.*:7777' on relay ss -lnt
down home
