/* Peers that mDNS has told of: a bounded table, the longest silent one goes first. */
#ifndef PU_P2P_DISCOVERY_MDNS_SEEN_H
#define PU_P2P_DISCOVERY_MDNS_SEEN_H

#include "base/bytes.h"
#include "p2p/addr/multiaddr.h"
#include "p2p/discovery/mdns.h"

struct pu_mdns_seen_peer {
	struct pu_peerid id;
	uint64_t digest; /* of the addresses, in any order */
	pu_time told_at, heard_at;
};

struct pu_mdns_seen {
	struct pu_mdns_seen_peer peer[PU_MDNS_PEERS_MAX];
	size_t n;
	/* All peers together: whoever makes up names cannot keep us busy. */
	unsigned tokens;
	pu_time filled_at;
};

void pu_mdns_seen_init(struct pu_mdns_seen *s, pu_time now);
/* Is it worth telling that the peer has these addresses? Then it counts as told. *pbusy:
 * it would be, but too much was told lately. */
bool pu_mdns_seen_news(struct pu_mdns_seen *s, const struct pu_peerid *id,
		       const struct pu_multiaddr *addrs, size_t n, pu_time now, bool *pbusy);
/* Everything is news again. */
void pu_mdns_seen_forget(struct pu_mdns_seen *s);

#endif
