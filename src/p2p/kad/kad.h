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
	/* A peer may enter the routing table and be asked (on top of the protocol's own
	 * checks); bootstrap peers always may. NULL: yes. */
	bool (*may_enter)(void *arg, const struct pu_peerid *peer);
	/* Where a peer is to be found beside what its identify told: a relay names its own
	 * circuit to those who have reserved. Returns how many. NULL: nowhere else. */
	size_t (*more_addrs)(void *arg, const struct pu_peerid *peer, struct pu_multiaddr *out,
			     size_t cap);
	/* May that value be stored under the key, in place of old (empty: there is none)?
	 * NULL: no namespace is known, no value is taken. */
	bool (*judge)(void *arg, struct pu_bytes key, struct pu_bytes value, struct pu_bytes old);
	void *arg;
};

struct pu_kad_stats {
	unsigned peers, providers, records, queries; /* now */
	/* malformed: by peers, in either direction; refused: requests of peers that came too
	 * fast, on too many streams, or asked for what we do not do. */
	uint64_t requests_in, requests_out, failures_out, malformed, refused;
	size_t bytes; /* memory of tables, streams and queries */
};

/* Neither pu_kad_free() nor freeing the host is allowed from inside callbacks. */
int pu_kad_new(struct pu_host *h, const struct pu_kad_options *opt, struct pu_kad **pk);
void pu_kad_free(struct pu_kad *k);
void pu_kad_set_mode(struct pu_kad *k, enum pu_kad_mode mode);
enum pu_kad_mode pu_kad_mode(const struct pu_kad *k);
/* Peers to begin with; they are dialled when the table is empty. */
void pu_kad_bootstrap(struct pu_kad *k, const struct pu_peerid *peers, size_t n);

/* Looks for a peer's addresses and gives them to the host as they come in; nobody vouches
 * for them. on_done comes later, once, unless canceled; half a second after the first
 * address at most. PU_ENOENT: nobody knows it; PU_EUNREACH: there was nobody to ask.
 * Immediately: PU_EINVAL (ourselves), PU_ELIMIT (too many queries at a time). */
typedef void pu_kad_found_fn(void *arg, int err, const struct pu_multiaddr *addrs, size_t n);
int pu_kad_find_peer(struct pu_kad *k, const struct pu_peerid *peer, pu_kad_found_fn *on_done,
		     void *arg, struct pu_kad_query **pq);
/* Looks for providers of a rendezvous name; on_provider once for each, then on_done, 0
 * even if there was none. Addresses go to the host, too; n may be 0 when nobody told any.
 * max 0: all. Errors as above. Queries may be canceled, and new ones begun, from inside. */
struct pu_kad_providers_events {
	void (*on_provider)(void *arg, const struct pu_peerid *peer,
			    const struct pu_multiaddr *addrs, size_t n);
	void (*on_done)(void *arg, int err);
};
int pu_kad_find_providers(struct pu_kad *k, const char *name, unsigned max,
			  const struct pu_kad_providers_events *ev, void *arg,
			  struct pu_kad_query **pq);
void pu_kad_cancel(struct pu_kad *k, struct pu_kad_query *q);
/* Says, now and again in time, that we are to be found under the name. NULL: no more. One
 * name at a time. PU_EINVAL: empty. */
int pu_kad_advertise(struct pu_kad *k, const char *name);
/* The peer is nobody to ask any more; may_enter decides whether it can come back. */
void pu_kad_forget(struct pu_kad *k, const struct pu_peerid *peer);
void pu_kad_network_changed(struct pu_kad *k);
void pu_kad_stats(const struct pu_kad *k, struct pu_kad_stats *out);

#endif
