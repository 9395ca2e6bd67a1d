/* Which addresses may be dialled for somebody else. */
#ifndef PU_P2P_AUTONAT_TARGET_H
#define PU_P2P_AUTONAT_TARGET_H

#include "p2p/host/host.h"

struct pu_autonat_target_rules {
	const struct pu_host *h;
	const struct pu_conn *asker; /* the connection that the request came over */
	bool private_addrs;          /* allowed as well */
};

/* True when ma may be dialled: *out is it without the asker's peer ID. False, out
 * untouched: a name, a relay, nothing that we can dial, another peer's, not public, ours, or
 * of a kind of IP that we have no way to. */
bool pu_autonat_target(const struct pu_autonat_target_rules *rules,
		       const struct pu_multiaddr *ma, struct pu_multiaddr *out);
bool pu_autonat_target_same_ip(const struct pu_multiaddr *a, const struct pu_multiaddr *b);

#endif
