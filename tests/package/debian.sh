#!/usr/bin/env bash
# The packages of a build, on two clean Debian machines made of namespaces: one that boots with
# systemd, one where nothing runs, as in a chroot. They are installed with apt, used, upgraded,
# removed and purged, and nothing is left. debian.sh BUILD-DIR
#
# The machines' trees are kept in ~/.cache/peerup-vpn-tests (or $PEERUP_TEST_CACHE); only making
# them, or a new dependency, needs the network. Exit status 77: cannot run here.
set -u -o pipefail
build=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$(dirname "$here")")
cc=${CC:-cc}
export LC_ALL=C

skip() {
	printf 'skipped: %s\n' "$*"
	exit 77
}
[ "$(id -u)" -eq 0 ] || skip 'needs root'
[ -c /dev/net/tun ] || skip 'no /dev/net/tun'
command -v dpkg-shlibdeps > /dev/null && command -v file > /dev/null ||
	skip 'dpkg-dev and file are not installed'
why=$(unshare --mount --net --pid --uts --ipc --cgroup --fork true 2>&1) ||
	skip "no namespaces here: $why"

top=$(mktemp -d /tmp/peerup-package.XXXXXX)
declare -A pid
failures=0

say() { printf '%3d s: %s\n' "$SECONDS" "$*"; }
bad() {
	printf 'FAILED: %s\n' "$*"
	[ ! -s "$top/out" ] || tail -40 "$top/out" | sed 's/^/  /'
	failures=$((failures + 1))
}
# Checks what is worth going on without.
check() {
	local what=$1
	shift
	"$@" > "$top/out" 2>&1 || bad "$what"
}
die() {
	bad "$@"
	exit 1
}

# grep -q would end before what it reads from, which then fails.
found() { grep "$@" > /dev/null; }

# ---- machines

finish() {
	local status=$? name
	trap - EXIT
	for name in "${!pid[@]}"; do
		kill -KILL "${pid[$name]}" 2> /dev/null
	done
	wait 2> /dev/null
	if [ -n "${cgroup:-}" ]; then
		find "$cgroup" -depth -type d -exec rmdir {} + 2> /dev/null
	fi
	rm -rf --one-file-system "$top"
	[ $failures -eq 0 ] || status=1
	exit $status
}
trap finish EXIT

# machine KIND: starts it, in a control group of its own.
machine() {
	local child
	mkdir "$top/$1"
	(
		[ -z "${cgroup:-}" ] || echo "$BASHPID" > "$cgroup/cgroup.procs"
		exec setpriv --pdeathsig KILL unshare --mount --net --pid --uts --ipc --cgroup --fork --kill-child \
			"$here/machine.sh" "$cache/$1" "$top/$1" "$1" "$packages"
	) > "$top/$1.log" 2>&1 &
	child=$!
	pid[$1]=$child
	for _ in $(seq 100); do
		pid[$1]=$(cat "/proc/$child/task/$child/children" 2> /dev/null)
		pid[$1]=${pid[$1]// /}
		[ -z "${pid[$1]}" ] || [ ! -e "/proc/${pid[$1]}/root/run/ready" ] || return 0
		kill -0 $child 2> /dev/null || break
		sleep 0.1
	done
	pid[$1]=$child
	no_machine "$1: $(tail -1 "$top/$1.log")"
}
# Nothing of ours is on it yet: the kernel or what is around us does not let it be.
no_machine() {
	[ $failures -eq 0 ] || exit 1
	skip "no machine of namespaces here: $*"
}

# on KIND COMMAND...
on() {
	local p=${pid[$1]}
	shift
	nsenter --all --root --wd -t "$p" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		DEBIAN_FRONTEND=noninteractive TERM=dumb "$@"
}
apt() { # KIND ARGS...
	local kind=$1
	shift
	on "$kind" apt-get -q=2 -y --no-install-recommends -o APT::Sandbox::User=root \
		-o APT::AutoRemove::RecommendsImportant=no -o APT::AutoRemove::SuggestsImportant=no \
		"$@" > "$top/out" 2>&1 || die "$kind: apt-get $*"
	! grep -E '^(W|E):|warning:|[Ff]ailed|unable to' "$top/out" || bad "$kind: apt-get $* complains"
}
await() { # KIND SECONDS COMMAND...
	local kind=$1 left=$(($2 * 10))
	shift 2
	until on "$kind" "$@" > "$top/out" 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.1
	done
}
snapshot() { "$here/snapshot.py" take "/proc/${pid[$1]}/root" > "$top/$1.$2"; }
nothing_left() {
	snapshot "$1" after
	"$here/snapshot.py" compare "$top/$1.before" "$top/$1.after" > "$top/out" || bad "$1: not as before"
	: > "$top/out"
	! on "$1" sh -c 'ls -d /run/peerup* /var/log/peerup*' > "$top/out" 2>&1 || bad "$1: left in /run"
	! on "$1" dpkg-query -W -f '${Package} ${Status}\n' | grep -E 'peerup|deinstall' > "$top/out" ||
		bad "$1: dpkg knows more than before"
}

# ---- the packages themselves

make_packages() {
	packages=$top/packages
	# Not in the build directory: somebody may be at work there.
	cpack --config "$build/CPackConfig.cmake" -B "$packages" > "$top/out" 2>&1 || die "cpack"
	rm -rf "$packages/_CPack_Packages"
	node=$(echo "$packages"/peerup-vpn_*.deb)
	library=$(echo "$packages"/libpeerup[0-9]*.deb)
	dev=$(echo "$packages"/libpeerup-dev_*.deb)
	[ "$(find "$packages" -name '*.deb' | wc -l)" = 3 ] && [ -f "$node" ] && [ -f "$library" ] &&
		[ -f "$dev" ] || die "not these three packages: $(ls "$packages")"
}

look_into_packages() {
	local deb file requires owner
	cpack --config "$build/CPackConfig.cmake" -B "$top/again" > "$top/out" 2>&1
	for deb in "$node" "$library" "$dev"; do
		check "${deb##*/} is made differently each time" cmp "$deb" "$top/again/${deb##*/}"
		dpkg-deb -x "$deb" "$top/files"
		dpkg-deb -c "$deb" > "$top/out"
		! awk '$2 != "root/root" || $1 ~ /^[^l]....w|^[^l].......w|s/' "$top/out" | grep . ||
			bad "${deb##*/}: owners or modes"
		for field in Maintainer Section Priority Description; do
			dpkg-deb -f "$deb" "$field" | found . || bad "${deb##*/} has no $field"
		done
		file=$top/files/usr/share/doc/$(dpkg-deb -f "$deb" Package)
		grep -q '^License: Expat' "$file/copyright" || bad "${deb##*/} has no copyright"
		zcat "$file/changelog.Debian.gz" | dpkg-parsechangelog -l - -S Version > "$top/out" 2>&1 &&
			[ "$(cat "$top/out")" = "$(dpkg-deb -f "$deb" Version)" ] ||
			bad "${deb##*/}: its changelog"
	done
	rm -rf "$top/again"

	# What `cmake --install` installs is in a package, under whatever folder.
	DESTDIR=$top/installed cmake --install "$build" > "$top/out" 2>&1
	names() { find "$1" ! -type d -printf '%f\n' | sed 's/\.gz$//' | sort -u; }
	comm -23 <(names "$top/installed") <(names "$top/files") > "$top/out"
	[ ! -s "$top/out" ] || bad "no package has these"
	rm -rf "$top/installed"

	file=$top/files/usr/bin/peerup-vpn
	readelf -d "$file" > "$top/out"
	grep -q 'NOW PIE' "$top/out" || bad "the program is not hardened"
	! grep -E 'RPATH|RUNPATH|libcurl|libpeerup' "$top/out" || bad "the program needs what it must not"
	! strings "$file" | found "^$source/" || bad "the program names the folder it was built in"
	file "$file" | found ', stripped' || bad "the program is not stripped"
	dpkg-deb -f "$node" Recommends | found libcurl3-gnutls || bad "libcurl is not recommended"
	dpkg-deb -f "$library" Depends | found libngtcp2 || bad "the library depends on nothing"

	# Every .pc file that ours names comes with a package that ours depends on.
	requires=$(sed -n 's/^Requires: //p' "$top"/files/usr/lib/*/pkgconfig/peerup-static.pc)
	for file in $requires; do
		owner=$(dpkg-query -S "*/pkgconfig/$file.pc" 2> /dev/null | cut -d: -f1 | head -1)
		dpkg-deb -f "$dev" Depends | tr -d ' ' | tr , '\n' | found -x "$owner" ||
			bad "libpeerup-dev does not depend on $owner, which has $file.pc"
	done
}

# ---- where nothing runs

smoke() {
	local me
	check "version" on plain peerup-vpn version
	grep -q '^peerup-vpn ' "$top/out" || bad "version says nothing"
	on plain getent passwd peerup | found ':/var/lib/peerup:/usr/sbin/nologin$' || bad "the account"
	[ "$(on plain stat -c '%a %U %G' /etc/peerup)" = '700 peerup peerup' ] || bad "/etc/peerup"
	check "the manual" on plain sh -c 'zcat /usr/share/man/man8/peerup-vpn.8.gz | grep -q authorized_keys'
	check "completion in bash" on plain bash -c \
		'. /usr/share/bash-completion/completions/peerup-vpn && complete -p peerup-vpn'
	for shell in zsh fish; do
		! command -v $shell > /dev/null || check "completion in $shell" $shell -n \
			"$(find "$top/files/usr/share/$shell" -type f)"
	done
	! command -v systemd-analyze > /dev/null || check "systemd-sysusers" systemd-sysusers \
		--dry-run --root="$top/files" peerup.conf

	# A user, without rights and without a device.
	on plain useradd --create-home somebody
	as_somebody() { on plain setpriv --reuid somebody --regid somebody --clear-groups \
		env HOME=/home/somebody "$@"; }
	check "init" as_somebody peerup-vpn init --non-interactive
	me=$(as_somebody peerup-vpn whoami)
	as_somebody sh -c 'cd && setsid peerup-vpn daemon > daemon.log 2>&1 &'
	await plain 10 sh -c 'HOME=/home/somebody setpriv --reuid somebody --regid somebody --clear-groups \
		peerup-vpn status --json | grep -q "$1"' sh "$me" || bad "the daemon does not answer"
	check "down" as_somebody peerup-vpn down

	# Root, with one, by hand.
	check "init in /etc" on plain peerup-vpn init --non-interactive --config /etc/peerup/config.yaml
	check "up" on plain peerup-vpn --config /etc/peerup/config.yaml up
	check "the device" on plain test -e /proc/sys/net/ipv4/conf/peerup0
}

# A program of a stranger, compiled here with what the packages brought, runs there.
use_library() {
	local flags=$top/files/usr/lib/$(gcc -print-multiarch)/pkgconfig
	check "compile with libpeerup-dev" sh -c '"$1" "$2" -o "$3" $(PKG_CONFIG_PATH=$4 \
		PKG_CONFIG_SYSROOT_DIR=$5 PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
		PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config --cflags --libs peerup)' \
		sh "$cc" "$source/tests/install/two_hosts.c" "$packages/two_hosts" "$flags" "$top/files"
	check "run with libpeerup" on plain /run/packages/two_hosts
	grep -q 'heard each other' "$top/out" || bad "two hosts did not talk"
	check "what libpeerup-dev depends on" on plain apt-get -q -s install "/run/packages/${dev##*/}" \
		"/run/packages/${library##*/}"
}

test_plain() {
	machine plain
	snapshot plain before
	apt plain install "/run/packages/${node##*/}" "/run/packages/${library##*/}"
	say "plain: installed"
	smoke
	use_library
	# While one that was started by hand runs.
	apt plain purge --auto-remove peerup-vpn "$(dpkg-deb -f "$library" Package)"
	check "the daemon survives the purge" on plain test ! -e /proc/sys/net/ipv4/conf/peerup0
	check "the home of a user was touched" on plain test -s /home/somebody/.config/peerup/config.yaml
	on plain userdel --remove somebody 2> /dev/null
	nothing_left plain
	say "plain: purged"
}

# ---- with systemd

main_pid() { on booted systemctl show -P MainPID "$1"; }
answers() { # CONFIG
	await booted 15 peerup-vpn --config "$1" status --json || bad "$1: no answer"
}
checksums() { on booted sh -c 'cd /etc && find peerup peerup-relay -type f ! -name ".*" |
	sort | xargs sha256sum'; }

start_services() {
	local unit config
	for unit in peerup-vpn peerup-vpn@work peerup-relay; do
		[ "$(on booted systemctl is-enabled $unit 2> /dev/null)" = disabled ] || bad "$unit is enabled"
		[ "$(main_pid $unit)" = 0 ] || bad "$unit runs unasked"
	done
	check "init" on booted peerup-vpn init --non-interactive --config /etc/peerup/config.yaml
	check "init of another network" on booted peerup-vpn --instance work init --non-interactive
	check "relay setup" on booted peerup-vpn relay setup --non-interactive --dir /etc/peerup-relay
	for unit in peerup-vpn peerup-vpn@work peerup-relay; do
		on booted systemd-analyze verify --man=no "$unit.service" > "$top/out" 2>&1
		! grep -F peerup "$top/out" || bad "$unit: systemd-analyze verify"
		check "enable and start $unit" on booted systemctl enable --now $unit
		on booted journalctl -q --no-pager -u $unit > "$top/out" 2>&1
		on booted systemctl is-active -q $unit || bad "$unit does not run"
		on booted sh -c 'stat -c %U "/proc/$1"' sh "$(main_pid $unit)" | found -x peerup ||
			bad "$unit: not as its account"
	done
	for config in /etc/peerup/config.yaml /etc/peerup/work/config.yaml; do answers $config; done
	check "devices" on booted ls /proc/sys/net/ipv4/conf/peerup0 /proc/sys/net/ipv4/conf/pu-work
}

upgrade() {
	local unit before=()
	checksums > "$top/config.before"
	on booted systemctl disable -q --now peerup-relay
	for unit in peerup-vpn peerup-vpn@work; do before+=("$(main_pid $unit)"); done
	apt booted install --reinstall "/run/packages/${node##*/}"
	for unit in peerup-vpn peerup-vpn@work; do
		check "$unit runs after the upgrade" on booted systemctl is-active $unit
		[[ " ${before[*]} " != *" $(main_pid $unit) "* ]] || bad "$unit: still the old program"
	done
	[ "$(main_pid peerup-relay)" = 0 ] || bad "a stopped service was started"
	answers /etc/peerup/config.yaml
	checksums | diff "$top/config.before" - > "$top/out" || bad "the upgrade changed the configuration"
}

remove() {
	local me
	me=$(on booted peerup-vpn --config /etc/peerup/config.yaml whoami)
	apt booted remove peerup-vpn
	check "a device is left" on booted test ! -e /proc/sys/net/ipv4/conf/peerup0
	check "links to units are left" on booted sh -c '! ls /etc/systemd/system/*.wants/peerup*'
	on booted systemctl --failed --no-legend 2> /dev/null | grep peerup && bad "failed units"
	checksums | diff "$top/config.before" - > "$top/out" || bad "removing changed the configuration"
	apt booted install "/run/packages/${node##*/}"
	[ "$(on booted peerup-vpn --config /etc/peerup/config.yaml whoami)" = "$me" ] ||
		bad "the identity did not survive"
	check "start again" on booted systemctl start peerup-vpn
	answers /etc/peerup/config.yaml
}

test_booted() {
	machine booted
	await booted 30 sh -c '[ -S /run/systemd/private ] && ! systemctl is-system-running |
		grep -qE "^(initializing|starting|offline)"' || no_machine "booted: systemd does not come up"
	say "booted"
	snapshot booted before
	apt booted install "/run/packages/${node##*/}"
	start_services
	say "booted: services run"
	upgrade
	say "booted: upgraded"
	remove
	say "booted: removed and installed again"
	apt booted purge --auto-remove peerup-vpn
	nothing_left booted
	say "booted: purged"
}

make_packages
look_into_packages
say "packages"

cache=${PEERUP_TEST_CACHE:-$HOME/.cache/peerup-vpn-tests}/packages
mkdir -p "$cache" && chmod 700 "$cache"
exec 9> "$cache/lock"
flock 9
unshare --mount "$here/tree.sh" "$cache" "$packages" || { failures=$(($? == 1)); exit 77; }
flock --shared 9
say "trees"

hierarchy=$(findmnt -rno TARGET -t cgroup2 | head -1)
if [ -n "$hierarchy" ]; then
	for old in "$hierarchy"/peerup-package.*; do
		[ ! -d "$old" ] || kill -0 "${old##*.}" 2> /dev/null ||
			find "$old" -depth -type d -exec rmdir {} + 2> /dev/null
	done
	cgroup=$hierarchy/peerup-package.$$
	mkdir "$cgroup" || cgroup=
fi
test_plain
test_booted
exit $((failures > 0))
