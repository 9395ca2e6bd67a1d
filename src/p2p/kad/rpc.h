/* Requests to peers. One after another on a stream that is kept for a minute; never over
 * a relayed connection. */
#ifndef PU_P2P_KAD_RPC_H
#define PU_P2P_KAD_RPC_H

#include "p2p/host/host.h"
#include "p2p/kad/message.h"

enum {
	PU_KAD_RPC_TIMEOUT_S = 10, /* connecting included */
	PU_KAD_RPC_IDLE_S = 60,
	PU_KAD_RPC_PEERS_MAX = 256, /* streams kept or opened at a time */
	PU_KAD_RPC_QUEUE_MAX = 16,  /* requests waiting per peer */
};

struct pu_kad_rpc;
struct pu_kad_call;

/* reply is borrowed until return; NULL on failure and where none is due. PU_EPROTO: what
 * came was no answer to this; PU_E2BIG: it is more than we take. */
typedef void pu_kad_reply_fn(void *arg, int err, const struct pu_kad_message *reply);

/* protocol is borrowed. */
int pu_kad_rpc_new(struct pu_host *h, const char *protocol, struct pu_kad_rpc **pr);
/* Calls that are under way end without a word. */
void pu_kad_rpc_free(struct pu_kad_rpc *r);
/* on_reply comes later, once, unless canceled. The message is copied. PU_ELIMIT: too much
 * is under way. */
int pu_kad_rpc_call(struct pu_kad_rpc *r, const struct pu_peerid *peer,
		    const struct pu_kad_message *m, pu_kad_reply_fn *on_reply, void *arg,
		    struct pu_kad_call **pcall);
void pu_kad_rpc_cancel(struct pu_kad_call *call);

struct pu_kad_rpc_stats {
	uint64_t sent, failed, malformed;
	unsigned peers;
	size_t bytes;
};
void pu_kad_rpc_stats(const struct pu_kad_rpc *r, struct pu_kad_rpc_stats *out);

#endif
