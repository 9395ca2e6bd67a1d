#!/bin/sh
# What is asked of a running daemon: services, ports to them, events; and by curl, as the
# scripts for peer-up do it.
. "$(dirname "$0")/lib.sh"

run 0 up
run 0 name add home "$ID1"
run 0 service add web 127.0.0.1:8080

# --- services
run 0 daemon services
says "web	127.0.0.1:8080	/peerup/web/1.0.0	enabled"
run 0 peer services home
says "ssh                  port 22"
says "files                port -"
run 0 peer services "$ID1" --json
json '[s["name"] for s in v] == ["ssh", "files"]'
run 1 peer services nobody
grumbles "nobody: neither a known name nor a peer ID"
run 1 peer services "$ID2"
grumbles "nothing is known about $ID2"

# --- the network
run 0 vpn
says "device     peerup0  mtu 1400"
says "network    10.64.0.0/16"
says "routes     192.168.7.0/24 via 12D3KooW"
run 0 vpn --json
json 'v["up"] and v["routes"][0]["prefix"] == "192.168.7.0/24"'

# --- ports to services
run 0 daemon connections
[ ! -s "$TOP/out" ] || bad "connections that nobody made"
run 0 daemon connect --peer home --service ssh --listen 127.0.0.1:2222
says "Proxy created: proxy-1 -> home:ssh (listen: 127.0.0.1:2222)"
run 0 daemon connections
says "proxy-1	127.0.0.1:2222	home	ssh"
run 0 daemon disconnect proxy-1
says "Proxy disconnected."
run 1 daemon disconnect proxy-1
grumbles "daemon: proxy not found: proxy-1"
run 1 daemon disconnect "a/../b?c d"
run 1 daemon connect --peer "$ID2" --service ssh --listen 127.0.0.1:0
grumbles "cannot reach peer"
run 1 daemon connect --peer nobody --service ssh --listen 127.0.0.1:0
grumbles "cannot resolve peer"
run 0 daemon connect --peer=home --service=ssh --listen=127.0.0.1:0 --json
[ "$(sed -n 2p "$TOP/out")" = '  "id": "proxy-2",' ] || bad "not the object alone, indented"
run 0 daemon disconnect proxy-2 --json

# later FILE TEXT: it comes
later() {
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		grep -qF -- "$2" "$1" && return
		sleep 0.1
	done
	bad "no \"$2\" in $1: $(cat "$1")"
}

# --- proxy: until ^C, or until the daemon ends
"$PU" proxy home ssh 2222 >held 2>&1 &
pid=$!
later held "Proxy: 127.0.0.1:2222 -> home:ssh"
run 0 daemon connections
says "proxy-3"
kill -INT $pid
wait $pid || bad "proxy ends with $?"
run 0 daemon connections
[ ! -s "$TOP/out" ] || bad "the proxy outlived its command"
run 1 proxy "$ID2" ssh 2222
grumbles "cannot reach peer"
run 1 proxy home "no service" 2222
run 2 proxy home ssh
run 2 proxy home ssh x

# --- events
"$PU" events --kind auth_change --kind stopping >told 2>&1 &
events=$!
"$PU" events --json >told.json 2>&1 &
json_events=$!
"$PU" proxy home ssh 2222 --json >held 2>&1 &
pid=$!
later held '"listen_address":"127.0.0.1:2222"'
sleep 0.3 # until all of them listen
run 0 daemon status
run 0 name add more "$ID2"
SOCK=$HOME/.config/peerup/peerup.sock
api() { # METHOD PATH [BODY]
	curl -sS --max-time 20 --unix-socket "$SOCK" -X "$1" \
		-H "Authorization: Bearer $(cat "$HOME/.config/peerup/.daemon-cookie")" \
		"http://daemon/v1/$2" ${3:+-d "$3"} >"$TOP/out" 2>"$TOP/err"
}
if command -v curl >/dev/null; then
	api POST auth "{\"peer_id\":\"$ID2\"}"
	json 'v == {"data": {"status": "added"}}'
	api DELETE "auth/$ID2"
	api GET 'status?format=text'
	says "peer_id: 12D3KooW"
	api POST ping '{"peer":"home","count":2,"interval_ms":1}'
	json 'v["data"]["stats"]["received"] == 2'
	api POST connect '{"peer":"home","service":"ssh","listen":"127.0.0.1:2222"}'
	json 'v["data"] == {"id": "proxy-5", "listen_address": "127.0.0.1:2222"}'
	api DELETE connect/proxy-5
	json 'v == {"data": {"status": "disconnected"}}'
	later told " auth_change peer_id=$ID2 what=added"
	later told.json '"kind":"auth_change"'
fi
later told.json '"kind":"config"'
run 0 down
wait $events && bad "events ends well without a daemon"
wait $json_events && bad "events --json ends well without a daemon"
wait $pid && bad "proxy ends well without a daemon"
later held "daemon: it has ended"
later told " stopping"
lacks told " config"
later told "daemon: it has ended"
tail -1 told.json | grep -q "daemon: it has ended" || bad "events do not say how they end"
sed '$d' told.json | python3 -c '
import json, sys
for line in sys.stdin:
    assert json.loads(line)["kind"], line' || bad "events --json is not a line of JSON each"
