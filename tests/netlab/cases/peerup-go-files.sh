#!/usr/bin/env bash
# One set of files, two programs: a machine changes from peer-up to ours and back, and each reads
# and edits what the other one wrote. The same for a relay.
#
#   relay 11.0.0.1 ─┐
#   home  11.0.0.2 ─┤ switch   home: made by our init
#   old   11.0.0.3 ─┤          old: made by peer-up's init
#   friend    .0.4 ─┘          friend: our daemon, all the time
. "$(dirname "$0")/../topo/peerup-go.sh"
. "$(dirname "$0")/../lib.sh"
need_product
need_tools socat python3
need_go

host relay home old friend
switch sw relay home old friend
attach relay eth0 11.0.0.1/24
attach home eth0 11.0.0.2/24
attach old eth0 11.0.0.3/24
attach friend eth0 11.0.0.4/24
relay_on relay
node home friend
go_node old relay
through home relay tcp
through friend relay tcp
ok peerup friend auth add "${PEER_ID[home]}" --comment home
ok peerup friend auth add "${PEER_ID[old]}" --comment old
ok peerup friend name add home "${PEER_ID[home]}"
ok peerup friend name add old "${PEER_ID[old]}"
up friend

# both_say PATTERN HOST COMMAND...: either program says so
both_say() {
	local pattern=$1 who
	shift
	for who in ours go; do
		says "$pattern" by $who "$@"
	done
}

# code_of PROGRAM HOST PEER: the numeric code of `verify`, which is then said no to
code_of() {
	printf 'n\n' | by "$1" "$2" verify "$3" | grep -oE '[0-9]{3}-[0-9]{3}' | head -1
}

say "each reads what the other one's init made, and edits it"
for at in home old; do
	ok gopher $at auth add "${PEER_ID[friend]}" --comment friend
	ok peerup $at name add friend "${PEER_ID[friend]}"
	port=9000
	for who in ours go; do
		ok by $who $at service add "by-$who" 127.0.0.1:$port
		ok by $who $at service add "off-$who" 127.0.0.1:$((port + 1))
		port=$((port + 100))
		ok by $who $at relay add "/ip4/11.0.0.9/tcp/7777/p2p/${PEER_ID[friend]}"
		says '11\.0\.0\.9' by $who $at relay list
		ok by $who $at auth add "${PEER_ID[relay]}" --comment passing
		both_say passing $at auth list
		ok by $who $at auth remove "${PEER_ID[relay]}"
		ok by $who $at relay remove "/ip4/11.0.0.9/tcp/7777/p2p/${PEER_ID[friend]}"
	done
	ok gopher $at service disable off-ours
	ok peerup $at service disable off-go
	both_say 'by-ours.*127\.0\.0\.1:9000' $at service list
	both_say 'by-go.*127\.0\.0\.1:9100' $at service list
	both_say 'off-(ours|go).*disabled' $at service list
	both_say friend $at auth list
	both_say "${PEER_ID[friend]}" $at resolve friend
	both_say "${PEER_ID[$at]}" $at whoami
	both_say '^OK|valid' $at config validate
	both_say 'pingpong' $at config show
	both_say "${PEER_ID[$at]}" $at status
	silent_about '11\.0\.0\.9|passing' cat "$(config_of $at)"
done

say "both show the same code, and what was compared counts for both"
at=home
code=$(code_of ours friend $at)
[ -n "$code" ] || fail "no code"
for who in ours go; do
	[ "$(code_of $who $at friend)" = "$code" ] || fail "$who shows another code than $code"
done
ok gopher_answers home y verify friend
ok sh -c "echo y | nsenter --target ${HOST_PID[old]} --mount --uts --net env HOME=$LAB/old/root '$PEERUP' verify friend"
for at in home old; do
	says 'verified=sha256:[0-9a-f]{8}' member $at friend
	both_say '(\[VERIFIED\]|verified)' $at auth list
	silent_about UNVERIFIED gopher $at auth list
done

say "peer-up's daemon, then ours, then peer-up's on the same machine"
says_on home 9000 "hello from home"
says_on old 9000 "hello from old"
for round in 1 2; do
	go_daemon home old
	for at in home old; do
		eventually 15 go_answers $at friend
		eventually 15 peerup friend ping $at -c 1
		eventually 10 go_answers $at friend
	done
	go_down home
	go_down old
	[ $round = 1 ] || break
	up home old
	for at in home old; do
		eventually 15 peerup $at ping friend -c 1
		eventually 15 peerup friend ping $at -c 1
	done
	down home old
done

say "a config on trial of one is confirmed, or taken back, by the other"
for at in home old; do
	config=$(config_of $at)
	for who in ours go; do
		[ $who = ours ] && other=go || other=ours
		sed "s|^discovery:|names-$who: {}\ndiscovery:|" "$config" > "$LAB/new.yaml"
		chmod 600 "$LAB/new.yaml"
		case $who in
		ours) ok peerup $at config apply "$LAB/new.yaml" --confirm-timeout 60s ;;
		go) ok gopher $at config apply --confirm-timeout 60s "$LAB/new.yaml" ;;
		esac
		complains 'pending|trial' by $other $at config apply "$LAB/new.yaml"
		ok by $other $at config confirm
		complains 'pending|trial|no ' by $who $at config confirm
	done

	cp "$config" "$LAB/before.yaml"
	sed 's|^discovery:|names-trial: {}\ndiscovery:|' "$config" > "$LAB/new.yaml"
	ok gopher $at config apply --confirm-timeout 1s "$LAB/new.yaml"
	sleep 1.1
	up $at
	ok cmp "$config" "$LAB/before.yaml"
	down $at
	ok peerup $at config apply "$LAB/new.yaml" --confirm-timeout 1s
	sleep 1.1
	no gopher $at daemon
	ok cmp "$config" "$LAB/before.yaml"
done

say "and so is a config that was good"
for at in home old; do
	config=$(config_of $at)
	for who in go ours; do
		sed -i '/^discovery:/i names-bad: {}' "$config"
		ok by $who $at config rollback
		ok cmp "$config" "$(dirname "$config")/.config.last-good.yaml"
	done
done

say "each serves and manages the relay that the other one has set up"
for who in ours go; do
	[ $who = ours ] && other=go || other=ours
	at=home
	[ $who = ours ] || at=old
	ok by $who $at relay setup
	ok by $other $at relay config validate
	serve_by $other $at
	id=$(by $who $at relay info | sed -n 's/^Peer ID: *//p')
	[ -n "$id" ] || fail "relay info shows no peer ID"
	says "^Peer ID: *$id\$" by $other $at relay info
	for adds in ours go; do
		ok by $adds $at relay authorize "${PEER_ID[friend]}" friend
		both_say 'friend' $at relay list-peers
		[ $adds = ours ] && removes=go || removes=ours
		ok by $removes $at relay deauthorize "${PEER_ID[friend]}"
		silent_about "${PEER_ID[friend]}" on $at cat relay_authorized_keys
	done
	complains 'exist|already' by $other $at relay setup --non-interactive
done
