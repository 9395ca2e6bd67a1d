#!/bin/sh
# What a node and a relay tell about themselves: nothing unless asked; then the page for
# Prometheus, the audit log, the export to a collector, and the dashboard that reads them.
. "$(dirname "$0")/lib.sh"
HERE=$(cd "$(dirname "$0")" && pwd)
PORT=$((21000 + $$ % 20000))
SOCK=$HOME/.config/peerup/peerup.sock
COOKIE=$HOME/.config/peerup/.daemon-cookie

api() { # api METHOD PATH [TOKEN]
	curl -s -o "$TOP/body" -w '%{http_code}' --unix-socket "$SOCK" -X "$1" \
		-H "Authorization: Bearer ${3:-$(cat "$COOKIE")}" "http://daemon$2"
}

# start_daemon: without a device; its stderr in $TOP/daemon.log
start_daemon() {
	"$PU" daemon > "$TOP/daemon.out" 2> "$TOP/daemon.log" < /dev/null &
	daemon=$!
	for _ in $(seq 100); do
		[ -S "$SOCK" ] && [ "$(api GET /v1/status)" = 200 ] && return
		sleep 0.1
	done
	bad "the daemon does not start: $(cat "$TOP/daemon.log")"
}

stop_daemon() {
	kill "$daemon" 2> /dev/null
	wait "$daemon"
}

run 0 init --non-interactive
cp "$CONFIG" plain.yaml

# --- off by default
start_daemon
api GET /v1/peers nonsense > /dev/null
stop_daemon
lacks daemon.log '"audit"'

# --- all of it on
python3 "$HERE/collector.py" "$TOP/collected" > "$TOP/collector.port" &
collector=$!
for _ in $(seq 50); do
	[ -s "$TOP/collector.port" ] && break
	sleep 0.1
done
printf 'Authorization: Bearer s3cret\n' > headers
chmod 600 headers
cat >> "$CONFIG" << END
telemetry:
  metrics: {enabled: true, listen_address: "127.0.0.1:$PORT"}
  audit: {enabled: true}
  otlp:
    enabled: true
    endpoint: "http://127.0.0.1:$(cat "$TOP/collector.port")/v1/metrics"
    interval: 1s
    headers_file: "$TOP/headers"
END
start_daemon
[ "$(api GET /v1/peers nonsense)" = 401 ] || bad "a wrong cookie is let in"
curl -s "http://127.0.0.1:$PORT/metrics" > node.prom || bad "no metrics page"
has node.prom 'peerup_info{version="'
has node.prom 'peerup_auth_decisions_total{decision="deny"} 0'
has node.prom 'peerup_daemon_requests_total{method="GET",path="/v1/peers",status="401"} 1'
has node.prom 'peerup_daemon_request_duration_seconds_bucket{method="GET",path="/v1/status",status="200",le="+Inf"}'
has node.prom 'peerup_session_tx_bytes 0'
# every counter of every module
run 0 status --json
python3 -c '
import json, sys
counters = json.load(open(sys.argv[1]))["counters"]
lines = open(sys.argv[2]).read().splitlines()
missing = [c for c in counters if not any(l.startswith("peerup_%s " % c) for l in lines)]
assert len(counters) > 50 and not missing, missing
' "$TOP/out" node.prom 2> err || bad "counters that the page does not have"
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/v1/status")" = 404 ] ||
	bad "the open port serves more than metrics"
has daemon.log '"msg":"daemon_api_access","audit":{"method":"GET","path":"/v1/peers","status":401}'
for _ in $(seq 100); do
	[ -s "$TOP/collected" ] && break
	sleep 0.1
done
python3 "$HERE/collector.py" --check "$TOP/collected" "$TOP/node.prom" > out 2> err ||
	bad "what the collector got"
# a collector that goes away is no reason to stumble, nor to wait at the end
kill "$collector"
sleep 2
[ "$(api GET /v1/status)" = 200 ] || bad "the daemon died with its collector"
stop_daemon
grep -q "the collector does not take our metrics" daemon.log || bad "nobody tells that the collector is away"

# --- what cannot work is refused at the start
sed "s|$TOP/headers|$TOP/no-such-file|" "$CONFIG" > next.yaml
cat next.yaml > "$CONFIG"
run 1 daemon
grumbles "no-such-file"
sed -e "s|endpoint: .*|endpoint: \"ftp://x\"|" -e "s|no-such-file|headers|" "$CONFIG" > next.yaml
cat next.yaml > "$CONFIG"
run 1 daemon
grumbles "telemetry.otlp.endpoint"
cat plain.yaml > "$CONFIG"

# --- a relay
run 0 relay setup --dir relay --port $((PORT + 1)) --non-interactive
cat >> relay/relay-server.yaml << END
telemetry:
  metrics: {enabled: true, listen_address: "127.0.0.1:$PORT"}
END
"$PU" relay serve --config relay/relay-server.yaml > relay.out 2> relay.log &
relay=$!
for _ in $(seq 100); do
	curl -s "http://127.0.0.1:$PORT/metrics" > relay.prom && break
	sleep 0.1
done
kill "$relay"
wait "$relay"
has relay.prom 'peerup_relay_reservations 0'

# --- the dashboard asks for what there is
python3 "$HERE/dashboard.py" "$HERE/../../deploy/grafana/peerup-vpn.json" node.prom relay.prom \
	> out 2> err || bad "the dashboard"
