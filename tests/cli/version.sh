#!/bin/sh
# What was built, from what; reproducible, and honest without git.
. "$(dirname "$0")/lib.sh"
SOURCE=$(dirname "$0")/../..
SCRIPT=$SOURCE/src/daemon/build_info.cmake

run 0 version
head -1 "$TOP/out" | grep -Eq '^peerup-vpn [0-9.]+ \(([0-9a-f]{12}(-dirty)?|unknown)\) built (20[0-9-]{8}T[0-9:]{8}Z|1970.*|unknown)$' ||
	bad "the first line"
run 0 version --json
json 'v["version"] and v["commit"] and v["date"] and v["libraries"]["libsodium"] and v["compiler"]'
run 0 relay version
head -1 "$TOP/out" | grep -Eq '^peerup-vpn relay [0-9.]+ \(' || bad "the relay's first line"

made() { # SECONDS SOURCE
	SOURCE_DATE_EPOCH=$1 cmake -DSOURCE="$2" -DOUT="$TOP/build.h" -DLIBRARIES=none -P "$SCRIPT" \
		>"$TOP/out" 2>"$TOP/err" || bad "build_info.cmake"
}
mkdir "$TOP/tarball"
made "" "$TOP/tarball"
has "$TOP/build.h" 'COMMIT "unknown"'
has "$TOP/build.h" 'DATE "unknown"'
made 86400 "$TOP/tarball"
has "$TOP/build.h" 'DATE "1970-01-02T00:00:00Z"'
touch -d @1 "$TOP/build.h"
made 86400 "$TOP/tarball"
[ "$(stat -c %Y "$TOP/build.h")" = 1 ] || bad "an unchanged header was written again"
