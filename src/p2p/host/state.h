/* The host and its connections, for the files of this folder and for the protocols
 * that are part of every host (p2p/proto/identify). */
#ifndef PU_P2P_HOST_STATE_H
#define PU_P2P_HOST_STATE_H

#include "p2p/host/black_hole.h"
#include "p2p/host/health.h"
#include "p2p/host/host.h"
#include "p2p/host/listener.h"
#include "p2p/host/paths.h"
#include "p2p/host/peerstore.h"
#include "p2p/host/probation.h"

enum {
	HOST_CONNS_DEFAULT = 256,
	HOST_CONNS_PER_PEER_DEFAULT = 8,
	HOST_STREAMS_DEFAULT = 256,
	HOST_PENDING_INBOUND = 64,
};

struct host_handler {
	struct pu_list node;
	pu_host_stream_fn *fn;
	void *arg;
	char protocol[]; /* terminated */
};

/* The host's side of one connection: pu_conn.arg. */
struct host_conn {
	struct pu_list node; /* host's, oldest first */
	struct pu_host *h;
	struct pu_conn *c;
	struct pu_peer *peer; /* NULL on probation */
	struct pu_list negotiations; /* inbound streams without a protocol yet */
	struct pu_identify_conn *identify; /* owned by p2p/proto/identify.c */
	uint64_t seen_bytes;               /* activity at the last look */
	pu_time active_at;
	struct pu_health health;
	struct pu_multiaddr observed;    /* our address as the peer sees it, if worth knowing, */
	struct pu_multiaddr observed_at; /* while this was our end */
	bool observed_stale;
};

enum host_state { HOST_RUNNING, HOST_STOPPING, HOST_STOPPED };

struct pu_host {
	struct pu_loop *loop;
	struct pu_host_config cfg;
	char *agent, *protocol_version;
	enum host_state state;
	struct pu_list transports;
	struct pu_peerstore peers;
	struct pu_listener listener;
	struct pu_list conns; /* host_conn.node */
	struct pu_probation probation;
	pu_time met_self_at; /* somebody with our name was there: one of our own addresses */
	unsigned n_holds; /* of those who end in their own time */
	struct pu_list handlers;
	struct pu_list observers;
	struct host_walk *walk; /* innermost */
	struct pu_list requests;       /* pu_host_request.node */
	const struct pu_host_datagram_events *dgram_ev;
	void *dgram_arg;
	struct pu_timer tidy; /* idle and surplus connections */
	struct pu_job stop_job;
	struct pu_job new_addrs; /* tells on_peer_addrs */
	struct pu_black_hole no_udp, no_ip6;
	pu_job_fn *on_stopped;
	void *stopped_arg;
	struct pu_identify *identify;
	struct pu_ping_server *ping;
	struct pu_host_stats stats;
};

static inline struct host_conn *host_conn_of(const struct pu_conn *c)
{
	return c->arg;
}

/* host.c: maybe that was the last thing that pu_host_stop() waited for. */
void pu_host_one_less(struct pu_host *h);

/* Calls one member of all observers; they may come and go meanwhile, and what they
 * do may call observers again. */
#define HOST_NOTIFY(h, member, ...)                                                 \
	do {                                                                        \
		struct host_walk w_;                                                \
		for (struct pu_host_observer *o_ = host_walk_begin((h), &w_); o_;   \
		     o_ = host_walk_next((h), &w_))                                 \
			if (o_->member)                                             \
				o_->member(o_->arg, ##__VA_ARGS__);                 \
		host_walk_end((h), &w_);                                            \
	} while (0)

/* A walk over the observers; walks nest. */
struct host_walk {
	struct host_walk *outer;
	struct pu_list *next;
};

static inline struct pu_host_observer *host_walk_next(struct pu_host *h, struct host_walk *w)
{
	struct pu_list *n = w->next;

	if (n == &h->observers)
		return NULL;
	w->next = n->next;
	return PU_CONTAINER_OF(n, struct pu_host_observer, node);
}

static inline struct pu_host_observer *host_walk_begin(struct pu_host *h, struct host_walk *w)
{
	w->outer = h->walk;
	w->next = h->observers.next;
	h->walk = w;
	return host_walk_next(h, w);
}

static inline void host_walk_end(struct pu_host *h, struct host_walk *w)
{
	h->walk = w->outer;
}

/* connmgr.c: takes over a new connection. False: it was turned away and closed. */
bool pu_connmgr_adopt(struct pu_host *h, struct pu_conn *c);
/* The same for one that was on probation. False: there is no room, it stays as it is. */
bool pu_connmgr_promote(struct host_conn *hc);
/* Says goodbye to a connection that nobody takes over. */
void pu_connmgr_turn_away(struct pu_host *h, struct pu_conn *c, uint64_t code);
void pu_connmgr_close_all(struct pu_host *h, uint64_t code);
void pu_connmgr_tidy(void *arg);
/* health.c: suspect, or well again. */
void pu_connmgr_health_changed(struct host_conn *hc);

/* conn_rank.c. */
struct pu_conn *pu_connmgr_best(const struct pu_peer *p);
/* With a direct connection only. */
struct pu_conn *pu_connmgr_best_direct(const struct pu_peer *p);
/* The best one of another kind than the best; kept for a protected peer. NULL. */
struct pu_conn *pu_connmgr_spare(const struct pu_peer *p);
/* Something changed: tells on_best if that is another one now. */
void pu_connmgr_rechoose(struct pu_host *h, struct pu_peer *p);
/* Now and then: is an equal of the best one clearly faster? */
void pu_connmgr_compare_rtt(struct pu_host *h, struct pu_peer *p);
enum pu_worth pu_connmgr_class(const struct pu_conn *c);

/* negotiation.c: an inbound stream looks for its handler. */
void pu_negotiation_start(struct host_conn *hc, struct pu_stream *st);
/* The connection is gone and its streams with it. */
void pu_negotiation_drop_all(struct host_conn *hc);
struct host_handler *pu_host_find_handler(const struct pu_host *h, struct pu_bytes name);

/* dialer.c: joins or begins the dial to a peer, with those of its addresses that are
 * worth that much at least. 0, or why nothing can be tried; the outcome goes to
 * pu_request_dialed(). */
int pu_dialer_start(struct pu_host *h, struct pu_peer *p, enum pu_worth least);
/* A dial with all addresses that are worth that much is under way. */
bool pu_dialer_covers(const struct pu_peer *p, enum pu_worth least);
bool pu_dialer_can(struct pu_host *h, const struct pu_multiaddr *ma);
bool pu_dialer_is_dialing(const struct pu_peer *p, const struct pu_multiaddr *ma);
void pu_dialer_stop(struct pu_host *h, struct pu_peer *p);
/* Who dials such addresses, or NULL. */
struct pu_transport *pu_dialer_transport(struct pu_host *h, const struct pu_multiaddr *ma);

/* request.c: a dial to that peer ended, or a connection came from elsewhere. */
void pu_request_dialed(struct pu_host *h, const struct pu_peerid *peer, int err);
void pu_request_connected(struct pu_host *h, struct pu_conn *c);
void pu_request_conn_closed(struct pu_host *h, struct pu_conn *c);
void pu_request_cancel_all(struct pu_host *h);
/* A request that is content with the next direct connection to that peer, or the one
 * there is (*pthere). PU_ECLOSED, PU_EINVAL, PU_ENOMEM. */
int pu_request_await(struct pu_host *h, const struct pu_peerid *peer, pu_host_connect_fn *on_done,
		     void *arg, struct pu_host_request **preq, bool *pthere);
/* The same for a peer that nobody knows yet: it waits for pu_request_met(). */
int pu_request_await_anyone(struct pu_host *h, pu_host_connect_fn *on_done, void *arg,
			    struct pu_host_request **preq);
/* What is to bring the connection; the request owns it from now on. */
void pu_request_set_work(struct pu_host_request *req, void *work, void (*free_work)(void *work));
void pu_request_failed(struct pu_host_request *req, int err);
void pu_request_met(struct pu_host_request *req, struct pu_conn *c);

/* observation.c: the peer told how it sees us; our end may be another; the connection is
 * gone. */
void pu_observation_set(struct host_conn *hc, const struct pu_multiaddr *ma);
void pu_observation_moved(struct host_conn *hc);
void pu_observation_end(struct host_conn *hc);

#endif
