#!/usr/bin/env bash
# Much, many and forbidden things over services between our daemon and peer-up's.
#
#   relay 11.0.0.1 ─┬─ pc (11.0.1.1) runs our program
#                   └─ gop (11.0.2.1) runs peer-up
#
#   PATHS   direct, or relayed: routers that let nothing but the relay through
. "$(dirname "$0")/../topo/peerup-go.sh"
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../topo/nat.sh"
need_product
need_tools nft socat python3 curl
need_go
PATHS=${PATHS:-direct}

host relay pc gop
internet relay
if [ "$PATHS" = direct ]; then
	behind pc none 1
	behind gop none 2
else
	behind pc symmetric 1
	behind gop symmetric 2
fi
wired
relay_on relay
node pc
go_node gop relay
through pc relay tcp
ok peerup pc auth add "${PEER_ID[gop]}" --comment gop
ok peerup pc name add gop "${PEER_ID[gop]}"
ok gopher gop auth add "${PEER_ID[pc]}" --comment pc
ok peerup gop name add pc "${PEER_ID[pc]}"

SIZE=8000000
for name in pc gop; do
	web_on $name 8080 $SIZE
	start $name count socat TCP-LISTEN:9000,bind=127.0.0.1,fork,reuseaddr SYSTEM:'wc -c'
	ok gopher $name service add web 127.0.0.1:8080
	ok gopher $name service add imap 127.0.0.1:9000
	ok gopher $name service add smtp 127.0.0.1:9
	ok gopher $name service add ldap 127.0.0.1:8080
done
# imap only counts; behind smtp is nobody; nobody here may use ldap.
for name in pc gop; do
	sed -i "/^  ldap:/a\\    allowed_peers: [\"${PEER_ID[relay]}\"]" "$(config_of $name)"
done
go_daemon gop &
up pc
wait $!
eventually 20 peerup pc ping gop -c 1
eventually 20 go_answers gop pc
want=$([ "$PATHS" = direct ] && echo DIRECT || echo RELAYED)
says "\"path\": *\"$want\"" gopher gop ping pc -c 1 --json
says "--- path: \[$want\] ---" gopher gop traceroute pc
says "$want|$(tr A-Z a-z <<< $want)" peerup pc traceroute gop

declare -A AT
# at HOST SERVICE: where programs on HOST find the service of the other one
n=9100
for service in web imap smtp ldap; do
	n=$((n + 1))
	ok gopher gop daemon connect --peer pc --service $service --listen 127.0.0.1:$n
	ok gopher pc daemon connect --peer gop --service $service --listen 127.0.0.1:$n
	AT[$service]=127.0.0.1:$n
done

say "much, $PATHS"
fetches pc http://gop.p2p/big.bin "$LAB/gop/web/big.bin"
fetches pc "http://${AT[web]}/big.bin" "$LAB/gop/web/big.bin"
fetches gop "http://${AT[web]}/big.bin" "$LAB/pc/web/big.bin"

say "the end of what was sent arrives, and the answer still comes"
counts() {
	[ "$(on "$1" sh -c "head -c $SIZE /dev/zero | timeout 30 socat -t 20 - TCP:$2")" = $SIZE ]
}
ok counts pc "${AT[imap]}"
ok counts pc gop.p2p:143
ok counts gop "${AT[imap]}"

say "many at once"
many() {
	on "$1" sh -c "seq 40 | xargs -P 40 -I{} curl -sS --max-time 20 -o /dev/null -w '%{http_code}\n' \
		http://$2/hello.txt | grep -c 200"
}
for round in 1 2; do
	for from in pc gop; do
		[ "$(many $from "${AT[web]}")" = 40 ] || fail "not all of them on $from"
	done
done
[ "$(many pc gop.p2p)" = 40 ] || fail "not all of them by name"

say "closed and forbidden services"
for from in pc gop; do
	no on $from curl -sS --max-time 5 "http://${AT[smtp]}/"
	no on $from curl -sS --max-time 5 "http://${AT[ldap]}/"
done
no on pc curl -sS --max-time 5 http://gop.p2p:25/
no on pc curl -sS --max-time 5 http://gop.p2p:389/

say "either daemon comes back"
kill -KILL $(go_pids gop)
eventually 10 go_gone gop
go_daemon gop
eventually 15 peerup pc ping gop -c 1
eventually 10 fetches pc http://gop.p2p/hello.txt "$LAB/gop/web/hello.txt"
kill -KILL $(product_pids pc)
eventually 10 product_gone pc
up pc
eventually 15 go_answers gop pc

say "who is no longer let in"
ok peerup pc auth remove gop
ok gopher gop daemon stop
go_daemon gop
gated_one() { [ "$(counter pc inbound_gated)" -gt 0 ]; }
no go_answers gop pc
eventually 10 gated_one
