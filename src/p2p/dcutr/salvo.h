/* Punches to all addresses of one peer at the same moment. */
#ifndef PU_P2P_DCUTR_SALVO_H
#define PU_P2P_DCUTR_SALVO_H

#include "p2p/dcutr/addrs.h"
#include "p2p/host/host.h"

struct pu_dcutr_salvo;

/* 0: a direct connection stands. Else why the last one failed. The salvo is gone. */
typedef void pu_dcutr_salvo_fn(void *arg, int err);

/* n is at most PU_DCUTR_TARGETS_MAX. What cannot be punched at all is left out; when that
 * is everything: why, and nothing has begun. */
int pu_dcutr_salvo_start(struct pu_host *h, const struct pu_peerid *peer,
			 const struct pu_multiaddr *targets, size_t n, bool initiator,
			 pu_time window, pu_dcutr_salvo_fn *fn, void *arg,
			 struct pu_dcutr_salvo **ps);
void pu_dcutr_salvo_cancel(struct pu_dcutr_salvo *s);

#endif
