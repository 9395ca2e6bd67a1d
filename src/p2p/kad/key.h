/* Places in the key space: SHA-256 of whatever is looked for, near by XOR. */
#ifndef PU_P2P_KAD_KEY_H
#define PU_P2P_KAD_KEY_H

#include "crypto/hash.h"
#include "crypto/peerid.h"

enum {
	PU_KAD_KEY_BITS = PU_SHA256_LEN * 8,
	PU_KAD_K = 20, /* how many are near: default and most */
};

struct pu_kad_key {
	uint8_t b[PU_SHA256_LEN];
};

static inline struct pu_kad_key pu_kad_key_of(struct pu_bytes what)
{
	struct pu_kad_key k;

	pu_sha256(what, k.b);
	return k;
}

static inline struct pu_kad_key pu_kad_key_of_peer(const struct pu_peerid *id)
{
	return pu_kad_key_of(pu_peerid_bytes(id));
}

static inline struct pu_kad_key pu_kad_key_distance(const struct pu_kad_key *a,
						    const struct pu_kad_key *b)
{
	struct pu_kad_key d;

	for (size_t i = 0; i < sizeof d.b; i++)
		d.b[i] = a->b[i] ^ b->b[i];
	return d;
}

/* Of distances: which is nearer. */
static inline int pu_kad_key_compare(const struct pu_kad_key *a, const struct pu_kad_key *b)
{
	return memcmp(a->b, b->b, sizeof a->b);
}

/* Leading bits that a and b have in common, PU_KAD_KEY_BITS when they are the same. */
static inline unsigned pu_kad_key_common(const struct pu_kad_key *a, const struct pu_kad_key *b)
{
	for (unsigned i = 0; i < sizeof a->b; i++) {
		uint8_t x = a->b[i] ^ b->b[i];

		if (x)
			return i * 8 + (unsigned)__builtin_clz(x) - 24;
	}
	return PU_KAD_KEY_BITS;
}

#endif
