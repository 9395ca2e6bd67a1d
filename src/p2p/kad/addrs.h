/* A few multiaddrs in as little memory as they need. */
#ifndef PU_P2P_KAD_ADDRS_H
#define PU_P2P_KAD_ADDRS_H

#include "p2p/kad/message.h"

enum { PU_KAD_ADDRS_BYTES = 512 }; /* kept per peer */

struct pu_kad_addrs {
	uint8_t *p; /* length byte and multiaddr, again and again */
	size_t len;
};

/* Adds the addresses of the peer that are new and fit; true when there was one. */
bool pu_kad_addrs_add(struct pu_kad_addrs *a, const struct pu_kad_peer *from);
/* The next one, borrowed; false at the end. *poff starts at 0. */
bool pu_kad_addrs_next(const struct pu_kad_addrs *a, size_t *poff, struct pu_bytes *out);
/* All of them into out, which borrows them; the rest of out is not touched. */
void pu_kad_addrs_lend(const struct pu_kad_addrs *a, struct pu_kad_peer *out);
void pu_kad_addrs_deinit(struct pu_kad_addrs *a);

#endif
