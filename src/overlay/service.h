/* Named services that this node exposes: a TCP service of this machine, reachable by
 * authorised peers as a stream (docs/protocols/services.md).
 *
 *   /peerup/<name>/1.0.0  a raw byte pipe; what fails is a reset (peer-up compatible)
 *   /peerup/<name>/1.1.0  the same after one status byte that says whether the local
 *                         service answered, so that a refused connection looks refused
 */
#ifndef PU_OVERLAY_SERVICE_H
#define PU_OVERLAY_SERVICE_H

#include "overlay/greeting.h"
#include "p2p/host/host.h"
#include "p2p/transport/net.h"

enum {
	PU_SERVICE_NAME_MAX = 63, /* a DNS label */
	PU_SERVICES_MAX = 256,
	PU_SERVICE_PIPES_MAX = 4096, /* connections at once, all services */
	PU_SERVICE_DIAL_TIMEOUT_S = 10,
	PU_SERVICE_PEERS_MAX = 1024, /* entries of one ACL */
};

enum pu_service_status { /* the byte of version 1.1.0 */
	PU_SERVICE_OK = 0,
	PU_SERVICE_REFUSED = 1,	    /* the local service refused the connection */
	PU_SERVICE_DENIED = 2,	    /* not allowed for this peer */
	PU_SERVICE_UNREACHABLE = 3, /* the local service did not answer */
	PU_SERVICE_BUSY = 4,	    /* a limit was reached */
};

/* The rule for names, for messages. */
#define PU_SERVICE_NAME_RULE                                                              \
	"must be 1-63 lowercase alphanumeric characters or hyphens, starting and ending " \
	"with alphanumeric"

/* 0 for a DNS label that is no reserved word of the protocol; PU_EINVAL for other
 * characters or lengths, PU_EDENIED for "invite", "relay-pair", "peer-notify",
 * "rtt-probe" and the names of our own protocols. */
int pu_service_name_check(const char *name);
/* Services that no config may have, because our own commands offer them while they run. */
#define PU_SERVICE_FILES "files"
/* As pu_service_name_check(), but lets them through: for whoever opens one. */
int pu_service_name_check_open(const char *name);
/* "/peerup/<name>/1.<minor>.0" into out of PU_HOST_PROTOCOL_MAX + 1 bytes. */
void pu_service_protocol(const char *name, unsigned minor, char *out);
/* "/peerup/<name>/1.0.0" → name, of PU_SERVICE_NAME_MAX + 1 bytes; false: no service. */
bool pu_service_of_protocol(const char *protocol, char *name);

struct pu_service_config {
	const char *name;
	union pu_sockaddr local; /* where the service listens on this machine */
	const char *local_text;	 /* the same as it was written, for showing; may be NULL. Copied */
	bool temporary;		 /* not of the config */
	uint16_t port;		 /* what peers see */
	/* Who may use it; NULL: every authorised peer. Copied. */
	const struct pu_peerid *peers;
	size_t n_peers;
	/* Said to the local program first; may be NULL. Such a service may have a name of our
	 * commands, and is not told to peers: who wants it knows. Copied. */
	const struct pu_greeting_words *greeting;
};

struct pu_services;

struct pu_services_events {
	/* That peer may not use that service. */
	void (*on_denied)(void *arg, const char *name, const struct pu_peerid *peer);
	/* A connection that stood has ended after that time. */
	void (*on_closed)(void *arg, const char *name, const struct pu_peerid *peer, pu_time lasted);
};

/* access says whether the peer is authorised at all (checked per stream, so that a
 * removed peer cannot open new ones). */
int pu_services_new(struct pu_host *h, struct pu_net *net,
		    bool (*allowed)(void *arg, const struct pu_peerid *peer), void *arg,
		    struct pu_services **ps);
void pu_services_free(struct pu_services *s);
/* ev is static; all members are set. NULL: nobody is told. */
void pu_services_set_events(struct pu_services *s, const struct pu_services_events *ev, void *arg);
/* PU_EEXIST, PU_ELIMIT, PU_EINVAL, PU_EDENIED (name). */
int pu_services_add(struct pu_services *s, const struct pu_service_config *cfg);
/* Open pipes go on. PU_ENOENT. */
int pu_services_remove(struct pu_services *s, const char *name);
/* Cuts the pipes of a peer that is no longer allowed. */
void pu_services_cut(struct pu_services *s, const struct pu_peerid *peer);

struct pu_service_info {
	const char *name; /* valid until the service is removed */
	uint16_t port;
	uint64_t opened, refused;
	uint64_t rx_bytes, tx_bytes; /* from peers, to peers */
	unsigned active;
	union pu_sockaddr local;
	const char *local_text; /* may be NULL; valid as name is */
	bool temporary;
};
/* Services that the peer may use and is told of (NULL: all); returns the number, at most cap. */
size_t pu_services_list(const struct pu_services *s, const struct pu_peerid *peer,
			struct pu_service_info *out, size_t cap);
unsigned pu_services_count(const struct pu_services *s);

#endif
