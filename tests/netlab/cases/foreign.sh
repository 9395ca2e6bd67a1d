#!/usr/bin/env bash
# A go- or js-libp2p program (FOREIGN=go|js) and the daemon use each other's services, over
# TCP and QUIC.
#
#   home: peerup-vpn 192.168.7.1 ───── 192.168.7.2 alien: go-libp2p or js-libp2p
FOREIGN=${FOREIGN:-go}
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}
# Building the peer needs the network that the laboratory does not have.
if [ -z "${PEERUP_LAB:-}" ] && ! why=$(python3 "$(dirname "$0")/../foreign.py" probe "$FOREIGN" 2>&1); then
	echo "skipped: $why"
	exit 77
fi
. "$(dirname "$0")/../lib.sh"
need_product

host home alien
cable home eth0 alien eth0
attach home eth0 192.168.7.1/24
attach alien eth0 192.168.7.2/24
web_on home 8080
node home
ok peerup home service add web 127.0.0.1:8080

read -r alien_id < <(python3 "$LIB_DIR/foreign.py" id "$FOREIGN")
ok peerup home auth add "$alien_id" --comment alien
ok peerup home name add alien "$alien_id"
ok peerup home peer add "/ip4/192.168.7.2/tcp/$PORT/p2p/$alien_id"
up home
for transport in tcp quic; do
	say "$FOREIGN opens home's service and pings it, $transport"
	case $transport in
	tcp) addr=$(tcp_addr home) ;;
	quic) addr=$(quic_addr home) ;;
	esac
	ok on alien python3 "$LIB_DIR/foreign.py" use "$FOREIGN" "$addr"
done
say "home uses $FOREIGN's service by name"
start alien serve python3 "$LIB_DIR/foreign.py" serve "$FOREIGN" \
	"/ip4/192.168.7.2/tcp/$PORT,/ip4/192.168.7.2/udp/$PORT/quic-v1"
eventually 20 peerup home ping alien -c 1
says '^hello from alien' on home bash -c 'exec 3<> /dev/tcp/alien.p2p/80; timeout 10 head -1 <&3'
