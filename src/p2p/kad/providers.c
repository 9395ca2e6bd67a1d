#include "p2p/kad/providers.h"

#include <stdlib.h>

#include "base/err.h"

struct provided {
	struct pu_hnode hnode;
	struct pu_list records; /* the least recently renewed first */
	unsigned n;
	size_t len;
	uint8_t key[];
};

struct record {
	struct pu_list in_key, in_all;
	struct provided *key;
	struct pu_peerid id;
	struct pu_kad_addrs addrs;
	pu_time renewed_at;
};

void pu_kad_providers_init(struct pu_kad_providers *ps, struct pu_loop *loop)
{
	uint8_t key[16];

	memset(ps, 0, sizeof *ps);
	ps->loop = loop;
	pu_loop_random(loop, key, sizeof key);
	pu_htab_init(&ps->keys, key);
	pu_list_init(&ps->oldest);
}

static struct record *of_all(struct pu_list *n)
{
	return PU_CONTAINER_OF(n, struct record, in_all);
}

static void drop(struct pu_kad_providers *ps, struct record *rec)
{
	struct provided *key = rec->key;

	pu_list_remove(&rec->in_key);
	pu_list_remove(&rec->in_all);
	ps->n--;
	ps->bytes -= sizeof *rec + rec->addrs.len;
	pu_kad_addrs_deinit(&rec->addrs);
	free(rec);
	if (--key->n > 0)
		return;
	pu_htab_remove(&ps->keys, &key->hnode);
	ps->bytes -= sizeof *key + key->len;
	free(key);
}

void pu_kad_providers_deinit(struct pu_kad_providers *ps)
{
	struct pu_list *n;

	while ((n = pu_list_first(&ps->oldest)))
		drop(ps, of_all(n));
	pu_htab_deinit(&ps->keys);
}

static struct provided *find_key(const struct pu_kad_providers *ps, struct pu_bytes key)
{
	struct pu_hnode *n = pu_htab_first(&ps->keys, pu_htab_hash(&ps->keys, key.p, key.len));

	for (; n; n = pu_htab_next(n)) {
		struct provided *k = PU_CONTAINER_OF(n, struct provided, hnode);

		if (pu_bytes_eq(pu_bytes(k->key, k->len), key))
			return k;
	}
	return NULL;
}

static struct provided *add_key(struct pu_kad_providers *ps, struct pu_bytes key)
{
	struct provided *k = malloc(sizeof *k + key.len);

	if (!k)
		return NULL;
	pu_list_init(&k->records);
	k->n = 0;
	k->len = key.len;
	memcpy(k->key, key.p, key.len);
	if (pu_htab_add(&ps->keys, &k->hnode, pu_htab_hash(&ps->keys, key.p, key.len)) < 0) {
		free(k);
		return NULL;
	}
	ps->bytes += sizeof *k + key.len;
	return k;
}

static struct record *find_record(const struct provided *k, const struct pu_peerid *id)
{
	PU_LIST_FOREACH (it, tmp, &k->records) {
		struct record *rec = PU_CONTAINER_OF(it, struct record, in_key);

		if (pu_peerid_eq(&rec->id, id))
			return rec;
	}
	return NULL;
}

/* The peer's oldest record, when it has as many as it may. */
static struct record *surplus_of(const struct pu_kad_providers *ps, const struct pu_peerid *id)
{
	struct record *oldest = NULL;
	unsigned n = 0;

	PU_LIST_FOREACH (it, tmp, &ps->oldest) {
		if (!pu_peerid_eq(&of_all(it)->id, id))
			continue;
		if (!oldest)
			oldest = of_all(it);
		n++;
	}
	return n >= PU_KAD_PROVIDERS_PER_PEER ? oldest : NULL;
}

static void make_room(struct pu_kad_providers *ps, struct pu_bytes key, const struct pu_peerid *id)
{
	struct record *worst = surplus_of(ps, id);
	struct provided *k;

	if (worst)
		drop(ps, worst);
	k = find_key(ps, key);
	if (k && k->n >= PU_KAD_PROVIDERS_PER_KEY)
		drop(ps, PU_CONTAINER_OF(k->records.next, struct record, in_key));
	if (ps->n >= PU_KAD_PROVIDERS_MAX)
		drop(ps, of_all(ps->oldest.next));
}

static struct record *add_record(struct pu_kad_providers *ps, struct pu_bytes key,
				 const struct pu_peerid *id)
{
	struct record *rec = calloc(1, sizeof *rec);
	struct provided *k;

	if (!rec)
		return NULL;
	make_room(ps, key, id);
	k = find_key(ps, key);
	if (!k)
		k = add_key(ps, key);
	if (!k) {
		free(rec);
		return NULL;
	}
	rec->key = k;
	rec->id = *id;
	pu_list_init(&rec->in_key);
	pu_list_init(&rec->in_all);
	k->n++;
	ps->n++;
	ps->bytes += sizeof *rec;
	return rec;
}

int pu_kad_providers_add(struct pu_kad_providers *ps, struct pu_bytes key,
			 const struct pu_kad_peer *who)
{
	struct provided *k;
	struct record *rec;

	if (key.len == 0 || key.len > PU_KAD_KEY_MAX)
		return PU_EINVAL;
	k = find_key(ps, key);
	rec = k ? find_record(k, &who->id) : NULL;
	if (!rec)
		rec = add_record(ps, key, &who->id);
	if (!rec)
		return PU_ENOMEM;
	/* What it says now is where it is now. */
	ps->bytes -= rec->addrs.len;
	pu_kad_addrs_deinit(&rec->addrs);
	pu_kad_addrs_add(&rec->addrs, who);
	ps->bytes += rec->addrs.len;
	rec->renewed_at = pu_loop_now(ps->loop);
	pu_list_remove(&rec->in_key);
	pu_list_remove(&rec->in_all);
	pu_list_append(&rec->key->records, &rec->in_key);
	pu_list_append(&ps->oldest, &rec->in_all);
	return 0;
}

void pu_kad_providers_expire(struct pu_kad_providers *ps)
{
	pu_time now = pu_loop_now(ps->loop);
	struct pu_list *n;

	while ((n = pu_list_first(&ps->oldest))) {
		if (now < of_all(n)->renewed_at + PU_SEC(PU_KAD_PROVIDERS_VALID_S))
			break;
		drop(ps, of_all(n));
	}
}

size_t pu_kad_providers_find(struct pu_kad_providers *ps, struct pu_bytes key,
			     struct pu_kad_peer *out, size_t cap)
{
	pu_time now = pu_loop_now(ps->loop);
	struct provided *k;
	size_t n = 0;

	pu_kad_providers_expire(ps);
	k = find_key(ps, key);
	for (struct pu_list *it = k ? k->records.prev : NULL; k && it != &k->records && n < cap;
	     it = it->prev) {
		const struct record *rec = PU_CONTAINER_OF(it, struct record, in_key);

		out[n].id = rec->id;
		out[n].link = PU_KAD_LINK_NONE;
		out[n].n_addrs = 0;
		if (now < rec->renewed_at + PU_SEC(PU_KAD_PROVIDERS_ADDRS_VALID_S))
			pu_kad_addrs_lend(&rec->addrs, &out[n]);
		n++;
	}
	return n;
}
