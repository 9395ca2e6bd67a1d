#!/bin/sh
# Commands around relays: the files of one, one that runs, and the list of a node.
. "$(dirname "$0")/lib.sh"
RELAY=$TOP/relay/relay-server.yaml
RKEYS=$TOP/relay/relay_authorized_keys
PORT=$((20000 + $$ % 20000))
ID3=12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB

# --- without a config
run 1 relay serve
grumbles "peerup-vpn: relay-server.yaml: no such config file"
grumbles "try: peerup-vpn relay setup"
run 1 relay info
grumbles "try: peerup-vpn relay setup"
run 2 relay
grumbles "needs a second word"
run 2 relay config
run 2 relay config dance
grumbles "allowed is validate, show, history, rollback, apply, confirm, snapshots or restore"

# --- setup
run 2 relay setup --port 0
run 2 relay setup --network My_Net
run 0 relay setup --dir relay --port "$PORT" --non-interactive --json
json 'v["peer_id"].startswith("12D3KooW") and v["config"] == "relay/relay-server.yaml"'
for f in "$RELAY" "$RKEYS" "$TOP/relay/relay_node.key"; do
	[ "$(stat -c %a "$f")" = 600 ] || bad "$f has mode $(stat -c %a "$f")"
done
cp "$RELAY" before
run 1 relay setup --dir relay
grumbles "there is a config already, it was not touched"
cmp -s "$RELAY" before || bad "setup touched the config"

# --- all anew, and back
run 0 relay config snapshots --config "$RELAY"
says "None."
old_key=$(sha256sum <relay/relay_node.key)
run 0 relay setup --dir relay --port "$PORT" --fresh --json
json 'len(v["snapshot"]) == 17'
name=$(python3 -c 'import json; print(json.load(open("out"))["snapshot"])')
[ "$(sha256sum <relay/relay_node.key)" != "$old_key" ] || bad "the key is the old one"
[ "$(stat -c %a "relay/backups/$name")" = 700 ] || bad "mode of the snapshot"
[ "$(stat -c %a "relay/backups/$name/relay_node.key")" = 600 ] || bad "mode of the copy"
cmp -s "relay/backups/$name/relay-server.yaml" before || bad "the copy differs"
run 1 relay config restore ../../etc --config "$RELAY"
grumbles "no such snapshot"
run 1 relay config restore 2020-01-01_000000 --config "$RELAY"
run 0 relay config restore "$name" --config "$RELAY"
[ "$(sha256sum <relay/relay_node.key)" = "$old_key" ] || bad "the key is not restored"
run 0 relay setup --dir relay --port "$PORT" --fresh
run 0 relay config restore "$name" --config "$RELAY"
run 0 relay config snapshots --config "$RELAY" --json
json 'len(v) == 4 and v == sorted(v, reverse=True)'

# --- config
run 0 relay config validate --config "$RELAY"
says "OK: $RELAY is valid"
is_quiet
run 1 relay config rollback --config "$RELAY"
grumbles "no last-known-good config archive found"
sed 's/max_reservations: 128/max_reservations: lots/' before > broken.yaml
chmod 600 broken.yaml
run 1 relay config validate --config broken.yaml
grumbles "broken.yaml:"
grumbles "resources.max_reservations: \"lots\" is not valid"
grumbles "FAIL: broken.yaml"
run 1 relay serve --config broken.yaml
grumbles "resources.max_reservations"
chmod 644 broken.yaml
run 1 relay info --config broken.yaml
grumbles "chmod 600 broken.yaml"

# --- who may use it
run 0 relay list-peers --config "$RELAY"
says "Authorized peers (0):"
run 0 relay authorize "$ID1" my laptop --config "$RELAY"
says "Authorized peer: $ID1"
has "$RKEYS" "$ID1  # my laptop"
run 0 relay authorize "$ID2" --comment "home server" --config "$RELAY" --json
json 'v["comment"] == "home server"'
run 1 relay authorize "$ID1" --config "$RELAY"
grumbles "already authorized"
run 1 relay authorize nobody --config "$RELAY"
grumbles "not a peer ID"
run 0 relay list-peers --config "$RELAY" --json
json '[p["comment"] for p in v] == ["my laptop", "home server"]'
run 0 relay deauthorize "$ID1" --config "$RELAY"
says "Revoked peer: $ID1"
lacks "$RKEYS" "$ID1"
run 1 relay deauthorize "$ID1" --config "$RELAY"
grumbles "not authorized"
run 0 relay info --config "$RELAY" --json
json 'v["gating"] is True and v["authorized_peers"] == 1 and isinstance(v["addresses"], list)'
run 0 relay info --config "$RELAY"
says "Peer ID: 12D3KooW"
rm "$TOP/relay/relay_node.key"
run 1 relay info --config "$RELAY"
grumbles "the first start makes it"
[ ! -e "$TOP/relay/relay_node.key" ] || bad "info made a key"
run 0 relay version
says "peerup-vpn relay "

# --- one that runs
sed -i 's/enabled: false/enabled: true/; s/:9090/:'$((PORT + 1))'/' "$RELAY"
"$PU" relay serve --config "$RELAY" --log-level info >"$TOP/serve.out" 2>"$TOP/serve.err" &
pid=$!
for _ in $(seq 100); do
	grep -q "relay: ready" "$TOP/serve.err" && break
	sleep 0.1
done
has "$TOP/serve.out" "Relay Peer ID: 12D3KooW"
has "$TOP/serve.out" "/ip4/127.0.0.1/tcp/$PORT/p2p/12D3KooW"
get() {
	python3 - "$1" <<'PY'
import sys, urllib.request, urllib.error
try:
    r = urllib.request.urlopen(sys.argv[1], timeout=5)
    print(r.status, r.headers["Content-Type"], r.read().decode(), end="")
except urllib.error.HTTPError as e:
    print(e.code)
PY
}
get "http://127.0.0.1:$((PORT + 1))/healthz" >"$TOP/out"
says '200 application/json {"connected_peers":0,"status":"ok","uptime_seconds":'
get "http://127.0.0.1:$((PORT + 1))/metrics" >"$TOP/out"
says "404"
run 1 relay serve --config "$RELAY"
grumbles "the port is taken by another program"
run 0 relay authorize "$ID3" --config "$RELAY"
for _ in $(seq 50); do
	grep -q "authorized keys loaded peers=2" "$TOP/serve.err" && break
	sleep 0.1
done
has "$TOP/serve.err" "authorized keys loaded peers=2"
# a config on trial: another port for 3 s, then the old one again
sed "s|/tcp/$PORT\"|/tcp/$((PORT + 2))\"|" "$RELAY" >trial.yaml
chmod 600 trial.yaml
cp "$RELAY" before-trial
run 0 relay config apply trial.yaml --confirm-timeout 3s --config "$RELAY"
says "Needs a restart of parts: network.listen_addresses"
says "peerup-vpn relay config confirm --config $RELAY"
listens() { python3 -c 'import socket, sys; socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1" 2>/dev/null; }
within_10s() {
	for _ in $(seq 100); do
		"$@" && return
		sleep 0.1
	done
	bad "not within 10 s: $*"
}
within_10s listens $((PORT + 2))
within_10s cmp -s "$RELAY" before-trial
within_10s listens "$PORT"
run 1 relay config confirm --config "$RELAY"
grumbles "no config is on trial"
kill -TERM $pid
wait $pid
got=$?
[ "$got" = 0 ] || bad "relay serve: exit $got after SIGTERM: $(cat "$TOP/serve.err")"

# --- its config comes back
echo "garbage: [" >"$RELAY"
run 1 relay config validate --config "$RELAY"
run 0 relay config rollback --config "$RELAY"
says "Restored: $RELAY"
run 0 relay config validate --config "$RELAY"

# --- the relays of a node
run 0 init --non-interactive
run 0 relay list
says "No relays."
run 0 relay add "/ip4/203.0.113.50/udp/7777/quic-v1/p2p/$ID1"
says "Added relay: /ip4/203.0.113.50/udp/7777/quic-v1/p2p/$ID1"
has "$CONFIG" "    - \"/ip4/203.0.113.50/udp/7777/quic-v1/p2p/$ID1\""
run 0 relay add "/ip4/203.0.113.50/udp/7777/quic-v1/p2p/$ID1"
says "Already configured"
run 0 relay add 203.0.113.51 203.0.113.52:8080 "[2001:db8::1]:9000" 2001:db8::2 "[2001:db8::3]" \
	--peer-id "$ID2" --json
json 'v["added"] == 5'
run 0 relay list --json
json 'v[1] == "/ip4/203.0.113.51/tcp/7777/p2p/'"$ID2"'" and v[2].startswith("/ip4/203.0.113.52/tcp/8080/")'
json 'v[3].startswith("/ip6/2001:db8::1/tcp/9000/") and v[4].startswith("/ip6/2001:db8::2/tcp/7777/")'
json 'v[5].startswith("/ip6/2001:db8::3/tcp/7777/") and len(v) == 6'
cp "$CONFIG" before
run 2 relay add 203.0.113.53
grumbles "needs --peer-id"
run 1 relay add relay.example.com --peer-id "$ID2"
grumbles "neither a multiaddr nor IP[:PORT]"
run 1 relay add relay.example.com:7777 --peer-id "$ID2"
grumbles "given by its IP address"
run 1 relay add 203.0.113.53:0 --peer-id "$ID2"
run 1 relay add 203.0.113.53 --peer-id nobody
run 1 relay add /ip4/203.0.113.50/tcp/7777
run 2 relay add "/ip4/203.0.113.54/tcp/1/p2p/$ID2" 203.0.113.54
cmp -s "$CONFIG" before || bad "a refused add changed the config"
run 0 relay remove "/ip4/203.0.113.51/tcp/7777/p2p/$ID2" --force
lacks "$CONFIG" "203.0.113.51"
run 1 relay remove "/ip4/203.0.113.51/tcp/7777/p2p/$ID2"
grumbles "no such relay"
