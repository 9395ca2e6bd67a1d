/* /peerup/wake/1.0.0: a peer in the same LAN as a sleeping machine wakes it for us
 * (docs/protocols/wake.md). */
#ifndef PU_OVERLAY_WAKE_H
#define PU_OVERLAY_WAKE_H

#include "base/mac.h"
#include "p2p/host/host.h"

#define PU_WAKE_PROTOCOL "/peerup/wake/1.0.0"

enum {
	PU_WAKE_TIMEOUT_S = 15,
	PU_WAKE_BURST = 5,    /* requests at once, of all peers together */
	PU_WAKE_REFILL_S = 5, /* and one more each time */
	PU_WAKE_ASKERS_MAX = 16,
};

struct pu_wake;
struct pu_wake_request;

struct pu_wake_events {
	/* May the peer have packets sent into our LANs? */
	bool (*may_ask)(void *arg, const struct pu_peerid *peer);
	/* Sends the packet that wakes a machine, into every LAN of this one. */
	int (*send)(void *arg, const struct pu_mac *mac);
};

/* Serves the protocol and asks others. PU_EEXIST, PU_ENOMEM. */
int pu_wake_new(struct pu_host *h, const struct pu_wake_events *ev, void *arg,
		struct pu_wake **pw);
/* Requests under way end with PU_ECANCELED, from inside this call. NULL is fine. */
void pu_wake_free(struct pu_wake *w);

/* err: 0: sent; PU_EDENIED: the peer does not do this for us; PU_ELIMIT: too often; PU_EIO: it
 * could not send; PU_ENOPROTO: it does not know how; else there was no connection. */
typedef void pu_wake_fn(void *arg, int err);
/* Connects if needed. on_done comes later, once, unless canceled. PU_ENOMEM. */
int pu_wake_ask(struct pu_wake *w, const struct pu_peerid *via, const struct pu_mac *mac,
		pu_wake_fn *on_done, void *arg, struct pu_wake_request **preq);
void pu_wake_cancel(struct pu_wake_request *req);

#endif
