#include "crypto/kdf.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(crypto_auth_hmacsha256_BYTES == PU_SHA256_LEN, "MAC");

/* libsodium takes no NULL, not even with nothing behind it. */
static const uint8_t *some(struct pu_bytes b)
{
	return b.p ? b.p : (const uint8_t *)"";
}

/* The MAC of three parts, one after the other. */
static void hmac3(struct pu_bytes key, struct pu_bytes a, struct pu_bytes b, struct pu_bytes c,
		  uint8_t *out)
{
	crypto_auth_hmacsha256_state st;

	crypto_auth_hmacsha256_init(&st, key.p, key.len);
	crypto_auth_hmacsha256_update(&st, some(a), a.len);
	crypto_auth_hmacsha256_update(&st, some(b), b.len);
	crypto_auth_hmacsha256_update(&st, some(c), c.len);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof st);
}

void pu_kdf_hkdf(struct pu_bytes secret, struct pu_bytes salt, struct pu_bytes info, uint8_t *out,
		 size_t len)
{
	uint8_t prk[PU_SHA256_LEN], block[PU_SHA256_LEN], count = 0;

	assert(len <= PU_KDF_OUT_MAX);
	/* An empty key of HMAC is as good as the block of zeros that section 2.2 asks for. */
	pu_hmac_sha256(pu_bytes(some(salt), salt.len), secret, prk);
	for (size_t done = 0; done < len; done += sizeof block) {
		count++;
		hmac3(pu_bytes(prk, sizeof prk), pu_bytes(block, done ? sizeof block : 0), info,
		      pu_bytes(&count, 1), block);
		memcpy(out + done, block, pu_min(sizeof block, len - done));
	}
	sodium_memzero(prk, sizeof prk);
	sodium_memzero(block, sizeof block);
}
