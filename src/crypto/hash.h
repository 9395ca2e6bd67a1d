/* SHA-256, so that layers above need no third-party header for it. */
#ifndef PU_CRYPTO_HASH_H
#define PU_CRYPTO_HASH_H

#include "base/bytes.h"

enum { PU_SHA256_LEN = 32 };

void pu_sha256(struct pu_bytes in, uint8_t out[PU_SHA256_LEN]);

#endif
