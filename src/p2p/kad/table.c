#include "p2p/kad/table.h"

#include <stdlib.h>

#include "base/err.h"

enum { GROUP_IP4 = 4, GROUP_IP6 = 6, IP4_PREFIX = 3, IP6_PREFIX = 6 };

struct pu_kad_group pu_kad_group_of(const struct pu_multiaddr *remote)
{
	struct pu_kad_group g = { 0 };
	struct pu_ma_part part;
	size_t off = 0;

	if (!pu_multiaddr_is_public(remote) || !pu_multiaddr_next(remote, &off, &part))
		return g;
	if (part.code == PU_MA_IP4) {
		g.b[0] = GROUP_IP4;
		memcpy(g.b + 1, part.value.p, IP4_PREFIX);
	} else if (part.code == PU_MA_IP6) {
		g.b[0] = GROUP_IP6;
		memcpy(g.b + 1, part.value.p, IP6_PREFIX);
	}
	return g;
}

void pu_kad_table_init(struct pu_kad_table *t, const struct pu_peerid *self, unsigned k)
{
	memset(t, 0, sizeof *t);
	t->self = pu_kad_key_of_peer(self);
	t->k = k && k < PU_KAD_K ? k : PU_KAD_K;
	t->group_table = PU_KAD_GROUP_TABLE;
	t->group_bucket = PU_KAD_GROUP_BUCKET;
}

void pu_kad_table_deinit(struct pu_kad_table *t)
{
	for (unsigned i = 0; i < PU_KAD_KEY_BITS; i++) {
		free(t->bucket[i].live);
		free(t->bucket[i].spare);
	}
	memset(t->bucket, 0, sizeof t->bucket);
	t->n = 0;
}

/* Lists of entries in a bucket. */

static struct pu_kad_entry *find_in(struct pu_kad_entry *e, unsigned n, const struct pu_peerid *id)
{
	for (unsigned i = 0; i < n; i++)
		if (pu_peerid_eq(&e[i].id, id))
			return &e[i];
	return NULL;
}

static void cut(struct pu_kad_entry *list, uint8_t *pn, struct pu_kad_entry *e)
{
	size_t behind = (size_t)(list + *pn - (e + 1));

	memmove(e, e + 1, behind * sizeof *e);
	--*pn;
}

/* Room for one more behind the last; lists grow as they fill and never beyond max. */
static struct pu_kad_entry *grow(struct pu_kad_entry **plist, uint8_t n, uint8_t *pcap,
				 unsigned max)
{
	if (n == *pcap) {
		unsigned cap = (unsigned)pu_min(*pcap ? *pcap * 2u : 2u, max);
		struct pu_kad_entry *list = realloc(*plist, cap * sizeof *list);

		if (!list)
			return NULL;
		*plist = list;
		*pcap = (uint8_t)cap;
	}
	return *plist + n;
}

static struct pu_kad_bucket *bucket_of(struct pu_kad_table *t, const struct pu_kad_key *key)
{
	unsigned common = pu_kad_key_common(&t->self, key);

	return common < PU_KAD_KEY_BITS ? &t->bucket[common] : NULL;
}

/* Diversity. */

static unsigned count_group(const struct pu_kad_bucket *b, const struct pu_kad_group *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_live; i++)
		n += memcmp(&b->live[i].group, g, sizeof *g) == 0;
	return n;
}

static bool has_share(const struct pu_kad_table *t, const struct pu_kad_bucket *b,
		      const struct pu_kad_group *g)
{
	unsigned n = 0;

	if (g->b[0] == 0)
		return false;
	if (t->group_bucket && count_group(b, g) >= t->group_bucket)
		return true;
	for (unsigned i = 0; t->group_table && i < PU_KAD_KEY_BITS; i++)
		n += count_group(&t->bucket[i], g);
	return t->group_table && n >= t->group_table;
}

/* Coming and going. */

static int add_live(struct pu_kad_table *t, struct pu_kad_bucket *b, const struct pu_kad_entry *e)
{
	struct pu_kad_entry *place = grow(&b->live, b->n_live, &b->cap_live, t->k);

	if (!place)
		return PU_ENOMEM;
	*place = *e;
	b->n_live++;
	t->n++;
	return 0;
}

/* The newest wait; they are the likeliest to be alive when a place is free. */
static int add_spare(struct pu_kad_bucket *b, const struct pu_kad_entry *e)
{
	struct pu_kad_entry *old = find_in(b->spare, b->n_spare, &e->id), *place;

	if (old)
		cut(b->spare, &b->n_spare, old);
	else if (b->n_spare == PU_KAD_SPARE)
		cut(b->spare, &b->n_spare, b->spare);
	place = grow(&b->spare, b->n_spare, &b->cap_spare, PU_KAD_SPARE);
	if (!place)
		return PU_ENOMEM;
	*place = *e;
	b->n_spare++;
	return PU_EAGAIN;
}

static struct pu_kad_entry *first_dead(struct pu_kad_bucket *b)
{
	for (unsigned i = 0; i < b->n_live; i++)
		if (b->live[i].failures >= PU_KAD_TABLE_FAILURES)
			return &b->live[i];
	return NULL;
}

static void drop_live(struct pu_kad_table *t, struct pu_kad_bucket *b, struct pu_kad_entry *e)
{
	cut(b->live, &b->n_live, e);
	t->n--;
}

/* A place is free: the newest that waits and may come. */
static void promote(struct pu_kad_table *t, struct pu_kad_bucket *b)
{
	for (unsigned i = b->n_spare; i > 0 && b->n_live < t->k; i--) {
		struct pu_kad_entry e = b->spare[i - 1];

		if (has_share(t, b, &e.group))
			continue;
		if (add_live(t, b, &e) == 0)
			cut(b->spare, &b->n_spare, &b->spare[i - 1]);
		return;
	}
}

int pu_kad_table_add(struct pu_kad_table *t, const struct pu_peerid *id,
		     const struct pu_kad_group *group, pu_time now)
{
	struct pu_kad_entry e = { .id = *id, .group = *group, .seen_at = now }, *old;
	struct pu_kad_bucket *b;

	e.key = pu_kad_key_of_peer(id);
	b = bucket_of(t, &e.key);
	if (!b)
		return PU_EINVAL;
	old = find_in(b->live, b->n_live, id);
	if (old) {
		old->seen_at = now;
		old->failures = 0;
		return PU_EEXIST;
	}
	if (has_share(t, b, group))
		return PU_ELIMIT;
	old = b->n_live == t->k ? first_dead(b) : NULL;
	if (old)
		drop_live(t, b, old);
	if (b->n_live == t->k)
		return add_spare(b, &e);
	old = find_in(b->spare, b->n_spare, id);
	if (old)
		cut(b->spare, &b->n_spare, old);
	return add_live(t, b, &e);
}

bool pu_kad_table_failed(struct pu_kad_table *t, const struct pu_peerid *id)
{
	struct pu_kad_key key = pu_kad_key_of_peer(id);
	struct pu_kad_bucket *b = bucket_of(t, &key);
	struct pu_kad_entry *e = b ? find_in(b->live, b->n_live, id) : NULL;

	if (!e)
		return false;
	e->failures++;
	if (e->failures < PU_KAD_TABLE_FAILURES ||
	    (e->failures < PU_KAD_TABLE_FORGET && b->n_spare == 0))
		return false;
	drop_live(t, b, e);
	promote(t, b);
	return true;
}

void pu_kad_table_remove(struct pu_kad_table *t, const struct pu_peerid *id)
{
	struct pu_kad_key key = pu_kad_key_of_peer(id);
	struct pu_kad_bucket *b = bucket_of(t, &key);
	struct pu_kad_entry *e;

	if (!b)
		return;
	e = find_in(b->spare, b->n_spare, id);
	if (e)
		cut(b->spare, &b->n_spare, e);
	e = find_in(b->live, b->n_live, id);
	if (!e)
		return;
	drop_live(t, b, e);
	promote(t, b);
}

const struct pu_kad_entry *pu_kad_table_find(const struct pu_kad_table *t,
					     const struct pu_peerid *id)
{
	struct pu_kad_key key = pu_kad_key_of_peer(id);
	unsigned common = pu_kad_key_common(&t->self, &key);

	if (common == PU_KAD_KEY_BITS)
		return NULL;
	return find_in(t->bucket[common].live, t->bucket[common].n_live, id);
}

/* Who is near. */

struct nearest {
	const struct pu_kad_key *key;
	const struct pu_kad_entry **out;
	size_t n, cap;
};

static bool nearer(const struct pu_kad_key *key, const struct pu_kad_entry *a,
		   const struct pu_kad_entry *b)
{
	for (size_t i = 0; i < sizeof key->b; i++) {
		uint8_t da = a->key.b[i] ^ key->b[i], db = b->key.b[i] ^ key->b[i];

		if (da != db)
			return da < db;
	}
	return false;
}

static void offer(struct nearest *best, const struct pu_kad_entry *e)
{
	size_t i = best->n;

	if (best->n == best->cap) {
		if (!nearer(best->key, e, best->out[best->n - 1]))
			return;
		i--;
	} else {
		best->n++;
	}
	for (; i > 0 && nearer(best->key, e, best->out[i - 1]); i--)
		best->out[i] = best->out[i - 1];
	best->out[i] = e;
}

static void offer_bucket(struct nearest *best, const struct pu_kad_bucket *b, bool failed)
{
	for (unsigned i = 0; i < b->n_live; i++)
		if ((b->live[i].failures > 0) == failed)
			offer(best, &b->live[i]);
}

/* Whoever shares more bits with the key than we do is in the bucket of the bits that we
 * share with it. Behind them come all buckets nearer to us, at one and the same distance
 * as far as buckets can tell, and then the farther ones, one by one. */
static void collect(const struct pu_kad_table *t, struct nearest *best, bool failed)
{
	unsigned common = pu_kad_key_common(&t->self, best->key);

	if (common < PU_KAD_KEY_BITS)
		offer_bucket(best, &t->bucket[common], failed);
	if (best->n < best->cap)
		for (unsigned i = common + 1; i < PU_KAD_KEY_BITS; i++)
			offer_bucket(best, &t->bucket[i], failed);
	for (unsigned i = common; i > 0 && best->n < best->cap; i--)
		offer_bucket(best, &t->bucket[i - 1], failed);
}

size_t pu_kad_table_closest(const struct pu_kad_table *t, const struct pu_kad_key *key,
			    const struct pu_kad_entry **out, size_t cap)
{
	struct nearest best = { key, out, 0, cap }, rest;

	if (cap == 0)
		return 0;
	collect(t, &best, false);
	rest = (struct nearest){ key, out + best.n, 0, cap - best.n };
	if (rest.cap > 0)
		collect(t, &rest, true);
	return best.n + rest.n;
}

unsigned pu_kad_table_depth(const struct pu_kad_table *t)
{
	for (unsigned i = PU_KAD_KEY_BITS; i > 0; i--)
		if (t->bucket[i - 1].n_live > 0)
			return i;
	return 0;
}

size_t pu_kad_table_stale(const struct pu_kad_table *t, pu_time before, struct pu_peerid *out,
			  size_t cap)
{
	size_t n = 0;

	for (unsigned i = 0; i < PU_KAD_KEY_BITS; i++)
		for (unsigned j = 0; j < t->bucket[i].n_live && n < cap; j++)
			if (t->bucket[i].live[j].seen_at < before)
				out[n++] = t->bucket[i].live[j].id;
	return n;
}

size_t pu_kad_table_bytes(const struct pu_kad_table *t)
{
	size_t n = sizeof *t;

	for (unsigned i = 0; i < PU_KAD_KEY_BITS; i++)
		n += (t->bucket[i].cap_live + t->bucket[i].cap_spare) * sizeof(struct pu_kad_entry);
	return n;
}
