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

#endif
