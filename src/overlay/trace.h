/* The hops to a peer and how far they are: one when the path is direct, the relay and the
 * peer when it is not. Timed is what anybody can answer: the refusal of a protocol that
 * nobody has (docs/protocols/README.md). */
#ifndef PU_OVERLAY_TRACE_H
#define PU_OVERLAY_TRACE_H

#include "p2p/host/host.h"

#define PU_TRACE_PROTOCOL "/peerup/rtt-probe/1.0.0"

enum {
	PU_TRACE_HOPS_MAX = 2,
	PU_TRACE_HOP_TIMEOUT_S = 10,
};

struct pu_trace_hop {
	struct pu_peerid peer;
	struct pu_multiaddr addr; /* of the connection to it; of a relayed one the circuit */
	const char *agent;        /* "" when unknown; valid until the callback returns */
	int err;                  /* 0, or why there is no answer */
	pu_time rtt;
};

struct pu_trace_result {
	int err; /* no connection to the peer: no hops */
	bool relayed;
	size_t n_hops;
	struct pu_trace_hop hop[PU_TRACE_HOPS_MAX];
};

struct pu_trace;

/* Connects if need be. on_done comes later, once, unless canceled; the handle is gone
 * then. PU_EINVAL (ourselves), PU_ENOMEM. */
typedef void pu_trace_fn(void *arg, const struct pu_trace_result *r);
int pu_trace_start(struct pu_host *h, const struct pu_peerid *peer, pu_trace_fn *on_done,
		   void *arg, struct pu_trace **pt);
void pu_trace_cancel(struct pu_trace *t);

#endif
