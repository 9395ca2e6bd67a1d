/* Requests of peers: the streams they come on, how many, how fast. What they mean is the
 * owner's business. */
#ifndef PU_P2P_KAD_INBOUND_H
#define PU_P2P_KAD_INBOUND_H

#include "p2p/host/host.h"
#include "p2p/kad/message.h"

enum {
	PU_KAD_INBOUND_STREAMS_MAX = 512,
	PU_KAD_INBOUND_STREAMS_PER_PEER = 8,
	PU_KAD_INBOUND_IDLE_S = 60,      /* without a whole request */
	PU_KAD_INBOUND_RATE = 32,        /* requests per second and peer */
	PU_KAD_INBOUND_BURST = 128,
	PU_KAD_INBOUND_PEERS_MAX = 1024, /* whose rate is remembered */
};

struct pu_kad_inbound;

enum pu_kad_verdict {
	PU_KAD_ANSWER, /* reply is filled in */
	PU_KAD_SILENCE, /* none is due */
	PU_KAD_REFUSE, /* the stream is reset */
};

/* req and reply (its type and key are those of the request, the rest is empty) are
 * borrowed until return; what reply points to is copied right after. */
typedef enum pu_kad_verdict pu_kad_request_fn(void *arg, const struct pu_conn *from,
					      const struct pu_kad_message *req,
					      struct pu_kad_message *reply);

/* protocol is borrowed; it is not handled before pu_kad_inbound_open(). */
int pu_kad_inbound_new(struct pu_host *h, const char *protocol, pu_kad_request_fn *on_request,
		       void *arg, struct pu_kad_inbound **pin);
void pu_kad_inbound_free(struct pu_kad_inbound *in);
/* Begins to take requests. */
int pu_kad_inbound_open(struct pu_kad_inbound *in);
/* Takes no more and resets the streams. */
void pu_kad_inbound_close(struct pu_kad_inbound *in);

struct pu_kad_inbound_stats {
	uint64_t requests, malformed, refused;
	unsigned streams;
	size_t bytes;
};
void pu_kad_inbound_stats(const struct pu_kad_inbound *in, struct pu_kad_inbound_stats *out);

#endif
