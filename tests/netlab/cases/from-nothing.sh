#!/usr/bin/env bash
# From nothing to `ssh user@home.p2p`, with pairing codes, `invite` and `join` alone: no file is
# edited, no address is typed, and it says how long it took.
#
#   relay 11.0.0.1 ── pc (home) behind 11.0.1.1, sshd
#                  └─ lap (laptop) behind 11.0.2.1
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/nat.sh"
need_product
need_tools nft ssh sshd ping

ms() { date +%s%3N; }

host relay pc lap
internet relay
behind pc port-restricted 1
behind lap port-restricted 2
wired
sshd_on pc 0.0.0.0
for name in pc lap; do
	[ ! -e "$LAB/$name/root/.config/peerup" ] || fail "$name is not fresh"
done

say "somebody sets up a relay and hands out a code"
ok peerup relay relay setup
relay_up relay
code=$(peerup relay relay pair --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["codes"][0])')

say "the owner of home joins it, and invites the laptop"
begun=$(ms)
ok peerup pc join "$code" --name home
: > "$LAB/code"
on pc "$PEERUP" invite --name home --access network --non-interactive > "$LAB/code" \
	2> "$LAB/pc/log/pc-invite.log" < /dev/null &
inviter=$!
eventually 20 test -s "$LAB/code"
invited=$(ms)

say "the laptop joins with $(cat "$LAB/code")"
ok peerup lap join "$(cat "$LAB/code")" --name laptop
joined=$(ms)
wait $inviter || fail "invite: $(cat "$LAB/pc/log/pc-invite.log")"
eventually 10 ssh_from lap user@home.p2p true
logged_in=$(ms)
says '^pc$' ssh_from lap user@home.p2p hostname
eventually 15 is_path lap home DIRECT
printf 'relay code to invitation %d ms, join %d ms, join to ssh %d ms, all of it %d ms\n' \
	$((invited - begun)) $((joined - invited)) $((logged_in - joined)) $((logged_in - begun))

say "both ends know each other and neither is on trial"
says laptop peerup pc auth list
says home peerup lap auth list
silent_about 'expires=' cat "$LAB/pc/root/.config/peerup/authorized_keys" \
	"$LAB/lap/root/.config/peerup/authorized_keys"
down pc lap
