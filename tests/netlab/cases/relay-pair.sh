#!/usr/bin/env bash
# Friends join with one command each: a relay makes three codes, three machines that know
# nothing redeem them, and then each of them reaches the other two by name.
#
#   relay 11.0.0.1 ──┐
#   anna  11.0.0.2 ──┤
#   bert  11.0.0.3 ──┤ switch
#   carl  11.0.0.4 ──┤
#   dora  11.0.0.5 ──┘ has no code
. "$(dirname "$0")/../lib.sh"
need_product
need_tools ping

members() { peerup relay relay list-peers --json | grep -o '"comment":"[a-z0-9-]*"' | wc -l; }
member_count() { [ "$(members)" = "$1" ]; }
# code N: of the last relay pair --json
code() { printf '%s' "$codes" | python3 -c 'import json,sys; print(json.load(sys.stdin)["codes"][int(sys.argv[1])])' "$1"; }
knows() { peerup "$1" auth list --json | grep -q "\"peer_id\":\"${PEER_ID[$2]}\""; }

host relay anna bert carl dora
switch sw relay anna bert carl dora
attach relay eth0 11.0.0.1/24
attach anna eth0 11.0.0.2/24
attach bert eth0 11.0.0.3/24
attach carl eth0 11.0.0.4/24
attach dora eth0 11.0.0.5/24
node anna bert carl dora

say "without a relay there are no codes"
ok peerup relay relay setup
complains 'not running' peerup relay relay pair
relay_up relay
codes=$(peerup relay relay pair --count 3 --ttl 10m --json) || fail "no codes"
group=$(printf '%s' "$codes" | json group_id)

say "two join, then a third one"
started=$(date +%s.%N)
ok peerup anna join "$(code 0)" --name anna
ok peerup bert join "$(code 1)" --name bert
ok peerup carl join "$(code 2)" --name carl
for a in anna bert carl; do
	for b in anna bert carl; do
		[ "$a" = "$b" ] || eventually 20 on "$a" ping -c 1 -W 1 "$b.p2p"
	done
done
say "all of them reach each other $(python3 -c "import time; print(f'{time.time() - $started:.1f} s')") after the first command"
member_count 3 || fail "the relay has other members: $(peerup relay relay list-peers --json)"
says "$group  3/3 used" peerup relay relay pair --list

say "a used code is worthless, and so is one of a revoked group"
complains 'code' peerup dora join "$(code 1)" --name dora
codes=$(peerup relay relay pair --json) || fail "no codes"
ok peerup relay relay pair --revoke "$(printf '%s' "$codes" | json group_id)"
complains 'code' peerup dora join "$(code 0)" --name dora
member_count 3 || fail "somebody got in: $(peerup relay relay list-peers --json)"

say "a relay that is killed forgets codes and keeps members"
codes=$(peerup relay relay pair --expires 24h --json) || fail "no codes"
kill -KILL $(product_pids relay)
eventually 10 product_gone relay
relay_up relay
complains 'code' peerup dora join "$(code 0)" --name dora
codes=$(peerup relay relay pair --expires 24h --json) || fail "no codes"
ok peerup dora join "$(code 0)" --name dora --no-up
member_count 4 || fail "dora is no member"
on relay grep -q "${PEER_ID[dora]}  *group=[0-9a-f]*  *expires=" relay_authorized_keys ||
	fail "no expiry: $(on relay cat relay_authorized_keys)"
! knows anna dora || fail "dora is of another group"
for name in anna bert carl; do
	down "$name"
done
