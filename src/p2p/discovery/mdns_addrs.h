/* The addresses that mDNS tells of us, and those that it believes of others. */
#ifndef PU_P2P_DISCOVERY_MDNS_ADDRS_H
#define PU_P2P_DISCOVERY_MDNS_ADDRS_H

#include "p2p/discovery/mdns.h"
#include "p2p/discovery/mdns_message.h"

/* Our interfaces' addresses. */
struct pu_mdns_addrs {
	struct pu_multiaddr ip[PU_MDNS_INTERFACES_MAX];
	unsigned ifindex[PU_MDNS_INTERFACES_MAX]; /* 0: not known to the system */
	size_t n;
};

enum { PU_MDNS_TELL_MAX = 16 };

/* "dnsaddr=…" for the answer on one interface. */
struct pu_mdns_tell {
	char text[PU_MDNS_TELL_MAX][PU_MDNS_TEXT_MAX + 1];
	struct pu_bytes span[PU_MDNS_TELL_MAX];
	size_t n;
	uint16_t port; /* of the first of them */
};

/* At most PU_MDNS_INTERFACES_MAX are kept. True when something has changed. */
bool pu_mdns_addrs_set(struct pu_mdns_addrs *a, struct pu_net *net, const struct pu_multiaddr *ip,
		       size_t n);
/* Address i for a socket; false for what can have none: loopback, zones, no IP address. */
bool pu_mdns_addrs_sockaddr(const struct pu_mdns_addrs *a, size_t i, union pu_sockaddr *sa);
/* Where the host listens on the interface with that number. */
void pu_mdns_addrs_tell(const struct pu_mdns_addrs *a, const struct pu_host *h, unsigned ifindex,
			struct pu_mdns_tell *out);
/* Changes with whatever is told on any interface. */
uint64_t pu_mdns_addrs_digest(const struct pu_mdns_addrs *a, const struct pu_host *h);
/* Can the address of somebody else be on one of our links? */
bool pu_mdns_addrs_believe(const struct pu_mdns_addrs *a, const struct pu_multiaddr *ma);

#endif
