#include "daemon/config_schema.h"

#include <stdio.h>

#include "daemon/config_value.h"

#define ROOT(member) offsetof(struct pu_config, member)
#define SERVICE(member) offsetof(struct pu_config_service, member)
#define RELAY(member) offsetof(struct pu_config, relay_service.member)
#define PEER(member) offsetof(struct pu_config_peer, member)

/* Absent keys have the value that `peerup-vpn init` writes; mind that the Go program
 * takes an absent boolean as false. */
static const struct pu_config_option node_options[] = {
	{ "version", PU_CONFIG_UINT, 0, ROOT(version), "1", 0, PU_CONFIG_VERSION, NULL, NULL,
	  "Version of the file format." },
	{ "identity.key_file", PU_CONFIG_PATH, 0, ROOT(key_file), "identity.key", 1, 1000, NULL,
	  NULL, "The node's private key; made at the first start, mode 0600." },
	{ "network.listen_addresses", PU_CONFIG_MULTIADDR, PU_CONFIG_IS_LIST, ROOT(listen),
	  "/ip4/0.0.0.0/tcp/0 /ip4/0.0.0.0/udp/0/quic-v1 /ip6/::/tcp/0 /ip6/::/udp/0/quic-v1", 1,
	  64, NULL, NULL, "Where the node listens; port 0 takes any free one." },
	{ "network.force_private_reachability", PU_CONFIG_BOOL, 0, ROOT(force_private), "false", 0,
	  0, NULL, NULL, "Never believe that this node is reachable from the Internet." },
	{ "network.resource_limits_enabled", PU_CONFIG_BOOL, 0, ROOT(resource_limits), "false", 0,
	  0, NULL, NULL, "Limit connections and streams per peer more strictly." },
	{ "network.port_mapping", PU_CONFIG_BOOL, 0, ROOT(port_mapping), "true", 0, 0, NULL, NULL,
	  "Ask the router in front of this machine for open ports (UPnP, NAT-PMP, PCP)." },
	{ "network.stun_servers", PU_CONFIG_HOSTPORT, PU_CONFIG_IS_LIST, ROOT(stun_servers), NULL,
	  0, 8, NULL, NULL,
	  "Servers that tell what kind of NAT this machine is behind; without any, none is asked." },
	{ "relay.addresses", PU_CONFIG_MULTIADDR, PU_CONFIG_IS_LIST | PU_CONFIG_NEEDS_PEER,
	  ROOT(relays), NULL, 0, 32, NULL, NULL,
	  "Relays that help peers behind NAT to find each other." },
	{ "relay.reservation_interval", PU_CONFIG_DURATION, 0, ROOT(reservation_interval), "2m", 1,
	  86400, "s", NULL, "How often reservations on relays are renewed." },
	{ "discovery.rendezvous", PU_CONFIG_STRING, 0, ROOT(rendezvous), "peerup-default-network",
	  1, 255, "bytes", NULL, "Name under which nodes of one network look for each other." },
	{ "discovery.network", PU_CONFIG_LABEL, 0, ROOT(network), "", 0, 63, NULL, NULL,
	  "Private network name; empty for the global one." },
	{ "discovery.bootstrap_peers", PU_CONFIG_MULTIADDR,
	  PU_CONFIG_IS_LIST | PU_CONFIG_NEEDS_PEER | PU_CONFIG_SKIP_BAD, ROOT(bootstrap), NULL, 0,
	  64, NULL, NULL, "Peers dialled at start and kept connected." },
	{ "discovery.dht", PU_CONFIG_BOOL, 0, ROOT(dht), "true", 0, 0, NULL, NULL,
	  "Find peers through the network's own distributed hash table." },
	{ "discovery.mdns", PU_CONFIG_BOOL, 0, ROOT(mdns), "true", 0, 0, NULL, NULL,
	  "Find peers in the local network by multicast DNS." },
	{ "relay_service.enabled", PU_CONFIG_BOOL, 0, RELAY(enabled), "true", 0, 0, NULL, NULL,
	  "Relay for other peers while this machine has a public address." },
	{ "relay_service.require_auth", PU_CONFIG_BOOL, 0, RELAY(require_auth), "true", 0, 0, NULL,
	  NULL, "Only authorised peers may use it." },
	{ "relay_service.max_reservations", PU_CONFIG_UINT, 0, RELAY(max_reservations), "16", 1,
	  65536, "peers", NULL, "Peers that wait for calls at the same time." },
	{ "relay_service.max_reservations_per_ip", PU_CONFIG_UINT, 0,
	  RELAY(max_reservations_per_ip), "4", 1, 65536, "peers", NULL,
	  "Of those, from one IP address." },
	{ "relay_service.max_reservations_per_asn", PU_CONFIG_UINT, 0,
	  RELAY(max_reservations_per_asn), "8", 1, 65536, "peers", NULL,
	  "Of those, from one IPv6 /32." },
	{ "relay_service.max_circuits", PU_CONFIG_UINT, 0, RELAY(max_circuits), "16", 1, 1024,
	  "circuits", NULL, "Connections through this node per peer." },
	{ "relay_service.reservation_ttl", PU_CONFIG_DURATION, 0, RELAY(reservation_ttl), "30m",
	  60, 86400, "s", NULL, "How long a reservation lasts unless it is renewed." },
	{ "relay_service.session_duration", PU_CONFIG_DURATION, 0, RELAY(duration), "0", 10,
	  86400 * 365, "s", NULL, "How long one circuit may last; 0: as long as it likes." },
	{ "relay_service.session_data_limit", PU_CONFIG_SIZE, 0, RELAY(data_limit), "0", 4096,
	  INT64_MAX, "bytes", NULL, "Bytes per direction of one circuit; 0: any number." },
	{ "security.authorized_keys_file", PU_CONFIG_PATH, 0, ROOT(authorized_keys_file),
	  "authorized_keys", 1, 1000, NULL, NULL, "Who may connect, one peer per line." },
	{ "security.enable_connection_gating", PU_CONFIG_BOOL, 0, ROOT(gating), "true", 0, 0, NULL,
	  NULL, "Refuse peers that are not in authorized_keys." },
	{ "protocols.ping_pong.enabled", PU_CONFIG_BOOL, 0, ROOT(ping_enabled), "true", 0, 0, NULL,
	  NULL, "Answer pings of peers." },
	{ "protocols.ping_pong.id", PU_CONFIG_STRING, 0, ROOT(ping_protocol), "/pingpong/1.0.0", 1,
	  255, "bytes", NULL, "Protocol name of the ping." },
	{ "telemetry.metrics.enabled", PU_CONFIG_BOOL, 0, ROOT(metrics_enabled), "false", 0, 0,
	  NULL, NULL, "Serve counters for Prometheus." },
	{ "telemetry.metrics.listen_address", PU_CONFIG_HOSTPORT, 0, ROOT(metrics_listen),
	  "127.0.0.1:9091", 0, 65535, NULL, NULL, "Where /metrics is served." },
	{ "telemetry.audit.enabled", PU_CONFIG_BOOL, 0, ROOT(audit_enabled), "false", 0, 0, NULL,
	  NULL, "Log security decisions as JSON lines." },
	{ "telemetry.otlp.enabled", PU_CONFIG_BOOL, 0, ROOT(otlp.enabled), "false", 0, 0, NULL, NULL,
	  "Send the same counters to an OpenTelemetry collector." },
	{ "telemetry.otlp.endpoint", PU_CONFIG_STRING, 0, ROOT(otlp.endpoint),
	  "http://127.0.0.1:4318/v1/metrics", 1, 1000, "bytes", NULL,
	  "The collector: OTLP over HTTP, JSON." },
	{ "telemetry.otlp.interval", PU_CONFIG_DURATION, 0, ROOT(otlp.interval), "60s", 1, 86400, "s",
	  NULL, "How often." },
	{ "telemetry.otlp.headers_file", PU_CONFIG_PATH, 0, ROOT(otlp.headers_file), NULL, 1, 1000,
	  NULL, NULL, "HTTP headers for it, a line each: \"Authorization: Bearer ...\"." },
	{ "vpn.enabled", PU_CONFIG_BOOL, 0, ROOT(vpn.enabled), "false", 0, 0, NULL, NULL,
	  "Make the network device under `peerup-vpn daemon`; `up` always does." },
	{ "vpn.interface", PU_CONFIG_IFNAME, 0, ROOT(vpn.interface), "peerup0", 1, 15, "bytes",
	  NULL, "Name of the network device." },
	{ "vpn.subnet", PU_CONFIG_PREFIX4, 0, ROOT(vpn.subnet), "10.64.0.0/16", 8, 24, NULL, NULL,
	  "IPv4 range of the overlay as this node sees it." },
	{ "vpn.ipv6_prefix", PU_CONFIG_PREFIX6, 0, ROOT(vpn.ipv6_prefix), "fd70:6565:7275::/48",
	  16, 64, NULL, NULL, "IPv6 range of the overlay as this node sees it." },
	{ "vpn.mtu", PU_CONFIG_UINT, 0, ROOT(vpn.mtu), "0", 1280, 9000, "bytes", NULL,
	  "MTU of the device; 0 chooses one that fits the common path." },
	{ "vpn.dns", PU_CONFIG_ENUM, 0, ROOT(vpn.dns), "auto", 0, 0, NULL,
	  "auto|resolved|resolvconf|resolv-conf|none",
	  "How the host's resolver learns about names of the overlay." },
	{ "vpn.dns_suffix", PU_CONFIG_LABEL, 0, ROOT(vpn.dns_suffix), "p2p", 1, 63, NULL, NULL,
	  "Top-level domain of peers' names." },
	{ "vpn.routes", PU_CONFIG_PREFIX, PU_CONFIG_IS_LIST, ROOT(vpn.routes), NULL, 0, 64, NULL,
	  NULL, "Ranges that peers with network access may reach through this node." },
	{ "services.*.enabled", PU_CONFIG_BOOL, 0, SERVICE(enabled), "false", 0, 0, NULL, NULL,
	  "Offer the service." },
	{ "services.*.local_address", PU_CONFIG_HOSTPORT, PU_CONFIG_REQUIRED, SERVICE(local), NULL,
	  1, 65535, NULL, NULL, "TCP address of the service on this machine." },
	{ "services.*.port", PU_CONFIG_PORT, 0, SERVICE(port), NULL, 1, 65535, NULL, NULL,
	  "Port that peers see; by default that of local_address." },
	{ "services.*.protocol", PU_CONFIG_STRING, 0, SERVICE(protocol), "", 0, 255, "bytes", NULL,
	  "Kept for the Go program, no effect." },
	{ "services.*.allowed_peers", PU_CONFIG_PEER, PU_CONFIG_IS_LIST | PU_CONFIG_SKIP_BAD,
	  SERVICE(allowed), NULL, 0, 1024, NULL, NULL,
	  "Who may use the service; empty: every authorised peer." },
	{ "names.*", PU_CONFIG_PEER, PU_CONFIG_REQUIRED, offsetof(struct pu_config_name, peer),
	  NULL, 0, 0, NULL, NULL, "Peer ID that the name stands for." },
	{ "peers.*.addresses", PU_CONFIG_MULTIADDR, PU_CONFIG_IS_LIST, PEER(addrs), NULL, 0, 32,
	  NULL, NULL, "Addresses at which the peer is tried." },
	{ "peers.*.mac", PU_CONFIG_MAC, 0, PEER(mac), NULL, 0, 0, NULL, NULL,
	  "Hardware address of the peer, for waking it." },
	{ "peers.*.broadcast", PU_CONFIG_IP4, 0, PEER(broadcast), "", 0, 15, NULL, NULL,
	  "IPv4 address to which the packet goes that wakes it; empty: every LAN of this node." },
	{ "peers.*.ports.*", PU_CONFIG_PORT, PU_CONFIG_REQUIRED,
	  offsetof(struct pu_config_port, port), NULL, 1, 65535, NULL, NULL,
	  "Port under which this service of the peer appears." },
};

static bool label_ok(const char *key)
{
	return pu_config_is_label(key);
}

/* Names serve people too, so only what would confuse every reader is refused. */
static bool name_ok(const char *key)
{
	size_t len = strlen(key);

	if (len < 1 || len > PU_CONFIG_KEY_MAX)
		return false;
	for (const char *p = key; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '/')
			return false;
	return true;
}

#define LABEL_WHAT "1 to 63 characters of a-z, 0-9 and -, no - at the ends"
#define NAME_WHAT "1 to 255 bytes without blanks and /"

static const struct pu_config_map node_maps[] = {
	{ "services.*", ROOT(services), ROOT(n_services), sizeof(struct pu_config_service), 256,
	  label_ok, LABEL_WHAT, "TCP services of this machine that peers may use." },
	{ "names.*", ROOT(names), ROOT(n_names), sizeof(struct pu_config_name), 8192, name_ok,
	  NAME_WHAT, "Names of peers: home stands for home.p2p." },
	{ "peers.*", ROOT(peers), ROOT(n_peers), sizeof(struct pu_config_peer), 8192, name_ok,
	  "a peer ID or a name of the names list", "Settings of single peers." },
	{ "peers.*.ports.*", PEER(ports), PEER(n_ports), sizeof(struct pu_config_port), 64,
	  label_ok, LABEL_WHAT, "Ports of services that the peer does not tell itself." },
};

static const struct pu_config_schema node_schema = {
	node_options, PU_ARRAY_LEN(node_options), node_maps, PU_ARRAY_LEN(node_maps),
};

const struct pu_config_schema *pu_config_schema_node(void)
{
	return &node_schema;
}

const struct pu_config_option *pu_config_schema_option(const struct pu_config_schema *s,
						       const char *path)
{
	for (size_t i = 0; i < s->n_options; i++)
		if (strcmp(s->options[i].path, path) == 0)
			return &s->options[i];
	return NULL;
}

const struct pu_config_map *pu_config_schema_map(const struct pu_config_schema *s,
						 const char *path)
{
	for (size_t i = 0; i < s->n_maps; i++)
		if (strcmp(s->maps[i].path, path) == 0)
			return &s->maps[i];
	return NULL;
}

/* The part of path behind "section.", NULL when it is not below the section. */
static const char *below(const char *path, const char *section)
{
	size_t n = strlen(section);

	if (n == 0)
		return path;
	return strncmp(path, section, n) == 0 && path[n] == '.' ? path + n + 1 : NULL;
}

bool pu_config_schema_is_section(const struct pu_config_schema *s, const char *path)
{
	for (size_t i = 0; i < s->n_options; i++)
		if (below(s->options[i].path, path))
			return true;
	return false;
}

enum { WORD_MAX = 40, NEAR = 2 };

/* Edits (insert, delete, change) between a and b; both shorter than WORD_MAX. */
static unsigned distance(const char *a, const char *b, size_t nb)
{
	unsigned row[WORD_MAX], diag, up;

	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; a[i - 1]; i++) {
		diag = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			up = row[j];
			row[j] = diag + (a[i - 1] != b[j - 1]);
			row[j] = (unsigned)pu_min(row[j], pu_min(up, row[j - 1]) + 1u);
			diag = up;
		}
	}
	return row[nb];
}

bool pu_config_schema_suggest(const struct pu_config_schema *s, const char *section,
			      const char *key, char *out, size_t cap)
{
	unsigned best = NEAR + 1;

	if (strlen(key) >= WORD_MAX)
		return false;
	for (size_t i = 0; i < s->n_options; i++) {
		const char *rest = below(s->options[i].path, section);
		size_t n = rest ? strcspn(rest, ".") : 0;
		unsigned d;

		if (n < 3 || n >= WORD_MAX)
			continue;
		d = distance(key, rest, n);
		if (d < best) {
			best = d;
			snprintf(out, cap, "%.*s", (int)n, rest);
		}
	}
	return best <= NEAR;
}
