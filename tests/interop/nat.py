"""Routers between a peer and the internet of a case (topology T2), made of nftables."""

from lab import netns

RULES = """
table inet filter {{
	chain forward {{
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname "lan" accept
		ct status dnat accept
	}}
	chain input {{
		type filter hook input priority 0; policy accept;
		iifname "wan" meta l4proto {{ tcp, udp }} ct state new drop
	}}
}}
table ip nat {{
	set asked {{ type ipv4_addr; flags dynamic,timeout; timeout 2m; }}
	chain note {{
		type filter hook postrouting priority 0;
		oifname "wan" update @asked {{ ip daddr }}
	}}
	chain out {{
		type nat hook postrouting priority srcnat;
		oifname "wan" masquerade {flags}
	}}
	chain in {{
		type nat hook prerouting priority dstnat;
		{inbound}
	}}
}}
"""

# Words of RFC 4787 for the filtering; all but "symmetric" keep the port.
KINDS = {
    "port-restricted": {"flags": "", "inbound": ""},
    "address-restricted": {"flags": "",
                           "inbound": 'iifname "wan" ip saddr @asked dnat to 192.168.1.2'},
    "symmetric": {"flags": "random,fully-random", "inbound": ""},
}


class Router:
    """wan is a port of the bridge, lan leads to the host, which is 192.168.1.2 then."""

    def __init__(self, name, kind, bridge, address, host, device):
        self.host = netns.Netns(name)
        bridge.attach(self.host, "wan")
        self.host.configure("wan", address)
        netns.veth(self.host, "lan", host, device)
        self.host.configure("lan", "192.168.1.1/24")
        host.configure(device, "192.168.1.2/24")
        host.ip("route", "add", "default", "via", "192.168.1.1")
        self.host.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        try:
            self.host.run(["nft", "-f", "-"], input=RULES.format(**KINDS[kind]))
        except FileNotFoundError as e:
            raise netns.Unavailable("nft is not installed") from e

    def delete(self):
        self.host.delete()
