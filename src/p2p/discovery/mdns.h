/* Peers on the same link (specs discovery/mdns.md): asks for _p2p._udp.local by multicast
 * and answers when asked. What it tells on an interface are the host's TCP and QUIC addresses
 * on that very interface; what it believes of others are private addresses, and those of
 * the networks (/24, /64) of the interfaces that it was given. */
#ifndef PU_P2P_DISCOVERY_MDNS_H
#define PU_P2P_DISCOVERY_MDNS_H

#include "p2p/host/host.h"

struct pu_mdns;

enum {
	PU_MDNS_INTERFACES_MAX = 64, /* addresses; 16 sockets are opened at most */
	PU_MDNS_ADDRS_PER_PEER = 16,
	PU_MDNS_PEERS_MAX = 128,     /* remembered, so that they are not told again */
};

struct pu_mdns_options {
	/* Somebody is there: addrs are dialable from here. Told at most once a minute per
	 * peer unless the addresses change. Nothing proves the ID; dial to know. The mdns
	 * must not be freed from inside. */
	void (*on_peer)(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *addrs,
			size_t n);
	void *arg;
};

struct pu_mdns_stats {
	uint64_t queries_in, queries_out, answers_in, answers_out, malformed, dropped;
};

/* Silent until the interfaces are known. net must have mcast_open, else PU_ENOTSUP.
 * PU_ENOMEM. */
int pu_mdns_new(struct pu_host *h, struct pu_net *net, const struct pu_mdns_options *opt,
		struct pu_mdns **pm);
/* Says goodbye. Before the host is freed. */
void pu_mdns_free(struct pu_mdns *m);
/* The interfaces' addresses (multiaddrs of one component), now and whenever they change:
 * groups are joined again, and we ask at once. Must not hold the address of our own VPN
 * device: peers would be looked for, and found, inside the tunnel. */
void pu_mdns_set_interfaces(struct pu_mdns *m, const struct pu_multiaddr *ip_only, size_t n);
void pu_mdns_stats(const struct pu_mdns *m, struct pu_mdns_stats *out);

#endif
