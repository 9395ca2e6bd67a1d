#!/usr/bin/env bash
# A port of this machine that leads to a service of another one, without any device: by a
# daemon, by the command alone, and by a script with curl, as peer-up's scripts do it.
#
#   laptop eth0 192.168.7.2 ─────── 192.168.7.1 eth0 home
#   127.0.0.1:8000, …                                web   127.0.0.1:8080
#                                                    count 127.0.0.1:9000, says at the end
#                                                          of what it read how much it was
. "$(dirname "$0")/../lib.sh"
need_product
need_tools curl socat python3
# The leak checker cannot look into a daemon that locked itself up, and fails its exit.
export ASAN_OPTIONS=detect_leaks=0

host home laptop
cable home eth0 laptop eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
web_on home 8080
start home count socat TCP-LISTEN:9000,bind=127.0.0.1,fork,reuseaddr SYSTEM:'wc -c'
node home laptop
befriend home laptop
ok peerup home service add web 127.0.0.1:8080
ok peerup home service add count 127.0.0.1:9000
ok peerup home service add nobody 127.0.0.1:9
start home daemon "$PEERUP" daemon
cookie=.config/peerup/.daemon-cookie
eventually 10 on home test -e $cookie

# proxy_on NAME WORD...: `proxy WORD...` in the background, once it says that it listens
proxy_on() {
	local name=$1
	shift
	start laptop "$name" "$PEERUP" proxy "$@"
	PROXY_JOB=$!
	eventually 40 grep -q 'Stop with' "$LAB/laptop/log/laptop-$name.log"
}

said() { cat "$LAB/laptop/log/laptop-$1.log"; }

# The process behind `proxy … PORT`.
proxy_pid() {
	local pid
	for pid in $(product_pids laptop); do
		if tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q " proxy .* $1 \$"; then
			printf '%s\n' "$pid"
		fi
	done
}

no_proxy() { [ -z "$(proxy_pid "$1")" ]; }

interrupt() {
	kill -INT "$(proxy_pid "$1")"
	eventually 10 no_proxy "$1"
	wait "$PROXY_JOB" || fail "proxy on port $1 ends with $?"
	no on laptop curl -sS --max-time 5 "http://127.0.0.1:$1/"
}

works() {
	says '^hello from home$' on laptop curl -sS --max-time 20 "http://127.0.0.1:$1/hello.txt"
	fetches laptop "http://127.0.0.1:$1/big.bin" "$LAB/home/web/big.bin"
}

# What a program sent before it closed its side arrives, and so does the answer.
half_closes() {
	says '^3000000$' on laptop sh -c \
		"head -c 3000000 /dev/zero | socat -t 20 - TCP:127.0.0.1:$1"
}

say "alone"
proxy_on alone home web 8000
says 'no daemon runs, connecting directly' said alone
says '^Proxy: 127.0.0.1:8000 -> home:web$' said alone
works 8000
complains 'in use|exists' peerup laptop proxy home web 8000
interrupt 8000
proxy_on alone-count home count 8001
half_closes 8001
interrupt 8001
complains 'not the name of a service' peerup laptop proxy home Web 8000
complains 'neither a known name' peerup laptop proxy nobody web 8000

say "a service that does not answer resets the connection, and the command says so"
proxy_on dead home nobody 8002
no on laptop curl -sS --max-time 20 http://127.0.0.1:8002/
says 'connection was given up after 1 attempt: connection refused' said dead
interrupt 8002

say "through a daemon"
start laptop daemon "$PEERUP" daemon
daemon_job=$!
eventually 10 on laptop test -e $cookie
linked laptop home
proxy_on managed home web 8003
silent_about 'no daemon runs' said managed
says '127.0.0.1:8003.home.web' peerup laptop daemon connections
works 8003
interrupt 8003
silent_about . peerup laptop daemon connections
proxy_on managed-count home count 8004
half_closes 8004
interrupt 8004

say "connect and disconnect outlive the command"
id=$(peerup laptop daemon connect --peer home --service web --listen 127.0.0.1:8005 |
	sed -n 's/^Proxy created: \(.*\) -> home:web (listen: 127.0.0.1:8005)$/\1/p')
[ -n "$id" ] || fail "connect says nothing"
works 8005
says '^Proxy disconnected\.$' peerup laptop daemon disconnect "$id"
no on laptop curl -sS --max-time 5 http://127.0.0.1:8005/
complains "proxy not found: $id" peerup laptop daemon disconnect "$id"
says '^web' peerup laptop peer services home
says '^count	127.0.0.1:9000	' peerup home daemon services

say "a script with curl"
cat > "$LAB/laptop/root/script" <<'END'
set -e
api() {
	method=$1 path=$2
	shift 2
	curl -sS --fail-with-body --unix-socket ~/.config/peerup/peerup.sock -X "$method" \
		-H "Authorization: Bearer $(cat ~/.config/peerup/.daemon-cookie)" \
		"http://daemon/v1/$path" "$@"
}
api GET 'status?format=text' | grep '^peer_id: 12D3KooW'
api GET status -H 'Accept: text/plain' | grep '^connected_peers: 1$'
api POST ping -d '{"peer":"home","count":2,"interval_ms":10}' |
	python3 -c 'import json, sys; assert json.load(sys.stdin)["data"]["stats"]["received"] == 2'
port=$(api POST connect -d '{"peer":"home","service":"web","listen":"127.0.0.1:0"}')
address=$(printf %s "$port" | sed 's/.*"listen_address":"\([^"]*\)".*/\1/')
id=$(printf %s "$port" | sed 's/.*"id":"\([^"]*\)".*/\1/')
curl -sS --max-time 20 "http://$address/hello.txt" | grep '^hello from home$'
api DELETE "connect/$id" | grep '^{"data":{"status":"disconnected"}}$'
api DELETE "connect/$id" | grep '^{"error":"proxy not found: proxy-[0-9]*"}$'
END
ok on laptop sh script

say "the daemon ends, and so does what stands on it"
proxy_on orphan home web 8006
ok peerup laptop daemon stop
wait "$daemon_job" || fail "the daemon ends with $?"
eventually 10 no_proxy 8006
! wait "$PROXY_JOB" || fail "a proxy without daemon ends well"
says 'daemon: it has ended' said orphan
