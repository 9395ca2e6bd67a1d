#!/usr/bin/env bash
# Every header compiles alone, and its guard is its path. headers.sh [BUILD-DIR]: where
# generated headers are.
. "$(dirname "$0")/sources.sh"
status=0
compiler=${CC:-cc}
build=${1:-build/release}

flags=(-std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers
	-Werror -fsyntax-only -x c -Iinclude -Isrc -I.)
packages=$(sed -nE 's/^pkg_check_modules\([A-Z0-9_]+ REQUIRED IMPORTED_TARGET ([^)]+)\).*/\1/p' \
	CMakeLists.txt)
for package in $packages; do
	# shellcheck disable=SC2207
	flags+=($(pkg-config --cflags "$package" 2> /dev/null))
done
while IFS= read -r folder; do
	flags+=("-I$folder" "-I$(dirname "$folder")")
done < <(find "$build" -name '*.pb-c.h' -printf '%h\n' 2> /dev/null | sort -u)

check() {
	local header=$1 guard out
	out=$("$compiler" "${flags[@]}" "$header" 2>&1 | grep -v 'pragma once in main file')
	if [ -n "$out" ]; then
		printf '%s does not compile alone:\n%s\n' "$header" "$out"
		return 1
	fi
	guard=${header#src/}
	guard=${guard#include/}
	guard=$(printf '%s' "$guard" | tr 'a-z./-' 'A-Z___')
	case $header in
	include/*) ;;
	*) guard=PU_$guard ;;
	esac
	if ! grep -qx "#ifndef $guard" "$header" || ! grep -qx "#define $guard" "$header"; then
		printf '%s: the guard should be %s\n' "$header" "$guard"
		return 1
	fi
}
jobs=0
for header in $(sources h); do
	check "$header" || status=1
	jobs=$((jobs + 1))
done
printf '%d headers\n' $jobs
exit $status
