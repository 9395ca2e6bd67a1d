/* Peers on the same link (specs discovery/mdns.md): asks for _p2p._udp.local by multicast
 * and answers when asked. */
#ifndef PU_P2P_DISCOVERY_MDNS_H
#define PU_P2P_DISCOVERY_MDNS_H

#include "p2p/host/host.h"

struct pu_mdns;

struct pu_mdns_options {
	/* Somebody is there: addrs are dialable from here. Told at most once a minute per
	 * peer unless the addresses change. Nothing proves the ID; dial to know. */
	void (*on_peer)(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs,
			size_t n);
	void *arg;
};

struct pu_mdns_stats {
	uint64_t queries_in, queries_out, answers_in, answers_out, malformed, dropped;
};

int pu_mdns_new(struct pu_host *h, struct pu_net *net, const struct pu_mdns_options *opt,
		struct pu_mdns **pm);
void pu_mdns_free(struct pu_mdns *m);
/* The interfaces' addresses (multiaddrs of one component), now and whenever they change:
 * groups are joined again, and we ask at once. */
void pu_mdns_set_interfaces(struct pu_mdns *m, const struct pu_multiaddr *ip_only, size_t n);
void pu_mdns_stats(const struct pu_mdns *m, struct pu_mdns_stats *out);

#endif
