#!/usr/bin/env bash
# An invitation between our program and peer-up, whoever invites, through a gated relay of
# either. The two machines are behind routers, so the relay is all they share.
#
#   relay 11.0.0.1 ── pc  behind 11.0.1.1
#                  └─ lap behind 11.0.2.1
#
#   INVITER   ours or go: whose program runs on pc, called home; lap has the other one
#   RELAY     ours or go
#   NETWORK   a private network
. "$(dirname "$0")/../topo/peerup-go.sh"
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/nat.sh"
need_product
need_tools nft socat python3
need_go
INVITER=${INVITER:-ours} RELAY=${RELAY:-ours} NETWORK=${NETWORK:-}
[ "$INVITER" = ours ] && JOINER=go || JOINER=ours

code_there() { grep -q . "$LAB/code"; }

# identity HOST PROGRAM: files there, and who it is; the relay is not known yet
identity() {
	if [ "$2" = ours ]; then
		ok peerup "$1" init --non-interactive ${NETWORK:+--network "$NETWORK"}
		node_settings "$1"
	else
		ok gopher_answers "$1" "/ip4/11.0.0.1/tcp/7777/p2p/$NOBODY" init \
			${NETWORK:+--network "$NETWORK"}
		go_known "$1"
	fi
}
# Some peer, in the place of a relay that does not exist yet.
NOBODY=12D3KooWRzaGMTqQbRHNMZkAYj8ALUXoK99qSjhiFLanDoVWK9An

host relay pc lap
internet relay
behind pc port-restricted 1
behind lap port-restricted 2
wired
identity pc "$INVITER"
members=(pc)
# Our relay lets a guest of one of our nodes in, everybody else has to be a member before.
if [ "$INVITER:$RELAY" != ours:ours ]; then
	identity lap "$JOINER"
	members+=(lap)
fi
gated_relay relay "$RELAY" "${members[@]}"
relay_addr=/ip4/11.0.0.1/tcp/7777/p2p/${PEER_ID[relay]}
ok by "$INVITER" pc relay add "$relay_addr"
[ "$INVITER" = ours ] || ok gopher pc relay remove "/ip4/11.0.0.1/tcp/7777/p2p/$NOBODY"
if [ "$JOINER" = go ] && [ -n "${PEER_ID[lap]:-}" ]; then
	sed -i "s/$NOBODY/${PEER_ID[relay]}/" "$(config_of lap)"
fi
says_on pc 9000 "hello from home"
ok by "$INVITER" pc service add web 127.0.0.1:9000
[ "$INVITER" = go ] || up pc

say "a code by $INVITER, through a relay by $RELAY"
: > "$LAB/code"
compat=
[ "$INVITER" = go ] || compat=--compat
on pc "$([ "$INVITER" = ours ] && echo "$PEERUP" || echo peerup)" invite --name home \
	--non-interactive $compat > "$LAB/code" 2> "$LAB/pc/log/pc-invite.log" < /dev/null &
inviter=$!
eventually 15 code_there
code=$(head -1 "$LAB/code")

say "joined by $JOINER"
ok by "$JOINER" lap join "$code" --name laptop --non-interactive
wait $inviter || fail "invite: $(cat "$LAB/pc/log/pc-invite.log")"
[ "$JOINER" = ours ] || go_known lap

for name in pc lap; do
	says "Network: *${NETWORK:-global \(default\)}" gopher $name status
done

say "both know each other by name"
says '# home$' member lap pc
says '# laptop$' member pc lap
silent_about 'pending=|expires=' member lap pc
silent_about 'pending=|expires=' member pc lap
names_it lap home pc
# peer-up's inviter does not name who joined; its file is ours to edit.
[ "$INVITER" = ours ] || ok peerup pc name add laptop "${PEER_ID[lap]}"
names_it pc laptop lap

says_on lap 9000 "hello from laptop"
ok by "$JOINER" lap service add web 127.0.0.1:9000
if [ "$INVITER" = go ]; then
	go_daemon pc
	up lap
else
	go_daemon lap
fi

say "each of them pings the other"
eventually 15 by "$INVITER" pc ping laptop -c 1
if [ "$INVITER" = go ]; then
	eventually 15 go_answers pc laptop
	eventually 15 peerup lap ping home -c 1
	ours=lap go=pc
else
	eventually 15 go_answers lap home
	eventually 15 peerup pc ping laptop -c 1
	ours=pc go=lap
fi

say "each uses a service of the other"
declare -A NAME=([pc]=home [lap]=laptop)
eventually 10 hears $ours "${NAME[$go]}.p2p" 80 "hello from ${NAME[$go]}"
ok gopher $go daemon connect --peer "${NAME[$ours]}" --service web --listen 127.0.0.1:9100
eventually 10 hears $go 127.0.0.1 9100 "hello from ${NAME[$ours]}"

say "the code is used up"
no by "$JOINER" lap join "$code" --name laptop --non-interactive
