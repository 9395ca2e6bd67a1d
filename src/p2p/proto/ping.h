/* Ping (/ipfs/ping/1.0.0): 32 random bytes and their echo, over and over on one
 * stream. */
#ifndef PU_P2P_PROTO_PING_H
#define PU_P2P_PROTO_PING_H

#include "p2p/host/host.h"

#define PU_PING_PROTOCOL "/ipfs/ping/1.0.0"

enum {
	PU_PING_LEN = 32,
	PU_PING_TIMEOUT_S = 10,  /* initiator: for one echo */
	PU_PING_IDLE_S = 60,     /* responder: nothing arrived */
	PU_PING_STREAMS_MAX = 8, /* responder, per connection at once */
};

struct pu_ping;
struct pu_ping_server;

/* Answers pings from now on. PU_ENOMEM. */
int pu_ping_server_new(struct pu_host *h, struct pu_ping_server **ps);
/* All connections of the host are gone. */
void pu_ping_server_free(struct pu_ping_server *s);

/* err 0 and the round trip, or why there is none: PU_ENOPROTO, PU_ETIMEDOUT,
 * PU_EPROTO (not our bytes), PU_ERESET, PU_ECLOSED. */
typedef void pu_ping_fn(void *arg, int err, pu_time rtt);
/* One ping on a stream of its own, on c or (NULL) on the best connection to the peer.
 * fn comes later, exactly once unless canceled; the handle is gone then. */
int pu_ping(struct pu_host *h, const struct pu_peerid *peer, struct pu_conn *c, pu_ping_fn *fn,
	    void *arg, struct pu_ping **pp);
void pu_ping_cancel(struct pu_ping *p);

#endif
