# The Go program peer-up on hosts of the laboratory. Nobody offers it as a package, so the tests
# use one that was built by hand: the program $PEERUP_GO, or the one in the cache.
# Sourced before lib.sh, whose hosts have another home.

PEERUP_GO=${PEERUP_GO:-${XDG_CACHE_HOME:-$HOME/.cache}/peerup-vpn-tests/peerup-go/peerup}
if [ ! -x "$PEERUP_GO" ]; then
	echo "skipped: no peer-up at $PEERUP_GO. To make one:" \
		"git clone https://github.com/satindergrewal/peer-up && cd peer-up &&" \
		"git checkout 0b9f5a6 && go build -o $PEERUP_GO ./cmd/peerup"
	exit 77
fi
export PEERUP_GO

# need_go: it is called peerup on every host
need_go() {
	case $PEERUP_GO in
	"$LAB"/*) skip "PEERUP_GO is in $LAB, which the laboratory covers" ;;
	esac
	ln -sf "$(realpath "$PEERUP_GO")" "$LAB/bin/peerup"
}

# gopher HOST COMMAND...: the Go program there
gopher() {
	local name=$1
	shift
	on "$name" peerup "$@"
}

# go_node HOST RELAY: what `peerup init` makes, with that relay; our program reads the same files
go_node() {
	ok gopher_answers "$1" "${HOST_ADDR[$2]}/tcp/7777/p2p/${PEER_ID[$2]}" init
	go_known "$1"
}

# gopher_answers HOST ANSWER COMMAND...
gopher_answers() {
	local name=$1 answer=$2
	shift 2
	printf '%s\n' "$answer" | gopher "$name" "$@"
}

# go_known HOST: which peer its files say that it is
go_known() {
	PEER_ID[$1]=$(gopher "$1" whoami)
	[ -n "${PEER_ID[$1]}" ] || fail "peerup whoami on $1 says nothing"
	[ "${PEER_ID[$1]}" = "$(peerup "$1" whoami --json | json peer_id)" ] ||
		fail "the two programs disagree about who $1 is"
}

# go_daemon HOST...: starts the daemons, which take 5 s to listen
go_daemon() {
	local name
	for name; do
		start "$name" daemon peerup daemon
	done
	for name; do
		eventually 15 on "$name" test -e .config/peerup/.daemon-cookie
	done
}

# go_down HOST: as soon as it can be told to
go_down() {
	eventually 15 gopher "$1" daemon stop
	eventually 10 go_gone "$1"
}

# go_pids HOST
go_pids() { pid_in_netns "$1" peerup; }

go_gone() { [ -z "$(go_pids "$1")" ]; }

# go_answers HOST PEER: `peerup ping` exits with 0 whatever happens
go_answers() {
	gopher "$1" ping "$2" -c 1 --json | python3 -c '
import json, sys
sys.exit(json.load(sys.stdin)["stats"]["received"] != 1)'
}

# go_service HOST NAME PORT TEXT: a service there that says TEXT, for the next start of the daemon
go_service() {
	says_on "$1" "$3" "$4"
	ok gopher "$1" service add "$2" "127.0.0.1:$3"
}

# says_on HOST PORT TEXT: a local service that says TEXT to whoever connects
says_on() {
	start "$1" "service$2" socat "TCP-LISTEN:$2,bind=127.0.0.1,fork,reuseaddr" SYSTEM:"echo $3"
}

# hears HOST ADDRESS PORT TEXT: connecting there brings TEXT
hears() {
	[ "$(on "$1" timeout 10 socat -u "TCP:$2:$3" -)" = "$4" ]
}

# member HOST OTHER [PATTERN]: the line of OTHER in its authorized_keys is there (and matches)
member() {
	on "$1" cat .config/peerup/authorized_keys | grep -F "${PEER_ID[$2]}" | grep -E -- "${3:-.}"
}

# names_it HOST NAME OTHER: both programs' resolver knows OTHER by NAME
names_it() {
	says "${PEER_ID[$3]}" gopher "$1" resolve "$2"
	says "${PEER_ID[$3]}" peerup "$1" resolve "$2"
}

# gated_relay HOST PROGRAM MEMBER...: a relay by one of the two (ours, go) with these members, of
# the private network $NETWORK
gated_relay() {
	local name=$1 program=$2 member
	shift 2
	ok by "$program" "$name" relay setup --non-interactive
	sed -i '/^discovery:/,/^$/d' "$LAB/$name/root/relay-server.yaml"
	printf '\ndiscovery:\n  network: "%s"\n' "${NETWORK:-}" >> "$LAB/$name/root/relay-server.yaml"
	for member; do
		ok by "$program" "$name" relay authorize "${PEER_ID[$member]}" "$member"
	done
	serve_by "$program" "$name"
	PEER_ID[$name]=$(by "$program" "$name" relay info | sed -n 's/^Peer ID: *//p')
	[ -n "${PEER_ID[$name]}" ] || fail "relay info on $name shows no peer ID"
}

# serve_by PROGRAM HOST
serve_by() {
	case $1 in
	ours) relay_up "$2" ;;
	go)
		start "$2" relay peerup relay serve
		eventually 10 on "$2" bash -c 'ss -lnt | grep :7777 > /dev/null'
		;;
	esac
}

# by PROGRAM HOST COMMAND...: the command of ours or of go
by() {
	case $1 in
	ours) shift && peerup "$@" ;;
	go) shift && gopher "$@" ;;
	esac
}
