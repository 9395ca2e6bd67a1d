/* The node's configuration: a YAML file, checked once, as a plain struct. What keys
 * exist, their defaults and limits is said in one place, config_schema.c. */
#ifndef PU_DAEMON_CONFIG_H
#define PU_DAEMON_CONFIG_H

#include "base/mac.h"
#include "base/file.h"
#include "daemon/failure.h"
#include "p2p/addr/multiaddr.h"
#include "platform/platform.h"

enum {
	PU_CONFIG_FILE_MAX = 1024 * 1024, /* bytes */
	PU_CONFIG_DIAGS_MAX = 32,
	PU_CONFIG_KEY_MAX = 255, /* bytes of a name in the maps below */
	PU_CONFIG_VERSION = 1,
};

/* One remark about the file. line and column from 1; 0 when about no place. */
struct pu_config_diag {
	bool warning;
	unsigned line, column;
	char text[512]; /* "vpn.mtu: 99 is out of range, allowed …" */
};

/* All remarks in file order; those beyond the maximum are only counted. */
struct pu_config_diags {
	size_t n, n_errors, n_more;
	struct pu_config_diag v[PU_CONFIG_DIAGS_MAX];
};

/* given counts the items written, including bad ones that were skipped. */
#define PU_CONFIG_LIST(type) \
	struct {             \
		type *v;     \
		size_t n;    \
		size_t given; \
	}

struct pu_hostport {
	char host[256]; /* name or address without brackets */
	uint16_t port;
};

/* Head of every map entry: its key and where it stands. */
struct pu_config_entry {
	char *name;
	unsigned line, column;
};

struct pu_config_service {
	struct pu_config_entry key;
	bool enabled;
	struct pu_hostport local;
	uint16_t port; /* that peers see; never 0 after loading */
	char *protocol; /* kept for the Go program, no effect */
	/* Who may use it: everyone authorised when given is 0. */
	PU_CONFIG_LIST(struct pu_peerid) allowed;
};

struct pu_config_name {
	struct pu_config_entry key;
	struct pu_peerid peer;
};

struct pu_config_port {
	struct pu_config_entry key; /* service name */
	uint16_t port;
};

struct pu_config_peer {
	struct pu_config_entry key; /* peer ID or name as written */
	struct pu_peerid peer;      /* resolved; empty when the name is unknown */
	PU_CONFIG_LIST(struct pu_multiaddr) addrs; /* with or without /p2p/ID */
	struct pu_mac mac;          /* for waking it */
	char *broadcast;            /* IPv4 address where it is woken; "": every LAN here */
	struct pu_config_port *ports;
	size_t n_ports;
};

enum pu_vpn_dns {
	PU_VPN_DNS_AUTO,
	PU_VPN_DNS_RESOLVED,
	PU_VPN_DNS_RESOLVCONF,
	PU_VPN_DNS_RESOLV_CONF,
	PU_VPN_DNS_NONE,
};

struct pu_config_vpn {
	bool enabled;
	char *interface;
	struct pu_prefix subnet;      /* IPv4 */
	struct pu_prefix ipv6_prefix; /* /48 … /64 */
	unsigned mtu;                 /* 0: chosen by the node */
	enum pu_vpn_dns dns;
	char *dns_suffix;
	/* What peers with network access may reach through this node. */
	PU_CONFIG_LIST(struct pu_prefix) routes;
};

/* This node as a relay for others. 0: unlimited, for duration and data. */
struct pu_config_relay_service {
	bool enabled, require_auth;
	unsigned max_reservations, max_reservations_per_ip, max_reservations_per_asn;
	unsigned max_circuits; /* per peer */
	uint64_t data_limit; /* bytes per direction of a circuit */
	pu_time reservation_ttl, duration;
};

/* Where metrics are sent (daemon/otlp.h). */
struct pu_config_otlp {
	bool enabled;
	char *endpoint;     /* "" when not told */
	char *headers_file; /* absolute; NULL: none */
	pu_time interval;
};

struct pu_config {
	char *path; /* of the file */
	char *dir;  /* of the file; relative paths are below it */
	unsigned version;
	char *key_file; /* absolute */
	PU_CONFIG_LIST(struct pu_multiaddr) listen;
	bool force_private, resource_limits;
	bool port_mapping;
	PU_CONFIG_LIST(struct pu_hostport) stun_servers;
	PU_CONFIG_LIST(struct pu_multiaddr) relays; /* with /p2p/ID */
	pu_time reservation_interval;
	char *rendezvous;
	char *network; /* "" for the global one */
	PU_CONFIG_LIST(struct pu_multiaddr) bootstrap; /* with /p2p/ID */
	bool dht, mdns;
	struct pu_config_relay_service relay_service;
	char *authorized_keys_file; /* absolute */
	bool gating;
	bool ping_enabled;
	char *ping_protocol;
	bool metrics_enabled;
	struct pu_hostport metrics_listen;
	bool audit_enabled;
	struct pu_config_otlp otlp;
	struct pu_config_vpn vpn;
	struct pu_config_service *services;
	size_t n_services;
	struct pu_config_name *names;
	size_t n_names;
	struct pu_config_peer *peers;
	size_t n_peers;
};

/* Reads and checks the file. On PU_ECONFIG diags tells everything that is wrong, in
 * file order; warnings come on success too. Also PU_ENOENT, PU_EPERM (unreadable, or
 * group and others have any permission on it), PU_E2BIG, PU_ENOMEM, which diags
 * explains as well. */
int pu_config_load(const char *path, struct pu_config **pcfg, struct pu_config_diags *diags);
/* The same for text in memory; path is used to resolve relative files only. */
int pu_config_parse(const char *path, struct pu_bytes text, struct pu_config **pcfg,
		    struct pu_config_diags *diags);
void pu_config_free(struct pu_config *cfg);

/* The text of a config file, with the checks of size and permissions above. */
int pu_config_read(const char *path, char **ptext, size_t *plen, struct pu_file_info *info,
		   struct pu_config_diags *diags);

const struct pu_config_service *pu_config_find_service(const struct pu_config *cfg,
						       const char *name);
/* NULL: nothing is said about the peer. */
const struct pu_config_peer *pu_config_find_peer(const struct pu_config *cfg,
						 const struct pu_peerid *peer);
/* The mode as platform.h spells it. */
const char *pu_vpn_dns_text(enum pu_vpn_dns dns);

/* First error as a failure: what is "path:line:col", why the text. */
void pu_config_diags_failure(const struct pu_config_diags *d, const char *path,
			     struct pu_failure *why);
/* Adds a remark; line and column 0: about the whole file. */
void pu_config_diags_add(struct pu_config_diags *d, bool warning, unsigned line,
			 unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

#endif
