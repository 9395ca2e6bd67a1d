#include "crypto/cpace.h"

#include <sodium.h>

#include "base/err.h"
#include "base/wire.h"

#define DSI "CPaceRistretto255"
#define DSI_ISK DSI "_ISK"

enum { HASH_BLOCK_LEN = 128 }; /* input block of SHA-512 */

_Static_assert(crypto_core_ristretto255_BYTES == PU_CPACE_SHARE_LEN, "element");
_Static_assert(crypto_core_ristretto255_HASHBYTES == crypto_hash_sha512_BYTES, "map");
_Static_assert(crypto_core_ristretto255_NONREDUCEDSCALARBYTES == 64, "secret");
_Static_assert(crypto_hash_sha512_BYTES == PU_CPACE_KEY_LEN, "key");

/* One part of the draft's lv_cat(): its length in LEB128, then the part itself. */
static void hash_lv(crypto_hash_sha512_state *st, struct pu_bytes b)
{
	uint8_t len[PU_UVARINT_MAX];

	crypto_hash_sha512_update(st, len, pu_uvarint_encode(len, b.len));
	if (b.len)
		crypto_hash_sha512_update(st, b.p, b.len);
}

static size_t lv_len(size_t len)
{
	return pu_uvarint_len(len) + len;
}

/* Section "calculate_generator": the password together with the domain fills the first block,
 * so that the rest costs the same whatever the password. */
static void make_generator(struct pu_bytes password, struct pu_bytes channel, struct pu_bytes sid,
			   uint8_t g[PU_CPACE_SHARE_LEN])
{
	static const uint8_t zero[HASH_BLOCK_LEN];
	size_t used = 1 + lv_len(password.len) + lv_len(sizeof DSI - 1);
	uint8_t hash[crypto_hash_sha512_BYTES];
	crypto_hash_sha512_state st;

	crypto_hash_sha512_init(&st);
	hash_lv(&st, pu_bytes_str(DSI));
	hash_lv(&st, password);
	hash_lv(&st, pu_bytes(zero, used < HASH_BLOCK_LEN ? HASH_BLOCK_LEN - used : 0));
	hash_lv(&st, channel);
	hash_lv(&st, sid);
	crypto_hash_sha512_final(&st, hash);
	crypto_core_ristretto255_from_hash(g, hash);
	sodium_memzero(hash, sizeof hash);
	sodium_memzero(&st, sizeof st);
}

int pu_cpace_start(struct pu_cpace *c, struct pu_bytes password, struct pu_bytes channel,
		   struct pu_bytes sid, const uint8_t secret[64])
{
	uint8_t g[PU_CPACE_SHARE_LEN];
	int r = 0;

	if (password.len > PU_CPACE_PASSWORD_MAX || channel.len > PU_CPACE_CONTEXT_MAX ||
	    sid.len > PU_CPACE_CONTEXT_MAX)
		return PU_ELIMIT;
	make_generator(password, channel, sid, g);
	crypto_core_ristretto255_scalar_reduce(c->scalar, secret);
	/* Fails for the scalar 0, which no honest source of randomness gives. */
	if (crypto_scalarmult_ristretto255(c->share, c->scalar, g) != 0) {
		pu_cpace_wipe(c);
		r = PU_ECRYPTO;
	}
	sodium_memzero(g, sizeof g);
	return r;
}

/* lv_cat(DSI_ISK, sid, K) and the transcript, initiator first. */
static void make_key(struct pu_bytes sid, const uint8_t k[PU_CPACE_SHARE_LEN],
		     const uint8_t *share_initiator, struct pu_bytes ad_initiator,
		     const uint8_t *share_responder, struct pu_bytes ad_responder, uint8_t *key)
{
	crypto_hash_sha512_state st;

	crypto_hash_sha512_init(&st);
	hash_lv(&st, pu_bytes_str(DSI_ISK));
	hash_lv(&st, sid);
	hash_lv(&st, pu_bytes(k, PU_CPACE_SHARE_LEN));
	hash_lv(&st, pu_bytes(share_initiator, PU_CPACE_SHARE_LEN));
	hash_lv(&st, ad_initiator);
	hash_lv(&st, pu_bytes(share_responder, PU_CPACE_SHARE_LEN));
	hash_lv(&st, ad_responder);
	crypto_hash_sha512_final(&st, key);
	sodium_memzero(&st, sizeof st);
}

int pu_cpace_finish(const struct pu_cpace *c, bool initiator,
		    const uint8_t share[PU_CPACE_SHARE_LEN], struct pu_bytes sid,
		    struct pu_bytes ad_initiator, struct pu_bytes ad_responder,
		    uint8_t key[PU_CPACE_KEY_LEN])
{
	uint8_t k[PU_CPACE_SHARE_LEN];
	int r = PU_ECRYPTO;

	/* Refuses what is no canonical encoding of an element, and the neutral one. */
	if (crypto_scalarmult_ristretto255(k, c->scalar, share) == 0) {
		make_key(sid, k, initiator ? c->share : share, ad_initiator,
			 initiator ? share : c->share, ad_responder, key);
		r = 0;
	}
	sodium_memzero(k, sizeof k);
	return r;
}

void pu_cpace_wipe(struct pu_cpace *c)
{
	sodium_memzero(c, sizeof *c);
}
