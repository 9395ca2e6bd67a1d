/* Walks over real streams: for a peer, for providers, or just towards a key. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/host/paths.h"
#include "p2p/kad/state.h"

enum kind { FIND_PEER, FIND_PROVIDERS, WALK };

struct pu_kad_query {
	struct pu_list node;
	struct pu_kad *k;
	enum kind kind;
	struct pu_kad_lookup *l;
	struct pu_list asks;
	uint8_t key[PU_KAD_KEY_MAX];
	size_t key_len;
	struct pu_peerid target;
	bool *gone; /* set when the query is freed while a caller is being told */
	/* FIND_PEER */
	struct pu_multiaddr *found;
	size_t n_found;
	pu_kad_found_fn *on_found;
	/* FIND_PROVIDERS */
	struct pu_peerid *seen;
	size_t n_seen, max;
	const struct pu_kad_providers_events *ev;
	struct pu_job own; /* providers that we know of ourselves */
	/* WALK */
	kad_walked_fn *on_walked;
	void *arg;
};

/* One request of a walk. */
struct ask {
	struct pu_list node;
	struct pu_kad_query *q;
	uint32_t ref;
	struct pu_peerid peer;
	struct pu_kad_call *call;
};

struct pu_kad_message *pu_kad_query_request(struct pu_kad *k, enum pu_kad_type type,
					    struct pu_bytes key)
{
	struct pu_kad_message *m = &k->request;

	m->type = type;
	m->key = key;
	m->has_record = false;
	m->received[0] = '\0';
	m->n_closer = m->n_providers = 0;
	m->n_junk = 0;
	m->unpacked = NULL;
	return m;
}

static struct pu_bytes key_of(const struct pu_kad_query *q)
{
	return pu_bytes(q->key, q->key_len);
}

static void ask_free(struct ask *a)
{
	pu_list_remove(&a->node);
	free(a);
}

static void query_free(struct pu_kad_query *q)
{
	PU_LIST_FOREACH (it, tmp, &q->asks) {
		struct ask *a = PU_CONTAINER_OF(it, struct ask, node);

		pu_kad_rpc_cancel(a->call);
		ask_free(a);
	}
	pu_kad_lookup_free(q->l);
	pu_job_cancel(&q->own);
	pu_list_remove(&q->node);
	if (q->kind != WALK)
		q->k->n_queries--;
	if (q->gone)
		*q->gone = true;
	free(q->found);
	free(q->seen);
	free(q);
}

/* Addresses that others have told. */

/* What may be dialled for the sake of an answer; relays do not carry the DHT. */
static bool is_dialable(const struct pu_multiaddr *ma, bool circuits)
{
	switch (pu_multiaddr_kind(ma)) {
	case PU_MA_KIND_TCP:
	case PU_MA_KIND_QUIC:
	case PU_MA_KIND_WS:
	case PU_MA_KIND_WSS:
		return true;
	case PU_MA_KIND_CIRCUIT:
		return circuits;
	case PU_MA_KIND_OTHER:
		return false;
	}
	return false;
}

/* A loopback address means this machine, of which only somebody here may speak. */
static bool speaks_of_loopback(const struct pu_kad *k, const struct pu_peerid *teller)
{
	const struct pu_conn *c = pu_host_conn(k->host, teller);

	return c && pu_multiaddr_is_loopback(&c->remote);
}

static bool take_addr(struct pu_multiaddr *ma, struct pu_bytes b, bool circuits, bool loopback)
{
	return pu_multiaddr_from_bytes(ma, b) == 0 && is_dialable(ma, circuits) &&
	       (loopback || !pu_multiaddr_is_loopback(ma));
}

/* Asking. */

static void on_reply(void *arg, int err, const struct pu_kad_message *reply);

static int ask(void *arg, const struct pu_kad_candidate *c)
{
	struct pu_kad_query *q = arg;
	struct pu_kad *k = q->k;
	struct ask *a = calloc(1, sizeof *a);
	struct pu_multiaddr ma;
	struct pu_bytes addr;
	size_t off = 0;
	int r;

	if (!a)
		return PU_ENOMEM;
	while (!pu_host_conn(k->host, &c->id) && pu_kad_addrs_next(&c->addrs, &off, &addr))
		if (pu_multiaddr_from_bytes(&ma, addr) == 0)
			pu_host_learn_addr(k->host, &c->id, &ma, PU_ADDR_DHT);
	a->q = q;
	a->ref = c->ref;
	a->peer = c->id;
	pu_list_append(&q->asks, &a->node);
	r = pu_kad_rpc_call(k->rpc, &c->id,
			    pu_kad_query_request(k,
						 q->kind == FIND_PROVIDERS ? PU_KAD_GET_PROVIDERS
									   : PU_KAD_FIND_NODE,
						 key_of(q)),
			    on_reply, a, &a->call);
	if (r < 0)
		ask_free(a);
	return r;
}

static bool is_found(const struct pu_kad_query *q, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < q->n_found; i++)
		if (pu_multiaddr_eq(&q->found[i], ma))
			return true;
	return false;
}

/* No answer may fill the list alone, be it the first or the most eager. */
static void take_target(struct pu_kad_query *q, const struct pu_kad_peer *p, bool loopback)
{
	struct pu_multiaddr ma;
	unsigned taken = 0;

	if (!q->found)
		q->found = calloc(KAD_FOUND_MAX, sizeof *q->found);
	if (!q->found)
		return;
	for (size_t i = 0; i < p->n_addrs && taken < KAD_FOUND_PER_ANSWER; i++) {
		if (q->n_found == KAD_FOUND_MAX || !take_addr(&ma, p->addrs[i], true, loopback) ||
		    is_found(q, &ma))
			continue;
		q->found[q->n_found++] = ma;
		taken++;
		pu_host_learn_addr(q->k->host, &q->target, &ma, PU_ADDR_DHT);
	}
	if (q->n_found > 0)
		pu_kad_lookup_finish(q->l, PU_MS(PU_KAD_LOOKUP_GRACE_MS));
}

static bool is_seen(const struct pu_kad_query *q, const struct pu_peerid *id)
{
	for (size_t i = 0; i < q->n_seen; i++)
		if (pu_peerid_eq(&q->seen[i], id))
			return true;
	return false;
}

/* Tells of one provider. False: the caller has canceled. */
static bool tell_provider(struct pu_kad_query *q, const struct pu_kad_peer *p, bool loopback)
{
	struct pu_multiaddr ma[PU_KAD_ADDRS_MAX];
	bool gone = false;
	size_t n = 0;

	for (size_t i = 0; i < p->n_addrs; i++)
		if (take_addr(&ma[n], p->addrs[i], true, loopback))
			pu_host_learn_addr(q->k->host, &p->id, &ma[n++], PU_ADDR_DHT);
	q->seen[q->n_seen++] = p->id;
	q->gone = &gone;
	q->ev->on_provider(q->arg, &p->id, ma, n);
	if (gone)
		return false;
	q->gone = NULL;
	if (q->n_seen == q->max)
		pu_kad_lookup_finish(q->l, 0);
	return true;
}

static bool take_providers(struct pu_kad_query *q, const struct pu_kad_peer *p, size_t n,
			   bool loopback)
{
	for (size_t i = 0; i < n && q->n_seen < q->max; i++)
		if (!pu_peerid_eq(&p[i].id, pu_host_id(q->k->host)) && !is_seen(q, &p[i].id) &&
		    !tell_provider(q, &p[i], loopback))
			return false;
	return true;
}

static void take_own(void *arg)
{
	struct pu_kad_query *q = arg;
	struct pu_kad_peer own[PU_KAD_PEERS_MAX];
	size_t n = pu_kad_providers_find(&q->k->providers, key_of(q), own, PU_ARRAY_LEN(own));

	take_providers(q, own, n, false);
}

/* Of the peers that an answer names those that we would ask. */
static size_t worth_asking(struct pu_kad *k, const struct pu_kad_message *m, bool loopback,
			   struct pu_kad_peer *out)
{
	struct pu_multiaddr ma;
	size_t n = 0;

	for (size_t i = 0; i < m->n_closer; i++) {
		const struct pu_kad_peer *p = &m->closer[i];
		struct pu_kad_peer *to = &out[n];

		if (!pu_kad_admit_wanted(k, &p->id))
			continue;
		to->id = p->id;
		to->link = p->link;
		to->n_addrs = 0;
		for (size_t j = 0; j < p->n_addrs; j++)
			if (take_addr(&ma, p->addrs[j], false, loopback))
				to->addrs[to->n_addrs++] = p->addrs[j];
		n += to->n_addrs > 0;
	}
	return n;
}

static void take_answer(struct pu_kad_query *q, uint32_t ref, const struct pu_peerid *teller,
			const struct pu_kad_message *m)
{
	bool loopback = speaks_of_loopback(q->k, teller);
	struct pu_kad_peer closer[PU_KAD_PEERS_MAX];
	size_t n;

	for (size_t i = 0; q->kind == FIND_PEER && i < m->n_closer; i++)
		if (pu_peerid_eq(&m->closer[i].id, &q->target))
			take_target(q, &m->closer[i], loopback);
	if (q->kind == FIND_PROVIDERS && !take_providers(q, m->providers, m->n_providers, loopback))
		return;
	n = worth_asking(q->k, m, loopback, closer);
	pu_kad_lookup_answered(q->l, ref, closer, n);
}

static bool is_nonsense(const struct pu_kad_message *m)
{
	return m->n_junk > 0 && m->n_closer + m->n_providers == 0;
}

static void on_reply(void *arg, int err, const struct pu_kad_message *reply)
{
	struct ask *a = arg;
	struct pu_kad_query *q = a->q;
	struct pu_peerid peer = a->peer;
	uint32_t ref = a->ref;

	ask_free(a);
	if (err == 0 && is_nonsense(reply))
		err = PU_EPROTO;
	pu_kad_admit_outcome(q->k, &peer, err);
	if (err < 0)
		pu_kad_lookup_failed(q->l, ref);
	else
		take_answer(q, ref, &peer, reply);
}

/* The end. */

static int outcome(const struct pu_kad_query *q)
{
	struct pu_kad_lookup_stats st;

	pu_kad_lookup_stats(q->l, &st);
	if (q->n_found + q->n_seen > 0)
		return 0;
	if (st.answered == 0)
		return PU_EUNREACH;
	return q->kind == FIND_PEER ? PU_ENOENT : 0;
}

static void finish_find_peer(struct pu_kad_query *q)
{
	pu_kad_found_fn *on_found = q->on_found;
	struct pu_multiaddr *found = q->found;
	size_t n = q->n_found;
	void *arg = q->arg;
	int err = outcome(q);

	q->found = NULL;
	query_free(q);
	on_found(arg, err, found, n);
	free(found);
}

static void finish_find_providers(struct pu_kad_query *q)
{
	const struct pu_kad_providers_events *ev = q->ev;
	void *arg = q->arg;
	int err = outcome(q);

	query_free(q);
	ev->on_done(arg, err);
}

static void finish_walk(struct pu_kad_query *q)
{
	const struct pu_kad_candidate *closest[PU_KAD_K];
	size_t n = pu_kad_lookup_closest(q->l, closest, q->k->table.k);

	q->on_walked(q->arg, closest, n);
	query_free(q);
}

static void on_done(void *arg)
{
	struct pu_kad_query *q = arg;

	switch (q->kind) {
	case FIND_PEER:
		finish_find_peer(q);
		break;
	case FIND_PROVIDERS:
		finish_find_providers(q);
		break;
	case WALK:
		finish_walk(q);
		break;
	}
}

static const struct pu_kad_lookup_events lookup_events = { .ask = ask, .on_done = on_done };

/* The beginning. */

static void seed(struct pu_kad_query *q, const struct pu_peerid *id)
{
	struct pu_kad_peer p = { .id = *id };

	if (pu_kad_admit_wanted(q->k, id))
		pu_kad_lookup_seed(q->l, &p);
}

static void seed_all(struct pu_kad_query *q)
{
	const struct pu_kad_entry *e[PU_KAD_K];
	struct pu_kad *k = q->k;
	struct pu_kad_key key = pu_kad_key_of(key_of(q));
	size_t n = pu_kad_table_closest(&k->table, &key, e, k->table.k);

	for (size_t i = 0; i < n; i++)
		seed(q, &e[i]->id);
	for (size_t i = 0; n < PU_KAD_LOOKUP_SEEDS_PER_PATH && i < k->n_bootstrap; i++)
		seed(q, &k->bootstrap[i]);
}

static int query_new(struct pu_kad *k, enum kind kind, struct pu_bytes key, unsigned quorum,
		     const struct pu_peerid *target, struct pu_kad_query **pq)
{
	struct pu_kad_query *q = calloc(1, sizeof *q);
	struct pu_kad_lookup_config cfg = {
		.loop = k->loop,
		.self = *pu_host_id(k->host),
		.target = target ? *target : (struct pu_peerid){ 0 },
		.key = pu_kad_key_of(key),
		.quorum = quorum,
		.alpha = k->opt.concurrency,
	};
	int r;

	if (!q)
		return PU_ENOMEM;
	r = pu_kad_lookup_new(&cfg, &lookup_events, q, &q->l);
	if (r < 0) {
		free(q);
		return r;
	}
	q->k = k;
	q->kind = kind;
	q->target = cfg.target;
	q->key_len = key.len;
	memcpy(q->key, key.p, key.len);
	pu_list_init(&q->asks);
	pu_list_append(&k->queries, &q->node);
	if (kind != WALK)
		k->n_queries++;
	pu_job_init(&q->own, k->loop, take_own, q);
	if (kind == FIND_PROVIDERS)
		pu_job_defer(&q->own); /* before the walk can be over */
	seed_all(q);
	pu_kad_lookup_start(q->l);
	*pq = q;
	return 0;
}

int pu_kad_query_walk(struct pu_kad *k, struct pu_bytes key, unsigned quorum, kad_walked_fn *fn,
		      void *arg, struct pu_kad_query **pq)
{
	int r = query_new(k, WALK, key, quorum, NULL, pq);

	if (r < 0)
		return r;
	(*pq)->on_walked = fn;
	(*pq)->arg = arg;
	return 0;
}

int pu_kad_find_peer(struct pu_kad *k, const struct pu_peerid *peer, pu_kad_found_fn *on_done_fn,
		     void *arg, struct pu_kad_query **pq)
{
	struct pu_kad_query *q;
	int r;

	if (pu_peerid_empty(peer) || pu_peerid_eq(peer, pu_host_id(k->host)))
		return PU_EINVAL;
	if (k->n_queries >= KAD_QUERIES_MAX)
		return PU_ELIMIT;
	r = query_new(k, FIND_PEER, pu_peerid_bytes(peer), k->table.k, peer, &q);
	if (r < 0)
		return r;
	q->on_found = on_done_fn;
	q->arg = arg;
	if (pq)
		*pq = q;
	return 0;
}

int pu_kad_find_providers(struct pu_kad *k, const char *name, unsigned max,
			  const struct pu_kad_providers_events *ev, void *arg,
			  struct pu_kad_query **pq)
{
	uint8_t key[KAD_RENDEZVOUS_KEY];
	struct pu_kad_query *q;
	int r;

	if (!name[0])
		return PU_EINVAL;
	if (k->n_queries >= KAD_QUERIES_MAX)
		return PU_ELIMIT;
	pu_kad_advert_key(name, key);
	r = query_new(k, FIND_PROVIDERS, pu_bytes(key, sizeof key), k->table.k, NULL, &q);
	if (r < 0)
		return r;
	q->ev = ev;
	q->arg = arg;
	q->max = max && max < KAD_PROVIDERS_FOUND_MAX ? max : KAD_PROVIDERS_FOUND_MAX;
	q->seen = calloc(q->max, sizeof *q->seen);
	if (!q->seen) {
		query_free(q);
		return PU_ENOMEM;
	}
	if (pq)
		*pq = q;
	return 0;
}

void pu_kad_cancel(struct pu_kad *k, struct pu_kad_query *q)
{
	query_free(q);
}

void pu_kad_query_stop_all(struct pu_kad *k)
{
	PU_LIST_FOREACH (it, tmp, &k->queries)
		query_free(PU_CONTAINER_OF(it, struct pu_kad_query, node));
}

size_t pu_kad_query_bytes(const struct pu_kad *k)
{
	size_t n = 0;

	PU_LIST_FOREACH (it, tmp, &k->queries) {
		const struct pu_kad_query *q = PU_CONTAINER_OF(it, struct pu_kad_query, node);

		n += sizeof *q + pu_kad_lookup_bytes(q->l) + q->max * sizeof *q->seen;
		n += q->found ? KAD_FOUND_MAX * sizeof *q->found : 0;
	}
	return n;
}
