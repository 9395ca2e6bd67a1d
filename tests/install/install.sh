#!/usr/bin/env bash
# Installs a build into an empty folder and uses what is there the way a stranger would: with
# pkg-config only. install.sh BUILD-DIR [SANITIZERS]
set -eu
build=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
flags=(-Wall -Wextra -Werror -g)
[ -z "${2:-}" ] || flags+=("-fsanitize=$2")
cc=${CC:-cc}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
fail() {
	printf 'install: %s\n' "$*" >&2
	exit 1
}

DESTDIR=$root cmake --install "$build" > "$root/install.log" || {
	cat "$root/install.log"
	fail "cmake --install failed"
}
where() { # the one installed file that ends so
	local found
	found=$(find "$root" -path "*$1" | head -1)
	[ -n "$found" ] || fail "$1 is not installed"
	printf '%s\n' "$found"
}

PKG_CONFIG_PATH=$(dirname "$(where /pkgconfig/peerup.pc)")
export PKG_CONFIG_PATH
libdir=$(dirname "$PKG_CONFIG_PATH")
read -ra cflags <<< "$(pkg-config --cflags peerup)"
read -ra libs <<< "$(pkg-config --libs peerup)"
read -ra static <<< "$(pkg-config --cflags --libs peerup-static)"

# The shared library: found by its soname, exports its promise and nothing else.
shared=$libdir/libpeerup.so
soname=$(objdump -p "$shared" | awk '$1 == "SONAME" { print $2 }')
[ -e "$libdir/$soname" ] || fail "no file for the soname '$soname'"
others=$(nm -D --defined-only "$shared" | awk '$3 !~ /^peerup_/ { print $3 }')
[ -z "$others" ] || fail "exported but not promised:" $others
declared=$(cat "$(dirname "$(where /include/peerup/host.h)")"/*.h |
	tr '\n' ' ' | grep -oE 'PEERUP_API [^;(]*\(' | grep -oE 'peerup_[a-z_]+\($' | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$shared" | awk '{ print $3 }' | sort -u)
[ "$declared" = "$exported" ] || fail "declared and exported differ:" \
	$(comm -3 <(printf '%s\n' "$declared") <(printf '%s\n' "$exported"))

# Programs, one with each library.
pkg-config --static --libs peerup | grep -q -- -lgnutls || fail "peerup.pc has no private part"
"$cc" "${flags[@]}" "${cflags[@]}" "$here/two_hosts.c" "${libs[@]}" -o "$root/shared"
LD_LIBRARY_PATH=$libdir "$root/shared"
"$cc" "${flags[@]}" "$here/two_hosts.c" "${static[@]}" -o "$root/static"
! objdump -p "$root/static" | grep -q "NEEDED.*$soname" || fail "the static program is not static"
"$root/static"

# The client, against the installed program as a daemon without rights: the example of the
# documentation, then every call.
program=$(where /bin/peerup-vpn)
"$cc" "${flags[@]}" "${cflags[@]}" "$(where /examples/client.c)" "${libs[@]}" -o "$root/example"
"$cc" "${flags[@]}" "${cflags[@]}" "$here/ask_daemon.c" "${libs[@]}" -o "$root/ask_daemon"
mkdir "$root/home"
as_user() { env -u PEERUP_RUNTIME_DIR -u SUDO_UID HOME="$root/home" LD_LIBRARY_PATH="$libdir" \
	"${drop[@]}" "$@"; }
drop=()
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$root" && chown nobody "$root/home"
	drop=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
cd "$root/home"
as_user "$program" init --non-interactive > /dev/null
me=$(as_user "$program" whoami)
as_user "$program" name add me "$me" > /dev/null
! as_user "$root/example" > "$root/out" 2>&1 || fail "the example finds a daemon where none is"
grep -q 'connection refused' "$root/out" || fail "the example says: $(cat "$root/out")"
as_user "$program" daemon > "$root/daemon.log" 2>&1 &
daemon=$!
for _ in $(seq 100); do
	[ ! -e .config/peerup/.daemon-cookie ] || break
	sleep 0.1
done
as_user "$root/example" > "$root/out" || fail "the example: $(cat "$root/out" "$root/daemon.log")"
grep -q '^\[' "$root/out" || fail "the example says: $(cat "$root/out")"
as_user "$root/ask_daemon" "$me" "$PWD/.config/peerup/peerup.sock" || {
	kill "$daemon"
	cat "$root/daemon.log"
	fail "the client does not work"
}
wait "$daemon" || fail "the daemon ends badly: $(cat "$root/daemon.log")"
cd /

# The headers suit strict C99 and C++, alone and together.
include=${cflags[0]#-I}
for header in "$include"/peerup/*.h; do
	"$cc" -std=c99 -pedantic -Wall -Wextra -Werror -I"$include" -fsyntax-only -x c "$header" \
		2> "$root/err" || { cat "$root/err"; fail "$header is not C99"; }
	if command -v c++ > /dev/null; then
		printf '#include "%s"\n' "$header" > "$root/t.cc"
		c++ -std=c++11 -Wall -Wextra -Werror -I"$include" -fsyntax-only "$root/t.cc" ||
			fail "$header is not C++"
	fi
done

# The rest of the system.
where /man/man8/peerup-vpn.8 > /dev/null
where /iproute2/rt_protos.d/peerup.conf > /dev/null
where /configs/peerup.yaml > /dev/null
for unit in peerup-vpn peerup-relay; do
	unit=$(where "/lib/systemd/system/$unit.service")
	grep -q "^ExecStart=${program#"$root"} " "$unit" || fail "$unit starts another program"
done
"$program" version > "$root/version"
grep -qF "$(pkg-config --modversion peerup)" "$root/version" ||
	fail "versions differ: $(cat "$root/version")"
