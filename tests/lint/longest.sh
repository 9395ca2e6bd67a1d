#!/usr/bin/env bash
# The 25 longest functions; fails when one is longer than 100 lines. Braces in the first
# column open and close functions, as everywhere in this code.
. "$(dirname "$0")/sources.sh"
limit=100

lengths=$(sources c | xargs -r awk '
	FNR == 1 { name = ""; start = 0 }
	/^[a-zA-Z_].*\(/ && !start { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
	/^\{/ { start = FNR }
	/^\}/ { if (start && name != "") print FNR - start - 1, name, FILENAME ":" start
		start = 0; name = "" }
' | sort -rn)
printf '%s\n' "$lengths" | head -25
longest=$(printf '%s\n' "$lengths" | sed -n '1s/ .*//p')
if [ "${longest:-0}" -gt $limit ]; then
	printf 'a function of more than %d lines is two things in one\n' $limit
	exit 1
fi
