#include "base/htab.h"

#include <stdlib.h>

#include "base/err.h"

enum { HTAB_MIN_SLOTS = 16 };

void pu_htab_init(struct pu_htab *t, const uint8_t key[16])
{
	*t = (struct pu_htab){ 0 };
	memcpy(t->key, key, sizeof t->key);
}

void pu_htab_deinit(struct pu_htab *t)
{
	free(t->slot);
	t->slot = NULL;
	t->n_slots = t->n_nodes = 0;
}

static uint64_t rotl(uint64_t v, int n)
{
	return v << n | v >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

uint64_t pu_htab_hash(const struct pu_htab *t, const void *p, size_t len)
{
	uint64_t v[4] = { 0x736f6d6570736575ull ^ t->key[0],
			  0x646f72616e646f6dull ^ t->key[1],
			  0x6c7967656e657261ull ^ t->key[0],
			  0x7465646279746573ull ^ t->key[1] };
	const uint8_t *b = p;
	uint64_t last = (uint64_t)len << 56, m;

	for (; len >= 8; b += 8, len -= 8) {
		memcpy(&m, b, 8);
		v[3] ^= m;
		sip_round(v);
		v[0] ^= m;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)b[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static int grow(struct pu_htab *t)
{
	size_t n = t->n_slots ? t->n_slots * 2 : HTAB_MIN_SLOTS;
	struct pu_hnode **slot = calloc(n, sizeof *slot);

	if (!slot)
		return PU_ENOMEM;
	for (size_t i = 0; i < t->n_slots; i++) {
		struct pu_hnode *h = t->slot[i], *next;

		for (; h; h = next) {
			next = h->next;
			h->next = slot[h->hash & (n - 1)];
			slot[h->hash & (n - 1)] = h;
		}
	}
	free(t->slot);
	t->slot = slot;
	t->n_slots = n;
	return 0;
}

int pu_htab_add(struct pu_htab *t, struct pu_hnode *n, uint64_t hash)
{
	struct pu_hnode **slot;

	if (t->n_nodes >= t->n_slots) {
		int r = grow(t);

		if (r < 0)
			return r;
	}
	slot = &t->slot[hash & (t->n_slots - 1)];
	n->hash = hash;
	n->next = *slot;
	*slot = n;
	t->n_nodes++;
	return 0;
}

void pu_htab_remove(struct pu_htab *t, struct pu_hnode *n)
{
	struct pu_hnode **pp;

	if (t->n_slots == 0)
		return;
	for (pp = &t->slot[n->hash & (t->n_slots - 1)]; *pp; pp = &(*pp)->next) {
		if (*pp == n) {
			*pp = n->next;
			n->next = NULL;
			t->n_nodes--;
			return;
		}
	}
}

struct pu_hnode *pu_htab_first(const struct pu_htab *t, uint64_t hash)
{
	struct pu_hnode *n;

	if (t->n_slots == 0)
		return NULL;
	for (n = t->slot[hash & (t->n_slots - 1)]; n && n->hash != hash; n = n->next)
		;
	return n;
}

struct pu_hnode *pu_htab_next(const struct pu_hnode *n)
{
	uint64_t hash = n->hash;

	for (n = n->next; n && n->hash != hash; n = n->next)
		;
	return (struct pu_hnode *)n;
}
