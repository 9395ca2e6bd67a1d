#include "support/kad_swarm.h"

#include <assert.h>
#include <stdlib.h>

#include "base/loop.h"
#include "p2p/kad/lookup.h"
#include "p2p/kad/table.h"

enum {
	ADDR_LEN = 8,         /* /ip4/A/tcp/1 */
	RTT_MIN_MS = 10,
	RTT_MAX_MS = 150,
	SILENCE_S = 10,
	SYBILS_PER_NODE = 100, /* names that liars can choose from */
	SYBIL_ADDR = 1 << 23, /* their addresses begin here */
	LIE_ADDR = 0xffffff,  /* where liars say that the wanted one is */
	AT_ONCE = 64,         /* walks under way */
	JOIN_BUCKETS = 3,     /* refreshed when joining */
};

struct node {
	struct pu_peerid id;
	struct pu_kad_key key;
	struct pu_kad_table *table; /* NULL: gone */
	uint8_t addr[ADDR_LEN];
	bool liar;
};

struct sybil {
	struct pu_kad_key key;
	uint32_t number;
};

struct kad_swarm {
	struct kad_swarm_config cfg;
	struct pu_loop loop;
	uint64_t random;
	struct node *node;
	unsigned n_nodes; /* ever */
	unsigned *there;  /* indexes of those alive */
	unsigned n_there;
	struct sybil *sybil; /* sorted by key */
	size_t n_sybils;
	struct pu_list walks;
	unsigned n_walks;
};

struct walk {
	struct pu_list node;
	struct kad_swarm *s;
	struct pu_kad_lookup *l;
	struct pu_list asks;
	unsigned from, target; /* target: node, or UINT_MAX */
	struct pu_kad_key key;
	pu_time since;
	struct pu_job over;
	struct result *result; /* NULL: nobody is interested */
};

struct ask {
	struct pu_list node;
	struct walk *w;
	struct pu_timer timer;
	uint32_t ref;
	struct pu_peerid id;
	unsigned to; /* node, SYBIL_ADDR + number, or beyond */
	uint8_t hops;
};

struct result {
	bool found, untrue;
	unsigned hops, asks, ms, total_ms, asks_all;
};

/* Randomness: xorshift, so that a seed is a run. */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static unsigned below(struct kad_swarm *s, unsigned n)
{
	return (unsigned)(next_random(&s->random) >> 20) % n;
}

static void fill_random(void *arg, void *p, size_t n)
{
	struct kad_swarm *s = arg;
	uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(next_random(&s->random) >> 32);
}

/* Names and addresses. */

static struct pu_peerid make_id(uint64_t seed, uint8_t kind, unsigned number)
{
	struct pu_peerid id = { .len = 34 };

	id.b[0] = 0x12;
	id.b[1] = 32;
	id.b[2] = kind;
	memcpy(id.b + 3, &number, sizeof number);
	memcpy(id.b + 8, &seed, sizeof seed);
	return id;
}

static void make_addr(uint8_t addr[ADDR_LEN], unsigned number)
{
	const uint8_t a[ADDR_LEN] = { 4, 10, (uint8_t)(number >> 16), (uint8_t)(number >> 8),
				      (uint8_t)number, 6, 0, 1 };

	memcpy(addr, a, sizeof a);
}

static unsigned addr_number(struct pu_bytes a)
{
	return a.len == ADDR_LEN ? (unsigned)a.p[2] << 16 | (unsigned)a.p[3] << 8 | a.p[4] : LIE_ADDR;
}

/* A round trip between two nodes is always the same. */
static pu_time rtt(unsigned a, unsigned b)
{
	uint64_t h = ((uint64_t)(a < b ? a : b) << 32 | (a < b ? b : a)) * 0x9e3779b97f4a7c15u + 1;

	return PU_MS(RTT_MIN_MS + (next_random(&h) >> 16) % (RTT_MAX_MS - RTT_MIN_MS + 1));
}

static const struct pu_kad_group nowhere;

static struct pu_kad_peer describe(const struct pu_peerid *id, const uint8_t addr[ADDR_LEN])
{
	struct pu_kad_peer p;

	p.id = *id;
	p.link = PU_KAD_LINK_CAN;
	p.n_addrs = 1;
	p.addrs[0] = pu_bytes(addr, ADDR_LEN);
	return p;
}

/* Answers. */

struct answer {
	struct pu_kad_peer peer[PU_KAD_K + 1];
	uint8_t addr[PU_KAD_K + 1][ADDR_LEN];
	size_t n;
};

static void say(struct answer *a, const struct pu_peerid *id, unsigned number)
{
	make_addr(a->addr[a->n], number);
	a->peer[a->n] = describe(id, a->addr[a->n]);
	a->n++;
}

static unsigned number_of(const struct pu_peerid *id)
{
	unsigned number;

	memcpy(&number, id->b + 3, sizeof number);
	return id->b[2] == 'n' ? number : SYBIL_ADDR + number;
}

static void answer_truly(struct kad_swarm *s, struct node *server, const struct walk *w,
			 struct answer *a)
{
	const struct pu_kad_entry *e[PU_KAD_K + 1];
	size_t n = pu_kad_table_closest(server->table, &w->key, e, PU_KAD_K + 1);
	const struct node *asker = &s->node[w->from];

	for (size_t i = 0; i < n && a->n < PU_KAD_K; i++)
		if (!pu_peerid_eq(&e[i]->id, &asker->id))
			say(a, &e[i]->id, number_of(&e[i]->id));
	pu_kad_table_add(server->table, &asker->id, &nowhere, pu_loop_now(&s->loop));
}

static size_t first_sybil(const struct kad_swarm *s, const struct pu_kad_key *key)
{
	size_t lo = 0, hi = s->n_sybils;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (pu_kad_key_compare(&s->sybil[mid].key, key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Twenty names around the key, nearer than honest peers can be. */
static void answer_with_lies(const struct kad_swarm *s, const struct walk *w, struct answer *a)
{
	size_t at = first_sybil(s, &w->key);

	at = at < PU_KAD_K / 2 ? 0 : pu_min(at - PU_KAD_K / 2, s->n_sybils - PU_KAD_K);
	if (s->cfg.lie == KAD_SWARM_SYBIL && w->target != UINT32_MAX)
		say(a, &s->node[w->target].id, LIE_ADDR);
	for (size_t i = 0; a->n < PU_KAD_K; i++) {
		struct pu_peerid id = make_id(s->cfg.seed, 's', s->sybil[at + i].number);

		say(a, &id, number_of(&id));
	}
}

/* Walks. */

static void ask_free(struct ask *k)
{
	pu_timer_stop(&k->timer);
	pu_list_remove(&k->node);
	free(k);
}

static bool is_there(const struct kad_swarm *s, const struct ask *k)
{
	if (k->to >= SYBIL_ADDR)
		return s->cfg.lie == KAD_SWARM_SYBIL && k->to != LIE_ADDR;
	return k->to < s->n_nodes && s->node[k->to].table &&
	       pu_peerid_eq(&s->node[k->to].id, &k->id);
}

static void note_target(const struct ask *k, const struct pu_kad_peer *p)
{
	struct walk *w = k->w;
	struct result *r = w->result;
	struct pu_kad_lookup_stats st;

	if (r && !r->found && addr_number(p->addrs[0]) == w->target) {
		pu_kad_lookup_stats(w->l, &st);
		r->found = true;
		r->hops = k->hops + 1u;
		r->asks = st.asked;
		r->ms = (unsigned)((pu_loop_now(&w->s->loop) - w->since) / 1000000);
	} else if (r) {
		r->untrue = true;
	}
	pu_kad_lookup_finish(w->l, PU_MS(PU_KAD_LOOKUP_GRACE_MS));
}

static void on_answer(void *arg)
{
	struct ask *k = arg;
	struct walk *w = k->w;
	struct kad_swarm *s = w->s;
	struct pu_kad_table *table = s->node[w->from].table;
	struct answer a = { .n = 0 };

	if (!is_there(s, k)) {
		pu_kad_table_failed(table, &k->id);
		pu_kad_lookup_failed(w->l, k->ref);
		ask_free(k);
		return;
	}
	if (k->to >= SYBIL_ADDR || s->node[k->to].liar)
		answer_with_lies(s, w, &a);
	else
		answer_truly(s, &s->node[k->to], w, &a);
	pu_kad_table_add(table, &k->id, &nowhere, pu_loop_now(&s->loop));
	for (size_t i = 0; i < a.n && w->target != UINT32_MAX; i++)
		if (pu_peerid_eq(&a.peer[i].id, &s->node[w->target].id))
			note_target(k, &a.peer[i]);
	pu_kad_lookup_answered(w->l, k->ref, a.peer, a.n);
	ask_free(k);
}

static int ask(void *arg, const struct pu_kad_candidate *c)
{
	struct walk *w = arg;
	struct ask *k = calloc(1, sizeof *k);
	struct pu_bytes addr;
	size_t off = 0;

	assert(k);
	k->w = w;
	k->ref = c->ref;
	k->id = c->id;
	k->hops = c->hops;
	k->to = pu_kad_addrs_next(&c->addrs, &off, &addr) ? addr_number(addr) : LIE_ADDR;
	pu_list_append(&w->asks, &k->node);
	pu_timer_init(&k->timer, &w->s->loop, on_answer, k);
	pu_timer_set(&k->timer, pu_loop_now(&w->s->loop) + (is_there(w->s, k)
								    ? 2 * rtt(w->from, k->to)
								    : PU_SEC(SILENCE_S)));
	return 0;
}

static void walk_over(void *arg)
{
	struct walk *w = arg;
	struct pu_kad_lookup_stats st;

	if (w->result) {
		pu_kad_lookup_stats(w->l, &st);
		w->result->asks_all = st.asked;
		w->result->total_ms =
			(unsigned)((pu_loop_now(&w->s->loop) - w->since) / 1000000);
	}
	PU_LIST_FOREACH (it, tmp, &w->asks)
		ask_free(PU_CONTAINER_OF(it, struct ask, node));
	pu_kad_lookup_free(w->l);
	pu_list_remove(&w->node);
	w->s->n_walks--;
	free(w);
}

static void on_done(void *arg)
{
	pu_job_defer(&((struct walk *)arg)->over);
}

static const struct pu_kad_lookup_events walk_events = { .ask = ask, .on_done = on_done };

static struct walk *walk_new(struct kad_swarm *s, unsigned from, unsigned target,
			     const struct pu_kad_key *key)
{
	struct walk *w = calloc(1, sizeof *w);
	struct pu_kad_lookup_config cfg = {
		.loop = &s->loop,
		.self = s->node[from].id,
		.key = *key,
		.paths = s->cfg.paths,
	};

	assert(w);
	if (target != UINT32_MAX)
		cfg.target = s->node[target].id;
	w->s = s;
	w->from = from;
	w->target = target;
	w->key = *key;
	w->since = pu_loop_now(&s->loop);
	pu_list_init(&w->asks);
	pu_job_init(&w->over, &s->loop, walk_over, w);
	pu_list_append(&s->walks, &w->node);
	s->n_walks++;
	if (pu_kad_lookup_new(&cfg, &walk_events, w, &w->l) < 0)
		abort();
	return w;
}

static void walk_start(struct walk *w)
{
	const struct pu_kad_entry *e[PU_KAD_K];
	size_t n = pu_kad_table_closest(w->s->node[w->from].table, &w->key, e, PU_KAD_K);

	for (size_t i = 0; i < n; i++) {
		uint8_t addr[ADDR_LEN];
		struct pu_kad_peer p;

		make_addr(addr, number_of(&e[i]->id));
		p = describe(&e[i]->id, addr);
		pu_kad_lookup_seed(w->l, &p);
	}
	pu_kad_lookup_start(w->l);
}

static void run(struct kad_swarm *s, unsigned until)
{
	while (s->n_walks > until) {
		pu_time next = pu_loop_next_timeout(&s->loop);

		assert(next != PU_TIME_NEVER);
		pu_loop_enter(&s->loop, next);
		pu_loop_leave(&s->loop);
	}
}

/* Building. */

static int node_init(struct kad_swarm *s, unsigned i)
{
	struct node *nd = &s->node[i];

	nd->id = make_id(s->cfg.seed, 'n', i);
	nd->key = pu_kad_key_of_peer(&nd->id);
	make_addr(nd->addr, i);
	nd->table = malloc(sizeof *nd->table);
	if (!nd->table)
		return -1;
	pu_kad_table_init(nd->table, &nd->id, 0);
	s->there[s->n_there++] = i;
	return 0;
}

static const struct node *sorting; /* qsort has no argument to pass */

static int by_key(const void *pa, const void *pb)
{
	return pu_kad_key_compare(&sorting[*(const unsigned *)pa].key,
				  &sorting[*(const unsigned *)pb].key);
}

static bool bit_of(const struct pu_kad_key *k, unsigned bit)
{
	return k->b[bit / 8] >> (7 - bit % 8) & 1;
}

/* Peers for one bucket out of those that belong into it. */
static void fill_bucket(struct kad_swarm *s, struct pu_kad_table *t, const unsigned *from, unsigned n)
{
	unsigned want = PU_KAD_K + PU_KAD_SPARE / 2;

	for (unsigned i = 0; i < (n < want ? n : want); i++) {
		unsigned who = from[n <= want ? i : below(s, n)];

		pu_kad_table_add(t, &s->node[who].id, &nowhere, 1);
	}
}

/* In order of keys, the peers of each bucket stand side by side. */
static void fill_table(struct kad_swarm *s, const struct node *nd, const unsigned *order, unsigned n)
{
	unsigned lo = 0, hi = n;

	for (unsigned bit = 0; hi - lo > 1 && bit < PU_KAD_KEY_BITS; bit++) {
		unsigned a = lo, b = hi;

		while (a < b) {
			unsigned mid = (a + b) / 2;

			if (bit_of(&s->node[order[mid]].key, bit))
				b = mid;
			else
				a = mid + 1;
		}
		if (bit_of(&nd->key, bit)) {
			fill_bucket(s, nd->table, order + lo, a - lo);
			lo = a;
		} else {
			fill_bucket(s, nd->table, order + a, hi - a);
			hi = a;
		}
	}
}

static int fill_tables(struct kad_swarm *s)
{
	unsigned *order = calloc(s->cfg.n, sizeof *order);

	if (!order)
		return -1;
	for (unsigned i = 0; i < s->cfg.n; i++)
		order[i] = i;
	sorting = s->node;
	qsort(order, s->cfg.n, sizeof *order, by_key);
	for (unsigned i = 0; i < s->cfg.n; i++)
		fill_table(s, &s->node[i], order, s->cfg.n);
	free(order);
	return 0;
}

static void leave(struct kad_swarm *s, unsigned where)
{
	struct node *nd = &s->node[s->there[where]];

	pu_kad_table_deinit(nd->table);
	free(nd->table);
	nd->table = NULL;
	s->there[where] = s->there[--s->n_there];
}

/* As a host joins: towards itself, then into some buckets. */
static void join(struct kad_swarm *s, unsigned i)
{
	unsigned friend = s->there[below(s, s->n_there - 1)];
	struct pu_kad_key key = s->node[i].key;

	pu_kad_table_add(s->node[i].table, &s->node[friend].id, &nowhere, 1);
	walk_start(walk_new(s, i, UINT32_MAX, &key));
	run(s, AT_ONCE);
	for (unsigned b = 0; b < JOIN_BUCKETS; b++) {
		fill_random(s, key.b, sizeof key.b);
		walk_start(walk_new(s, i, UINT32_MAX, &key));
		run(s, AT_ONCE);
	}
}

static int churn(struct kad_swarm *s)
{
	unsigned n = s->cfg.n / 100 * s->cfg.churn;

	for (unsigned i = 0; i < n; i++)
		leave(s, below(s, s->n_there));
	for (unsigned i = 0; i < n; i++) {
		if (node_init(s, s->n_nodes) < 0)
			return -1;
		s->n_nodes++;
		join(s, s->n_nodes - 1);
	}
	run(s, 0);
	return 0;
}

static int by_sybil_key(const void *a, const void *b)
{
	return pu_kad_key_compare(&((const struct sybil *)a)->key, &((const struct sybil *)b)->key);
}

static int make_liars(struct kad_swarm *s)
{
	unsigned n = s->n_there * s->cfg.liars / 100;

	if (n == 0)
		return 0;
	s->n_sybils = (size_t)s->cfg.n * SYBILS_PER_NODE;
	s->sybil = calloc(s->n_sybils, sizeof *s->sybil);
	if (!s->sybil)
		return -1;
	for (unsigned i = 0; i < s->n_sybils; i++) {
		struct pu_peerid id = make_id(s->cfg.seed, 's', i);

		s->sybil[i] = (struct sybil){ pu_kad_key_of_peer(&id), i };
	}
	qsort(s->sybil, s->n_sybils, sizeof *s->sybil, by_sybil_key);
	while (n > 0) {
		struct node *nd = &s->node[s->there[below(s, s->n_there)]];

		n -= !nd->liar;
		nd->liar = true;
	}
	return 0;
}

struct kad_swarm *kad_swarm_new(const struct kad_swarm_config *cfg)
{
	struct kad_swarm *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->cfg = *cfg;
	s->random = cfg->seed * 0x9e3779b97f4a7c15u + 1;
	pu_loop_init(&s->loop, PU_SEC(1), 0, fill_random, s);
	pu_list_init(&s->walks);
	s->node = calloc(cfg->n * 2, sizeof *s->node);
	s->there = calloc(cfg->n * 2, sizeof *s->there);
	if (!s->node || !s->there)
		goto fail;
	for (; s->n_nodes < cfg->n; s->n_nodes++)
		if (node_init(s, s->n_nodes) < 0)
			goto fail;
	if (fill_tables(s) < 0 || churn(s) < 0 || make_liars(s) < 0)
		goto fail;
	return s;
fail:
	kad_swarm_free(s);
	return NULL;
}

void kad_swarm_free(struct kad_swarm *s)
{
	if (!s)
		return;
	while (s->n_there > 0)
		leave(s, 0);
	free(s->node);
	free(s->there);
	free(s->sybil);
	pu_loop_deinit(&s->loop);
	free(s);
}

/* Measuring. */

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

static unsigned p95(unsigned *v, unsigned n)
{
	if (n == 0)
		return 0;
	qsort(v, n, sizeof *v, by_number);
	return v[n * 95 / 100];
}

static unsigned honest(struct kad_swarm *s)
{
	unsigned i;

	do
		i = s->there[below(s, s->n_there)];
	while (s->node[i].liar);
	return i;
}

static void look_for_peers(struct kad_swarm *s, struct result *result, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned from = honest(s), to = honest(s);
		struct walk *w;

		while (to == from || pu_kad_table_find(s->node[from].table, &s->node[to].id))
			to = honest(s);
		w = walk_new(s, from, to, &s->node[to].key);
		w->result = &result[i];
		walk_start(w);
		run(s, AT_ONCE);
	}
	run(s, 0);
}

static void sum_up(const struct result *result, unsigned n, struct kad_swarm_report *out)
{
	unsigned *hops = calloc(n, sizeof *hops), *ms = calloc(n, sizeof *ms);

	assert(hops && ms);
	for (unsigned i = 0; i < n; i++) {
		const struct result *r = &result[i];

		out->asks_all += (double)r->asks_all / n;
		if (r->total_ms > out->longest_ms)
			out->longest_ms = r->total_ms;
		out->untrue += !r->found && r->untrue;
		if (!r->found)
			continue;
		hops[out->found] = r->hops;
		ms[out->found++] = r->ms;
		out->hops_mean += r->hops;
		out->asks_mean += r->asks;
		out->ms_mean += r->ms;
	}
	if (out->found > 0) {
		out->hops_mean /= out->found;
		out->asks_mean /= out->found;
		out->ms_mean /= out->found;
	}
	out->hops_p95 = p95(hops, out->found);
	out->ms_p95 = p95(ms, out->found);
	free(hops);
	free(ms);
}

void kad_swarm_measure(struct kad_swarm *s, unsigned lookups, struct kad_swarm_report *out)
{
	struct result *result = calloc(lookups, sizeof *result);

	assert(result);
	memset(out, 0, sizeof *out);
	out->lookups = lookups;
	look_for_peers(s, result, lookups);
	sum_up(result, lookups, out);
	free(result);
	for (unsigned i = 0; i < s->n_there; i++) {
		const struct pu_kad_table *t = s->node[s->there[i]].table;

		out->table_bytes += pu_kad_table_bytes(t) / s->n_there;
		out->table_peers += (double)t->n / s->n_there;
	}
}
