#!/bin/sh
# invite and join without another machine: what they refuse, and where a code comes from; no
# daemon runs.
. "$(dirname "$0")/lib.sh"

# --- nothing is made for a command that cannot work
run 2 invite --ttl 5s
grumbles "not a duration from 10s to 24h"
run 2 invite --access everything
run 2 join
grumbles "PEERUP_INVITE_CODE"
run 1 join hello
run 2 join --access all 7-otter-canyon-maple
run 2 join --non-interactive
[ ! -e "$CONFIG" ] || bad "a config was made for nothing"

# --- without a daemon
run 0 init --non-interactive
run 1 invite --no-wait
run 1 invite list
grumbles "not running"
run 1 invite cancel 1
run 2 invite cancel x
run 1 invite --compat --non-interactive
grumbles "--compat needs a relay with an IPv4 address and TCP"
[ ! -s "$TOP/out" ] || bad "something on standard output, and it is no code"

# --- a code from the environment, from standard input, and in pieces; what is typed wrong is
# told before anybody is asked
PEERUP_INVITE_CODE=" 7-otterr-canyon-maple " run 1 join
grumbles "otter"
echo "AEAQ nonsense" | "$PU" join --non-interactive >"$TOP/out" 2>"$TOP/err" && bad "joined"
grumbles "code"
head -c 5000 /dev/zero | tr '\0' a | "$PU" join --non-interactive >"$TOP/out" 2>"$TOP/err"
grumbles "too long"
run 1 join 7 otter canyon maple
grumbles "names no place where to ask"

# --- what a stopped machine left is finished by the next command, or named
printf '{"enrolment":1,"network":"","relays":[],"peers":[{"id":"%s","name":"home","comment":"home","access":"services","expires":9223372036854775807,"group":"","hmac_proof":"","unnamed":false,"provisional":false,"was_member":false,"named":true,"addresses":[]}]}' \
	"$ID1" > "$HOME/.config/peerup/.enrolment"
run 0 name list
says home
has "$KEYS" "$ID1"
[ ! -e "$HOME/.config/peerup/.enrolment" ] || bad "the journal is still there"
echo garbage > "$HOME/.config/peerup/.enrolment"
run 1 name list
grumbles ".enrolment"
grumbles "try: rm "
rm "$HOME/.config/peerup/.enrolment"
