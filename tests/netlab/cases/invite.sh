#!/usr/bin/env bash
# Two fresh machines behind two routers and a relay, which knows only one of them: from
# nothing to `ping home.p2p` with `invite` and `join` alone, and how long it took.
#
#   relay 11.0.0.1 ── pc (home) behind 11.0.1.1
#                  └─ lap (laptop) behind 11.0.2.1
#
#   DAEMON   both (runs on both), none, inviter, joiner
#   BY       how the code travels: arg, env, stdin, tty
#   COMPAT   1: a code that peer-up understands, too
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/nat.sh"
need_product
need_tools nft python3
DAEMON=${DAEMON:-both} BY=${BY:-arg} COMPAT=${COMPAT:-}

runs() { [ "$DAEMON" = both ] || [ "$DAEMON" = "$1" ]; }

# The first line of the inviter's standard output, when it is there.
code_there() { grep -q . "$LAB/code"; }

# join by each of the ways
join() {
	local code=$1
	case $BY in
	arg) ok peerup lap join "$code" --name laptop --non-interactive ;;
	env) ok on lap env PEERUP_INVITE_CODE="$code" "$PEERUP" join --name laptop --non-interactive ;;
	stdin) ok on lap sh -c "echo '$code' | '$PEERUP' join --name laptop --non-interactive" ;;
	tty) says 'Connected with home' on lap python3 "$LIB_DIR/at_terminal.py" Code "$code" \
		"$PEERUP" join --name laptop ;;
	esac
}

host relay pc lap
internet relay
behind pc port-restricted 1
behind lap port-restricted 2
wired
relay_on relay
relay_down relay
sed -i 's/enable_connection_gating: false/enable_connection_gating: true/' \
	"$LAB/relay/root/relay-server.yaml"
node pc
through pc relay
through pc relay tcp
ok peerup relay relay authorize "${PEER_ID[pc]}" home
relay_up relay
! runs inviter || up pc
if runs joiner; then
	node lap
	up lap
else
	# Its config is made by `join`; that the names reach programs is the subject of others.
	on lap sh -c 'echo nameserver 10.64.0.53 > /etc/resolv.conf'
fi

say "a code (daemon: $DAEMON)"
begun=$(date +%s%N)
: > "$LAB/code"
on pc "$PEERUP" invite --name home --access network --non-interactive ${COMPAT:+--compat} \
	> "$LAB/code" 2> "$LAB/pc/log/pc-invite.log" < /dev/null &
inviter=$!
eventually 20 code_there
code=$(head -1 "$LAB/code")
say "it is $code"
[ "$(wc -l < "$LAB/code")" = 1 ] || fail "more than the code on standard output"

say "and a machine that joins with it ($BY)"
joined=$(date +%s%N)
join "$code"
wait $inviter || fail "invite: $(cat "$LAB/pc/log/pc-invite.log")"
eventually 10 on lap ping -c 1 -W 1 home.p2p
done=$(date +%s%N)
[ $(((done - joined) / 1000000)) -le 10000 ] || fail "it took $(((done - joined) / 1000000)) ms"
eventually 5 on pc ping -c 1 -W 2 laptop.p2p
silent_about 'pending=|expires=' cat "$LAB/pc/root/.config/peerup/authorized_keys" \
	"$LAB/lap/root/.config/peerup/authorized_keys"

say "the code is good only once"
complains 'used|expired|wrong|no open|strangers' peerup lap join "$code" --non-interactive

say "both survive a restart"
down pc lap
up pc lap
eventually 20 on lap ping -c 1 -W 1 home.p2p
printf 'took %d ms from invite to ping, %d ms from join to ping\n' \
	$(((done - begun) / 1000000)) $(((done - joined) / 1000000))
