#!/usr/bin/env bash
# Pairing codes of a relay redeemed by both programs, so that everybody reaches everybody; and
# each program's `relay pair` at the relay of the other.
#
#   relay 11.0.0.1 ─┬─ ann behind 11.0.1.1   runs peer-up
#                   ├─ bob behind 11.0.2.1   runs peer-up
#                   ├─ cat behind 11.0.3.1   runs our program
#                   └─ dan behind 11.0.4.1   runs our program; nobody reaches it but by the relay
#
#   RELAY     ours or go
#   NETWORK   a private network, of which the codes tell
. "$(dirname "$0")/../topo/peerup-go.sh"
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/nat.sh"
need_product
need_tools nft ping socat python3
need_go
RELAY=${RELAY:-ours}
[ "$RELAY" = ours ] && OTHER=go || OTHER=ours

# codes_of TEXT: what looks like codes in it
codes_of() { grep -oE '\b([A-Z2-7]{4}-){20,}[A-Z2-7]{1,4}\b' <<< "$1"; }
group_of() { sed -n 's/^Group ID: *//p' <<< "$1"; }

# go_join HOST CODE: the daemon that it leaves keeps its output, so that is a file
go_join() {
	on "$1" peerup join "$2" --name "$1" --non-interactive < /dev/null \
		> "$LAB/$1/log/$1-join.log" 2>&1 ||
		fail "peerup join on $1: $(cat "$LAB/$1/log/$1-join.log")"
	go_known "$1"
	go_pids "$1" | grep -q . || fail "no daemon on $1"
}

# knows HOST OTHER: it is a member of the group, under its name
knows() { member "$1" "$2" "group=$group.*# $2\$" > /dev/null && gopher "$1" resolve "$2"; }

# What peer-up tells its relay's members is refused by peer-up's members when they know one of
# the group already, so there only ours come to know everybody.
everybody() {
	local a b
	for a; do
		for b in ann bob cat dan; do
			[ "$a" = "$b" ] || [ -z "${PEER_ID[$b]:-}" ] || eventually 15 knows "$a" "$b"
		done
	done
}

host relay ann bob cat dan
internet relay
behind ann port-restricted 1
behind bob port-restricted 2
behind cat port-restricted 3
behind dan symmetric 4
wired
node cat dan
gated_relay relay "$RELAY"

say "$OTHER's command makes codes at the relay by $RELAY, lists and revokes them"
out=$(by $OTHER relay relay pair --count 2 --ttl 10m) || fail "no codes: $out"
[ "$(codes_of "$out" | wc -l)" = 2 ] || fail "not two codes: $out"
gone=$(codes_of "$out" | head -1)
group=$(group_of "$out")
for who in ours go; do
	says "$group +0/2 used" by $who relay relay pair --list
done
says "$group revoked" by $OTHER relay relay pair --revoke "$group"
for who in ours go; do
	silent_about "$group" by $who relay relay pair --list
	complains 'not found|no .*group' by $who relay relay pair --revoke "$group"
done

say "three join, peer-up, ours, peer-up"
out=$(by $OTHER relay relay pair --count 4 --ttl 10m) || fail "no codes: $out"
mapfile -t code < <(codes_of "$out")
[ ${#code[@]} = 4 ] || fail "not four codes: $out"
group=$(group_of "$out")
complains 'code' peerup cat join "$gone" --name cat
go_join ann "${code[0]}"
ok peerup cat join "${code[1]}" --name cat
go_join bob "${code[2]}"
for who in ours go; do
	says "$group +3/4 used" by $who relay relay pair --list
done

say "and a fourth one, ours"
if [ "$RELAY" = ours ]; then
	go_down ann
fi
ok peerup dan join "${code[3]}" --name dan
if [ "$RELAY" = ours ]; then
	say "ann was away, and the relay has forgotten whom it told what"
	everybody bob
	go_down bob
	kill -KILL $(product_pids relay)
	eventually 10 product_gone relay
	relay_up relay
	go_daemon ann bob
fi
eventually 10 reserved cat relay
eventually 10 reserved dan relay
everybody cat dan
[ "$RELAY" = go ] || everybody ann bob

for name in ann bob cat dan; do
	says "Network: *${NETWORK:-global \(default\)}" gopher $name status
done

say "they reach each other"
eventually 15 on cat ping -c 1 -W 1 dan.p2p
eventually 15 on dan ping -c 1 -W 1 cat.p2p
for name in ann bob; do
	eventually 15 peerup cat ping $name -c 1
	eventually 15 peerup dan ping $name -c 1
	eventually 15 go_answers $name cat
done
if [ "$RELAY" = ours ]; then
	eventually 15 go_answers ann bob
	eventually 15 go_answers bob dan
fi

say "and use each other's services"
says_on bob 9000 "hello from bob"
ok on bob env PYTHONPATH="$TOP/deploy/python" \
	python3 -c 'import peerup; peerup.Client().expose("web", "127.0.0.1:9000")'
eventually 15 hears dan bob.p2p 80 "hello from bob"
says_on cat 9000 "hello from cat"
ok peerup cat service add web 127.0.0.1:9000
ok gopher bob daemon connect --peer cat --service web --listen 127.0.0.1:9100
eventually 10 hears bob 127.0.0.1 9100 "hello from cat"
