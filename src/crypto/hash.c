#include "crypto/hash.h"

#include <gnutls/crypto.h>
#include <sodium.h>

#include "base/err.h"

void pu_sha256(struct pu_bytes in, uint8_t out[PU_SHA256_LEN])
{
	crypto_hash_sha256(out, in.p, in.len);
}

void pu_hmac_sha256(struct pu_bytes key, struct pu_bytes in, uint8_t out[PU_SHA256_LEN])
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key.p, key.len);
	crypto_auth_hmacsha256_update(&st, in.p, in.len);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof st);
}

bool pu_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

int pu_sha1(struct pu_bytes in, uint8_t out[PU_SHA1_LEN])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA1, in.p, in.len, out) < 0 ? PU_ECRYPTO : 0;
}

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(struct pu_blake2b),
	       "the header has no room for the library's state");

static crypto_generichash_state *state_of(struct pu_blake2b *h)
{
	return (crypto_generichash_state *)h->state;
}

void pu_blake2b_init(struct pu_blake2b *h)
{
	crypto_generichash_init(state_of(h), NULL, 0, PU_BLAKE2B_LEN);
}

void pu_blake2b_add(struct pu_blake2b *h, struct pu_bytes in)
{
	crypto_generichash_update(state_of(h), in.p, in.len);
}

void pu_blake2b_end(struct pu_blake2b *h, uint8_t out[PU_BLAKE2B_LEN])
{
	crypto_generichash_final(state_of(h), out, PU_BLAKE2B_LEN);
}
