/* The DHT's own state, for the files of this folder. */
#ifndef PU_P2P_KAD_STATE_H
#define PU_P2P_KAD_STATE_H

#include "p2p/kad/inbound.h"
#include "p2p/kad/kad.h"
#include "p2p/kad/lookup.h"
#include "p2p/kad/providers.h"
#include "p2p/kad/records.h"
#include "p2p/kad/rpc.h"
#include "p2p/kad/table.h"

enum {
	KAD_BOOTSTRAP_MAX = 32,
	KAD_QUERIES_MAX = 32,   /* of callers, at a time */
	KAD_CHECKS_MAX = 32,    /* peers on trial */
	KAD_SHUNNED_MAX = 64,
	KAD_SHUN_S = 600,       /* without a question to a peer that answered nonsense */
	KAD_FOUND_MAX = 48,     /* addresses of a peer looked for */
	KAD_FOUND_PER_ANSWER = 12,
	KAD_PROVIDERS_FOUND_MAX = 256,
	KAD_POOL = 49152,       /* bytes of addresses in an answer, before it is cut */
	KAD_REFRESH_MIN_S = 30, /* the first time, then twice as long each time */
	KAD_REFRESH_S = 600,
	KAD_REFRESH_SOON_MS = 500,
	KAD_REFRESH_BUCKETS = 12, /* enough for 80,000 nodes */
	KAD_RETRY_MIN_S = 5,
	KAD_RETRY_MAX_S = 120,
	KAD_ADVERTISE_S = 3600,
	KAD_ADVERTISE_SOON_S = 2,
	KAD_RENDEZVOUS_KEY = 34, /* 12 20, SHA-256 of the name */
};

/* A walk that is not a caller's. closest: those that answered, nearest first. */
typedef void kad_walked_fn(void *arg, const struct pu_kad_candidate *const *closest, size_t n);

struct kad_shunned {
	struct pu_peerid peer;
	pu_time until;
};

struct kad_refresh {
	struct pu_timer timer;
	struct pu_kad_query *walk;
	unsigned next_bucket; /* KAD_REFRESH_BUCKETS: the round is over */
	unsigned rounds;      /* since something changed */
	bool again;           /* as soon as this round is over */
};

struct kad_advert {
	bool on;
	uint8_t key[KAD_RENDEZVOUS_KEY];
	struct pu_timer timer;
	struct pu_kad_query *walk;
	bool again;           /* it changed while we walked */
	struct pu_list sends; /* ADD_PROVIDER under way */
	unsigned tries;
};

struct pu_kad {
	struct pu_host *host;
	struct pu_loop *loop;
	struct pu_kad_options opt; /* network is not kept */
	char protocol[PU_HOST_PROTOCOL_MAX + 1];
	enum pu_kad_mode mode;
	struct pu_kad_table table;
	struct pu_kad_providers providers;
	struct pu_kad_records records;
	struct pu_kad_rpc *rpc;
	struct pu_kad_inbound *inbound;
	struct pu_host_observer observer;
	struct pu_peerid bootstrap[KAD_BOOTSTRAP_MAX];
	size_t n_bootstrap;
	struct pu_list queries;
	unsigned n_queries; /* of callers */
	struct pu_list checks;
	unsigned n_checks;
	struct kad_shunned shunned[KAD_SHUNNED_MAX];
	unsigned next_shunned;
	struct kad_refresh refresh;
	struct kad_advert advert;
	struct pu_kad_message request; /* being put together; too large for a stack frame */
	uint8_t *pool; /* addresses of the answer being put together */
	size_t pool_len;
};

/* serve.c */
enum pu_kad_verdict pu_kad_serve(void *arg, const struct pu_conn *from,
				 const struct pu_kad_message *req, struct pu_kad_message *reply);
/* Our own addresses for others, into p and the pool, which is emptied first. */
void pu_kad_serve_self(struct pu_kad *k, struct pu_kad_peer *p);

/* admit.c: who is in the table. */
void pu_kad_admit_identified(struct pu_kad *k, const struct pu_conn *c);
/* The outcome of any request to the peer. */
void pu_kad_admit_outcome(struct pu_kad *k, const struct pu_peerid *peer, int err);
/* Neither us, nor kept out by the owner, nor one that talked nonsense of late. */
bool pu_kad_admit_wanted(const struct pu_kad *k, const struct pu_peerid *peer);
/* A trial for a peer that we have not heard from for long. */
void pu_kad_admit_check(struct pu_kad *k, const struct pu_peerid *peer);
void pu_kad_admit_stop(struct pu_kad *k);

/* query.c */
int pu_kad_query_walk(struct pu_kad *k, struct pu_bytes key, unsigned quorum, kad_walked_fn *fn,
		      void *arg, struct pu_kad_query **pq);
void pu_kad_query_stop_all(struct pu_kad *k);
size_t pu_kad_query_bytes(const struct pu_kad *k);
/* A request in k->request, empty but for type and key. */
struct pu_kad_message *pu_kad_query_request(struct pu_kad *k, enum pu_kad_type type,
					    struct pu_bytes key);

/* refresh.c */
void pu_kad_refresh_init(struct pu_kad *k);
/* Soon, or again when it is under way. */
void pu_kad_refresh_soon(struct pu_kad *k);
void pu_kad_refresh_stop(struct pu_kad *k);

/* advertise.c */
void pu_kad_advert_init(struct pu_kad *k);
void pu_kad_advert_stop(struct pu_kad *k);
/* What we said may be out of date. */
void pu_kad_advert_renew(struct pu_kad *k);
/* A server that may not have heard it: it is new, or was restarted. */
void pu_kad_advert_newcomer(struct pu_kad *k, const struct pu_peerid *peer);
/* The key of a rendezvous name. */
void pu_kad_advert_key(const char *name, uint8_t key[KAD_RENDEZVOUS_KEY]);

#endif
