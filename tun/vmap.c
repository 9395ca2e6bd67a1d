#include "tun/vmap.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/htab.h"
#include "base/list.h"

/* All prefixes of both families lie in one hash table under (family, length,
 * address). A search asks for the lengths that occur, longest first: one probe for
 * the usual table of single addresses, one more for each length in use. */

enum { PREFIXES_MAX = 1 << 18 };

struct key {
	uint8_t version, bits;
	uint8_t b[16]; /* zero behind the prefix */
};

struct entry {
	struct pu_hnode node;
	struct pu_list all;
	struct key key;
	uint32_t handle;
};

struct family {
	uint32_t n_of_length[129]; /* prefixes of each length */
	uint8_t lengths[129];      /* those that occur, longest first */
	unsigned n_lengths;
};

struct pu_vmap {
	struct pu_htab tab;
	struct pu_list all;
	struct family v4, v6;
};

int pu_vmap_new(struct pu_vmap **pm)
{
	/* A fixed key: chains grow with what this node was told to route, not with
	 * the addresses strangers send to. */
	static const uint8_t hash_key[16];
	struct pu_vmap *m = calloc(1, sizeof *m);

	if (!m)
		return PU_ENOMEM;
	pu_htab_init(&m->tab, hash_key);
	pu_list_init(&m->all);
	*pm = m;
	return 0;
}

void pu_vmap_free(struct pu_vmap *m)
{
	if (!m)
		return;
	PU_LIST_FOREACH(it, tmp, &m->all)
		free(PU_CONTAINER_OF(it, struct entry, all));
	pu_htab_deinit(&m->tab);
	free(m);
}

static struct family *family_of(struct pu_vmap *m, unsigned version)
{
	return version == 4 ? &m->v4 : &m->v6;
}

static unsigned bits_of(unsigned version)
{
	return version == 4 ? 32 : 128;
}

static struct key make_key(const struct pu_ip *addr, unsigned bits)
{
	struct key k = { .version = addr->version, .bits = (uint8_t)bits };

	memcpy(k.b, addr->b, (bits + 7) / 8);
	if (bits % 8)
		k.b[bits / 8] &= (uint8_t)(0xff00 >> bits % 8);
	return k;
}

/* Family, length and the bytes an address of that family has. */
static size_t key_len(const struct key *k)
{
	return offsetof(struct key, b) + bits_of(k->version) / 8;
}

static uint64_t hash(const struct pu_vmap *m, const struct key *k)
{
	return pu_htab_hash(&m->tab, k, key_len(k));
}

static struct entry *find(const struct pu_vmap *m, const struct key *k)
{
	struct pu_hnode *n = pu_htab_first(&m->tab, hash(m, k));

	for (; n; n = pu_htab_next(n)) {
		struct entry *e = PU_CONTAINER_OF(n, struct entry, node);

		if (memcmp(&e->key, k, key_len(k)) == 0)
			return e;
	}
	return NULL;
}

static void list_lengths(struct family *f)
{
	f->n_lengths = 0;
	for (int bits = 128; bits >= 0; bits--)
		if (f->n_of_length[bits])
			f->lengths[f->n_lengths++] = (uint8_t)bits;
}

static bool valid(const struct pu_ip *prefix, unsigned bits)
{
	return (prefix->version == 4 || prefix->version == 6) &&
	       bits <= bits_of(prefix->version);
}

int pu_vmap_set(struct pu_vmap *m, const struct pu_ip *prefix, unsigned bits, uint32_t handle)
{
	struct family *f;
	struct entry *e;
	struct key k;
	int r;

	if (!valid(prefix, bits) || handle == 0)
		return PU_EINVAL;
	k = make_key(prefix, bits);
	e = find(m, &k);
	if (e) {
		e->handle = handle;
		return 0;
	}
	if (m->tab.n_nodes >= PREFIXES_MAX)
		return PU_ELIMIT;
	e = malloc(sizeof *e);
	if (!e)
		return PU_ENOMEM;
	*e = (struct entry){ .key = k, .handle = handle };
	r = pu_htab_add(&m->tab, &e->node, hash(m, &k));
	if (r < 0) {
		free(e);
		return r;
	}
	pu_list_append(&m->all, &e->all);
	f = family_of(m, k.version);
	if (f->n_of_length[bits]++ == 0)
		list_lengths(f);
	return 0;
}

static void drop(struct pu_vmap *m, struct entry *e)
{
	struct family *f = family_of(m, e->key.version);

	if (--f->n_of_length[e->key.bits] == 0)
		list_lengths(f);
	pu_htab_remove(&m->tab, &e->node);
	pu_list_remove(&e->all);
	free(e);
}

void pu_vmap_remove(struct pu_vmap *m, const struct pu_ip *prefix, unsigned bits)
{
	struct entry *e = NULL;

	if (valid(prefix, bits)) {
		struct key k = make_key(prefix, bits);

		e = find(m, &k);
	}
	if (e)
		drop(m, e);
}

void pu_vmap_remove_handle(struct pu_vmap *m, uint32_t handle)
{
	PU_LIST_FOREACH(it, tmp, &m->all) {
		struct entry *e = PU_CONTAINER_OF(it, struct entry, all);

		if (e->handle == handle)
			drop(m, e);
	}
}

uint32_t pu_vmap_find(const struct pu_vmap *m, const struct pu_ip *addr)
{
	const struct family *f = addr->version == 4 ? &m->v4 : &m->v6;

	if (addr->version != 4 && addr->version != 6)
		return 0;
	for (unsigned i = 0; i < f->n_lengths; i++) {
		struct key k = make_key(addr, f->lengths[i]);
		const struct entry *e = find(m, &k);

		if (e)
			return e->handle;
	}
	return 0;
}
