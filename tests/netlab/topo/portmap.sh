# A router that opens ports when it is asked to (miniupnpd):
#
#   laptop 192.168.5.2 ── 192.168.5.1 router 11.0.0.1 ── 11.0.0.9 outside
#
# portmap_topology; router_conf yes|no (with PCP and NAT-PMP, or UPnP only);
# router_on, router_off.

portmap_topology() {
	host laptop router outside
	cable laptop eth0 router lan
	cable router wan outside eth0
	attach laptop eth0 192.168.5.2/24
	attach router lan 192.168.5.1/24
	attach router wan 11.0.0.1/24
	attach outside eth0 11.0.0.9/24
	on laptop ip route add default via 192.168.5.1
	on router sysctl -qw net.ipv4.ip_forward=1
	# On the way in only what was opened: the router's daemon writes to the UPnP chains.
	on router nft -f - <<'RULES'
	table inet filter {
		chain forward {
			type filter hook forward priority 0; policy drop;
			iifname "lan" accept
			ct state established,related accept
			jump forwardUPnP
		}
		chain forwardUPnP { }
		chain prerouting { type nat hook prerouting priority -100; jump UPnP; }
		chain postrouting {
			type nat hook postrouting priority 100;
			jump UPnP-Postrouting
			oifname "wan" masquerade
		}
		chain UPnP { }
		chain UPnP-Postrouting { }
	}
RULES
}

router_conf() {
	cat > "$LAB/router/miniupnpd.conf" <<-CONF
		ext_ifname=wan
		listening_ip=lan
		enable_upnp=yes
		enable_natpmp=$1
		secure_mode=yes
		min_lifetime=120
		max_lifetime=86400
		system_uptime=yes
		upnp_forward_chain=forwardUPnP
		upnp_nat_chain=UPnP
		upnp_nat_postrouting_chain=UPnP-Postrouting
		uuid=00000000-0000-0000-0000-000000000001
		allow 1024-65535 192.168.5.0/24 1024-65535
		deny 0-65535 0.0.0.0/0 0-65535
	CONF
}

router_on() {
	start router miniupnpd miniupnpd -d -f "$LAB/router/miniupnpd.conf" -P "$LAB/router/pid"
	ROUTER=$!
	eventually 10 on router bash -c 'ss -lnu | grep -q :1900'
}

router_off() {
	kill "$ROUTER" 2> /dev/null
	wait "$ROUTER" 2> /dev/null
}
