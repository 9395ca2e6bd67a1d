#!/usr/bin/env bash
# Shows peerup-vpn at work on this one machine: three hosts in network namespaces, a real
# sshd, a web server, names. Installs the packages it needs, builds, runs, cleans up.
# As root or through sudo.
#
#   deploy/demo.sh                   the whole story, then everything is gone again
#   deploy/demo.sh --keep            leaves the hosts running
#   deploy/demo.sh --on HOST [CMD]   a shell (or a command) on a host of a kept demo
#   deploy/demo.sh --end             ends a kept demo
set -u -o pipefail

SELF=$(realpath "$0")
TOP=$(cd "$(dirname "$SELF")/.." && pwd)
BUILD=$TOP/build/demo

if { [ -t 1 ] || [ -n "${DEMO_ON_TERMINAL:-}" ]; } && [ -z "${NO_COLOR:-}" ]; then
	export DEMO_ON_TERMINAL=1
	bold=$(tput bold 2> /dev/null) dim=$(tput dim 2> /dev/null) plain=$(tput sgr0 2> /dev/null)
else
	bold= dim= plain=
fi

title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
note() { printf '%s\n' "$*"; }

usage() { sed -n '/^#   deploy/s/^#   //p' "$SELF"; }

become_root() {
	[ "$(id -u)" -eq 0 ] && return
	command -v sudo > /dev/null || { echo "demo.sh: run it as root" >&2; exit 1; }
	exec sudo -- "$SELF" "$@"
}

# ---- before the laboratory: packages and the build

# Not as root when sudo tells who asked: the build folder is his.
as_owner() {
	if [ -n "${SUDO_USER:-}" ] && [ "$SUDO_USER" != root ]; then
		sudo -u "$SUDO_USER" -- "$@"
	else
		"$@"
	fi
}

quietly() {
	local log status
	log=$(mktemp)
	"$@" > "$log" 2>&1
	status=$?
	[ $status -eq 0 ] || cat "$log" >&2
	rm -f "$log"
	return $status
}

prepare() {
	title "Packages and build"
	"$TOP/deploy/packages.sh" --demo || exit 1
	cd "$TOP" || exit 1
	quietly as_owner cmake --preset release -B "$BUILD" -DBUILD_TESTING=OFF &&
		quietly as_owner cmake --build "$BUILD" -j "$(nproc)" || exit 1
	note "built $(du -h "$BUILD/src/cli/peerup-vpn" | cut -f1) of peerup-vpn"
}

# ---- a kept demo, seen from outside

kept_pid() { pgrep -o -f "^unshare .*${SELF} --kept"; }

# The process of a kept demo that stands for the host.
kept_host() {
	local parents children pid
	parents=$(kept_pid) || return 1
	while [ -n "$parents" ]; do
		children=$(pgrep -P "$(tr '\n' ',' <<< "$parents" | sed 's/,$//')") || return 1
		for pid in $children; do
			if [ "$(cat "/proc/$pid/cmdline" 2> /dev/null | tr '\0' ' ')" = "lab-host-$1 infinity " ]; then
				echo "$pid"
				return 0
			fi
		done
		parents=$children
	done
	return 1
}

on_kept() {
	local name=${1:-} pid
	shift
	kept_pid > /dev/null || { echo "demo.sh: no demo is kept (deploy/demo.sh --keep)" >&2; exit 1; }
	pid=$(kept_host "$name") || { echo "demo.sh: the hosts are home, laptop and stranger" >&2; exit 2; }
	[ $# -gt 0 ] || set -- bash --norc -i
	exec nsenter --target "$pid" --mount --uts --net --pid -- sh -c '
		HOME=$(getent passwd root | cut -d: -f6)
		export HOME PATH="$HOME/../../bin:$PATH" PS1="\h\\$ "
		unset SUDO_UID SUDO_GID SUDO_USER XDG_RUNTIME_DIR XDG_CONFIG_HOME
		cd && exec "$@"' sh "$@"
}

end_kept() {
	local pid
	pid=$(kept_pid) || { echo "no demo is running"; return; }
	# unshare itself waits through SIGTERM; its end ends all that it started.
	kill -KILL "$pid"
	while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
	echo "ended; nothing is left"
}

keep() {
	local pid story teller
	kept_pid > /dev/null && { echo "demo.sh: one is kept already (deploy/demo.sh --end)" >&2; exit 1; }
	# Through a file, so that nobody who reads our output waits for the hosts to end.
	story=$(mktemp)
	setsid "$SELF" --kept < /dev/null > "$story" 2>&1 &
	pid=$!
	tail -n +1 -f "$story" &
	teller=$!
	while kill -0 "$pid" 2> /dev/null; do
		kept_host ready > /dev/null && break
		sleep 0.2
	done
	sleep 0.3
	kill "$teller"
	rm -f "$story"
	kill -0 "$pid" 2> /dev/null || exit 1
	local sudo=
	[ -z "${SUDO_USER:-}" ] || sudo='sudo '
	title "The hosts stay. Play with them:"
	cat <<-END
		  ${sudo}deploy/demo.sh --on laptop                     a shell on the laptop
		  ${sudo}deploy/demo.sh --on laptop ssh user@home.p2p
		  ${sudo}deploy/demo.sh --on home peerup-vpn status

		End it with:

		  ${sudo}deploy/demo.sh --end
	END
}

# ---- in the laboratory

# show HOST COMMAND: as a person would see it at that machine's prompt
show() {
	local name=$1 out status
	shift
	printf '  %s%s$%s %s\n' "$bold" "$name" "$plain" "$*"
	out=$(on "$name" timeout 60 bash -c "$*" 2>&1)
	status=$?
	[ -z "$out" ] || sed "s/^/      $dim/; s/\$/$plain/" <<< "$out"
	return $status
}

must() { show "$@" || fail "that should have worked"; }
must_not() { ! show "$@" || fail "that should have been refused"; }

make_hosts() {
	title "Three machines on one switch"
	cat <<-'END'
		        home 192.168.7.1 ─┐    sshd and a web server, on its loopback only
		      laptop 192.168.7.2 ─┤    knows home, and home knows it
		    stranger 192.168.7.3 ─┘    knows where home is
	END
	host home laptop stranger
	switch sw home laptop stranger
	attach home eth0 192.168.7.1/24
	attach laptop eth0 192.168.7.2/24
	attach stranger eth0 192.168.7.3/24
	sshd_on home
	web_on home 8080 1000000
	local h
	for h in laptop stranger; do
		mkdir -p "$LAB/$h/root/.ssh"
		cp "$LAB/key" "$LAB/$h/root/.ssh/id_ed25519"
		on "$h" sh -c 'mkdir -p /etc/ssh/ssh_config.d
			printf "StrictHostKeyChecking accept-new\nLogLevel ERROR\nConnectTimeout 10\n" \
				> /etc/ssh/ssh_config.d/demo.conf
			grep -qs ssh_config.d /etc/ssh/ssh_config ||
				echo "Include /etc/ssh/ssh_config.d/*.conf" >> /etc/ssh/ssh_config'
	done
}

join_network() {
	title "Each makes an identity"
	local h
	for h in home laptop stranger; do
		must $h peerup-vpn init --non-interactive
		node_settings $h
	done
	note "  (the demo sets a fixed port, $PORT, and vpn.dns: resolv-conf in each config)"

	title "Home and laptop let each other in, by key, as with SSH"
	must home "peerup-vpn auth add ${PEER_ID[laptop]} --access network --comment laptop"
	must home "peerup-vpn name add laptop ${PEER_ID[laptop]}"
	must home peerup-vpn service add ssh 127.0.0.1:22
	must home peerup-vpn service add web 127.0.0.1:8080
	must laptop "peerup-vpn auth add ${PEER_ID[home]} --comment home"
	must laptop "peerup-vpn name add home ${PEER_ID[home]}"
	must laptop "peerup-vpn peer add $(quic_addr home)"
	must laptop "peerup-vpn peer add $(tcp_addr home)"

	title "Up"
	must home peerup-vpn up
	must laptop peerup-vpn up
	linked laptop home
}

use_it() {
	title "Ordinary programs"
	must laptop ping -c 3 -i 0.3 home.p2p
	must laptop dig +short home.p2p A home.p2p AAAA _ssh._tcp.home.p2p SRV
	must laptop getent hosts home.p2p
	must laptop "ssh user@home.p2p 'echo I am \$(whoami) on \$(hostname)'"
	must laptop curl -sS http://home.p2p:8080/hello.txt
	must laptop ip route show proto peerup
	start home iperf3 iperf3 -s
	sleep 1
	must laptop "iperf3 -c home.p2p -t 2 | grep -E 'sender|receiver'"
	must laptop peerup-vpn status
}

meet_stranger() {
	title "A stranger gets nothing"
	must stranger "peerup-vpn name add home ${PEER_ID[home]}"
	must stranger "peerup-vpn auth add ${PEER_ID[home]}"
	must stranger "peerup-vpn peer add $(quic_addr home)"
	must stranger peerup-vpn up
	must_not stranger peerup-vpn ping home -c 1
	must_not stranger ssh user@home.p2p hostname
	must_not stranger curl -sS --max-time 5 http://home.p2p:8080/hello.txt
	note "  home has counted: $(counter home inbound_gated) refused connections"
}

clean_up() {
	title "Down: nothing is left behind"
	local h
	for h in stranger laptop home; do
		must $h peerup-vpn down
		gone $h
	done
	must laptop "ip -brief link show; cat /etc/resolv.conf"
	title "Done. It works on this machine."
}

tell() {
	make_hosts
	join_network
	use_it
	meet_stranger
}

# ---- which part of it this is

case ${1:-} in
'' | --keep | --kept) ;;
--on) become_root "$@"; shift; on_kept "$@" ;;
--end) become_root "$@"; end_kept; exit ;;
-h | --help) usage; exit ;;
*) usage >&2; exit 2 ;;
esac
become_root "$@"
[ -n "${PEERUP_LAB:-}" ] || [ "${1:-}" = --kept ] || prepare
if [ "${1:-}" = --keep ]; then
	keep
	exit
fi

export PEERUP=$BUILD/src/cli/peerup-vpn LAB_CASE=demo LAB_EVIDENCE=${TMPDIR:-/tmp}/peerup-demo
# shellcheck source=../tests/netlab/lib.sh
. "$TOP/tests/netlab/lib.sh"
need_product
tell
if [ "${1:-}" = --kept ]; then
	trap - EXIT
	(exec -a lab-host-ready sleep infinity) &
	wait
fi
clean_up
