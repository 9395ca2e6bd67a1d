/* Hole punching (specs relay/DCUtR.md): two peers with a relayed connection agree on a
 * moment at which both open their NATs towards each other. The side that received the
 * relayed connection leads. */
#ifndef PU_P2P_DCUTR_DCUTR_H
#define PU_P2P_DCUTR_DCUTR_H

#include "p2p/host/host.h"

#define PU_DCUTR_PROTOCOL "/libp2p/dcutr"

struct pu_dcutr;

enum pu_dcutr_outcome {
	PU_DCUTR_DIRECT,        /* a direct connection stands */
	PU_DCUTR_NO_ADDRESSES,  /* one side knows no address to punch to */
	PU_DCUTR_UNSUPPORTED,   /* the peer does not speak it */
	PU_DCUTR_TIMEOUT,       /* nothing came through, all tries */
	PU_DCUTR_STREAM_FAILED, /* the relayed connection or stream broke */
	PU_DCUTR_NONSENSE,      /* the peer sent nonsense */
	PU_DCUTR_N_OUTCOMES,
};

struct pu_dcutr_result {
	struct pu_peerid peer;
	enum pu_dcutr_outcome outcome;
	bool leader;
	unsigned tries;
	pu_time rtt, took;
	struct pu_multiaddr addr; /* of the direct connection */
};

struct pu_dcutr_options {
	bool private_addrs; /* punch to private addresses as well */
	void (*on_result)(void *arg, const struct pu_dcutr_result *r);
	void *arg;
};

struct pu_dcutr_stats {
	uint64_t outcomes[PU_DCUTR_N_OUTCOMES];
	uint64_t refused; /* by our limits on the peer's attempts */
};

/* Handles the protocol from now on and leads by itself whenever a relayed connection
 * comes in. */
int pu_dcutr_new(struct pu_host *h, const struct pu_dcutr_options *opt, struct pu_dcutr **pd);
void pu_dcutr_free(struct pu_dcutr *d);
/* Tries (again) with a peer that only relayed connections lead to: we lead, when the
 * relayed connection is inbound; PU_ENOTSUP otherwise, the peer has to. PU_EEXIST: under
 * way, PU_EUNREACH: no relayed connection. The outcome goes to on_result. */
int pu_dcutr_try(struct pu_dcutr *d, const struct pu_peerid *peer);
void pu_dcutr_stats(const struct pu_dcutr *d, struct pu_dcutr_stats *out);
const char *pu_dcutr_outcome_text(enum pu_dcutr_outcome o);

#endif
