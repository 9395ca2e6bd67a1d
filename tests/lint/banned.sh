#!/usr/bin/env bash
# Calls of banned.txt, and things left open. Comments and strings do not count as calls.
. "$(dirname "$0")/sources.sh"
status=0

# Strings emptied, comments blanked, line numbers kept; then the names followed by "(".
# shellcheck disable=SC2046
python3 - $(sources c h) <<'END' || status=1
import re, sys
names = [line.split()[0] for line in open("tests/lint/banned.txt")
         if line.strip() and not line.startswith("#")]
call = re.compile(r"(?:^|[^A-Za-z0-9_.>])(" + "|".join(names) + r")[ \t]*\(")
noise = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
found = 0
for path in sys.argv[1:]:
    text = open(path, encoding="utf-8").read()
    text = noise.sub(lambda m: "\n" * m[0].count("\n") or " ", text)
    for number, line in enumerate(text.split("\n"), 1):
        if call.search(line):
            print(f"{path}:{number}: {line.strip()}")
            found = 1
sys.exit(found)
END
if grep -nIE '\b(TODO|FIXME|XXX|HACK)\b' $(sources c h); then
	status=1
fi
exit $status
