/* Opening a named service of a peer. */
#ifndef PU_OVERLAY_OPENING_H
#define PU_OVERLAY_OPENING_H

#include "overlay/service.h"
#include "p2p/host/host.h"

enum { PU_OPENING_TIMEOUT_S = 30 };

struct pu_opening;

/* err 0: the stream is a byte pipe to the service, and the callee owns it (set its
 * events before returning). With version 1.1.0 the service has answered; with 1.0.0
 * only the peer has. err: PU_EREFUSED (the service refused), PU_EDENIED, PU_ENOPROTO
 * (no such service), PU_EUNREACH, PU_ETIMEDOUT, PU_ELIMIT … */
typedef void pu_opening_fn(void *arg, int err, struct pu_stream *st);

/* Connects to the peer if needed. on_done comes later, exactly once unless the
 * opening is canceled. PU_ENOMEM, PU_EINVAL (name). */
int pu_opening_start(struct pu_host *h, const struct pu_peerid *peer, const char *service,
		     pu_opening_fn *on_done, void *arg, struct pu_opening **po);
void pu_opening_cancel(struct pu_opening *o);

#endif
