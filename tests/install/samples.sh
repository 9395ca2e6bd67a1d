#!/usr/bin/env bash
# Every sample of configs/ loads without a complaint, and peerup.yaml, which promises it, has
# every key. samples.sh PROGRAM
set -u
program=$(realpath "$1")
cd "$(dirname "$0")/../.." || exit 1
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
export HOME=$home
status=0

for sample in configs/*.yaml; do
	install -m 600 "$sample" "$home/config.yaml"
	ask=(service list)
	case $sample in */relay-*) ask=(relay config validate) ;; esac
	if ! "$program" --config "$home/config.yaml" --json "${ask[@]}" > "$home/out" 2>&1 ||
		! python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$home/out"; then
		printf '%s:\n' "$sample"
		cat "$home/out"
		status=1
	fi
done

# configs/relay-server.yaml is compared by tests/unit/daemon/relay_config_test.c.
for key in $(grep -oE '\{ "[a-z0-9_.*]+", PU_CONFIG_' src/daemon/config_schema.c | cut -d'"' -f2); do
	last=${key##*.}
	[ "$last" = '*' ] || grep -qE "^[ #]*$last:" configs/peerup.yaml || {
		printf 'configs/peerup.yaml: no %s\n' "$key"
		status=1
	}
done
exit $status
