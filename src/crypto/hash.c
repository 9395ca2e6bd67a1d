#include "crypto/hash.h"

#include <sodium.h>

void pu_sha256(struct pu_bytes in, uint8_t out[PU_SHA256_LEN])
{
	crypto_hash_sha256(out, in.p, in.len);
}
