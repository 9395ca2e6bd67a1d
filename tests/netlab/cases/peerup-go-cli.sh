#!/usr/bin/env bash
# One program's commands, the other one's daemon: scripts that were written for the Go program
# peer-up go on working, and the other way round.
#
#   relay 11.0.0.1 ─┐
#   home  11.0.0.2 ─┤ switch   home: our daemon, laptop: our daemon
#   laptop    .0.3 ─┤
#   gopc  11.0.0.4 ─┘          gopc: peer-up's daemon
. "$(dirname "$0")/../topo/peerup-go.sh"
. "$(dirname "$0")/../lib.sh"
need_product
need_tools socat python3
need_go

host relay home laptop gopc
switch sw relay home laptop gopc
attach relay eth0 11.0.0.1/24
attach home eth0 11.0.0.2/24
attach laptop eth0 11.0.0.3/24
attach gopc eth0 11.0.0.4/24
relay_on relay
node home laptop
go_node gopc relay
through home relay tcp
through laptop relay tcp
befriend home laptop
ok gopher gopc auth add "${PEER_ID[home]}" --comment home
# Our program changes peer-up's files, and peer-up ours.
ok peerup gopc name add home "${PEER_ID[home]}"
ok gopher home auth add "${PEER_ID[gopc]}" --comment gopc
ok peerup home name add gopc "${PEER_ID[gopc]}"
go_service gopc greet 9000 "hello from gopc"
says_on home 9000 "hello from home"
ok gopher home service add greet 127.0.0.1:9000
says_on laptop 9000 "hello from laptop"
ok peerup laptop service add greet 127.0.0.1:9000
go_daemon gopc &
up home laptop
wait $!

# field EXPRESSION COMMAND...: what it prints is one JSON value, v, of which that is true
field() {
	local expression=$1 out
	shift
	out=$("$@") || fail "\`$*\` exits with $?: $out"
	python3 -c 'import json, sys
v = json.loads(sys.argv[2])
sys.exit(not eval(f"({sys.argv[1]})"))' "$expression" "$out" || fail "\`$*\`: not $expression: $out"
}

# both_ask HOST OTHER: what both programs say of the daemon there
both_ask() {
	local at=$1 id=${PEER_ID[$1]} other=${PEER_ID[$2]} ask
	for ask in gopher peerup; do
		field "v['peer_id'] == '$id' and v['services_count'] == 1 and
			v['connected_peers'] >= 1 and v['reachability']['grade'] in 'ABCDF' and
			any('/11.0.0.' in a for a in v['listen_addresses']) and
			v['has_global_ipv4'] is True and v['uptime_seconds'] >= 0" \
			"$ask" "$at" daemon status --json
		says "^peer_id: $id\$" "$ask" "$at" daemon status
		says '^reachability: \[[A-F]\] ' "$ask" "$at" daemon status
		field "[s['name'] for s in v] == ['greet'] and v[0]['enabled'] is True and
			v[0]['protocol'] == '/peerup/greet/1.0.0' and
			v[0]['local_address'] == '127.0.0.1:9000'" "$ask" "$at" daemon services --json
		says "^greet	127.0.0.1:9000	/peerup/greet/1.0.0	enabled\$" "$ask" "$at" daemon services
		eventually 10 "$ask" "$at" ping "$2" -c 1
		field "v['stats']['received'] == 2 and v['results'][1]['seq'] == 2 and
			v['results'][0]['peer_id'] == '$other' and v['results'][0]['rtt_ms'] > 0 and
			v['results'][0]['path'] in ('DIRECT', 'RELAYED')" \
			"$ask" "$at" daemon ping "$2" -c 2 --interval 100 --json
		says "^seq=2 rtt=[0-9.]+ms path=\[(DIRECT|RELAYED)\]" \
			"$ask" "$at" daemon ping "$2" -c 2 --interval 100
		field "any(p['id'] == '$other' and p['agent_version'].startswith('peerup/') and p['addresses']
			for p in v)" "$ask" "$at" daemon peers --json
		says "^${other:0:16}.*	peerup/" "$ask" "$at" daemon peers
		says "	relay-server/" "$ask" "$at" daemon peers --all
		field "any(p['peer_id'] == '$other' and p['path_type'] in ('DIRECT', 'RELAYED') and
			p['transport'] in ('quic', 'tcp') and p['ip_version'] == 'ipv4' for p in v)" \
			"$ask" "$at" daemon paths --json
		says "^${other:0:16}.*	(DIRECT|RELAYED)	(quic|tcp)	ipv4	rtt=" "$ask" "$at" daemon paths
		complains 'nobody' "$ask" "$at" daemon ping nobody -c 1

		says "Proxy created: proxy-[0-9]+ -> $2:greet \(listen: 127.0.0.1:9100\)" \
			"$ask" "$at" daemon connect --peer "$2" --service greet --listen 127.0.0.1:9100
		eventually 10 hears "$at" 127.0.0.1 9100 "hello from $2"
		complains 'in use' "$ask" "$at" daemon connect --peer "$2" --service greet \
			--listen 127.0.0.1:9100
		says 'Proxy disconnected' "$ask" "$at" daemon disconnect "proxy-$PROXY"
		complains 'not found' "$ask" "$at" daemon disconnect "proxy-$PROXY"
		no on "$at" bash -c ': < /dev/tcp/127.0.0.1/9100'
		PROXY=$((PROXY + 1))
	done
}

say "both programs ask our daemon, about one of ours"
PROXY=1
both_ask home laptop
say "… and about peer-up's"
both_ask home gopc
say "both programs ask peer-up's daemon"
PROXY=1
both_ask gopc home

say "our Python package asks peer-up's"
ok on gopc env PYTHONPATH="$TOP/deploy/python" python3 - "${PEER_ID[gopc]}" "${PEER_ID[home]}" <<'END'
import socket, sys, peerup
client = peerup.Client()
assert client.status()["peer_id"] == sys.argv[1]
assert [s["name"] for s in client.services()] == ["greet"]
assert any(p["id"] == sys.argv[2] for p in client.peers())
assert client.ping("home", count=1)["stats"]["received"] == 1
assert client.traceroute("home")["target_id"] == sys.argv[2]
assert client.resolve("home")["peer_id"] == sys.argv[2]
with client.proxy("home", "greet") as address:
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as s:
        assert s.recv(100) == b"hello from home\n"
try:
    client.ping("nobody")
except peerup.ApiError as e:
    assert e.status == 400, e.status
else:
    sys.exit("nobody answers")
END

say "ping and traceroute"
for at in home gopc; do
	other=gopc
	[ $at != gopc ] || other=home
	field "v['stats']['sent'] == 1 and v['stats']['lost'] == 0" \
		gopher $at ping $other -c 1 --json
	says '^1 sent, 1 received, 0% loss, rtt min/avg/max = ' gopher $at ping $other -c 1
	field "v['target_id'] == '${PEER_ID[$other]}' and 1 <= len(v['hops']) <= 2 and
		v['hops'][-1]['peer_id'] == '${PEER_ID[$other]}' and v['hops'][-1]['rtt_ms'] > 0" \
		gopher $at traceroute $other --json
	says '^--- path: \[(DIRECT|RELAYED)\] ---' gopher $at traceroute $other
	ok peerup $at traceroute $other
done

# commands_alone PROGRAM HOST OTHER: without a daemon there, to the daemon of OTHER
commands_alone() {
	says "2 sent, 2 received|\"received\":2|2 received" by "$1" "$2" ping "$3" -c 2 --interval 100ms
	says "${PEER_ID[$3]:0:16}.*ms" by "$1" "$2" traceroute "$3"
	start "$2" "proxy-$1" "$([ "$1" = go ] && echo peerup || echo "$PEERUP")" proxy "$3" greet 9200
	eventually 15 hears "$2" 127.0.0.1 9200 "hello from $3"
}

say "and they end it"
says 'Shutdown requested' peerup gopc daemon stop
eventually 10 go_gone gopc
say "peer-up's commands without a daemon, to ours"
commands_alone go gopc home
kill $(go_pids gopc)
eventually 10 go_gone gopc
go_daemon gopc &
says 'Shutdown requested' gopher home daemon stop
eventually 10 product_gone home
wait $!
say "our commands without a daemon, to peer-up's"
commands_alone ours home gopc
kill $(product_pids home)
eventually 10 product_gone home
go_down gopc
complains 'not running' gopher home daemon status
complains 'not running' peerup gopc daemon status
