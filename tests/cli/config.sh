#!/bin/sh
# config …: copies of good configs, configs on trial, a way out of broken ones. Without a
# daemon; one that runs is tests/netlab/cases/config-apply.sh.
. "$(dirname "$0")/lib.sh"
DIR=$HOME/.config/peerup

run 1 config show
run 1 config confirm
grumbles "no config is on trial"
run 0 init --non-interactive
run 0 config validate
says "OK: $CONFIG is valid"
run 0 config validate --json
json 'v["valid"] is True'
run 0 config history
says "None yet"
run 1 config rollback
grumbles "no last-known-good config archive found"
run 1 config show --archived 0
run 2 config show --archived 5
run 2 config apply
run 2 config apply "$CONFIG" --confirm-timeout 0s
run 2 config apply "$CONFIG" --confirm-timeout 25h

# --- what is wrong with a new file is said before anything changes
printf 'vpn:\n  mtu: huge\nvpm: 1\n' >new.yaml
chmod 600 new.yaml
run 1 config validate new.yaml
grumbles "new.yaml:2:"
says "FAIL: new.yaml is not valid"
cp "$CONFIG" old
run 1 config apply new.yaml
grumbles "vpn.mtu"
run 1 config apply missing.yaml
grumbles "missing.yaml: no such config file"
chmod 644 new.yaml
run 1 config apply new.yaml
grumbles "chmod 600 new.yaml"
cmp -s old "$CONFIG" || bad "the config changed"
[ ! -e "$DIR/.config.pending" ] || bad "a marker"

# --- on trial, confirmed, taken back
sed 's|  mtu: 0|  mtu: 1300|' old >new.yaml
chmod 600 new.yaml
run 0 config apply new.yaml --confirm-timeout 90s --json
json 'v["restart"] == ["vpn.mtu"] and v["applied"] is False and v["deadline"].endswith("Z")'
cmp -s new.yaml "$CONFIG" || bad "not in place"
python3 -c '
import json, sys
v = json.load(open(sys.argv[1]))
assert list(v) == ["deadline", "backup"] and v["backup"] == ".config.pre-confirmed.yaml", v
' "$DIR/.config.pending" || bad "the marker"
[ "$(stat -c %a "$DIR/.config.pending")" = 600 ] || bad "mode of the marker"
run 1 config apply old
run 0 config show
says "mtu: 1300"
says "# On trial until "
run 0 config show --json
json '"mtu: 1300" in v["text"] and "on_trial_until" in v'
run 1 config rollback --to 0
grumbles "a config is on trial"
run 0 config rollback
cmp -s old "$CONFIG" || bad "not back"
run 0 config apply new.yaml
run 0 config confirm
cmp -s new.yaml "$CONFIG" || bad "not kept"
[ ! -e "$DIR/.config.pre-confirmed.yaml" ] || bad "the backup stays"

# --- killed at any moment: the old one, or the new one and the way back
sed 's|  mtu: 1300|  mtu: 1290|' new.yaml >newer.yaml
chmod 600 newer.yaml
for n in $(seq 60); do
	timeout -s KILL "0.00$((n % 10))$((n / 10))" "$PU" config apply newer.yaml >/dev/null 2>&1
	if cmp -s "$CONFIG" newer.yaml; then
		cmp -s "$DIR/.config.pre-confirmed.yaml" new.yaml || bad "no way back"
		[ -s "$DIR/.config.pending" ] || bad "on trial without a marker"
	else
		cmp -s "$CONFIG" new.yaml || bad "neither the old nor the new one"
	fi
	if [ -e "$DIR/.config.pending" ]; then
		timeout -s KILL "0.00$((n % 7))$((n / 10))" "$PU" config rollback >/dev/null 2>&1
		cmp -s "$CONFIG" newer.yaml || cmp -s "$CONFIG" new.yaml || bad "half a rollback"
		[ ! -e "$DIR/.config.pending" ] || run 0 config rollback
	fi
	cmp -s "$CONFIG" new.yaml || bad "not as before"
done
rm -f "$DIR"/config.yaml.?????? "$DIR"/.config.*.??????

# --- several networks
run 2 --instance UPPER status
grumbles "at most 12 characters"
run 2 --instance x --config y status
run 0 --config "$DIR/work/config.yaml" init --non-interactive
run 0 --instance work config show
says 'interface: "pu-work"'
says 'dns_suffix: "p2p-work"'
run 0 --instance work status --json
json 'v["config"].endswith("/work/config.yaml")'
