# Shared by the command line tests: a home of its own per script, and checks that
# print what was wrong. Usage: . lib.sh; the program under test is $1.
set -u
PU=$1
TOP=$(mktemp -d /tmp/pu_cli_XXXXXX)
HOME=$TOP/home
export HOME
unset SUDO_UID SUDO_GID STATE_DIRECTORY PEERUP_RUNTIME_DIR NO_COLOR
mkdir "$HOME"
cd "$TOP" || exit 1
CONFIG=$HOME/.config/peerup/config.yaml
KEYS=$HOME/.config/peerup/authorized_keys
ID1=12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5
ID2=12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq
failures=0

finish() {
	"$PU" down >/dev/null 2>&1
	rm -rf "$TOP"
	[ "$failures" = 0 ] || echo "$failures checks failed"
	exit $((failures > 0))
}
trap finish EXIT

bad() {
	echo "FAILED: $*"
	sed 's/^/  out: /' "$TOP/out"
	sed 's/^/  err: /' "$TOP/err"
	failures=$((failures + 1))
}

# run CODE ARGS...: the program must end with that code; output in $TOP/out, err.
run() {
	want=$1
	shift
	"$PU" "$@" >"$TOP/out" 2>"$TOP/err" </dev/null
	got=$?
	[ "$got" = "$want" ] || bad "peerup-vpn $*: exit $got, not $want"
}

# says TEXT: the last output has it. grumbles TEXT: the last error output has it.
says() {
	grep -qF -- "$1" "$TOP/out" || bad "no \"$1\" in the output"
}

grumbles() {
	grep -qF -- "$1" "$TOP/err" || bad "no \"$1\" in the errors"
}

is_quiet() {
	[ ! -s "$TOP/err" ] || bad "unexpected errors"
}

# has FILE TEXT; lacks FILE TEXT
has() {
	grep -qF -- "$2" "$1" || bad "no \"$2\" in $1: $(cat "$1")"
}

lacks() {
	! grep -qF -- "$2" "$1" || bad "\"$2\" in $1"
}

# json EXPRESSION: true for the one line of JSON (v) in the last output.
json() {
	python3 -c '
import json, sys
lines = open(sys.argv[1]).read().splitlines()
assert len(lines) == 1, "not one line"
v = json.loads(lines[0])
assert eval(sys.argv[2]), v
' "$TOP/out" "$1" 2>"$TOP/json" || bad "json: $1: $(tail -1 "$TOP/json")"
}
