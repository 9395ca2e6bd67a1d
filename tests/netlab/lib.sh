# Network laboratory: hosts made of namespaces on one machine. Source it first:
#
#	. "$(dirname "$0")/../lib.sh"
#
# The script then runs again in private mount, network and process namespaces (and a user
# namespace when it is not root): names cannot clash with other runs, and however the script
# ends, everything it started ends with it. Each host is a set of namespaces of its own:
# network, host name, and a mount namespace with a copy of /etc and an empty /run, so that a
# program on it may rewrite /etc/resolv.conf as on a real machine.
#
# Exit status: 0 passed, 1 failed, 77 cannot run here (the reason is printed).

set -u -o pipefail

SKIP=77
LIB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$LIB_DIR/../.." && pwd)
CASE=${LAB_CASE:-$(basename "$0" .sh)}
PORT=4001

declare -A HOST_PID HOST_ADDR PEER_ID

# ---- telling

say() { printf '%s\n' "- $*"; }

skip() {
	printf 'skipped: %s\n' "$*"
	trap - EXIT
	exit $SKIP
}

fail() {
	printf 'FAILED: %s\n' "$*" >&2
	exit 1
}

# What a failure leaves: logs and states of all hosts.
evidence() {
	local name to=${LAB_EVIDENCE:-$TOP/build/netlab-evidence}/$CASE
	mkdir -p "$to" 2> /dev/null && [ -w "$to" ] || to=$(mktemp -d)
	for name in "${!HOST_PID[@]}"; do
		{
			on "$name" ip -d addr
			on "$name" ip route show table all
			on "$name" ip -6 route show table all
			on "$name" cat /etc/resolv.conf
			on "$name" ss -lntup
			[ -z "${PEERUP:-}" ] || peerup "$name" status --json
			on "$name" sh -c 'cat ~/.config/peerup/config.yaml ~/.config/peerup/authorized_keys'
		} > "$to/$name.state" 2>&1
		cp "$LAB/$name/log/"* "$to/" 2>/dev/null
		find "$LAB/$name/root" -name '*.log' -exec sh -c \
			'cp "$1" "$2-$(basename "$1")"' sh {} "$to/$name" \; 2>/dev/null
	done
	printf 'evidence: %s\n' "$to" >&2
}

lab_exit() {
	local status=$?
	trap - EXIT
	if [ $status -ne 0 ] && [ $status -ne $SKIP ]; then
		evidence
	fi
	exit $status
}

# ---- entering

LAB_FLAGS=(--mount --net --uts --pid --fork --kill-child --mount-proc)
[ "$(id -u)" -eq 0 ] || LAB_FLAGS+=(--user --map-root-user)

lab_enter() {
	[ -z "${PEERUP_LAB:-}" ] || return 0
	local why
	why=$(unshare "${LAB_FLAGS[@]}" sh -c 'mount -t tmpfs tmpfs /run && ip link set lo up' 2>&1) ||
		skip "no network namespaces here: $why"
	export PEERUP_LAB=1 LAB_REAL_ROOT=
	# Root of a user namespace has one user to be.
	[ "$(id -u)" -ne 0 ] || ! grep -qE '^ +0 +0 +4294967295$' /proc/self/uid_map || LAB_REAL_ROOT=1
	exec unshare "${LAB_FLAGS[@]}" bash "$0" "$@"
}

# A folder that exists everywhere, covered by memory of our own.
lab_mount() {
	for LAB in /mnt /media /srv; do
		case $TOP:$HOME:${XDG_CACHE_HOME:-}:${PEERUP:-} in
		$LAB/* | *:$LAB/*) ;;
		*) [ ! -d "$LAB" ] || break ;;
		esac
	done
	mount -t tmpfs -o mode=755 tmpfs "$LAB" || skip "cannot mount a tmpfs"
	mount -t tmpfs tmpfs /run || skip "cannot mount a tmpfs"
	ip link set lo up
	mkdir "$LAB/bin"
	trap lab_exit EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

newest() {
	find "$TOP"/build -type f -name "$1" -perm -u+x -printf '%T@ %p\n' 2>/dev/null |
		sort -rn | sed -n '1s/^[^ ]* //p'
}

# The programs under test; CTest names them, a person need not.
need_product() {
	PEERUP=${PEERUP:-$(newest peerup-vpn)}
	[ -x "${PEERUP:-}" ] || skip "peerup-vpn is not built (cmake --build build/<preset>)"
	[ -c /dev/net/tun ] || skip "this machine has no /dev/net/tun"
	(: <> /dev/net/tun) 2> /dev/null || skip "no permission to open /dev/net/tun"
	ln -sf "$(realpath "$PEERUP")" "$LAB/bin/peerup-vpn"
}

need_wire() {
	WIRE=${WIRE:-$(newest wire)}
	[ -x "${WIRE:-}" ] || skip "tests/support/wire is not built"
	(: <> /dev/net/tun) 2> /dev/null || skip "no permission to open /dev/net/tun"
}

need_tools() {
	local tool
	for tool; do
		command -v "$tool" > /dev/null || [ -x "/usr/sbin/$tool" ] ||
			skip "$tool is not installed (deploy/packages.sh --tests)"
	done
}

need_real_root() {
	[ -n "${LAB_REAL_ROOT:-}" ] || skip "needs real root: $*"
}

# ---- hosts

host_setup() {
	local dir=$1 name=$2
	mkdir -p "$dir/root" "$dir/log" "$dir/etc" "$dir/var/upper" "$dir/var/work"
	cp -a /etc/. "$dir/etc" 2> /dev/null
	rm -rf "$dir/etc/peerup"*
	# What a host writes into /var/lib is its own; the machine's stays as it is.
	mount -t overlay overlay /var/lib 2> /dev/null \
		-o "lowerdir=/var/lib,upperdir=$dir/var/upper,workdir=$dir/var/work"
	mount --bind "$dir/etc" /etc &&
		mount -t tmpfs -o mode=755 tmpfs /run &&
		mkdir -p /run/sshd &&
		hostname "$name" &&
		ip link set lo up || exit 1
	sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
	# As some machines are: the answer to a spoofed or unroutable packet must not depend on it.
	sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 %s\n' "$name" > /etc/hosts
	sed -i -E "s|^(root:[^:]*:[^:]*:[^:]*:[^:]*):[^:]*|\1:$dir/root|" /etc/passwd
	rm -f /etc/resolv.conf
	echo 'nameserver 127.0.0.1' > /etc/resolv.conf
	echo 'hosts: files dns' > /etc/nsswitch.conf
	touch "$dir/up"
	exec -a "lab-host-$name" sleep infinity
}

# host NAME...: makes hosts with a loopback each
host() {
	local name
	for name; do
		mkdir -p "$LAB/$name"
		unshare --mount --uts --net bash -c "$(declare -f host_setup)"'; host_setup "$@"' \
			bash "$LAB/$name" "$name" > "$LAB/$name/setup" 2>&1 < /dev/null &
		HOST_PID[$name]=$!
	done
	for name; do
		for _ in $(seq 200); do
			[ -e "$LAB/$name/up" ] && continue 2
			sleep 0.02
		done
		fail "host $name does not start: $(cat "$LAB/$name/setup")"
	done
}

# on HOST COMMAND...: runs it there, as root of that machine
on() {
	local name=$1
	shift
	nsenter --target "${HOST_PID[$name]}" --mount --uts --net -- \
		env -u SUDO_UID -u SUDO_GID -u SUDO_USER -u XDG_CONFIG_HOME -u XDG_RUNTIME_DIR \
		-C "$LAB/$name/root" HOME="$LAB/$name/root" USER=root LOGNAME=root \
		PATH="$LAB/bin:"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		NO_COLOR=1 "$@"
}

# start HOST LOG COMMAND...: the same in the background; $! is its pid
start() {
	local name=$1 log=$2
	shift 2
	on "$name" "$@" > "$LAB/$name/log/$name-$log.log" 2>&1 < /dev/null &
}

# attach HOST DEVICE ADDRESS...: addresses and up
attach() {
	local name=$1 device=$2 address
	shift 2
	for address; do
		case $address in
		*:*) on "$name" ip addr add "$address" dev "$device" nodad ;;
		*) on "$name" ip addr add "$address" dev "$device" ;;
		esac
		remember_address "$name" "${address%/*}"
	done
	on "$name" ip link set "$device" up
}

# The first address is where others reach the host, unless UNDERLAY says 6.
remember_address() {
	case ${UNDERLAY:-4}:$2 in
	6:*:*) HOST_ADDR[$1]=${HOST_ADDR[$1]:-/ip6/$2} ;;
	6:*) ;;
	4:*:*) ;;
	4:*) HOST_ADDR[$1]=${HOST_ADDR[$1]:-/ip4/$2} ;;
	esac
}

# cable HOST DEVICE HOST DEVICE: a veth pair
cable() {
	ip link add "$2" netns "${HOST_PID[$1]}" type veth peer name "$4" netns "${HOST_PID[$3]}" ||
		fail "no cable between $1 and $3"
}

# switch NAME HOST...: a bridge with eth0 of each host
switch() {
	local name=$1 host n=0
	shift
	ip link add "$name" type bridge && ip link set "$name" up || fail "no bridge"
	for host; do
		ip link add "$name$n" type veth peer name eth0 netns "${HOST_PID[$host]}" &&
			ip link set "$name$n" master "$name" up || fail "no port for $host"
		n=$((n + 1))
	done
}

# wire HOST DEVICE HOST DEVICE [--delay MS …]: the link emulator
wire() {
	local a=$1 da=$2 b=$3 db=$4 n=${#WIRE_FD[@]} fd
	shift 4
	mkfifo "$LAB/wire$n.out" "$LAB/wire$n.in"
	"$WIRE" --a "wire-a$n" --b "wire-b$n" "$@" < "$LAB/wire$n.in" > "$LAB/wire$n.out" \
		2> "$LAB/wire$n.log" &
	exec {fd}> "$LAB/wire$n.in"
	WIRE_FD+=("$fd")
	read -r -t 5 _ < "$LAB/wire$n.out" || fail "no link emulator: $(cat "$LAB/wire$n.log")"
	ip link set "wire-a$n" netns "${HOST_PID[$a]}" name "$da" &&
		ip link set "wire-b$n" netns "${HOST_PID[$b]}" name "$db" || fail "no wire"
}
WIRE_FD=()

# wire_set delay=50 loss=3: changes all wires while they run
wire_set() {
	local fd
	for fd in "${WIRE_FD[@]}"; do
		printf '%s\n' "$*" >&"$fd"
	done
}

# ---- demanding

ok() {
	local out status
	out=$("$@" 2>&1)
	status=$?
	[ $status -eq 0 ] || fail "\`$*\` exits with $status: $out"
}

no() {
	local out
	if out=$("$@" 2>&1); then
		fail "\`$*\` should have failed but says: $out"
	fi
}

# says PATTERN COMMAND...: succeeds, and the output matches
says() {
	local pattern=$1 out status
	shift
	out=$("$@" 2>&1)
	status=$?
	[ $status -eq 0 ] || fail "\`$*\` exits with $status: $out"
	grep -qE -- "$pattern" <<< "$out" || fail "\`$*\` says no /$pattern/ but: $out"
}

# complains PATTERN COMMAND...: fails, and the output matches
complains() {
	local pattern=$1 out
	shift
	if out=$("$@" 2>&1); then
		fail "\`$*\` should have failed but says: $out"
	fi
	grep -qiE -- "$pattern" <<< "$out" || fail "\`$*\` does not complain about /$pattern/ but: $out"
}

# silent_about PATTERN COMMAND...: the output does not match, whatever the exit status
silent_about() {
	local pattern=$1 out
	shift
	out=$("$@" 2>&1)
	! grep -qE -- "$pattern" <<< "$out" || fail "\`$*\` says /$pattern/: $out"
}

# eventually SECONDS COMMAND...: succeeds within that time
eventually() {
	local until=$((SECONDS + $1)) out
	shift
	while ! out=$("$@" 2>&1); do
		[ $SECONDS -lt $until ] || fail "\`$*\` never succeeded: $out"
		sleep 0.2
	done
}

# ---- the product

peerup() {
	local name=$1
	shift
	on "$name" "$PEERUP" "$@"
}

config_of() { printf '%s' "$LAB/$1/root/.config/peerup/config.yaml"; }

# vpn_set HOST KEY VALUE: an option under vpn:
vpn_set() {
	local file
	file=$(config_of "$1")
	sed -i "/^  $2:/d" "$file"
	if grep -q '^vpn:' "$file"; then
		sed -i "s|^vpn:.*|vpn:\n  $2: $3|" "$file"
	else
		printf 'vpn:\n  %s: %s\n' "$2" "$3" >> "$file"
	fi
}

# node_settings HOST: after init, a fixed port; names through /etc/resolv.conf, which is
# what a machine without systemd-resolved and resolvconf has
node_settings() {
	sed -i "s|/tcp/0\"|/tcp/$PORT\"|; s|/udp/0/|/udp/$PORT/|; s|/tcp/0\$|/tcp/$PORT|" \
		"$(config_of "$1")"
	vpn_set "$1" dns resolv-conf
	PEER_ID[$1]=$(peerup "$1" whoami --json | json peer_id)
	[ -n "${PEER_ID[$1]}" ] || fail "whoami --json on $1 has no peer_id"
}

# node HOST...: a fresh configuration
node() {
	local name
	for name; do
		ok peerup "$name" init --non-interactive
		node_settings "$name"
	done
}

# json KEY: the first value of that key, however deep, of the JSON on standard input
json() {
	python3 "$LIB_DIR/json_find.py" "$1"
}

quic_addr() { printf '%s/udp/%s/quic-v1/p2p/%s' "${HOST_ADDR[$1]}" "$PORT" "${PEER_ID[$1]}"; }
tcp_addr() { printf '%s/tcp/%s/p2p/%s' "${HOST_ADDR[$1]}" "$PORT" "${PEER_ID[$1]}"; }

# relay_on HOST [LINE...]: a relay for everyone, with more lines for its configuration
relay_on() {
	local name=$1 file
	file=$LAB/$1/root/relay-server.yaml
	shift
	{
		printf '%s\n' 'version: 1' 'identity:' '  key_file: relay_node.key' 'network:' \
			'  listen_addresses:' '    - /ip4/0.0.0.0/tcp/7777' \
			'    - /ip4/0.0.0.0/udp/7777/quic-v1' '    - /ip6/::/tcp/7777' \
			'    - /ip6/::/udp/7777/quic-v1' 'security:' \
			'  authorized_keys_file: relay_authorized_keys' \
			'  enable_connection_gating: false'
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} > "$file"
	chmod 600 "$file"
	relay_up "$name"
	PEER_ID[$name]=$(peerup "$name" relay info | sed -n 's/^Peer ID: *//p')
	[ -n "${PEER_ID[$name]}" ] || fail "relay info on $name shows no peer ID"
}

# relay_up HOST, relay_down HOST
relay_up() {
	start "$1" relay "$PEERUP" relay serve
	eventually 10 on "$1" bash -c 'ss -lnt | grep :7777 > /dev/null'
}

relay_down() {
	local pid
	for pid in $(product_pids "$1"); do
		kill "$pid" 2> /dev/null
	done
	eventually 10 product_gone "$1"
}

# The keeper ends after the daemon, whose sockets are closed for certain then.
product_gone() { [ -z "$(product_pids "$1")$(pid_in_netns "$1" peerup-keeper)" ]; }

# through HOST RELAY [tcp]: HOST uses that relay
through() {
	local addr=${HOST_ADDR[$2]}/udp/7777/quic-v1
	[ "${3:-}" != tcp ] || addr=${HOST_ADDR[$2]}/tcp/7777
	ok peerup "$1" relay add "$addr/p2p/${PEER_ID[$2]}"
}

# reserved HOST [RELAY]: it has a reservation (on that relay)
reserved() {
	peerup "$1" status --json | python3 -c '
import json, sys
addrs = json.load(sys.stdin).get("relay_addresses", [])
sys.exit(not any(sys.argv[1] in a for a in addrs))' "${2:+${PEER_ID[$2]}}"
}

# acquaint A B [ACCESS]: they authorise and name each other, and know no address
acquaint() {
	local access=${3:-services}
	ok peerup "$1" auth add "${PEER_ID[$2]}" --comment "$2" --access "$access"
	ok peerup "$2" auth add "${PEER_ID[$1]}" --comment "$1" --access "$access"
	ok peerup "$1" name add "$2" "${PEER_ID[$2]}"
	ok peerup "$2" name add "$1" "${PEER_ID[$1]}"
}

# path_of HOST PEER: DIRECT, RELAYED or nothing
path_of() {
	peerup "$1" status --json | python3 -c '
import json, sys
for p in json.load(sys.stdin)["peers"]:
    if p.get("name") == sys.argv[1] and p.get("connected"):
        print(p.get("path", ""))' "$2"
}

# is_path HOST PEER PATH
is_path() { [ "$(path_of "$1" "$2")" = "$3" ]; }

# introduce A B [ACCESS]: A authorises B, knows its name and its address
introduce() {
	ok peerup "$1" auth add "${PEER_ID[$2]}" --comment "$2" --access "${3:-services}"
	ok peerup "$1" name add "$2" "${PEER_ID[$2]}"
	ok peerup "$1" peer add "$(quic_addr "$2")"
	ok peerup "$1" peer add "$(tcp_addr "$2")"
}

# befriend A B [ACCESS]: both ways
befriend() {
	introduce "$1" "$2" "${3:-services}"
	introduce "$2" "$1" "${3:-services}"
}

up() {
	local name
	for name; do
		ok peerup "$name" up
	done
}

down() {
	local name
	for name; do
		ok peerup "$name" down
	done
}

# linked A B: they answer each other
linked() {
	eventually 15 peerup "$1" ping "$2" -c 1
}

vip() { peerup "$1" status --json | json ipv4; }
vip6() { peerup "$1" status --json | json ipv6; }

# counter HOST NAME
counter() { peerup "$1" status --json | json "$2"; }


# pid_in_netns HOST PROGRAM: processes of that name on that host, the oldest first
pid_in_netns() {
	local want pid
	want=$(readlink "/proc/${HOST_PID[$1]}/ns/net")
	for pid in $(pgrep -x "$2"); do
		[ "$(readlink "/proc/$pid/ns/net")" = "$want" ] && printf '%s\n' "$pid"
	done
}

# daemon_pid HOST: the process that holds the device
daemon_pid() {
	local pid
	for pid in $(product_pids "$1"); do
		if ls -l "/proc/$pid/fd" | grep /dev/net/tun > /dev/null; then
			printf '%s\n' "$pid"
			return
		fi
	done
	fail "no peerup-vpn process on $1 holds a device"
}

# product_pids HOST: all its processes there
product_pids() { pid_in_netns "$1" "$(basename "$PEERUP")"; }

# gone HOST: nothing of the product is left there
gone() {
	silent_about peerup0 on "$1" ip link
	silent_about '10\.64\.' on "$1" ip route
	silent_about '10\.64\.' on "$1" cat /etc/resolv.conf
}

# ---- ordinary programs on hosts

# A tiny DNS server on 127.0.0.1, as a machine's ordinary resolver: *.test is 192.0.2.7
resolver_on() {
	local name
	for name; do
		start "$name" resolver python3 "$LIB_DIR/resolver.py" 127.0.0.1 53
		eventually 5 on "$name" getent hosts www.example.test
	done
}

# sshd_on HOST [ADDRESS]: a real OpenSSH server with an account called user
sshd_on() {
	local name=$1 dir=$LAB/$1/ssh
	need_real_root "sshd separates privileges"
	mkdir -p "$dir/home"
	on "$name" userdel user > /dev/null 2>&1
	ok on "$name" useradd -M -d "$dir/home" -s /bin/bash -p '*' user
	ok ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key"
	[ -e "$LAB/key" ] || ok ssh-keygen -q -t ed25519 -N '' -f "$LAB/key"
	mkdir -p "$dir/home/.ssh"
	cp "$LAB/key.pub" "$dir/home/.ssh/authorized_keys"
	on "$name" chown -R user: "$dir/home"
	cat > "$dir/config" <<-END
		Port 22
		ListenAddress ${2:-127.0.0.1}
		HostKey $dir/host_key
		PidFile $dir/pid
		AuthorizedKeysFile $dir/home/.ssh/authorized_keys
		UsePAM no
		PasswordAuthentication no
		PrintMotd no
		MaxStartups 50
		Subsystem sftp internal-sftp
	END
	start "$name" sshd /usr/sbin/sshd -D -e -f "$dir/config"
	eventually 5 on "$name" bash -c ": < /dev/tcp/${2:-127.0.0.1}/22"
}

# ssh_from HOST TARGET COMMAND...
ssh_from() {
	local name=$1
	shift
	on "$name" ssh -F none -i "$LAB/key" -o UserKnownHostsFile="$LAB/$name/known_hosts" \
		-o StrictHostKeyChecking=accept-new -o BatchMode=yes -o ConnectTimeout=15 "$@"
}

# web_on HOST PORT [FILE-BYTES]: an HTTP server on 127.0.0.1 with hello.txt and big.bin
web_on() {
	local name=$1 port=$2 dir=$LAB/$1/web
	mkdir -p "$dir"
	echo "hello from $name" > "$dir/hello.txt"
	head -c "${3:-8388608}" /dev/urandom > "$dir/big.bin"
	start "$name" web python3 -m http.server "$port" --bind "${4:-127.0.0.1}" --directory "$dir"
	eventually 5 on "$name" bash -c ": < /dev/tcp/${4:-127.0.0.1}/$port"
}

# fetches FROM URL FILE: the download is byte for byte the file
fetches() {
	local got want
	want=$(sha256sum < "$3")
	got=$(on "$1" curl -sS --max-time 60 "$2" | sha256sum)
	[ "$got" = "$want" ] || fail "curl $2 on $1 does not give the same bytes"
}

lab_enter "$@"
lab_mount
