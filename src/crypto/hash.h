/* Hashes, so that layers above need no third-party header for them. */
#ifndef PU_CRYPTO_HASH_H
#define PU_CRYPTO_HASH_H

#include "base/bytes.h"

enum { PU_SHA256_LEN = 32, PU_SHA1_LEN = 20 };

void pu_sha256(struct pu_bytes in, uint8_t out[PU_SHA256_LEN]);
/* Keyed, RFC 2104. */
void pu_hmac_sha256(struct pu_bytes key, struct pu_bytes in, uint8_t out[PU_SHA256_LEN]);
/* In constant time. */
bool pu_equal(const void *a, const void *b, size_t len);
/* Proves nothing any more; RFC 6455 asks for it. PU_ECRYPTO: the library has none. */
int pu_sha1(struct pu_bytes in, uint8_t out[PU_SHA1_LEN]);

/* BLAKE2b with 32 bytes of result, piece by piece: for contents that are too long for memory. A
 * copy of the state goes on by itself. */
enum { PU_BLAKE2B_LEN = 32 };
struct pu_blake2b {
	_Alignas(64) uint8_t state[384];
};
void pu_blake2b_init(struct pu_blake2b *h);
void pu_blake2b_add(struct pu_blake2b *h, struct pu_bytes in);
/* Of all that was added; the state is used up. */
void pu_blake2b_end(struct pu_blake2b *h, uint8_t out[PU_BLAKE2B_LEN]);

#endif
