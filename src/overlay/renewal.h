/* When a circuit that its relay limits has to be followed by another one. */
#ifndef PU_OVERLAY_RENEWAL_H
#define PU_OVERLAY_RENEWAL_H

#include "p2p/circuit/transport.h"

enum {
	/* Shares of the limit. */
	PU_RENEWAL_PERCENT = 80,
	PU_RENEWAL_DATA_PERCENT = 60, /* the relay counts more bytes than we */
	/* A relay that allows less than this is not followed around. */
	PU_RENEWAL_MIN_MS = 5000,
};

struct pu_renewal {
	const struct pu_conn *c; /* NULL: no circuit, or no limit */
	struct pu_circuit_limit limit;
	uint64_t bytes; /* at looked_at */
	pu_time looked_at;
	pu_time not_before; /* PU_RENEWAL_MIN_MS, and failed attempts */
};

/* c is in use from now on; limit NULL: it has none. */
void pu_renewal_begin(struct pu_renewal *r, const struct pu_conn *c,
		      const struct pu_circuit_limit *limit, pu_time now);
/* Time for another circuit. c, here and below, is open. */
bool pu_renewal_is_due(const struct pu_renewal *r, pu_time now);
/* When to look again; PU_TIME_NEVER without a limit. */
pu_time pu_renewal_next_look(struct pu_renewal *r, pu_time now);
/* Another circuit was not to be had: not again before then. */
void pu_renewal_later(struct pu_renewal *r, pu_time at);

#endif
