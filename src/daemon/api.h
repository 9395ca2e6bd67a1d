/* The control API: routes and their JSON and text forms (reference §9.4). What a
 * route shows or does comes from the daemon core through struct pu_api_ops. */
#ifndef PU_DAEMON_API_H
#define PU_DAEMON_API_H

#include "base/loop.h"
#include "daemon/failure.h"
#include "overlay/member.h"
#include "p2p/addr/multiaddr.h"

enum {
	PU_API_PING_COUNT_MAX = 1000,
	PU_API_PING_INTERVAL_MAX_MS = 60000,
	PU_API_ERROR_MAX = 200, /* characters of an error text in a ping result */
};

/* Everything below is borrowed: valid until the op or callback that carries it
 * returns. Strings may be NULL when unknown, unless said otherwise. */

struct pu_api_vpn {
	bool up; /* the device exists; the rest is meaningless otherwise */
	const char *interface;  /* "peerup0" */
	const char *ipv4;       /* our own address, "10.64.1.2" */
	const char *ipv6;
	const char *subnet;     /* "10.64.0.0/16" */
	const char *ipv6_prefix;
	unsigned mtu;
	const char *dns_method; /* "resolved", "resolvconf", "resolv-conf", "none" */
	const char *dns_server; /* "10.64.0.53" */
	const char *dns_suffix; /* "p2p" */
};

struct pu_api_status {
	const struct pu_peerid *peer; /* ours, never NULL */
	const char *name;             /* ours in the names list */
	const char *config;           /* path of the file in use */
	uint64_t uptime_s;
	unsigned connected_peers;
	unsigned n_services;
	const struct pu_multiaddr *listen; /* listen and relay addresses */
	size_t n_listen;
	bool has_global_ipv6, has_global_ipv4;
	const char *nat_type;
	const char *const *external_addrs; /* "ip:port" */
	size_t n_external_addrs;
	bool is_relaying;
	char reach_grade;        /* 'A' … 'F' */
	const char *reach_label; /* "Good" */
	const char *reach_text;
	const char *reach_evidence; /* what the grade rests on */
	struct pu_api_vpn vpn;
};

struct pu_api_service {
	const char *name;
	uint16_t port; /* 0: unknown */
};

struct pu_api_peer {
	struct pu_peerid id;
	const char *name;
	const char *agent; /* NULL before identify */
	bool authorized;
	enum pu_access access; /* when authorized */
	bool connected;
	/* Of the best connection, when connected. */
	const char *path;      /* "DIRECT" or "RELAYED" */
	const char *transport; /* "quic", "tcp", "websocket" */
	const char *security;  /* "quic", "noise", "tls" */
	const struct pu_multiaddr *remote;
	int64_t connected_at;  /* Unix seconds */
	pu_time rtt;           /* 0: not measured */
	uint64_t rx_bytes, tx_bytes;
	/* Overlay. */
	const char *ipv4, *ipv6;
	const char *carrier;   /* of packets: "datagram", "stream" */
	unsigned mtu;          /* of the packet session, 0: none */
	const struct pu_api_service *services; /* offered by the peer */
	size_t n_services;
	const struct pu_multiaddr *addrs; /* known ones */
	size_t n_addrs;
};

struct pu_api_ping_result {
	int err;             /* 0, or why there is no answer */
	bool unreachable;    /* no connection could be made at all */
	bool relayed;
	pu_time rtt;
	const char *error;   /* text for err, first line only; never NULL */
};

typedef void pu_api_peer_fn(void *arg, const struct pu_api_peer *p);
typedef void pu_api_counter_fn(void *arg, const char *name, uint64_t value);
typedef void pu_api_ping_fn(void *arg, const struct pu_api_ping_result *r);

/* Implemented by the daemon core. All members are set. */
struct pu_api_ops {
	/* out is zeroed before. What it points to stays valid until the next turn. */
	void (*status)(void *arg, struct pu_api_status *out);
	/* Authorised, named, configured and connected peers, each once. */
	void (*each_peer)(void *arg, pu_api_peer_fn *fn, void *fn_arg);
	/* Counters of every module: "tun_dropped_spoofed", 3. */
	void (*each_counter)(void *arg, pu_api_counter_fn *fn, void *fn_arg);
	/* Name or peer ID → peer (reference §6.3). *pfrom_id: the text was a peer ID.
	 * PU_ENOENT. */
	int (*resolve)(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id);
	/* One ping (reference §6.1), connecting first when needed. on_done comes on a
	 * later turn, once, unless canceled. *pid names it for ping_cancel. */
	int (*ping)(void *arg, const struct pu_peerid *peer, pu_api_ping_fn *on_done,
		    void *done_arg, uint64_t *pid);
	void (*ping_cancel)(void *arg, uint64_t id);
	/* Reads authorized_keys and the names, services, peers of the config again;
	 * all or nothing. */
	int (*reload)(void *arg, struct pu_failure *why);
	/* Asks for an orderly stop; returns at once. */
	void (*shutdown)(void *arg);
};

struct pu_api;

struct pu_api_options {
	struct pu_loop *loop;       /* driven by base/loop_uv.c */
	const char *version;        /* "0.1.0", without program name */
	const char *socket_path;    /* replaced when stale */
	const char *cookie_path;    /* written after the socket is bound */
	struct pu_file_owner owner; /* of socket and cookie, both 0600 */
	const struct pu_api_ops *ops;
	void *ops_arg;
};

/* Opens the socket and serves. PU_EEXIST: another daemon answers there; other
 * errors as the system says, in why. */
int pu_api_start(const struct pu_api_options *opt, struct pu_api **papi, struct pu_failure *why);
/* Ends all requests, removes socket and cookie. NULL is fine. */
void pu_api_stop(struct pu_api *api);

#endif
