/* One question to a relay: RESERVE or CONNECT on a stream of the hop protocol, and the
 * STATUS that answers it. */
#ifndef PU_P2P_CIRCUIT_ASK_H
#define PU_P2P_CIRCUIT_ASK_H

#include "p2p/circuit/message.h"
#include "p2p/host/host.h"

struct pu_circuit_ask;

/* err 0: the relay answered, whatever it said. m is borrowed until return; the callee
 * owns the stream and closes it or sets its events before it returns (what follows the
 * STATUS is still in it). err < 0: PU_ETIMEDOUT, PU_ENOPROTO (not a relay), PU_EPROTO,
 * PU_ERESET, PU_ECLOSED … */
typedef void pu_circuit_ask_fn(void *arg, int err, const struct pu_circuit_message *m,
			       struct pu_stream *st);

/* On the connection c, which is a direct one. target: for CONNECT. fn comes later, exactly
 * once unless canceled; the handle is gone then. PU_ENOMEM, PU_ECLOSED. */
int pu_circuit_ask(struct pu_host *h, struct pu_conn *c, enum pu_circuit_type type,
		   const struct pu_peerid *target, pu_time timeout, pu_circuit_ask_fn *fn,
		   void *arg, struct pu_circuit_ask **pask);
void pu_circuit_ask_cancel(struct pu_circuit_ask *ask);

/* What a status means for the caller: 0, PU_EDENIED, PU_ELIMIT, PU_EUNREACH, PU_EPROTO. */
int pu_circuit_ask_err(uint32_t status);

#endif
