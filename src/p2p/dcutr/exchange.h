/* One conversation on the relayed connection: CONNECT, CONNECT, SYNC. */
#ifndef PU_P2P_DCUTR_EXCHANGE_H
#define PU_P2P_DCUTR_EXCHANGE_H

#include "base/loop.h"
#include "p2p/dcutr/message.h"
#include "p2p/stack/stream.h"

enum { PU_DCUTR_EXCHANGE_TIMEOUT_S = 10 };

struct pu_dcutr_exchange;

/* err 0: their CONNECT (borrowed) and the round trip through the relay. The leader has
 * just sent SYNC and punches after half of it, the follower has just got SYNC and punches
 * now. PU_EPROTO, PU_ETIMEDOUT, PU_ERESET, PU_ECLOSED …; the exchange is gone. */
typedef void pu_dcutr_exchange_fn(void *arg, int err, const struct pu_dcutr_message *theirs,
				  pu_time rtt);

/* Takes the stream, also on failure. PU_ENOMEM, PU_ELIMIT. */
int pu_dcutr_exchange_start(struct pu_loop *loop, PU_TAKES struct pu_stream *st, bool leader,
			    const struct pu_dcutr_message *ours, pu_dcutr_exchange_fn *fn,
			    void *arg, struct pu_dcutr_exchange **pe);
void pu_dcutr_exchange_cancel(struct pu_dcutr_exchange *e);

#endif
