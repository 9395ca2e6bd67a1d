/* The control API: routes and their JSON and text forms. What a
 * route shows or does comes from the daemon core through struct pu_api_ops. */
#ifndef PU_DAEMON_API_H
#define PU_DAEMON_API_H

#include "base/loop.h"
#include "daemon/event.h"
#include "daemon/failure.h"
#include "overlay/member.h"
#include "overlay/sas.h"
#include "overlay/trace.h"
#include "p2p/addr/multiaddr.h"
#include "p2p/host/paths.h"

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

/* One of our relays. */
struct pu_api_relay {
	struct pu_peerid relay;
	const struct pu_multiaddr *addr; /* as configured, without /p2p */
	const char *state;  /* "connecting", "reserving", "reserved", "waiting" */
	int64_t expires;    /* of the reservation, Unix seconds; 0: there is none */
	int err;            /* why the last attempt failed, 0 when it did not */
	const char *status; /* what the relay said, "RESERVATION_REFUSED"; NULL: nothing */
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
	const struct pu_api_relay *relays;
	size_t n_relays;
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
	enum pu_sas_state trust; /* were codes compared with it? */
	bool told;             /* the peer said what it grants us: */
	enum pu_access granted;
	bool connected;
	/* Of the best connection, when connected. */
	const char *path;      /* "DIRECT" or "RELAYED" */
	const char *reason;    /* why this connection and no other, or why none */
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

/* One connection. */
struct pu_api_path {
	struct pu_peerid peer;
	const char *path;       /* "DIRECT" or "RELAYED" */
	const char *transport;  /* "quic", "tcp", "websocket", "unknown" */
	const char *ip_version; /* "ipv4", "ipv6", "unknown": of a circuit, of the way to its relay */
	const struct pu_multiaddr *remote;
	int64_t connected_at;   /* Unix seconds */
	pu_time rtt;            /* 0: not measured */
	/* For `why`. */
	enum pu_host_path_state state;
	int64_t since;          /* of the state, Unix seconds */
	pu_time silent;         /* when suspect */
	unsigned n_suspected;
	bool inbound;
	unsigned n_streams;
	uint64_t rx_bytes, tx_bytes;
	bool has_limit;         /* of the circuit; 0: unlimited */
	pu_time limit_duration;
	uint64_t limit_data;
};

/* What a relay last said when it was asked for a circuit to the peer. */
struct pu_api_relay_dial {
	struct pu_peerid relay;
	int err;
	const char *status; /* "NO_RESERVATION"; NULL: it said nothing */
	int64_t at;         /* Unix seconds */
};

enum {
	PU_API_PATHS_MAX = 8,
	PU_API_ADDRS_MAX = PU_HOST_ADDRS_PER_PEER,
	PU_API_RELAY_DIALS_MAX = 16,
};

/* Everything about the ways to one peer. */
struct pu_api_why {
	const char *name;
	char reason[192];
	/* What is being done about it. */
	const char *goal;       /* "a better path", "nothing" */
	bool trying;
	unsigned tries;
	const char *last_error; /* NULL: none */
	int64_t next_try;       /* Unix seconds, 0: none planned */
	size_t n_paths, n_addrs, n_relay_dials;
	struct pu_api_path path[PU_API_PATHS_MAX]; /* the active one first */
	struct pu_host_candidate addr[PU_API_ADDRS_MAX];
	struct pu_api_relay_dial relay_dial[PU_API_RELAY_DIALS_MAX];
	int64_t clock;          /* Unix seconds less the pu_time of attempts, in seconds */
	pu_time now;
	struct pu_host_black_holes black_holes;
};

/* A service that this node exposes. */
struct pu_api_offered {
	const char *name;
	const char *protocol;      /* "/peerup/ssh/1.0.0" */
	const char *local_address; /* as it was configured: "localhost:22" */
	bool enabled;
	bool temporary;            /* exposed through the API, gone with the daemon */
	uint16_t port;             /* that peers see, 0: none */
	unsigned active;           /* connections */
	uint64_t opened, refused;
};

/* A local port that leads to a service of a peer. */
struct pu_api_proxy {
	uint64_t id;               /* 7 of "proxy-7" */
	struct pu_peerid peer;
	const char *target;        /* the peer as it was given */
	const char *service, *listen;
	unsigned active;
	uint64_t opened, failed;
	const char *last_error;    /* NULL: none */
};

/* A proxy that is wanted; strings are borrowed during the call. */
struct pu_api_connect {
	struct pu_peerid peer;
	const char *target, *service, *listen;
};

struct pu_greeting_words;

/* A local TCP service for peers, until the daemon ends. */
enum { PU_API_EXPOSE_PEERS_MAX = 64 };
struct pu_api_expose {
	const char *name, *local_address;
	const struct pu_peerid *peers; /* who may use it; NULL: all who are authorised */
	size_t n_peers;
	const struct pu_greeting_words *greeting; /* may be NULL */
};

struct pu_api_new_member {
	struct pu_peerid peer;
	const char *comment; /* NULL: none */
	enum pu_access access;
	int64_t expires;     /* Unix seconds, PU_MEMBER_NO_EXPIRY */
};

/* A prefix behind a peer, as our kernel or the peer says. */
struct pu_api_vpn_route {
	const char *prefix;  /* "192.168.1.0/24" */
	struct pu_peerid peer;
	const char *name;    /* of the peer */
	bool in_use;         /* a kernel route on the device leads there */
	bool offered;        /* the peer says that it lets us in */
};

/* What became of it. */
struct pu_api_connected {
	int err;             /* 0: id and listen are set */
	bool unreachable;    /* it was the peer, not the port */
	uint64_t id;
	const char *listen;  /* "127.0.0.1:2222" */
	const char *why;     /* text for err */
};

typedef void pu_api_offered_fn(void *arg, const struct pu_api_offered *s);
typedef void pu_api_service_fn(void *arg, const struct pu_api_service *s);
typedef void pu_api_proxy_fn(void *arg, const struct pu_api_proxy *p);
/* err as pu_wake_fn. */
typedef void pu_api_wake_fn(void *arg, int err);
typedef void pu_api_member_fn(void *arg, const struct pu_member *m);
typedef void pu_api_vpn_route_fn(void *arg, const struct pu_api_vpn_route *r);
typedef void pu_api_connected_fn(void *arg, const struct pu_api_connected *r);
typedef void pu_api_path_fn(void *arg, const struct pu_api_path *p);
typedef void pu_api_peer_fn(void *arg, const struct pu_api_peer *p);
typedef void pu_api_counter_fn(void *arg, const char *name, uint64_t value);
typedef void pu_api_ping_fn(void *arg, const struct pu_api_ping_result *r);

struct pu_invite;
struct pu_invite_options;
struct pu_join_options;
struct pu_join_result;
typedef void pu_api_invite_fn(void *arg, const struct pu_invite *i);
typedef void pu_api_join_fn(void *arg, int err, const struct pu_join_result *r,
			    const struct pu_failure *why);

/* Implemented by the daemon core. All members are set. */
struct pu_api_ops {
	/* out is zeroed before. What it points to stays valid until the next turn. */
	void (*status)(void *arg, struct pu_api_status *out);
	/* Authorised, named, configured and connected peers, each once. */
	void (*each_peer)(void *arg, pu_api_peer_fn *fn, void *fn_arg);
	/* Counters of every module: "tun_dropped_spoofed", 3. */
	void (*each_counter)(void *arg, pu_api_counter_fn *fn, void *fn_arg);
	/* Name or peer ID → peer. *pfrom_id: the text was a peer ID.
	 * PU_ENOENT. */
	int (*resolve)(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id);
	/* One ping, connecting first when needed. on_done comes on a
	 * later turn, once, unless canceled. *pid names it for ping_cancel. */
	int (*ping)(void *arg, const struct pu_peerid *peer, pu_api_ping_fn *on_done,
		    void *done_arg, uint64_t *pid);
	void (*ping_cancel)(void *arg, uint64_t id);
	/* Reads authorized_keys and the names, services, peers of the config again;
	 * all or nothing. */
	int (*reload)(void *arg, struct pu_failure *why);
	/* Asks for an orderly stop; returns at once. */
	void (*shutdown)(void *arg);
	/* The connection in use to every connected peer. */
	void (*each_path)(void *arg, pu_api_path_fn *fn, void *fn_arg);
	/* out is zeroed before. What it points to stays valid until the next turn.
	 * PU_ENOENT: the peer is not known at all. */
	int (*why)(void *arg, const struct pu_peerid *peer, struct pu_api_why *out);
	/* The hops to a peer. As ping and ping_cancel. */
	int (*trace)(void *arg, const struct pu_peerid *peer, pu_trace_fn *on_done,
		     void *done_arg, uint64_t *pid);
	void (*trace_cancel)(void *arg, uint64_t id);
	/* Has via wake a machine in its LAN. As ping and ping_cancel. PU_ENOENT: no hardware
	 * address is known. */
	int (*wake)(void *arg, const struct pu_peerid *peer, const struct pu_peerid *via,
		    pu_api_wake_fn *on_done, void *done_arg, uint64_t *pid);
	void (*wake_cancel)(void *arg, uint64_t id);

	/* Invitations and codes: as pairing.h has them. */
	int (*invite)(void *arg, const struct pu_invite_options *opt,
		      const struct pu_invite **pinvite, struct pu_failure *why);
	const struct pu_invite *(*invite_find)(void *arg, uint64_t id);
	void (*each_invite)(void *arg, pu_api_invite_fn *fn, void *fn_arg);
	int (*invite_cancel)(void *arg, uint64_t id);
	int (*join)(void *arg, const struct pu_join_options *opt, pu_api_join_fn *on_done,
		    void *done_arg, struct pu_failure *why);
	void (*join_cancel)(void *arg);

	/* Our services. */
	void (*each_offered)(void *arg, pu_api_offered_fn *fn, void *fn_arg);
	/* PU_EINVAL: bad name or address; PU_EEXIST. why tells. */
	int (*expose)(void *arg, const struct pu_api_expose *e, struct pu_failure *why);
	int (*unexpose)(void *arg, const char *name); /* PU_ENOENT */
	/* What a peer offers to us. PU_ENOENT: not known at all. */
	int (*each_peer_service)(void *arg, const struct pu_peerid *peer, pu_api_service_fn *fn,
				 void *fn_arg);

	/* Local ports to services of peers. connect reaches the peer first, then listens.
	 * As ping and ping_cancel. PU_EINVAL: the address to listen on is none. */
	int (*connect)(void *arg, const struct pu_api_connect *c, pu_api_connected_fn *on_done,
		       void *done_arg, uint64_t *pid);
	void (*connect_cancel)(void *arg, uint64_t id);
	int (*disconnect)(void *arg, uint64_t proxy_id); /* PU_ENOENT */
	void (*each_proxy)(void *arg, pu_api_proxy_fn *fn, void *fn_arg);

	/* Who belongs. Without gating everyone may come, and the list is not kept. */
	bool (*gating)(void *arg);
	/* In file order; verified "" also when it is another pair's. On failure why tells, and
	 * fn was not called. */
	int (*each_member)(void *arg, pu_api_member_fn *fn, void *fn_arg, struct pu_failure *why);
	/* Written to the disk and in effect, or neither. PU_EEXIST, PU_ENOENT. */
	int (*member_add)(void *arg, const struct pu_api_new_member *m, struct pu_failure *why);
	int (*member_remove)(void *arg, const struct pu_peerid *peer, struct pu_failure *why);

	/* Prefixes behind peers, those in use and those on offer. */
	void (*each_vpn_route)(void *arg, pu_api_vpn_route_fn *fn, void *fn_arg);
};

struct pu_api;
struct pu_metrics;

struct pu_api_options {
	struct pu_loop *loop;       /* driven by base/loop_uv.c */
	const char *version;        /* "0.1.0", without program name */
	const char *socket_path;    /* replaced when stale */
	const char *cookie_path;    /* written after the socket is bound */
	struct pu_file_owner owner; /* of socket and cookie, both 0600 */
	const struct pu_api_ops *ops;
	void *ops_arg;
	/* What GET /v1/events shows, and where requests are told; NULL: none. Outlives the API. */
	struct pu_events *events;
	struct pu_metrics *metrics; /* what GET /v1/metrics shows; NULL: nothing */
};

/* Opens the socket and serves. PU_EEXIST: another daemon answers there; other
 * errors as the system says, in why. */
int pu_api_start(const struct pu_api_options *opt, struct pu_api **papi, struct pu_failure *why);
/* Ends all requests, removes socket and cookie. NULL is fine. */
void pu_api_stop(struct pu_api *api);

#endif
