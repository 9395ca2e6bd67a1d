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
program=$(where /bin/peerup-vpn)
for unit in peerup-vpn peerup-relay; do
	unit=$(where "/lib/systemd/system/$unit.service")
	grep -q "^ExecStart=${program#"$root"} " "$unit" || fail "$unit starts another program"
done
"$program" version > "$root/version"
grep -qF "$(pkg-config --modversion peerup)" "$root/version" ||
	fail "versions differ: $(cat "$root/version")"
