/* Configuration of a relay (relay-server.yaml), by the same rules as a node's. */
#ifndef PU_DAEMON_RELAY_CONFIG_H
#define PU_DAEMON_RELAY_CONFIG_H

#include "daemon/config_schema.h"
#include "p2p/circuit/hop.h"

#define PU_RELAY_CONFIG_NAME "relay-server.yaml"

struct pu_relay_config {
	char *path; /* of the file */
	char *dir;
	unsigned version;
	char *key_file;
	PU_CONFIG_LIST(struct pu_multiaddr) listen, announce;
	char *network; /* "" for the global one */
	char *authorized_keys_file;
	bool gating, members_may_invite;
	/* As in the file, where 0 mostly stands for the default. */
	unsigned max_reservations, max_circuits, max_circuits_total;
	unsigned buffer_size; /* kept for the Go program, no effect */
	unsigned max_reservations_per_ip, max_reservations_per_asn;
	pu_time reservation_ttl, session_duration;
	uint64_t session_data_limit;
	bool private_addresses;
	bool health_enabled, metrics_enabled, audit_enabled;
	struct pu_hostport health_listen, metrics_listen;
	struct pu_config_otlp otlp;
};

/* As pu_config_load(). Relative paths are beside the config; a file that is not there, but
 * in the working directory, is taken from that, where the Go program has it. */
int pu_relay_config_load(const char *path, struct pu_relay_config **pcfg,
			 struct pu_config_diags *diags);
int pu_relay_config_parse(const char *path, struct pu_bytes text, struct pu_relay_config **pcfg,
			  struct pu_config_diags *diags);
void pu_relay_config_free(struct pu_relay_config *cfg);

/* The table of its keys, for documentation and tests. */
const struct pu_config_schema *pu_relay_config_schema(void);

/* What the config says, with defaults for zeroes. */
void pu_relay_config_limits(const struct pu_relay_config *cfg, struct pu_hop_limits *out);

#endif
