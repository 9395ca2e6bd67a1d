#!/bin/sh
# Installs the Debian packages that building peerup-vpn needs; with --tests also those that
# tests/run.sh and deploy/demo.sh use; with --list only prints them. As root or through sudo.
# Says nothing and asks the network nothing when all are there.
set -eu

build='build-essential cmake ninja-build pkg-config protobuf-c-compiler
	libsodium-dev libgnutls28-dev libngtcp2-dev libngtcp2-crypto-gnutls-dev libuv1-dev
	liblwip-dev libnl-3-dev libnl-route-3-dev libcap-ng-dev libseccomp-dev libsystemd-dev
	libyaml-dev libjansson-dev libmicrohttpd-dev libprotobuf-c-dev libsecp256k1-dev
	libwslay-dev libminiupnpc-dev libnatpmp-dev libqrencode-dev libcurl4-gnutls-dev'

# What the demonstration runs: ordinary programs of two machines.
programs='iproute2 procps kmod openssh-client openssh-server bind9-dnsutils curl iputils-ping
	iperf3 python3'

tests='libcmocka-dev clang libclang-rt-dev clang-format valgrind nftables mandoc ca-certificates
	miniupnpd miniupnpd-nftables spin debootstrap dpkg-dev file zsh fish'

usage() {
	echo 'usage: deploy/packages.sh [--demo | --tests] [--list]'
}

wanted=$build
list=
for arg; do
	case $arg in
	--demo) wanted="$build $programs" ;;
	--tests) wanted="$build $programs $tests" ;;
	--list) list=1 ;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
done

# Go and Node only start what tests/interop then fetches from the registries at pinned
# versions; a machine that has its own keeps it.
case " $* " in
*' --tests '*)
	command -v go > /dev/null || [ -x /usr/local/go/bin/go ] || wanted="$wanted golang-go"
	command -v npm > /dev/null || wanted="$wanted npm"
	;;
esac

if [ -n "$list" ]; then
	printf '%s\n' $wanted
	exit 0
fi

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

missing=
for package in $wanted; do
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo > /dev/null; then
		sudo "$@"
	else
		echo "packages.sh: needs root for: $*" >&2
		return 1
	fi
}

# Testing with a real sshd must not open a door on this machine: packages that bring a service
# do not start it, and sshd stays disabled when it was not here before.
policy=/usr/sbin/policy-rc.d
had_sshd=
[ ! -x /usr/sbin/sshd ] || had_sshd=1
made_policy=
finish() {
	[ -z "$made_policy" ] || as_root rm -f "$policy"
}
trap finish EXIT
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" > /dev/null
	made_policy=1
	as_root chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
echo "installing:$missing"
log=$(mktemp)
# An up-to-date index is often there already; a failure may just mean that it is not.
if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	$missing > "$log" 2>&1; then
	if ! { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends $missing; } > "$log" 2>&1; then
		cat "$log" >&2
		rm -f "$log"
		exit 1
	fi
fi
rm -f "$log"
if [ -z "$had_sshd" ] && [ -x /usr/sbin/sshd ] && [ -d /run/systemd/system ]; then
	as_root systemctl disable --quiet ssh.service 2> /dev/null || true
fi
