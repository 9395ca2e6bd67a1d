/* Which of our addresses the world can reach: AutoNAT v2 (specs autonat/autonat-v2.md).
 * The client asks connected peers to dial us back; the server does so for others, from a
 * throw-away identity, never sending a peer more than that peer paid for.
 *
 * Asked are up to three directly connected peers that list the protocol, one address at a
 * time, every five minutes, and up to an hour apart once they agree. What they dial are the
 * host's addresses, and those at which at least one peer saw it; of the latter, the ones
 * that proved reachable are advertised from then on. While a question is open the host takes
 * strangers on probation (pu_host_probation()), or a gated node would always be told that it
 * cannot be reached.
 *
 * A server that shares our NAT's filter state, because we talk to it, may reach us where
 * strangers cannot: verdicts of one server behind an address-restricted NAT flatter. */
#ifndef PU_P2P_AUTONAT_AUTONAT_H
#define PU_P2P_AUTONAT_AUTONAT_H

#include "p2p/host/host.h"

#define PU_AUTONAT_REQUEST_PROTOCOL "/libp2p/autonat/2/dial-request"
#define PU_AUTONAT_BACK_PROTOCOL "/libp2p/autonat/2/dial-back"

struct pu_autonat;

enum pu_reachable { PU_REACHABLE_UNKNOWN, PU_REACHABLE_NO, PU_REACHABLE_YES };

/* What is known about one of our addresses. */
struct pu_autonat_verdict {
	struct pu_multiaddr addr;
	enum pu_reachable reachable;
	unsigned yes, no; /* votes of different servers */
	pu_time checked_at;
};

struct pu_autonat_options {
	bool serve;         /* dial back for others */
	bool private_addrs; /* dial and ask about private addresses as well */
	/* A verdict changed. Must not free from inside. */
	void (*on_verdict)(void *arg, const struct pu_autonat_verdict *v);
	void *arg;
};

struct pu_autonat_stats {
	uint64_t asked, answered_yes, answered_no, failed;   /* as client */
	uint64_t requests, dialed, refused, rejected, malformed; /* as server */
	uint64_t dial_data;                                  /* bytes received */
};

/* To be freed before the host is stopped. PU_ENOMEM, PU_EEXIST. */
int pu_autonat_new(struct pu_host *h, const struct pu_autonat_options *opt,
		   struct pu_autonat **pa);
void pu_autonat_free(struct pu_autonat *a);
/* Asks again about everything, soon; verdicts stand until there are new ones. */
void pu_autonat_network_changed(struct pu_autonat *a);
size_t pu_autonat_verdicts(const struct pu_autonat *a, struct pu_autonat_verdict *out, size_t cap);
/* YES when any address is; NO when all are not that anybody judged. */
enum pu_reachable pu_autonat_overall(const struct pu_autonat *a);
void pu_autonat_stats(const struct pu_autonat *a, struct pu_autonat_stats *out);

#endif
