#!/bin/sh
# Commands around a running daemon.
. "$(dirname "$0")/lib.sh"
SOCK=$HOME/.config/peerup/peerup.sock
COOKIE=$HOME/.config/peerup/.daemon-cookie

# --- up on a new machine makes a config, comes up, says how to stop
run 0 down
says "Not running."
run 0 up
says "Made a new config: $CONFIG"
says "Your peer ID: 12D3KooW"
says "10.64.1.2"
says "Stop with: sudo peerup-vpn down"
[ "$(stat -c %a "$SOCK")" = 600 ] || bad "mode of the socket"
[ "$(stat -c %a "$COOKIE")" = 600 ] || bad "mode of the cookie"
[ "$(wc -c <"$COOKIE")" = 64 ] || bad "length of the cookie"
run 0 up
says "Already up."
run 0 up --json
json 'v["vpn"]["up"] and v["vpn"]["ipv4"] == "10.64.1.2" and v["pid"] > 1'

# --- edits act at once
run 0 name add home "$ID1"
says "The running daemon uses it now."
run 0 auth add home --access network --json
json 'v["applied"] is True'
run 0 status --json
json 'v["running"] and v["counters"]["fake_reloads"] == 2'
json '[(p["name"], p["access"], p["connected"]) for p in v["peers"]] == [("home", "network", True)]'
json 'v["peers"][0]["services"] == [{"name": "ssh", "port": 22}, {"name": "files"}]'
json 'v["peers"][0]["rtt_ms"] == 12.345'
json '[r["state"] for r in v["relays"]] == ["reserved", "waiting"]'
json 'v["relays"][0]["expires"] == "2023-11-14T22:13:20Z" and "error" not in v["relays"][0]'
json 'v["relays"][1]["status"] == "RESERVATION_REFUSED" and v["relays"][1]["error"]'
run 0 status
says "relays     12D3KooW"
says "reserved until 2023-11-14T22:13:20Z"
says "waiting: RESERVATION_REFUSED"
says "reachable  [B] Good - Public IPv4 detected  (interface 192.0.2.1)"
says "home.p2p  connected, access network"
says "rtt 12.3 ms"
says "ssh:22, files"
says "10.64.9.9"
! grep -q "$(printf '\033')" "$TOP/out" || bad "a peer's agent steers the terminal"

# --- a file that became wrong: the edit stands, the daemon keeps what it had
cp "$CONFIG" good
printf 'broken: [\n' >"$CONFIG"
run 1 name add x "$ID2"
run 0 status --json
json 'len(v["peers"]) == 1'
cp good "$CONFIG"

# --- ping
run 0 ping home -c 2 --interval 1ms
says "PING home (12D3KooWK99VoVxN...):"
says "seq=2 rtt=1.5ms path=[DIRECT]"
says "2 sent, 2 received, 0% loss, rtt min/avg/max = 1.5/1.5/1.5 ms"
run 0 ping home -c 1 --json
tail -1 "$TOP/out" >stats
head -1 "$TOP/out" >"$TOP/out.1" && mv "$TOP/out.1" "$TOP/out"
json 'v == {"seq": 1, "peer_id": "'"$ID1"'", "rtt_ms": 1.5, "path": "DIRECT", "error": ""}'
mv stats "$TOP/out"
json 'v["sent"] == 1 and v["received"] == 1 and v["lost"] == 0 and v["loss_pct"] == 0 and v["avg_ms"] == 1.5'
run 0 name add far "$ID2"
run 0 ping far -c 1
says "path=[RELAYED]"
run 0 name remove far
run 1 ping "$ID2" -c 2 --interval 1ms
says "error=cannot reach peer"
says "2 sent, 0 received, 100% loss"
run 1 ping nobody
grumbles "nobody: neither a known name nor a peer ID"

# --- paths
run 0 paths
says "DIRECT   quic       ipv4       12.3 ms  /ip4/192.0.2.1/udp/4001/quic-v1"
run 0 paths --json
json 'v == [{"peer_id": "'"$ID1"'", "path_type": "DIRECT", "address": "/ip4/192.0.2.1/udp/4001/quic-v1",
	"connected_at": "2023-11-14T22:13:20Z", "transport": "quic", "ip_version": "ipv4",
	"last_rtt_ms": 12.345}]'
run 0 status
says "direct, the best kind of path"
run 0 status --json
json 'v["peers"][0]["path_reason"] == "direct, the best kind of path"'

# --- why
run 0 why home
says "DIRECT: the other path is silent"
says "active   DIRECT quic  /ip4/192.0.2.1/udp/4001/quic-v1  outbound since 2023-11-14T22:14:20Z  rtt 12.3 ms"
says "suspect  RELAYED quic"
says "silent for 4.5 s  limit 600 s, 0 bytes"
says "(config, signed record)"
says "connected after 21 ms"
says "timed out after 15000 ms, stage connect"
says "not again for 5 s"
says "never tried"
says "it said NO_RESERVATION"
says "UDP seems to be blocked"
run 0 why home --json
json 'v["connected"] and v["path"] == "DIRECT" and v["reason"] == "the other path is silent"'
json '[c["state"] for c in v["connections"]] == ["active", "suspect"]'
json 'v["connections"][1]["relay"] == "'"$ID1"'"'
json 'v["connections"][1]["limit"] == {"duration_seconds": 600, "data_bytes": 0}'
json '[a["sources"] for a in v["addresses"]] == [["config", "signed record"], ["relay list"]]'
json '[t["result"] for t in v["addresses"][0]["attempts"]] == ["ok", "timed out"]'
json 'v["addresses"][0]["attempts"][1]["at"] == "2023-11-14T22:14:20Z"'
json 'v["relay_dials"][0]["status"] == "NO_RESERVATION"'
run 0 name add stray "$ID2"
run 0 why stray
says "stray  $ID2  not connected: no address is known"
run 0 name remove stray
run 1 why "$ID2"
grumbles "nothing is known about $ID2"
run 1 why nobody
grumbles "nobody: neither a known name nor a peer ID"

# --- discover, wake
run 0 discover home
says "grants us  network"
says "services   ssh  port 22"
run 0 discover home --json
json 'v["granted"] == "network" and v["services"][0] == {"name": "ssh", "port": 22} and v["verification"] == "unverified"'
run 1 discover nobody
run 0 name add nas "$ID2"
run 0 peer set-mac nas 3c:52:82:aa:bb:cc
run 0 wake nas --via home --json
json 'v["via"] == "home" and v["mac"] == "3c:52:82:aa:bb:cc"'
run 1 wake nas --via nas
grumbles "it must grant us access=network"
run 0 name remove nas

# --- traceroute
run 0 traceroute home
says "traceroute to home (12D3KooWK99VoVxN...):"
says " 1  12D3KooWK99VoVxN...  /ip4/192.0.2.1/udp/4001/quic-v1  1.5ms"
says "--- path: [DIRECT] ---"
run 0 traceroute home --json
json 'v == {"target": "home", "target_id": "'"$ID1"'", "path": "DIRECT", "hops": [{"hop": 1,
	"peer_id": "'"$ID1"'", "address": "/ip4/192.0.2.1/udp/4001/quic-v1", "rtt_ms": 1.5}], "verification": "unverified"}'
run 0 name add far "$ID2"
run 0 traceroute far
says "(relay-server/"
! grep -q "$(printf '\033')" "$TOP/out" || bad "a relay's agent steers the terminal"
says " 2  12D3KooWJWoaqZhD...  /ip4/192.0.2.9/tcp/4001/p2p/$ID1/p2p-circuit  *"
says "--- path: [RELAYED] ---"
run 0 traceroute far --json
json 'v["hops"][1]["error"] == "cannot reach peer: timed out" and v["hops"][1]["rtt_ms"] == 0'
run 0 paths
says "RELAYED  quic       ipv4             -  /ip4/192.0.2.9"
run 0 name remove far
run 1 traceroute "$ID2"
grumbles "cannot reach peer"

# --- the API itself
api() { # METHOD PATH [BODY]: status code in $code, answer in $TOP/out
	: >"$TOP/err"
	code=$(python3 - "$SOCK" "$(cat "$COOKIE")${TOKEN_SUFFIX:-}" "$@" <<'PY' 2>"$TOP/err"
import http.client, socket, sys
sock, token, method, path = sys.argv[1:5]
body = sys.argv[5] if len(sys.argv) > 5 else None
c = http.client.HTTPConnection("daemon")
c.sock = socket.socket(socket.AF_UNIX)
c.sock.connect(sock)
c.request(method, path, body, {"Authorization": "Bearer " + token})
r = c.getresponse()
print(r.status)
open("out", "wb").write(r.read())
PY
	)
}
api GET /v1/status
[ "$code" = 200 ] || bad "status: $code"
json 'list(v) == ["data"] and v["data"]["reachability"]["grade"] == "B"'
api GET "/v1/status?format=text"
says "reachability: [B] Good - Public IPv4 detected"
says "evidence: interface 192.0.2.1"
says "listen_addresses: 1"
says "relays: 2"
says "waiting: RESERVATION_REFUSED"
api GET "/v1/peers?format=text"
says "12D3KooWK99VoVxN..."
api GET /v1/peers
json 'v["data"][0]["agent_version"].startswith("peerup/")'
api POST /v1/resolve '{"name":"home"}'
json 'v["data"] == {"name": "home", "peer_id": "'"$ID1"'", "source": "local_config"}'
api POST "/v1/resolve?format=text" '{"name":"home"}'
says "home → $ID1 (source: local_config)"
api POST /v1/resolve '{"name":"nobody"}'
[ "$code" = 404 ] || bad "resolve nobody: $code"
json 'v == {"error": "cannot resolve \"nobody\": name not found: nobody"}'
api POST /v1/resolve '{'
[ "$code" = 400 ] || bad "resolve of half an object: $code"
json 'v == {"error": "invalid request body"}'
api POST "/v1/ping?format=text" '{"peer":"home","count":2,"interval_ms":1}'
says "PING home (12D3KooWK99VoVxN...):"
says "2 sent, 2 received, 0% loss, rtt min/avg/max = 1.5/1.5/1.5 ms"
api POST /v1/ping '{"peer":"home","count":3,"interval_ms":1}'
json '[r["seq"] for r in v["data"]["results"]] == [1, 2, 3] and v["data"]["stats"]["received"] == 3'
api GET "/v1/paths?format=text"
says "12D3KooWK99VoVxN...	DIRECT	quic	ipv4	rtt=12.3ms"
api POST "/v1/traceroute?format=text" '{"peer":"home"}'
says "traceroute to home (12D3KooWK99VoVxN...):"
says "--- path: [DIRECT] ---"
api POST /v1/traceroute "{\"peer\":\"$ID2\"}"
[ "$code" = 502 ] || bad "traceroute to a peer that is away: $code"
api GET "/v1/why/nobody"
[ "$code" = 404 ] || bad "why nobody: $code"
api POST /v1/ping '{}'
json 'v == {"error": "peer is required"}'
api POST /v1/ping '{"peer":"x"}'
[ "$code" = 400 ] || bad "ping x: $code"
json 'v["error"].startswith("cannot resolve peer \"x\": ")'
api POST /v1/ping "{\"peer\":\"$ID2\"}"
[ "$code" = 502 ] || bad "ping a peer that is away: $code"
json 'v["error"].startswith("cannot reach peer ")'
api GET /v1/nothing
[ "$code" = 404 ] || bad "unknown path: $code"
api DELETE /v1/status
[ "$code" = 405 ] || bad "wrong method: $code"
TOKEN_SUFFIX=0 api GET /v1/nothing
[ "$code" = 401 ] || bad "a wrong token: $code"
json 'v == {"error": "unauthorized: invalid or missing auth token"}'
TOKEN_SUFFIX=

# --- the daemon's own words
run 0 daemon status
says "peer_id: 12D3KooW"
says "reachability: [B] Good - Public IPv4 detected"
run 0 daemon peers
says "12D3KooWK99VoVxN..."
run 0 daemon peers --all
says " addrs"
run 0 daemon paths
says "12D3KooWK99VoVxN...	DIRECT	quic	ipv4	rtt=12.3ms"
run 0 daemon ping -c 2 --interval 1 home
says "PING home (12D3KooWK99VoVxN...):"
says "2 sent, 2 received, 0% loss, rtt min/avg/max = 1.5/1.5/1.5 ms"
run 0 daemon ping home -c 1 --json
[ "$(sed -n 2p "$TOP/out")" = '  "results": [' ] || bad "not indented by two"
tr -d '\n' <"$TOP/out" >joined && mv joined "$TOP/out"
json '[r["seq"] for r in v["results"]] == [1] and v["stats"]["received"] == 1'
run 0 daemon status --json
tr -d '\n' <"$TOP/out" >joined && mv joined "$TOP/out"
json 'v["version"] == "0.0.1-fake"'
run 1 daemon ping nobody
grumbles "daemon: cannot resolve peer"
run 1 daemon ping "$ID2" -c 1
grumbles "cannot reach peer"
run 2 daemon ping home --interval 1s
run 2 daemon ping home -c 0
run 2 daemon connect --peer home --service ssh
grumbles "--peer, --service and --listen are required"
run 2 daemon frobnicate
run 2 daemon disconnect
run 2 daemon disconnect ""
run 2 proxy home ssh 65536
run 2 events --kind nonsense
grumbles "no event is called nonsense"
run 0 help daemon
says "usage: peerup-vpn daemon [flags]"
says "daemon disconnect <id>"
run 0 help daemon ping
says "--interval MS"

# --- a second daemon is refused, a stale socket is not in the way
run 1 daemon
grumbles "a daemon is running already"
run 0 down --json
json 'v == {"status": "stopped"}'
[ ! -e "$SOCK" ] && [ ! -e "$COOKIE" ] || bad "down left socket or cookie"
run 1 daemon stop
grumbles "daemon: not running"
grumbles "try: sudo peerup-vpn up"
run 0 up --json
run 0 daemon stop
says "Shutdown requested."
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -e "$SOCK" ] || break
	sleep 0.1
done
[ ! -e "$SOCK" ] || bad "stop did not stop it"
for words in "daemon status" "daemon ping home" "paths" "vpn" "events" "why home" \
	"peer services home" "daemon connect --peer a --service b --listen 127.0.0.1:0"; do
	# shellcheck disable=SC2086
	run 1 $words
	grumbles "daemon: not running ($SOCK)"
	grumbles "try: sudo peerup-vpn up"
done
run 0 up --json
json 'v["running"]'
kill -9 "$(python3 -c 'import json; print(json.load(open("out"))["pid"])')"
sleep 0.2
[ -e "$SOCK" ] || bad "no stale socket to test with"
run 0 status
says "not running"
run 1 paths
grumbles "daemon"
run 1 traceroute home
grumbles "no daemon runs, asking directly"
grumbles "cannot reach peer"
run 1 ping home -c 1
grumbles "no daemon runs, asking directly"
says "1 sent, 0 received, 100% loss"
run 0 up
run 0 down

# --- a daemon that cannot start tells why through the command
FAKE_FAIL=1
export FAKE_FAIL
run 1 up
grumbles "peerup-vpn: /dev/net/tun: permission denied by the system"
grumbles "try: sudo peerup-vpn up"
run 1 up --foreground
grumbles "/dev/net/tun"
unset FAKE_FAIL
printf 'vpn: {mtu: 5}\n' >"$CONFIG"
run 1 up
grumbles "$CONFIG:1:12: vpn.mtu"

# --- foreground ends with SIGTERM
cp good "$CONFIG"
"$PU" up --foreground >"$TOP/out" 2>"$TOP/err" &
pid=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -e "$COOKIE" ] && break
	sleep 0.1
done
run 0 status
says "running for"
kill "$pid"
wait "$pid" || bad "foreground: exit $?"

# --- a runtime directory of its own
PEERUP_RUNTIME_DIR=$TOP/run
export PEERUP_RUNTIME_DIR
run 0 up
[ -S "$TOP/run/peerup.sock" ] || bad "PEERUP_RUNTIME_DIR is not used"
run 0 down
