/* Intrusive hash table with chaining. Hashes are made with pu_htab_hash(), which
 * is keyed per table so that strangers cannot aim at one bucket. */
#ifndef PU_BASE_HTAB_H
#define PU_BASE_HTAB_H

#include "base/bytes.h"

struct pu_hnode {
	struct pu_hnode *next;
	uint64_t hash;
};

struct pu_htab {
	struct pu_hnode **slot;
	size_t n_slots; /* power of two, 0 while empty */
	size_t n_nodes;
	uint64_t key[2];
};

/* key: 16 random bytes. */
void pu_htab_init(struct pu_htab *t, const uint8_t key[16]);
/* Frees the table, not the nodes. */
void pu_htab_deinit(struct pu_htab *t);
/* SipHash-1-3 of the bytes under the table's key. */
uint64_t pu_htab_hash(const struct pu_htab *t, const void *p, size_t len);
/* PU_ENOMEM. The caller has checked that the key is not present. */
int pu_htab_add(struct pu_htab *t, struct pu_hnode *n, uint64_t hash);
void pu_htab_remove(struct pu_htab *t, struct pu_hnode *n);
/* First node with that hash; then use pu_htab_next() until NULL and compare keys. */
struct pu_hnode *pu_htab_first(const struct pu_htab *t, uint64_t hash);
struct pu_hnode *pu_htab_next(const struct pu_hnode *n);

#endif
