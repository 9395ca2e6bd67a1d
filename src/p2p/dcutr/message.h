/* Messages of the DCUtR protocol, with their length in front. */
#ifndef PU_P2P_DCUTR_MESSAGE_H
#define PU_P2P_DCUTR_MESSAGE_H

#include "base/buf.h"
#include "p2p/addr/multiaddr.h"

enum {
	PU_DCUTR_MESSAGE_MAX = 4096, /* without the length */
	PU_DCUTR_ADDRS_MAX = 32,     /* of one message; more are ignored */
};

enum pu_dcutr_type { PU_DCUTR_CONNECT = 100, PU_DCUTR_SYNC = 300 };

struct pu_dcutr_message {
	enum pu_dcutr_type type;
	struct pu_multiaddr addrs[PU_DCUTR_ADDRS_MAX];
	size_t n_addrs;
};

/* Appends it; addresses that would make it too long are left out. PU_ELIMIT, PU_ENOMEM. */
int pu_dcutr_message_encode(const struct pu_dcutr_message *m, struct pu_buf *out);
/* Reads one message from the front of in. 0 and *pused; PU_EAGAIN: in is short of it;
 * PU_EPROTO: too long, malformed or of an unknown type; PU_ENOMEM. Addresses that we do
 * not understand are skipped. */
int pu_dcutr_message_decode(struct pu_bytes in, size_t *pused, struct pu_dcutr_message *m);

#endif
