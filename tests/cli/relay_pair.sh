#!/bin/sh
# relay pair, and the socket that it talks to: who may ask, and what is answered to nonsense.
. "$(dirname "$0")/lib.sh"
DIR=$TOP/relay
RELAY=$DIR/relay-server.yaml
SOCK=$DIR/.relay-admin.sock
COOKIE=$DIR/.relay-admin.cookie
PORT=$((20000 + $$ % 20000))

# wait_for TEXT FILE...: until one of them has it.
wait_for() {
	text=$1
	shift
	for _ in $(seq 100); do
		grep -q "$text" "$@" && return
		sleep 0.1
	done
	bad "no \"$text\" in $*: $(cat "$@")"
}

serve() {
	"$PU" relay serve --config "$RELAY" >serve.out 2>serve.err &
	relay=$!
	wait_for "Relay Peer ID" serve.out
}

# end SIGNAL: the relay, and with KILL the process that does its work as well.
end() {
	worker=$(pgrep -P "$relay")
	[ "$1" = TERM ] || kill "-$1" "$worker"
	kill "-$1" "$relay"
	wait "$relay" 2>/dev/null
	for _ in $(seq 50); do
		kill -0 "$worker" 2>/dev/null || return 0
		sleep 0.1
	done
}

# ask STATUS TEXT METHOD PATH [BODY]: as anybody who can open the socket.
ask() {
	curl -s -o "$TOP/out" -w '%{http_code}' --max-time 10 --unix-socket "$SOCK" \
		-H "Authorization: Bearer $bearer" -X "$3" ${5+--data-binary "$5"} \
		"http://relay-admin$4" >status
	[ "$(cat status)" = "$1" ] || bad "$3 $4: status $(cat status), not $1"
	[ "$(cat "$TOP/out")" = "$2" ] || [ "$2" = any ] || bad "$3 $4: not $2"
}

# --- usage
run 2 relay pair --count 0
run 2 relay pair --count 101
grumbles "is not a number from 1 to 100"
run 2 relay pair --count many
run 2 relay pair --ttl soon
run 2 relay pair --ttl 0
run 2 relay pair --expires 12
run 2 relay pair --namespace "My Net"
run 2 relay pair --list --revoke ab12cd34
run 2 relay pair --list --count 2
run 1 relay pair --revoke ../status
grumbles "not the ID of a group"

# --- no relay
run 0 relay setup --dir relay --port "$PORT"
run 1 relay pair --config "$RELAY"
grumbles "peerup-vpn: relay: not running ($SOCK)"
grumbles "try: peerup-vpn relay serve --config $RELAY"

# --- a relay that does not know where it is
sed -i "s|/ip4/0.0.0.0/|/ip4/127.0.0.1/|; s|/ip6/::/|/ip6/::1/|" "$RELAY"
sed -i "s|/ip4/127.0.0.1/tcp/$PORT|&/ws|" "$RELAY"
serve
run 1 relay pair --config "$RELAY"
grumbles "set network.announce_addresses in $RELAY"
run 0 relay pair --list --config "$RELAY" --json
json 'v == []'
end TERM
[ ! -e "$SOCK" ] && [ ! -e "$COOKIE" ] || bad "the relay left its socket behind"

# --- codes
sed -i "s|^network:|&\n  announce_addresses: [\"/ip6/2001:db8::1/tcp/1\", \"/ip4/203.0.113.5/tcp/7777\"]|" "$RELAY"
serve
for f in "$SOCK" "$COOKIE"; do
	[ "$(stat -c %a "$f")" = 600 ] || bad "$f has mode $(stat -c %a "$f")"
done
run 0 relay pair --config "$RELAY"
says "Pairing code generated (expires in 1h 0m):"
says "Group ID: "
says "peerup-vpn join"
grep -q '^A[A-Z2-7-]\{125\}$' "$TOP/out" || bad "no code"
run 0 relay pair --count 3 --ttl 10m --expires 24h --namespace family --config "$RELAY"
says "Code 3:  A"
says "(expires in 10m 0s)"
run 0 relay pair -c 100 --config "$RELAY" --json
json 'len(set(v["codes"])) == 100 and len(v["group_id"]) == 8'
json 'set(v) == {"group_id", "codes", "expires_at"} and v["expires_at"].endswith("Z")'
run 0 relay pair --list --config "$RELAY" --json
json '[(g["total"], g["used"], g.get("namespace")) for g in v] == [(1, 0, None), (3, 0, "family"), (100, 0, None)]'
id=$(sed 's/.*"id":"\([0-9a-f]*\)","namespace":"family".*/\1/' "$TOP/out")
run 0 relay pair --list --config "$RELAY"
says "  $id  0/3 used  active ("
run 0 relay pair --revoke "$id" --config "$RELAY"
says "Pairing group $id revoked."
run 1 relay pair --revoke "$id" --config "$RELAY"
grumbles "group not found"
grumbles "try: peerup-vpn relay pair --list"

# --- the socket
bearer=guess
ask 401 '{"error":"unauthorized"}' GET /v1/pair
ask 401 '{"error":"unauthorized"}' POST /v1/pair '{}'
ask 401 '{"error":"unauthorized"}' GET /v1/nothing
bearer=$(cat "$COOKIE")
[ ${#bearer} = 64 ] || bad "the cookie has ${#bearer} characters"
wrong='{"error":"invalid request body"}'
ask 400 "$wrong" POST /v1/pair ''
ask 400 "$wrong" POST /v1/pair '[]'
ask 400 "$wrong" POST /v1/pair '{"count":"2"}'
ask 400 "$wrong" POST /v1/pair '{"count":1.5}'
ask 400 "$wrong" POST /v1/pair '{"namespace":7}'
ask 400 "$wrong" POST /v1/pair '{"count":2'
ask 400 "$wrong" POST /v1/pair "$(printf '{"namespace":"%05000d"}' 0)"
ask 400 '{"error":"count exceeds maximum (100)"}' POST /v1/pair '{"count":101}'
ask 400 any POST /v1/pair '{"ttl_seconds":9223372036854775807}'
ask 400 any POST /v1/pair '{"expires_seconds":9223372036854775807}'
ask 400 "$wrong" POST /v1/pair '{"count":99999999999999999999}'
ask 400 '{"error":"invalid namespace"}' POST /v1/pair '{"namespace":"no label"}'
ask 404 '{"error":"group not found"}' DELETE /v1/pair/ab12cd34
ask 404 '404 page not found' DELETE /v1/pair/
ask 404 '404 page not found' GET /v1/pairs
ask 405 'Method Not Allowed' PUT /v1/pair '{}'
ask 405 'Method Not Allowed' GET /v1/pair/ab12cd34
ask 200 any POST /v1/pair '{"count":-3,"ttl_seconds":0,"expires_seconds":-1,"namespace":"","x":1} rest'
json 'len(v["codes"]) == 1'
for _ in $(seq 64); do
	"$PU" relay pair --config "$RELAY" >/dev/null 2>"$TOP/err" || break
done
grumbles "failed to create group"

# --- what a killed relay leaves does not hinder the next one, which has no codes any more
end KILL
[ -e "$SOCK" ] || bad "nothing was left, nothing is tested"
run 1 relay pair --config "$RELAY"
grumbles "not running"
serve
run 0 relay pair --list --config "$RELAY"
says "No pairing groups."

# --- another relay in the same folder keeps its hands off
sed "s|$PORT|$((PORT + 1))|" "$RELAY" > "$DIR/second.yaml"
chmod 600 "$DIR/second.yaml"
"$PU" relay serve --config "$DIR/second.yaml" >second.out 2>second.err &
second=$!
wait_for "relay pair will not work" second.err
kill "$second"
wait "$second" 2>/dev/null
run 0 relay pair --list --config "$RELAY"
end TERM
