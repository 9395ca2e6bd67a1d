#include "daemon/relay_config.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "daemon/config_fill.h"
#include "daemon/config_tree.h"

#define AT(member) offsetof(struct pu_relay_config, member)

/* Ranges begin at 0 where the Go program reads 0 as "the default". */
static const struct pu_config_option options[] = {
	{ "version", PU_CONFIG_UINT, 0, AT(version), "1", 0, PU_CONFIG_VERSION, NULL, NULL,
	  "Version of the file format." },
	{ "identity.key_file", PU_CONFIG_PATH, 0, AT(key_file), "relay_node.key", 1, 1000, NULL,
	  NULL, "The relay's private key; made at the first start, mode 0600." },
	{ "network.listen_addresses", PU_CONFIG_MULTIADDR, PU_CONFIG_IS_LIST, AT(listen),
	  "/ip4/0.0.0.0/tcp/7777 /ip4/0.0.0.0/udp/7777/quic-v1 /ip6/::/tcp/7777 "
	  "/ip6/::/udp/7777/quic-v1",
	  1, 64, NULL, NULL, "Where the relay listens." },
	{ "network.announce_addresses", PU_CONFIG_MULTIADDR, PU_CONFIG_IS_LIST, AT(announce), "",
	  0, 16, NULL, NULL,
	  "Where the relay is reached from outside, when it cannot see that itself." },
	{ "discovery.network", PU_CONFIG_LABEL, 0, AT(network), "", 0, 63, NULL, NULL,
	  "Private network name; empty for the global one." },
	{ "security.authorized_keys_file", PU_CONFIG_PATH, 0, AT(authorized_keys_file),
	  "relay_authorized_keys", 1, 1000, NULL, NULL, "Who may connect, one peer per line." },
	{ "security.enable_connection_gating", PU_CONFIG_BOOL, 0, AT(gating), "true", 0, 0, NULL,
	  NULL, "Refuse peers that are not in the authorized keys file." },
	{ "security.members_may_invite", PU_CONFIG_BOOL, 0, AT(members_may_invite), "true", 0, 0,
	  NULL, NULL, "Members may bring others in by invitation, who become members, too." },
	{ "resources.max_reservations", PU_CONFIG_UINT, 0, AT(max_reservations), "128", 0, 100000,
	  NULL, NULL, "Peers that may wait here for others." },
	{ "resources.max_circuits", PU_CONFIG_UINT, 0, AT(max_circuits), "16", 0, 10000, NULL,
	  NULL, "Circuits of one peer, as caller and as called one." },
	{ "resources.max_circuits_total", PU_CONFIG_UINT, 0, AT(max_circuits_total), "1024", 0,
	  1000000, NULL, NULL, "Circuits in all." },
	{ "resources.buffer_size", PU_CONFIG_UINT, 0, AT(buffer_size), "2048", 0, 16 << 20,
	  "bytes", NULL, "Kept for the Go program: this relay holds nothing of a circuit itself." },
	{ "resources.max_reservations_per_ip", PU_CONFIG_UINT, 0, AT(max_reservations_per_ip), "8",
	  0, 100000, NULL, NULL, "Reservations from one IPv4 address or IPv6 /64." },
	{ "resources.max_reservations_per_asn", PU_CONFIG_UINT, 0, AT(max_reservations_per_asn),
	  "32", 0, 100000, NULL, NULL, "Reservations from one IPv6 /32, about one provider." },
	{ "resources.reservation_ttl", PU_CONFIG_DURATION, 0, AT(reservation_ttl), "1h", 0, 604800,
	  "s", NULL, "How long a reservation lasts unless it is renewed." },
	{ "resources.session_duration", PU_CONFIG_DURATION, PU_CONFIG_UNLIMITED,
	  AT(session_duration), "10m", 0, 31536000, "s", NULL,
	  "How long one circuit lasts; 0 or unlimited for no limit." },
	{ "resources.session_data_limit", PU_CONFIG_SIZE, PU_CONFIG_UNLIMITED,
	  AT(session_data_limit), "64MB", 0, INT64_MAX, NULL, NULL,
	  "What one circuit carries per direction; 0 or unlimited for no limit." },
	{ "resources.private_addresses", PU_CONFIG_BOOL, 0, AT(private_addresses), "false", 0, 0,
	  NULL, NULL, "Tell peers the relay's private addresses too, for relays on a LAN." },
	{ "health.enabled", PU_CONFIG_BOOL, 0, AT(health_enabled), "false", 0, 0, NULL, NULL,
	  "Answer GET /healthz over HTTP, to this machine only." },
	{ "health.listen_address", PU_CONFIG_HOSTPORT, 0, AT(health_listen), "127.0.0.1:9090", 0,
	  65535, NULL, NULL, "Where /healthz is served." },
	{ "telemetry.metrics.enabled", PU_CONFIG_BOOL, 0, AT(metrics_enabled), "false", 0, 0, NULL,
	  NULL, "Serve counters for Prometheus." },
	{ "telemetry.metrics.listen_address", PU_CONFIG_HOSTPORT, 0, AT(metrics_listen),
	  "127.0.0.1:9091", 0, 65535, NULL, NULL,
	  "Where /metrics is served when health is not enabled." },
	{ "telemetry.audit.enabled", PU_CONFIG_BOOL, 0, AT(audit_enabled), "false", 0, 0, NULL,
	  NULL, "Log security decisions as JSON lines." },
	{ "telemetry.otlp.enabled", PU_CONFIG_BOOL, 0, AT(otlp.enabled), "false", 0, 0, NULL, NULL,
	  "Send the same counters to an OpenTelemetry collector." },
	{ "telemetry.otlp.endpoint", PU_CONFIG_STRING, 0, AT(otlp.endpoint),
	  "http://127.0.0.1:4318/v1/metrics", 1, 1000, "bytes", NULL,
	  "The collector: OTLP over HTTP, JSON." },
	{ "telemetry.otlp.interval", PU_CONFIG_DURATION, 0, AT(otlp.interval), "60s", 1, 86400, "s",
	  NULL, "How often." },
	{ "telemetry.otlp.headers_file", PU_CONFIG_PATH, 0, AT(otlp.headers_file), NULL, 1, 1000,
	  NULL, NULL, "HTTP headers for it, a line each: \"Authorization: Bearer ...\"." },
};

static const struct pu_config_schema schema = { options, PU_ARRAY_LEN(options), NULL, 0 };

const struct pu_config_schema *pu_relay_config_schema(void)
{
	return &schema;
}

static int set_path(struct pu_relay_config *cfg, const char *path)
{
	const char *slash = strrchr(path, '/');

	cfg->path = strdup(path);
	cfg->dir = !slash ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	return cfg->path && cfg->dir ? 0 : PU_ENOMEM;
}

/* dir/name, which is not there, becomes name when that is. */
static int prefer_existing(const struct pu_relay_config *cfg, char **pfile)
{
	size_t n = strlen(cfg->dir);
	const char *name = *pfile + n + 1;
	char *s;

	if (strncmp(*pfile, cfg->dir, n) != 0 || (*pfile)[n] != '/' || access(*pfile, F_OK) == 0 ||
	    access(name, F_OK) != 0)
		return 0;
	s = strdup(name);
	if (!s)
		return PU_ENOMEM;
	free(*pfile);
	*pfile = s;
	return 0;
}

static void check(const struct pu_relay_config *cfg, struct pu_config_diags *diags)
{
	if (!cfg->gating)
		pu_config_diags_add(diags, true, 0, 0,
				    "security.enable_connection_gating is false: anybody may use "
				    "this relay");
}

int pu_relay_config_parse(const char *path, struct pu_bytes text, struct pu_relay_config **pcfg,
			  struct pu_config_diags *diags)
{
	struct pu_relay_config *cfg = calloc(1, sizeof *cfg);
	struct pu_config_tree tree = { 0 };
	size_t errors_before = diags->n_errors;
	int r = cfg ? set_path(cfg, path) : PU_ENOMEM;

	if (r == 0)
		r = pu_config_tree_parse(text, &tree, diags);
	if (r == 0)
		r = pu_config_fill(&schema, tree.root, cfg->dir, cfg, diags);
	pu_config_tree_deinit(&tree);
	if (r == 0 && diags->n_errors > errors_before)
		r = PU_ECONFIG;
	if (r == 0)
		r = prefer_existing(cfg, &cfg->key_file);
	if (r == 0)
		r = prefer_existing(cfg, &cfg->authorized_keys_file);
	if (r < 0) {
		if (diags->n_errors == errors_before)
			pu_config_diags_add(diags, false, 0, 0, "%s", pu_err_text(r));
		pu_relay_config_free(cfg);
		return r;
	}
	check(cfg, diags);
	*pcfg = cfg;
	return 0;
}

int pu_relay_config_load(const char *path, struct pu_relay_config **pcfg,
			 struct pu_config_diags *diags)
{
	struct pu_file_info info;
	char *text;
	size_t len;
	int r = pu_config_read(path, &text, &len, &info, diags);

	if (r < 0)
		return r;
	r = pu_relay_config_parse(path, pu_bytes(text, len), pcfg, diags);
	free(text);
	return r;
}

void pu_relay_config_free(struct pu_relay_config *cfg)
{
	if (!cfg)
		return;
	pu_config_fill_free(&schema, cfg);
	free(cfg->path);
	free(cfg->dir);
	free(cfg);
}

static unsigned or_default(unsigned v, unsigned def)
{
	return v ? v : def;
}

void pu_relay_config_limits(const struct pu_relay_config *cfg, struct pu_hop_limits *out)
{
	const struct pu_hop_limits *def = &pu_hop_limits_default;

	*out = (struct pu_hop_limits){
		.max_reservations = or_default(cfg->max_reservations, def->max_reservations),
		.max_reservations_per_ip = or_default(cfg->max_reservations_per_ip,
						      def->max_reservations_per_ip),
		.max_reservations_per_asn = or_default(cfg->max_reservations_per_asn,
						       def->max_reservations_per_asn),
		.max_circuits = or_default(cfg->max_circuits_total, def->max_circuits),
		.max_circuits_per_peer = or_default(cfg->max_circuits, def->max_circuits_per_peer),
		.reservation_ttl = cfg->reservation_ttl ? cfg->reservation_ttl
							: def->reservation_ttl,
		.duration = cfg->session_duration,
		.data = cfg->session_data_limit,
	};
}
