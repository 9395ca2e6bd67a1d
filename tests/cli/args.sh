#!/bin/sh
# Words and flags: what is accepted, what is refused, with which exit code.
. "$(dirname "$0")/lib.sh"

run 2
grumbles "usage: peerup-vpn <command>"
run 0 help
says "auth add <peer id>"
run 0 help auth add
says "--access WHAT"
run 0 help service
says "service disable <name>"
run 0 auth add --help
says "--comment TEXT"
run 0 --help
run 2 help nonsense
run 0 version
says "peerup-vpn "
run 0 --version
run 0 version --json
json '"version" in v'
run 0 --json version
json '"version" in v'

run 2 frobnicate
grumbles "peerup-vpn: frobnicate: unknown command"
grumbles "try: peerup-vpn help"
run 2 auth
grumbles "needs a second word"
run 2 auth frobnicate
run 2 auth add
grumbles "an argument is missing: <peer id>"
run 2 auth list extra
grumbles "one argument too many"
run 2 version --frob
grumbles "--frob: unknown flag"
grumbles "try: peerup-vpn help version"
run 2 auth add x --comment
grumbles "needs a value"
run 2 version --json=maybe
run 0 version --json=false
says "peerup-vpn"

# Flags may follow arguments and take the next one, except switches.
run 0 init --non-interactive
run 0 auth add "$ID1" --comment "a friend" --json
json 'v["comment"] == "a friend" and v["access"] == "services"'
run 0 auth --json add "$ID2" -comment=x --access=network
json 'v["access"] == "network"'
run 0 resolve --json -- "$ID1"
json 'v["source"] == "peer_id"'
run 1 resolve -- -dash
run 2 auth add "$ID1" --access everything
grumbles "--access: allowed is services or network"
run 2 ping "$ID1" -c many
run 2 ping "$ID1" --interval 5
run 2 up --log-level loud
run 2 daemon --log-format xml

# No colour unless on a terminal.
run 0 auth list
! grep -q "$(printf '\033')" "$TOP/out" || bad "colour in a file"
