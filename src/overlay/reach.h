/* Keeps this node connected to the peers it should be connected to: those with
 * addresses that the user configured, and any other on request. Failed attempts
 * back off; a change of the network starts over at once. */
#ifndef PU_OVERLAY_REACH_H
#define PU_OVERLAY_REACH_H

#include "p2p/host/host.h"

enum {
	PU_REACH_BACKOFF_MIN_MS = 1000, /* doubles up to the maximum, each ±25 % */
	PU_REACH_BACKOFF_MAX_MS = 60000,
	PU_REACH_STABLE_S = 10, /* a connection that lived this long resets the back-off */
};

struct pu_reach;

int pu_reach_new(struct pu_host *h, struct pu_reach **pr);
void pu_reach_free(struct pu_reach *r);
/* Wanted peers are connected now, reconnected when lost, and protected from idle
 * closing. PU_ENOMEM. */
int pu_reach_want(struct pu_reach *r, const struct pu_peerid *peer);
void pu_reach_unwant(struct pu_reach *r, const struct pu_peerid *peer);
/* Try every missing peer now. */
void pu_reach_network_changed(struct pu_reach *r);

/* Told whenever no address of a wanted peer worked; who finds others gives them to the
 * host, and they are tried at once. */
typedef void pu_reach_failed_fn(void *arg, const struct pu_peerid *peer);
void pu_reach_on_failed(struct pu_reach *r, pu_reach_failed_fn *fn, void *arg);
/* Every attempt that ends: c is the connection, NULL when there is none; took until then. */
typedef void pu_reach_dialed_fn(void *arg, const struct pu_peerid *peer, const struct pu_conn *c,
				pu_time took);
void pu_reach_on_dialed(struct pu_reach *r, pu_reach_dialed_fn *fn, void *arg);

struct pu_reach_info {
	unsigned failures;     /* in a row */
	int last_error;	       /* of the last attempt, 0 when it worked */
	pu_time next_attempt;  /* PU_TIME_NEVER while connected or connecting */
};
/* False when the peer is not wanted. */
bool pu_reach_info(const struct pu_reach *r, const struct pu_peerid *peer,
		   struct pu_reach_info *out);

#endif
