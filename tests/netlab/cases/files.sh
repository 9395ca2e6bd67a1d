#!/usr/bin/env bash
# Files between members, by daemons and without: whole, in pieces, to whom they are for.
#
#   laptop eth0 192.168.7.2 ═════ 192.168.7.1 eth0 home eth1 ─── 192.168.8.2 guest
#                                              nobody knows it: eth2 ─── 192.168.9.2 stranger
. "$(dirname "$0")/../lib.sh"
need_product
need_wire
need_tools python3 sha256sum
# The leak checker cannot look into a daemon that locked itself up, and fails its exit.
export ASAN_OPTIONS=detect_leaks=0

host home laptop guest stranger
wire laptop eth0 home eth0
attach home eth0 192.168.7.1/24
attach laptop eth0 192.168.7.2/24
cable home eth1 guest eth0
cable home eth2 stranger eth0
attach home eth1 192.168.8.1/24
attach home eth2 192.168.9.1/24
attach guest eth0 192.168.8.2/24
attach stranger eth0 192.168.9.2/24
ok on guest ip route add default via 192.168.8.1
ok on stranger ip route add default via 192.168.9.1
node home laptop guest stranger
befriend home laptop
befriend home guest
ok peerup stranger auth add "${PEER_ID[home]}"
ok peerup stranger name add home "${PEER_ID[home]}"
ok peerup stranger peer add "$(quic_addr home)"
start home daemon "$PEERUP" daemon
daemons=$!
start laptop daemon "$PEERUP" daemon
daemons="$daemons $!"
for h in home laptop; do
	eventually 10 on $h test -e .config/peerup/.daemon-cookie
done
linked laptop home

from=$LAB/laptop/root to=$LAB/home/root/in
mkdir -p "$to" "$from/tree/empty" "$from/tree/a/b"
head -c 52428800 /dev/urandom > "$from/big.bin"
for i in $(seq 200); do
	head -c $((i * 37)) /dev/urandom > "$from/tree/a/$((i % 7))-$i.bin"
done
echo 'echo hello' > "$from/tree/a/b/run me.sh"
chmod 755 "$from/tree/a/b/run me.sh"
ln -s /etc/passwd "$from/tree/link"

# receiving NAME WORD...: `receive` on home, once it is ready
receiving() {
	local log=$1
	shift
	start home "$log" "$PEERUP" receive --dir in "$@"
	RECEIVE_JOB=$!
	eventually 30 grep -qE 'Stop with|"ready"' "$LAB/home/log/home-$log.log"
}

receive_pid() {
	local pid
	for pid in $(product_pids home); do
		if tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q ' receive '; then
			printf '%s\n' "$pid"
			return
		fi
	done
}

said() { cat "$LAB/home/log/home-$1.log"; }

part_bytes() { stat -c %s "$to"/.peerup-*.part 2> /dev/null | sort -n | tail -1; }

halfway() { [ "$(part_bytes || echo 0)" -gt "${1:-2000000}" ]; }

same_tree() {
	[ "$(cd "$from/tree" && find . ! -type l | sort)" = "$(cd "$to/tree" && find . | sort)" ] ||
		fail "the trees differ"
	(cd "$from" && find tree -type f -exec sha256sum {} +) > "$LAB/sums"
	(cd "$to" && sha256sum --quiet -c "$LAB/sums") || fail "contents of the trees differ"
}

same_big() {
	[ "$(sha256sum < "$from/big.bin")" = "$(sha256sum < "$to/big.bin")" ] ||
		fail "big.bin is damaged"
}

say "nobody receives"
complains 'does not receive files now' peerup laptop send big.bin --to home
complains 'nobody can be asked' peerup home receive --dir in
complains 'exactly one peer' peerup laptop send big.bin

say "a tree, with what is empty, executable and left out"
receiving tree --yes --once
says 'tree/link is left out.*link' peerup laptop send tree --to home
wait "$RECEIVE_JOB" || fail "receive ends with $?: $(said tree)"
same_tree
[ -x "$to/tree/a/b/run me.sh" ] || fail "it is not executable any more"
[ ! -x "$to/tree/a/1-1.bin" ] || fail "it became executable"
says '^Received 201 files from laptop' said tree

say "the sender is stopped and goes on"
wire_set rate=150
receiving stopped --yes
start laptop send "$PEERUP" send big.bin --to home
send_job=$!
eventually 20 halfway
kill -INT "$(pid_in_netns laptop "$(basename "$PEERUP")" | while read -r pid; do
	tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q ' send ' && echo "$pid"; done)"
! wait "$send_job" || fail "a stopped send ends well"
says 'goes on from there' cat "$LAB/laptop/log/laptop-send.log"
[ ! -e "$to/big.bin" ] || fail "it came too fast to be stopped"
had=$(part_bytes)

say "the receiver is killed in the middle, and goes on"
start laptop send "$PEERUP" send big.bin --to home
send_job=$!
eventually 20 halfway $((had + 1000000))
kill -KILL "$(receive_pid)"
! wait "$send_job" || fail "a send that lost its receiver ends well"
complains 'does not receive files now' peerup laptop send big.bin --to home
had=$(part_bytes)
wire_set rate=0
receiving again --json --from laptop
peerup laptop send big.bin --to home --json > "$LAB/json" || fail "resumed: $(cat "$LAB/json")"
python3 - "$LAB/json" "$had" <<'PY' || fail "it did not go on where it ended: $(cat "$LAB/json")"
import json, sys
events = [json.loads(line) for line in open(sys.argv[1])]
end = events[-1]
assert end["event"] == "end" and end["status"] == "ok" and end["files"] == 1, end
assert end["bytes"] <= 52428800 - int(sys.argv[2]), end
PY
same_big
[ -z "$(part_bytes)" ] || fail "a part is left"

say "what is there already is not sent again, and never replaced"
says 'Sent 202 files to home: 0 B .* 202 were there already' peerup laptop send tree big.bin --to home
echo other > "$from/big2"; mv "$from/big2" "$from/big.bin"
says 'Sent 1 file' peerup laptop send big.bin --to home
[ "$(cat "$to/big (2).bin")" = other ] || fail "no second name"
[ "$(stat -c %s "$to/big.bin")" = 52428800 ] || fail "big.bin was replaced"

say "only from whom it shall be, and never from strangers"
for h in guest stranger; do
	echo "of $h" > "$LAB/$h/root/note.txt"
done
complains 'receives no files from this machine' peerup guest send note.txt --to home
complains 'cannot reach peer' peerup stranger send note.txt --to home
[ ! -e "$to/note.txt" ] || fail "it came all the same"
kill -INT "$(receive_pid)"
wait "$RECEIVE_JOB" || fail "receive ends with $?"
silent_about files peerup home daemon services

say "a person at a terminal is asked, and sees how far it is"
# asked LOG ANSWER: receives one transfer at a terminal
asked() {
	start home "$1" env TERM=xterm python3 "$LIB_DIR/at_terminal.py" 'Take them?' "$2" \
		"$PEERUP" receive --dir in --once
	RECEIVE_JOB=$!
	eventually 30 grep -q 'Stop with' "$LAB/home/log/home-$1.log"
}
rm "$from/big.bin"
head -c 20000000 /dev/urandom > "$from/big.bin"
asked asked-no n
complains 'home: the other side does not want it' peerup laptop send big.bin --to home
! wait "$RECEIVE_JOB" || fail "what was declined ends well"
says 'laptop wants to send 1 file, 19.1 MiB' said asked-no
says 'UNVERIFIED. Peer "laptop" not verified' said asked-no
asked asked-yes y
wire_set rate=150
on laptop env TERM=xterm python3 "$LIB_DIR/at_terminal.py" 'no question' '' "$PEERUP" \
	send big.bin --to home > "$LAB/seen" || fail "send at a terminal: $(cat "$LAB/seen")"
wire_set rate=0
wait "$RECEIVE_JOB" || fail "receive at a terminal ends with $?: $(said asked-yes)"
tr '\r' '\n' < "$LAB/seen" | grep -qE 'big\.bin.*[0-9]+%  [0-9.]+ MiB/s  0:0' || fail "no progress: $(cat "$LAB/seen")"
python3 - "$LAB/seen" <<'PY' || fail "a line is too wide: $(cat "$LAB/seen")"
import re, sys
text = re.sub("\033\\[[0-9;]*[mK]", "", open(sys.argv[1]).read())
sys.exit(max(len(line) for line in re.split("[\r\n]", text) if "%" in line) > 60)
PY
cmp "$from/big.bin" "$to/big (3).bin" || fail "big.bin is not what was sent"

say "two nodes without daemons"
ok peerup home daemon stop
ok peerup laptop daemon stop
for job in $daemons; do
	wait "$job" || fail "a daemon ends with $?"
done
rm -rf "$to/tree"
receiving alone --yes --once
says 'Sent 201 files' peerup laptop send tree --to home
wait "$RECEIVE_JOB" || fail "receive ends with $?: $(said alone)"
same_tree
