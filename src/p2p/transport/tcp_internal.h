/* Shared by tcp.c, tcp_inbound.c, tcp_probe.c and tcp_punch.c. */
#ifndef PU_P2P_TRANSPORT_TCP_INTERNAL_H
#define PU_P2P_TRANSPORT_TCP_INTERNAL_H

#include "base/loop.h"
#include "p2p/stack/upgrade.h"
#include "p2p/tls/certificate.h"
#include "p2p/transport/tcp_layer.h"

enum { TCP_HEADER_LEN = 20 }; /* multistream's greeting with its length and newline */

struct tcp_transport {
	struct pu_transport t;
	struct pu_transport_ops ops;
	const struct pu_tcp_layer_ops *layer;
	void *ctx; /* the layer's */
	struct pu_transport_config cfg;
	struct pu_tcp_transport_options opt;
	struct pu_tls_credentials *tls; /* NULL when TLS is not offered */
	struct pu_list listeners, dials, pending;
	unsigned n_pending;
};

struct tcp_listener {
	struct pu_list node;
	struct tcp_transport *tr;
	struct pu_tcp_listener *l;
	union pu_sockaddr bound;
};

/* A connected socket of which nobody knows yet which end is the client: hole punches
 * give both ends a connection that both, or neither, opened. */
struct tcp_probe;
/* err 0: initiator is our role, early what was read (borrowed). The socket is the callee's
 * again, also on failure. */
typedef void tcp_probe_fn(void *arg, int err, bool initiator, struct pu_bytes early);
/* A silent peer waits for us to begin; without silent_is_server we wait for ever. A peer
 * that only greets waits as well. PU_ENOMEM. */
int tcp_probe_start(struct tcp_transport *tr, struct pu_tcp *sock, bool silent_is_server,
		    tcp_probe_fn *fn, void *arg, struct tcp_probe **pp);
void tcp_probe_cancel(struct tcp_probe *p);

struct pu_dial {
	struct pu_list node;
	struct tcp_transport *tr;
	struct pu_tcp *sock; /* connecting, or probed */
	struct tcp_probe *probe;
	struct pu_upgrade *up; /* or upgrading */
	union pu_sockaddr remote;
	struct pu_multiaddr ma;
	struct pu_peerid expected;
	bool anyone, initiator, punching;
	bool reused; /* left from a listening port */
	struct pu_timer timer; /* for everything */
	struct pu_timer again; /* the next attempt */
	pu_dial_fn *on_done;   /* NULL: a punch that nobody waits for any more */
	void *arg;
};

static inline struct tcp_transport *tcp_of(const struct pu_transport *t)
{
	return PU_CONTAINER_OF((struct pu_transport *)t, struct tcp_transport, t);
}

/* tcp.c */
struct pu_upgrade_config tcp_upgrade_config(struct tcp_transport *tr, struct pu_tcp *sock);
int tcp_start_upgrade(struct tcp_transport *tr, PU_TAKES struct pu_tcp *sock,
		      const struct pu_upgrade_config *uc, pu_upgrade_fn *fn, void *arg,
		      struct pu_upgrade **pup);
/* A listening address to dial that family from, or NULL. */
const union pu_sockaddr *tcp_listening_addr(struct tcp_transport *tr, int family);
/* Remembers a dial, whose timer runs; nothing is under way yet. again makes another attempt
 * when d->again fires. */
int tcp_dial_new(struct tcp_transport *tr, const struct pu_dial *tmpl, pu_time timeout_ns,
		 pu_job_fn *again, struct pu_dial **pd);
/* Frees it and tells, if anybody listens. */
void tcp_dial_done(struct pu_dial *d, int err, struct pu_conn *c);
void tcp_dial_free(struct pu_dial *d);
/* Closes what is under way. */
void tcp_dial_abandon(struct pu_dial *d);

/* tcp_inbound.c: a listener got a socket. */
void tcp_on_accept(void *arg, struct pu_tcp *sock);
void tcp_inbound_cancel_all(struct tcp_transport *tr);

/* tcp_punch.c */
int tcp_punch(struct pu_transport *t, const struct pu_multiaddr *ma,
	      const struct pu_peerid *expected, bool initiator, pu_time timeout_ns,
	      pu_dial_fn *on_done, void *arg, struct pu_dial **pd);
void tcp_punch_cancel(struct pu_dial *d);
/* How a socket that came in is to be treated. */
enum tcp_role { TCP_ROLE_SERVER, TCP_ROLE_CLIENT, TCP_ROLE_UNKNOWN };
enum tcp_role tcp_punch_role_of(const struct tcp_transport *tr, const union pu_sockaddr *remote);
/* Gives a connection that came in to the punch that waits for that peer. */
bool tcp_punch_give(struct tcp_transport *tr, struct pu_conn *c);

#endif
