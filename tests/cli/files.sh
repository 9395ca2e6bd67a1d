#!/bin/sh
# Commands that read and edit a node's files; no daemon runs.
. "$(dirname "$0")/lib.sh"

# --- without a config
run 1 whoami
grumbles "peerup-vpn: config: none found"
grumbles "try: peerup-vpn init"
run 1 status --config "$TOP/none.yaml"
grumbles "no such config file"

# --- init
run 0 init --non-interactive --json
json 'v["peer_id"].startswith("12D3KooW") and v["config"].endswith("/.config/peerup/config.yaml")'
for f in "$CONFIG" "$KEYS" "$HOME/.config/peerup/identity.key"; do
	[ "$(stat -c %a "$f")" = 600 ] || bad "$f has mode $(stat -c %a "$f")"
done
[ "$(stat -c %a "$HOME/.config/peerup")" = 700 ] || bad "mode of the directory"
has "$CONFIG" '"/ip4/0.0.0.0/udp/0/quic-v1"'
cp "$CONFIG" before
run 1 init --non-interactive
grumbles "there is a config already, it was not touched"
cmp -s "$CONFIG" before || bad "init touched the config"
run 0 init --non-interactive --dir "$TOP/other/deep" --port 4001 --network my-net \
	--relay "/ip4/203.0.113.50/tcp/7777/p2p/$ID1" --relay "/ip4/203.0.113.51/tcp/7777/p2p/$ID2"
says "sudo peerup-vpn invite"
has "$TOP/other/deep/config.yaml" "udp/4001/quic-v1"
has "$TOP/other/deep/config.yaml" '    - "/ip4/203.0.113.51/tcp/7777/p2p/'
has "$TOP/other/deep/config.yaml" 'network: "my-net"'
run 0 whoami --config "$TOP/other/deep/config.yaml"
run 1 init --non-interactive --dir "$TOP/third" --relay /ip4/203.0.113.50/tcp/7777
grumbles "it must end in /p2p/<peer id>"
[ ! -e "$TOP/third" ] || bad "a refused init left files"
run 2 init --non-interactive --dir "$TOP/third" --network My_Net
run 2 init --non-interactive --dir "$TOP/third" --port 70000

# --- init on a terminal asks for a relay
cat >ask.py <<'PY'
import os, pty, sys
program, folder, answers = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(program, [program, "init", "--dir", folder])
seen = b""
while True:
    try:
        data = os.read(fd, 1000)
    except OSError:
        break
    if not data:
        break
    seen += data
    if seen.rstrip().endswith(b":") and answers:
        os.write(fd, answers.pop(0).encode() + b"\n")
        seen = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
python3 ask.py "$PU" "$TOP/asked" 203.0.113.50 "$ID1" >out 2>err || bad "init with a short relay"
has "$TOP/asked/config.yaml" "    - \"/ip4/203.0.113.50/tcp/7777/p2p/$ID1\""
python3 ask.py "$PU" "$TOP/asked6" "[2001:db8::1]:8080" "$ID1" >out 2>err || bad "init with a v6 relay"
has "$TOP/asked6/config.yaml" "    - \"/ip6/2001:db8::1/tcp/8080/p2p/$ID1\""
python3 ask.py "$PU" "$TOP/none" "" >out 2>err || bad "init without a relay"
has "$TOP/none/config.yaml" "addresses: []"
python3 ask.py "$PU" "$TOP/wrong" relay.example.com "$ID1" >out 2>err && bad "init took a host name"
[ ! -e "$TOP/wrong" ] || bad "a refused init left files"

# --- who
run 0 whoami
says "12D3KooW"
run 0 whoami --json
json 'v["peer_id"].startswith("12D3KooW")'
run 0 status
says "not running"
run 0 status --json
json 'v["running"] is False and v["authorized_peers"] == 0'

# --- auth
run 0 auth add "$ID1" --comment "laptop of Anna"
has "$KEYS" "$ID1  # laptop of Anna"
run 1 auth add "$ID1"
grumbles "already authorized"
run 0 auth add "$ID1" --access network
has "$KEYS" "$ID1  access=network  # laptop of Anna"
run 1 auth add nonsense
grumbles "nonsense: not a peer ID"
run 0 auth list
says "laptop of Anna"
run 0 auth list --json
json 'len(v) == 1 and v[0]["peer_id"] == "'"$ID1"'" and v[0]["access"] == "network"'
run 0 auth validate
echo "broken line" >>"$KEYS"
run 1 auth validate
says "authorized_keys:4:1: does not begin with a peer ID"
run 1 auth validate --json
json 'v["valid"] is False and v["errors"][0]["line"] == 4 and v["peers"] == 1'
run 1 auth remove "$ID2"
grumbles "not authorized"
run 0 auth remove "$ID1"
lacks "$KEYS" "$ID1"
has "$KEYS" "broken line"
run 0 auth add "$ID2" --file "$TOP/keys2"
has "$TOP/keys2" "$ID2"
run 0 auth validate "$TOP/keys2"
run 0 auth list --file "$TOP/keys2" --json
json 'len(v) == 1'

# --- names
run 0 name add home "$ID1"
has "$CONFIG" "  home: \"$ID1\""
has "$CONFIG" "# Names of peers"
run 0 name add home "$ID1"
run 1 name add home "$ID2"
grumbles "this name belongs to $ID1"
grumbles "try: peerup-vpn name remove home"
run 0 name add my_nas "$ID2" --json
json 'v["dns"] is False'
run 1 name add "a b" "$ID1"
run 1 name add x not-an-id
run 0 name list --json
json '[n["name"] for n in v] == ["home", "my_nas"]'
run 0 resolve home
says "home → $ID1"
run 0 resolve home.p2p --json
json 'v["peer_id"] == "'"$ID1"'" and v["source"] == "local_config"'
run 1 resolve nobody
grumbles "nobody: name not found"
run 0 auth add home
run 0 auth remove home
run 0 name remove my_nas
run 0 name remove home
has "$CONFIG" "names: {}"
run 1 name remove home

# --- services
run 0 service add ssh 22
has "$CONFIG" '    local_address: "localhost:22"'
run 0 service add web 127.0.0.1:8080 --port 80 --allow "$ID1" --protocol /x --json
json 'v["port"] == 80'
has "$CONFIG" "      - \"$ID1\""
run 1 service add ssh localhost:22
grumbles "a service of this name exists"
run 1 service add SSH localhost:22
run 1 service add invite localhost:22
grumbles "reserved"
run 1 service add x localhost
run 1 service add x localhost:0
run 2 service add x 1 --port 0
run 1 service add x 1 --allow nobody
grumbles "nobody: neither a known name nor a peer ID"
lacks "$CONFIG" "  x:"
run 0 service disable ssh
run 0 service list --json
json '[(s["name"], s["port"], s["enabled"]) for s in v] == [("ssh", 22, False), ("web", 80, True)]'
run 0 service enable ssh
run 0 service list
says "enabled"
run 0 service remove ssh
run 0 service remove web
has "$CONFIG" "services: {}"
run 1 service remove web

# --- peers
ADDR=/ip4/192.0.2.7/udp/4001/quic-v1/p2p/$ID1
run 0 peer add "$ADDR"
run 1 peer add "$ADDR"
grumbles "already known"
run 0 peer add "/ip6/2001:db8::7/tcp/4001/p2p/$ID1"
run 1 peer add /ip4/192.0.2.7/tcp/1
grumbles "it must end in /p2p/<peer id>"
run 1 peer add home
grumbles "not a multiaddr"
run 1 peer add "/unix/tmp/p2p/$ID1"
run 0 peer list --json
json 'len(v) == 1 and len(v[0]["addresses"]) == 2'
run 0 name add home "$ID1"
run 0 peer list
says "home"
run 0 peer remove "$ADDR"
run 0 peer list --json
json 'len(v[0]["addresses"]) == 1'
run 0 peer remove home
has "$CONFIG" "peers: {}"
run 1 peer remove home

# --- everything gone again: the file is what init wrote
run 0 name remove home
cmp -s "$CONFIG" before || bad "edits that cancel out changed the config: $(diff before "$CONFIG")"

# --- a hand-written file keeps its ways
cat >"$CONFIG" <<YAML
# mine
names:   # people
    anna: "$ID2"   # a comment

    # nobody below
future: {key: [1, 2]}
vpn: {mtu: 1400}
YAML
run 0 name add home "$ID1"
grumbles "warning: $CONFIG:6:1: future: unknown key, ignored"
cat >want <<YAML
# mine
names:   # people
    anna: "$ID2"   # a comment
    home: "$ID1"

    # nobody below
future: {key: [1, 2]}
vpn: {mtu: 1400}
YAML
cmp -s "$CONFIG" want || bad "layout changed: $(diff want "$CONFIG")"

# --- bad files: all is told, nothing is written
printf 'vpn:\n  mtu: 7\n  dns: x\n' >"$CONFIG"
run 1 name add a "$ID1"
grumbles "$CONFIG:2:8: vpn.mtu: \"7\" is out of range, allowed is a whole number, 1280 to 9000 bytes, or 0"
grumbles "$CONFIG:3:8: vpn.dns"
printf 'names: [\n' >"$CONFIG"
run 1 name list
grumbles "not valid YAML"
cp before "$CONFIG"
chmod 644 "$CONFIG"
run 1 name list
grumbles "try: chmod 600 $CONFIG"
chmod 600 "$CONFIG"
chmod 640 "$HOME/.config/peerup/identity.key"
run 1 whoami
grumbles "try: chmod 600"
chmod 600 "$HOME/.config/peerup/identity.key"
printf 'xx' >"$HOME/.config/peerup/identity.key"
run 1 whoami
grumbles "not an identity key"

# --- search order: ./peerup.yaml before the home's config
printf 'identity: {key_file: mine.key}\nnames: {here: "%s"}\n' "$ID2" >peerup.yaml
chmod 600 peerup.yaml
run 0 resolve here
run 0 whoami
[ -f "$TOP/mine.key" ] || bad "key_file is not relative to the config"
rm peerup.yaml

# --- a user behind sudo keeps his files
if [ "$(id -u)" = 0 ]; then
	rm -rf "$HOME/.config"
	chown 1234:1234 "$HOME"
	export SUDO_UID=1234 SUDO_GID=1234
	run 0 init --non-interactive
	for f in "$HOME/.config" "$CONFIG" "$KEYS" "$HOME/.config/peerup/identity.key"; do
		[ "$(stat -c %u "$f")" = 1234 ] || bad "$f belongs to $(stat -c %u "$f")"
	done
	run 0 name add home "$ID1"
	run 0 auth add "$ID1"
	[ "$(stat -c %u "$CONFIG")$(stat -c %u "$KEYS")" = 12341234 ] || bad "edits took the files over"
	unset SUDO_UID SUDO_GID
	run 0 name remove home
	[ "$(stat -c %u "$CONFIG")" = 1234 ] || bad "root took the config over"
fi
