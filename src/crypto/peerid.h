/* Peer IDs: the multihash of an encoded public key. */
#ifndef PU_CRYPTO_PEERID_H
#define PU_CRYPTO_PEERID_H

#include "base/bytes.h"

enum {
	PU_PEERID_MAX = 42,      /* identity multihash of a 40-byte key is 42 */
	PU_PEERID_TEXT_MAX = 64, /* base58btc with terminator */
	PU_PEERID_SHORT_MAX = 20 /* first 16 characters, "...", terminator */
};

/* len is 0 for "nobody". Unused bytes are zero, so structs compare by memcmp. */
struct pu_peerid {
	uint8_t len;
	uint8_t b[PU_PEERID_MAX];
};

/* From raw multihash bytes: identity (at most 42 bytes in all) or sha2-256.
 * PU_EINVAL for anything else. */
int pu_peerid_from_bytes(struct pu_peerid *id, struct pu_bytes raw);
/* From base58btc ("12D3…", "16U…", "Qm…") or a CIDv1 with codec libp2p-key in
 * multibase b, f, u or z. PU_EINVAL. */
int pu_peerid_from_text(struct pu_peerid *id, const char *text);
/* base58btc; out has PU_PEERID_TEXT_MAX bytes. Returns out. */
const char *pu_peerid_text(const struct pu_peerid *id, char *out);
/* First 16 characters followed by "...": for logs. out: PU_PEERID_SHORT_MAX. */
const char *pu_peerid_short(const struct pu_peerid *id, char *out);

static inline bool pu_peerid_eq(const struct pu_peerid *a, const struct pu_peerid *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool pu_peerid_empty(const struct pu_peerid *id)
{
	return id->len == 0;
}

static inline struct pu_bytes pu_peerid_bytes(const struct pu_peerid *id)
{
	return pu_bytes(id->b, id->len);
}

#endif
