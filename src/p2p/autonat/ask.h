/* One question to one server: can you reach me at this address? Only one address is in a
 * question, since some servers lose count of more. */
#ifndef PU_P2P_AUTONAT_ASK_H
#define PU_P2P_AUTONAT_ASK_H

#include "p2p/autonat/autonat.h"
#include "p2p/autonat/message.h"

enum {
	PU_AUTONAT_ASK_TIMEOUT_S = 30, /* 15 are usual, but rust and js take their time */
	PU_AUTONAT_NONCE_GRACE_S = 3,  /* for a nonce that comes after the answer */
};

enum pu_autonat_outcome {
	PU_AUTONAT_YES,     /* the nonce came, whatever the server says */
	PU_AUTONAT_NO,      /* it was dialled in vain */
	PU_AUTONAT_UNSURE,  /* nothing was learnt: broken stream, timeout, error of the server */
	PU_AUTONAT_BUSY,    /* the server wants to be asked less often */
	PU_AUTONAT_WONT,    /* the server does not dial such an address */
	PU_AUTONAT_LIES,    /* "reached you" without a nonce, or against the protocol */
};

struct pu_autonat_ask;

typedef void pu_autonat_ask_fn(void *arg, enum pu_autonat_outcome o);

/* c: the server's connection, not a limited one. on_done comes later, once; the ask is
 * gone then. PU_ENOMEM, PU_ECLOSED. */
int pu_autonat_ask_start(struct pu_host *h, struct pu_conn *c, const struct pu_multiaddr *ma,
			 pu_autonat_ask_fn *on_done, void *arg, struct pu_autonat_ask **pa);
/* on_done will not fire. */
void pu_autonat_ask_cancel(struct pu_autonat_ask *a);
/* A nonce came on that connection. True when it is this ask's, and the connection proves
 * what it was asked to: a new one, from outside, of the same kind, not through a relay, and
 * to that very address if it is one of this machine's own. */
bool pu_autonat_ask_heard(struct pu_autonat_ask *a, uint64_t nonce, const struct pu_conn *c);

#endif
