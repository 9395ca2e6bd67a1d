#!/usr/bin/env bash
# Shell scripts parse; Python programs compile; nothing names the machine it was written on.
. "$(dirname "$0")/sources.sh"
status=0
while IFS= read -r file; do
	case $(head -c 64 "$file" | head -1) in
	*bash*) bash -n "$file" || status=1 ;;
	'#!/bin/sh'*) sh -n "$file" || status=1 ;;
	esac
done < <(find deploy tests .ci -type f \( -name '*.sh' -o -path '.ci/*' \) -not -path '*/node_modules/*')
while IFS= read -r file; do
	python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || status=1
done < <(find tests deploy -name '*.py' -not -path '*/node_modules/*')
exit $status
