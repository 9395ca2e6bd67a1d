#!/usr/bin/env bash
# Devices on the LAN that answer the search for a router and send us elsewhere: to another
# machine of the LAN, to one outside, to a name. Only the router itself is ever spoken to.
#
#   laptop 192.168.5.2 ─┬─ 192.168.5.1 router 11.0.0.1 ── 11.0.0.9 outside
#                       └─ 192.168.5.9 liar
. "$(dirname "$0")/../lib.sh"
need_tools ss
PORTMAPPER=${PORTMAPPER:-$(newest portmapper)}
[ -x "${PORTMAPPER:-}" ] || skip "tests/support/portmapper is not built"
"$PORTMAPPER" --can | grep -qw upnp || skip "built without upnp"

host laptop router liar outside
switch lan laptop router liar
cable router wan outside eth0
attach laptop eth0 192.168.5.2/24
attach router eth0 192.168.5.1/24
attach liar eth0 192.168.5.9/24
attach router wan 11.0.0.1/24
attach outside eth0 11.0.0.9/24
for name in laptop liar; do on "$name" ip route add default via 192.168.5.1; done
on outside ip route add default via 11.0.0.1
on router sysctl -qw net.ipv4.ip_forward=1

# Counts connections to its port 8000.
witness() {
	start "$1" witness python3 -c '
import socket
s = socket.create_server(("", 8000))
while True:
    c, a = s.accept()
    print("asked by", a[0], flush=True)
    c.close()'
}

# fake-igd OWN-ADDRESS LOCATION [CONTROL]: answers searches, and with CONTROL has a description
cat > "$LAB/bin/fake-igd" <<'PY'
#!/usr/bin/env python3
import http.server, os, socket, struct, sys, threading
own, location = sys.argv[1:3]
control = sys.argv[3] if len(sys.argv) > 3 else None
XML = f"""<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">
{control and "<URLBase>" + control + "</URLBase>"}<device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><serviceList><service>
<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
<serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<controlURL>{control}/ctl</controlURL><eventSubURL>/evt</eventSubURL><SCPDURL>/x</SCPDURL>
</service></serviceList></device></deviceList></device></deviceList></device></root>"""

class Description(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("description", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", str(len(XML)))
        self.end_headers()
        self.wfile.write(XML.encode())
    def do_POST(self):
        print("control", flush=True)
        self.send_error(500)

if control:
    server = http.server.HTTPServer(("", 8001), Description)
    threading.Thread(target=server.serve_forever, daemon=True).start()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("", 1900))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             struct.pack("4s4s", socket.inet_aton("239.255.255.250"), socket.inet_aton(own)))
print("pid", os.getpid(), flush=True)
while True:
    b, a = s.recvfrom(2000)
    st = [l[3:].strip() for l in b.decode().split("\r\n") if l.startswith("ST:")][0]
    print("search from", a[0], flush=True)
    s.sendto(f"HTTP/1.1 200 OK\r\nST: {st}\r\nUSN: uuid:1::{st}\r\nEXT:\r\n"
             f"SERVER: liar\r\nLOCATION: {location}\r\n\r\n".encode(), a)
PY
chmod +x "$LAB/bin/fake-igd"

# asks_nobody TITLE HOST LOCATION [CONTROL]
asks_nobody() {
	say "$1"
	local name=$2 log=$LAB/$2/log/$2-igd.log
	shift 2
	rm -f "$log"
	start "$name" igd fake-igd "${HOST_ADDR[$name]#/ip4/}" "$@"
	eventually 5 grep -q '^pid' "$log"
	(
		echo change
		sleep 8
	) | on laptop "$PORTMAPPER" udp:4001 > "$LAB/laptop/log/laptop-mapper.log" 2>&1
	ok grep -q 'search from 192.168.5.2' "$log"
	silent_about . cat "$LAB/liar/log/liar-witness.log" "$LAB/outside/log/outside-witness.log"
	silent_about '^mapped' cat "$LAB/laptop/log/laptop-mapper.log"
	kill "$(sed -n 's/^pid //p' "$log")"
}

witness liar
witness outside
eventually 5 on outside bash -c 'ss -lnt | grep -q :8000'

asks_nobody "another machine says that it is the router" liar http://192.168.5.9:8000/d.xml
asks_nobody "the router points outside" router http://11.0.0.9:8000/d.xml
asks_nobody "the router's description points outside" router http://192.168.5.1:8001/d.xml \
	http://11.0.0.9:8000
ok grep -q description "$LAB/router/log/router-igd.log"
asks_nobody "one that points to itself is believed" router http://192.168.5.1:8001/d.xml \
	http://192.168.5.1:8001
ok grep -q control "$LAB/router/log/router-igd.log"
asks_nobody "an address that only looks right" router http://192.168.5.1@11.0.0.9:8000/d.xml
