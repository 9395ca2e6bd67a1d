#!/usr/bin/env bash
# A relay that lets only friends in, and each circuit carry little: strangers are refused, and
# what needs more than one circuit's bytes still arrives.
. "$(dirname "$0")/../lib.sh"
need_product

host relay a b stranger
cable relay eth1 a eth0
cable relay eth2 b eth0
cable relay eth3 stranger eth0
attach relay eth1 11.1.0.1/24
attach relay eth2 11.2.0.1/24
attach relay eth3 11.3.0.1/24
attach a eth0 11.1.0.2/24
attach b eth0 11.2.0.2/24
attach stranger eth0 11.3.0.2/24
node a b stranger
acquaint a b network
acquaint a stranger network
relay_on relay 'resources:' '  session_data_limit: 2MB' '  session_duration: 20s' \
	'  reservation_ttl: 60s'
relay_down relay
sed -i 's/enable_connection_gating: false/enable_connection_gating: true/' \
	"$LAB/relay/root/relay-server.yaml"
for name in a b; do
	ok peerup relay relay authorize "${PEER_ID[$name]}" "$name"
done
relay_up relay
n=0
for name in a b stranger; do
	n=$((n + 1))
	ok peerup "$name" relay add "/ip4/11.$n.0.1/udp/7777/quic-v1/p2p/${PEER_ID[relay]}"
done
web_on b 8080 12582912 0.0.0.0
up a b stranger
linked a b

say "twelve megabytes through circuits of two"
fetches a http://b.p2p:8080/big.bin "$LAB/b/web/big.bin"

say "the stranger gets no reservation"
reserved a relay || fail "a has no reservation"
no reserved stranger
complains . peerup a ping stranger -c 1

say "reservations last longer than their time to live"
sleep 45
eventually 20 peerup b ping a -c 1
