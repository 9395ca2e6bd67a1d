#!/bin/sh
# Who is let in, for how long, and whether codes were compared; no daemon runs.
. "$(dirname "$0")/lib.sh"
KEYDIR=$HOME/.config/peerup

run 0 init --non-interactive
# The second identity of the vectors: its codes with ID1 are known.
python3 -c '
import base64, sys
seed = bytes([2] * 32)
pub = bytes.fromhex("8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394")
open(sys.argv[1], "wb").write(bytes([8, 1, 18, 64]) + seed + pub)' "$KEYDIR/identity.key"
run 0 whoami
says "$ID2"

# --- expiry and changes
run 0 auth add "$ID1" --expires 2099-01-01T00:00:00Z --comment "laptop of Anna" --json
json 'v["expires_at"] == "2099-01-01T00:00:00Z" and v["access"] == "services"'
has "$KEYS" "$ID1  expires=2099-01-01T00:00:00Z  # laptop of Anna"
run 0 auth set "$ID1" --expires 30d --access network --json
python3 - "$TOP/out" <<'PY' || bad "30d is not thirty days from now"
import datetime, json, sys
t = json.load(open(sys.argv[1]))["expires_at"]
t = datetime.datetime.strptime(t, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
d = t - datetime.datetime.now(datetime.timezone.utc)
assert abs(d - datetime.timedelta(days=30)) < datetime.timedelta(minutes=5)
PY
has "$KEYS" "access=network  # laptop of Anna"
run 0 auth set "$ID1" --expires never
lacks "$KEYS" "expires="
run 0 auth set "$ID1" --comment ""
lacks "$KEYS" "laptop"
run 2 auth set "$ID1"
run 2 auth set "$ID1" --expires yesterday
run 2 auth set "$ID1" --expires 2001-01-01T00:00:00Z
grumbles "is over already"
run 2 auth add "$ID1" --expires never
run 1 auth set "$ID2" --access network
grumbles "not authorized"
grumbles "try: peerup-vpn auth add $ID2"
run 1 auth add "$ID1"
grumbles "already authorized"
grumbles "try: peerup-vpn auth set $ID1"

# --- verify
run 0 name add anna "$ID1"
run 0 verify anna
says "🥐 🔑 🪄 🐮"
says "754-581"
says "Nothing was changed"
lacks "$KEYS" "verified="
run 0 auth list
says "[UNVERIFIED]"
printf ' YES \n' | "$PU" verify anna >"$TOP/out" 2>"$TOP/err" || bad "verify with an answer"
says "[VERIFIED] anna"
has "$KEYS" "verified=sha256:8cc3909c"
run 0 verify anna --json
json 'v["verified"] and not v["changed"] and v["before"] == "verified" and v["numeric"] == "754-581"'
run 0 auth list --json
json 'v[0]["verified"] == "sha256:8cc3909c" and v[0]["verification"] == "verified"'
run 0 auth validate
says "Validation passed"
sed -i 's/verified=sha256:8cc3909c/verified=sha256:00000000/' "$KEYS"
run 0 auth list
says "[UNVERIFIED] (the value belongs to other identities)"
run 0 auth list --json
json '"verified" not in v[0] and v[0]["verification"] == "stale"'
run 0 verify "$ID1" --yes --json
json 'v["verified"] and v["changed"] and v["before"] == "stale"'
has "$KEYS" "verified=sha256:8cc3909c"
lacks "$KEYS" "00000000"
run 1 verify "$ID2"
grumbles "that is this machine"
run 1 verify 12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba
grumbles "not authorized here"
run 2 verify

# --- validate tells the place
echo "$ID2 access=all" >"$TOP/keys3"
run 1 auth validate "$TOP/keys3"
says "keys3:1:61: access= is none of services"
grumbles "Validation failed with 1 error(s)"
run 1 auth validate "$TOP/keys3" --json
json 'v["errors"][0]["column"] == 61 and not v["valid"]'
run 1 auth validate "$TOP/none"
grumbles "not found"

# --- a link in place of the file
mv "$KEYS" "$TOP/real"
ln -s "$TOP/real" "$KEYS"
run 0 auth remove anna
[ -L "$KEYS" ] || bad "the link was replaced"
lacks "$TOP/real" "$ID1"

# --- machines that sleep
run 1 wake anna
grumbles "its hardware address is not known here"
grumbles "try: peerup-vpn peer set-mac anna"
run 2 peer set-mac anna ff:ff:ff:ff:ff:ff
run 0 peer set-mac anna 3C-52-82-AA-BB-CC --json
json 'v["mac"] == "3c:52:82:aa:bb:cc" and v["peer_id"] == "'"$ID1"'"'
has "$CONFIG" 'mac: "3c:52:82:aa:bb:cc"'
run 0 peer list --json
json 'v[0]["mac"] == "3c:52:82:aa:bb:cc"'
sed -i 's/mac: "3c.*/&\n    broadcast: 127.0.0.1/' "$CONFIG"
cat >hear.py <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 9))
s.settimeout(10)
print("ready", flush=True)
got = s.recv(200)
sys.exit(got != b"\xff" * 6 + bytes.fromhex("3c5282aabbcc") * 16)
PY
if [ "$(id -u)" = 0 ]; then
	mkfifo pipe
	python3 hear.py >pipe &
	heard=$!
	read -r _ <pipe
	run 0 wake anna
	says "wakes anna (3c:52:82:aa:bb:cc)"
	wait $heard || bad "the packet is not the right one"
fi
