#!/usr/bin/env bash
# Installs what is missing, builds, runs every test, ends with CTest's summary of the release
# build. Exit status 0 when all passed. As root or through sudo (without: what needs network
# namespaces of real root is skipped, with the reason).
#
#   tests/run.sh          everything, in less than 25 minutes on 2 cores
#   tests/run.sh --all    the long versions: full-length interoperability, minutes of fuzzing
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C

FUZZ_SECONDS=60
jobs=$(nproc)
failed=()
summary=

case ${1:-} in
'') ;;
--all) export PEERUP_TEST_ALL=1 ;;
*)
	echo 'usage: tests/run.sh [--all]' >&2
	exit 2
	;;
esac

heading() { printf '\n=== %s\n' "$*"; }

# quietly COMMAND...: output only when it fails
quietly() {
	local log
	log=$(mktemp)
	if "$@" > "$log" 2>&1; then
		rm -f "$log"
		return 0
	fi
	cat "$log"
	rm -f "$log"
	return 1
}

build() {
	heading "build $1"
	quietly cmake --preset "$1" && quietly cmake --build --preset "$1" -j "$jobs" || {
		printf 'build %s failed\n' "$1" >&2
		exit 1
	}
}

# What could not run says why, which CTest keeps to itself.
run_tests() {
	local preset=$1 log=build/$1/ctest.log
	shift
	heading "test $preset"
	ctest --test-dir "build/$preset" --output-on-failure --no-label-summary -j "$jobs" "$@" |
		tee "$log" || failed+=("$preset")
	sed -n 's/^skipped: /skipped: /p' "build/$preset/Testing/Temporary/LastTest.log" | sort | uniq -c
	summary=$(grep -E '^[0-9]+% tests passed' "$log")
}

heading "packages"
deploy/packages.sh --tests || exit 1
heading "foreign peers"
tests/interop/run.py --prepare

build release
build sanitize
build fuzz

# The sanitizers watch what meets foreign bytes and the whole product once; the fuzz build is
# the second compiler's opinion.
run_tests sanitize -L 'unit|fuzz|sanitize'
run_tests fuzz -L fuzz
if [ -n "${PEERUP_TEST_ALL:-}" ]; then
	heading "fuzz each target for $FUZZ_SECONDS s"
	for target in build/fuzz/tests/fuzz_*; do
		[ -x "$target" ] && [ -f "$target" ] || continue
		new=$(mktemp -d)
		quietly "$target" -max_total_time=$FUZZ_SECONDS -artifact_prefix=build/fuzz/ "$new" \
			"tests/fuzz/corpus/${target##*/fuzz_}" || failed+=("${target##*/}")
		rm -rf "$new"
	done
fi
run_tests release

printf '\n%s\n' "$summary"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${failed[*]}" >&2
	exit 1
fi
