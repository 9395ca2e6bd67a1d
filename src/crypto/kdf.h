/* Keys from secrets: HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869). */
#ifndef PU_CRYPTO_KDF_H
#define PU_CRYPTO_KDF_H

#include "crypto/hash.h"

enum { PU_KDF_OUT_MAX = 255 * PU_SHA256_LEN };

/* key of any length. */
void pu_kdf_hmac(struct pu_bytes key, struct pu_bytes in, uint8_t out[PU_SHA256_LEN]);
/* Extract and expand; salt may be empty. len is at most PU_KDF_OUT_MAX. */
void pu_kdf_hkdf(struct pu_bytes secret, struct pu_bytes salt, struct pu_bytes info, uint8_t *out,
		 size_t len);
/* Are two MACs the same? Takes the same time wherever they differ. */
bool pu_kdf_equal(const uint8_t *a, const uint8_t *b, size_t len);

#endif
