#!/usr/bin/env bash
# A service with a list of allowed peers.
#
#   home 192.168.7.1 ──┤
#   friend      7.2  ──┤ switch      films: everyone authorised; papers: only friend
#   guest       7.3  ──┤
. "$(dirname "$0")/../lib.sh"
need_product

host home friend guest
switch sw home friend guest
attach home eth0 192.168.7.1/24
attach friend eth0 192.168.7.2/24
attach guest eth0 192.168.7.3/24
web_on home 8080
node home friend guest
befriend home friend
befriend home guest
ok peerup home service add films 127.0.0.1:8080
cat >> "$(config_of home)" <<END
END
sed -i "s|^  films:|  papers:\n    enabled: true\n    local_address: \"127.0.0.1:8080\"\n    port: 8081\n    allowed_peers:\n      - \"${PEER_ID[friend]}\"\n  films:|" \
	"$(config_of home)"
up home friend guest
linked friend home
linked guest home

get() { on "$1" curl -sS --max-time 10 "http://home.p2p:$2/hello.txt"; }

say "both reach the open service"
says '^hello from home$' get friend 8080
says '^hello from home$' get guest 8080
say "only the friend reaches the other"
says '^hello from home$' get friend 8081
no get guest 8081

say "an authorisation that is taken back counts at once"
ok peerup home auth remove "${PEER_ID[guest]}"
eventually 10 bash -c "! nsenter -t ${HOST_PID[guest]} -n -m curl -sS --max-time 3 -o /dev/null http://home.p2p:8080/hello.txt 2> /dev/null"
says '^hello from home$' get friend 8080
