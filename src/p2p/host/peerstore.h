/* What the host knows about peers: addresses, protocols, open connections. Everything
 * is bounded; strangers push out strangers, never what the user configured. */
#ifndef PU_P2P_HOST_PEERSTORE_H
#define PU_P2P_HOST_PEERSTORE_H

#include "base/htab.h"
#include "base/loop.h"
#include "p2p/host/paths.h"

enum {
	PU_PEERSTORE_PEERS_MAX = 4096,
	PU_PEERSTORE_PROTOCOLS_MAX = 1024,
	PU_PEERSTORE_AGENT_MAX = 128,
	PU_PEERSTORE_TTL_S = 3600, /* of addresses that nobody confirmed */
};

struct pu_dial_job;

/* What was tried with an address: the last attempts, oldest first. */
struct pu_addr_history {
	size_t n;
	struct pu_addr_attempt v[PU_ADDR_ATTEMPTS_MAX];
};

struct pu_peer_addr {
	struct pu_list node;
	struct pu_multiaddr ma; /* without /p2p of the peer */
	bool permanent;
	bool certified; /* from a signed peer record */
	bool doubted;   /* the peer may have forgotten it */
	pu_time expires;
	unsigned failures; /* in a row */
	pu_time retry_at;
	unsigned sources; /* bits 1 << enum pu_addr_source */
	struct pu_addr_history *history; /* NULL: never tried */
};

struct pu_peer {
	struct pu_hnode hnode;
	struct pu_list lru; /* oldest first */
	struct pu_peerid id;
	struct pu_list addrs;
	unsigned n_addrs;
	char **protocols; /* sorted, as identify told */
	size_t n_protocols;
	char agent[PU_PEERSTORE_AGENT_MAX];
	bool identified;
	unsigned protections; /* owners that want it kept */
	uint64_t record_seq;
	enum pu_host_record record; /* of the last message */
	struct pu_multiaddr observed; /* how it sees us; empty when it did not say */
	struct pu_list conns; /* pu_conn.node, oldest first */
	unsigned n_conns;
	const struct pu_conn *told_best; /* as on_best told */
	bool best_lost;                  /* and that one is gone */
	const struct pu_conn *faster;    /* chosen among equals for its round trip */
	pu_time faster_since;
	bool own_relay;
	bool new_addrs; /* to be told */
	struct pu_dial_job *dial; /* owned by the dialer */
	int dial_err;             /* why the last one failed */
};

struct pu_peerstore {
	struct pu_loop *loop;
	struct pu_htab peers;
	struct pu_list lru;
	size_t max_peers; /* at first PU_PEERSTORE_PEERS_MAX */
	struct pu_job *on_new_addrs; /* deferred when a peer's new_addrs is set; may be NULL */
};

void pu_peerstore_init(struct pu_peerstore *ps, struct pu_loop *loop);
void pu_peerstore_deinit(struct pu_peerstore *ps);
/* NULL when unknown. */
struct pu_peer *pu_peerstore_find(const struct pu_peerstore *ps, const struct pu_peerid *id);
/* Makes an entry if there is none, and marks it as used. NULL: PU_ENOMEM, or too many
 * peers that cannot be forgotten. */
struct pu_peer *pu_peerstore_get(struct pu_peerstore *ps, const struct pu_peerid *id);

/* PU_EINVAL: the address names another peer or is empty; PU_ELIMIT: full of better
 * ones; PU_ENOMEM. Known addresses are refreshed. */
int pu_peerstore_add_addr(struct pu_peerstore *ps, struct pu_peer *p,
			  const struct pu_multiaddr *ma, bool permanent, bool certified);
/* The same by the source: what the user and our relays told is permanent. */
int pu_peerstore_learn_addr(struct pu_peerstore *ps, struct pu_peer *p,
			    const struct pu_multiaddr *ma, enum pu_addr_source source);
void pu_peerstore_remove_addr(struct pu_peerstore *ps, struct pu_peer *p,
			      const struct pu_multiaddr *ma);
/* The peer tells its addresses anew: those that it does not repeat before
 * pu_peerstore_drop_doubted() are dropped. Not the permanent ones, nor what we saw
 * ourselves; certified: those from signed records, too. */
void pu_peerstore_doubt_addrs(struct pu_peer *p, bool certified);
void pu_peerstore_drop_doubted(struct pu_peer *p);
struct pu_peer_addr *pu_peerstore_find_addr(const struct pu_peer *p,
					    const struct pu_multiaddr *ma);
/* A dial to the address ended. Failures keep it from being dialled for a while. */
void pu_peerstore_dialed(struct pu_peerstore *ps, struct pu_peer_addr *a, bool ok);
/* Remembers it; without memory for that it is forgotten. */
void pu_peerstore_remember(struct pu_peer_addr *a, const struct pu_addr_attempt *t);
/* The addresses of one peer may be tried again. */
void pu_peerstore_forget_failures_of(struct pu_peer *p);
/* The network changed: everything may be tried again. */
void pu_peerstore_forget_failures(struct pu_peerstore *ps);

/* The last connection of the peer is gone: what a stranger told is forgotten, except
 * for its addresses. */
void pu_peerstore_left(struct pu_peer *p);

/* Copies; names is sorted and stripped of doubles in place. PU_ENOMEM: the old list
 * stays. */
int pu_peerstore_set_protocols(struct pu_peer *p, struct pu_bytes *names, size_t n);
bool pu_peerstore_supports(const struct pu_peer *p, const char *protocol);

#endif
