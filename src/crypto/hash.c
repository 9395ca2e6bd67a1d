#include "crypto/hash.h"

#include <gnutls/crypto.h>
#include <sodium.h>

#include "base/err.h"

void pu_sha256(struct pu_bytes in, uint8_t out[PU_SHA256_LEN])
{
	crypto_hash_sha256(out, in.p, in.len);
}

int pu_sha1(struct pu_bytes in, uint8_t out[PU_SHA1_LEN])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA1, in.p, in.len, out) < 0 ? PU_ECRYPTO : 0;
}
