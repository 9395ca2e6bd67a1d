/* The private distributed hash table (specs kad-dht/README.md): finds peers by their ID
 * and providers of a rendezvous name. */
#ifndef PU_P2P_KAD_KAD_H
#define PU_P2P_KAD_KAD_H

#include "p2p/host/host.h"

struct pu_kad;
struct pu_kad_query;

enum pu_kad_mode {
	PU_KAD_CLIENT, /* asks, does not answer, is in nobody's table */
	PU_KAD_SERVER,
};

struct pu_kad_options {
	const char *network;   /* "" : /peerup/kad/1.0.0, else /peerup/<network>/kad/1.0.0 */
	enum pu_kad_mode mode; /* at first */
	unsigned replication;  /* k, 0: 20 */
	unsigned concurrency;  /* alpha, 0: 10 */
	/* A peer may enter the routing table (on top of the protocol's own checks).
	 * NULL: yes. */
	bool (*may_enter)(void *arg, const struct pu_peerid *peer);
	void *arg;
};

struct pu_kad_stats {
	unsigned peers, providers, records, queries; /* now */
	uint64_t requests_in, requests_out, failures_out, malformed, refused;
	size_t bytes; /* memory of tables */
};

int pu_kad_new(struct pu_host *h, const struct pu_kad_options *opt, struct pu_kad **pk);
void pu_kad_free(struct pu_kad *k);
void pu_kad_set_mode(struct pu_kad *k, enum pu_kad_mode mode);
enum pu_kad_mode pu_kad_mode(const struct pu_kad *k);
/* Peers to begin with; they are dialled when the table is empty. */
void pu_kad_bootstrap(struct pu_kad *k, const struct pu_peerid *peers, size_t n);

/* Looks for a peer's addresses and gives them to the host. on_done comes later, once,
 * unless canceled. PU_ENOENT: nobody knows it. */
typedef void pu_kad_found_fn(void *arg, int err, const struct pu_multiaddr *addrs, size_t n);
int pu_kad_find_peer(struct pu_kad *k, const struct pu_peerid *peer, pu_kad_found_fn *on_done,
		     void *arg, struct pu_kad_query **pq);
/* Looks for providers of a rendezvous name; on_provider once for each, then on_done. */
struct pu_kad_providers_events {
	void (*on_provider)(void *arg, const struct pu_peerid *peer,
			    const struct pu_multiaddr *addrs, size_t n);
	void (*on_done)(void *arg, int err);
};
int pu_kad_find_providers(struct pu_kad *k, const char *name, unsigned max,
			  const struct pu_kad_providers_events *ev, void *arg,
			  struct pu_kad_query **pq);
void pu_kad_cancel(struct pu_kad *k, struct pu_kad_query *q);
/* Says, now and again in time, that we are to be found under the name. NULL: no more. */
int pu_kad_advertise(struct pu_kad *k, const char *name);
void pu_kad_network_changed(struct pu_kad *k);
void pu_kad_stats(const struct pu_kad *k, struct pu_kad_stats *out);

#endif
