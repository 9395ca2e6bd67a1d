/* Which addresses take part in a hole punch. */
#ifndef PU_P2P_DCUTR_ADDRS_H
#define PU_P2P_DCUTR_ADDRS_H

#include "p2p/host/host.h"

enum { PU_DCUTR_TARGETS_MAX = 8 }; /* that are punched at once, half of them QUIC at most */

/* Ours, to be told: observed ones first, QUIC before TCP. Returns how many. */
size_t pu_dcutr_own_addrs(const struct pu_host *h, bool private_addrs, struct pu_multiaddr *out,
			  size_t cap);
/* Those of the peer that are worth a punch: nothing private (unless private_addrs), no
 * loopback, nothing of another peer, none twice. out has PU_DCUTR_TARGETS_MAX places.
 * Returns how many. */
size_t pu_dcutr_targets(const struct pu_peerid *peer, const struct pu_multiaddr *theirs, size_t n,
			bool private_addrs, struct pu_multiaddr *out);

#endif
