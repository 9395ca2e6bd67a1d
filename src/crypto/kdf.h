/* Keys from secrets: HKDF-SHA256 (RFC 5869). */
#ifndef PU_CRYPTO_KDF_H
#define PU_CRYPTO_KDF_H

#include "crypto/hash.h"

enum { PU_KDF_OUT_MAX = 255 * PU_SHA256_LEN };

/* Extract and expand; salt may be empty. len is at most PU_KDF_OUT_MAX. */
void pu_kdf_hkdf(struct pu_bytes secret, struct pu_bytes salt, struct pu_bytes info, uint8_t *out,
		 size_t len);

#endif
