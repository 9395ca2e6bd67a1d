#!/usr/bin/env bash
# Networks that let nothing out but HTTPS: two machines whose firewalls know TCP port 443
# only, and a relay behind a web server that ends TLS, as relays on shared servers are.
#
#   PLAIN=1   the relay itself listens on 443, without TLS
#
#   relay 11.0.0.1 ──┐
#   a     11.0.0.2 ──┤ switch
#   b     11.0.0.3 ──┤
. "$(dirname "$0")/../lib.sh"
need_product
need_tools nft openssl curl python3
PLAIN=${PLAIN:-}

host relay a b
switch sw relay a b
attach relay eth0 11.0.0.1/24
attach a eth0 11.0.0.2/24
attach b eth0 11.0.0.3/24

# only_https HOST
only_https() {
	on "$1" nft -f - <<-END || fail "no firewall"
		table inet company {
			chain in {
				type filter hook input priority 0; policy drop;
				iifname lo accept
				iifname peerup0 accept
				ct state established accept
			}
			chain out {
				type filter hook output priority 0; policy drop;
				oifname lo accept
				oifname peerup0 accept
				ct state established accept
				tcp dport 443 accept
			}
		}
	END
}

# An authority that these machines trust, and a certificate for the relay's name.
web_certificate() {
	local dir=$LAB/pki name
	mkdir "$dir"
	ok openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj '/CN=lab authority' -keyout "$dir/ca.key" -out "$dir/ca.pem"
	ok openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=relay' \
		-keyout "$dir/relay.key" -out "$dir/relay.csr"
	printf 'subjectAltName=DNS:relay.example\n' > "$dir/ext"
	ok openssl x509 -req -in "$dir/relay.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -days 1 \
		-CAcreateserial -extfile "$dir/ext" -out "$dir/relay.pem"
	for name in a b; do
		on "$name" sh -c "cat $dir/ca.pem >> /etc/ssl/certs/ca-certificates.crt"
	done
}

if [ -n "$PLAIN" ]; then
	listen=/ip4/0.0.0.0/tcp/443/ws
	address=/ip4/11.0.0.1/tcp/443/ws
else
	listen=/ip4/127.0.0.1/tcp/8080/ws
	address=/dns4/relay.example/tcp/443/wss
	web_certificate
	start relay web python3 "$LIB_DIR/tls_proxy.py" "$LAB/pki/relay.pem" "$LAB/pki/relay.key" \
		11.0.0.1 443 8080
	for name in a b; do
		on "$name" sh -c 'echo 11.0.0.1 relay.example >> /etc/hosts'
	done
fi
relay_on relay
relay_down relay
sed -i "s|    - /ip4/0.0.0.0/tcp/7777|&\n    - $listen|" "$LAB/relay/root/relay-server.yaml"
relay_up relay

node a b
acquaint a b network
for name in a b; do
	only_https "$name"
	ok peerup "$name" relay add "$address/p2p/${PEER_ID[relay]}"
done
up a b

say "they reach each other through the relay"
eventually 30 peerup a ping b -c 1
is_path a b RELAYED || fail "the path is $(path_of a b)"
eventually 10 on b ping -c 1 -W 2 a.p2p
says '/ws' peerup a status --json
silent_about ':(4001|7777) ' on relay ss -tn state established

say "and bytes pass"
web_on b 8000 4194304 "$(vip b)"
eventually 10 on a bash -c ": < /dev/tcp/$(vip b)/8000"
fetches a "http://$(vip b):8000/big.bin" "$LAB/b/web/big.bin"
