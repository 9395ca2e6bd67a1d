#include "crypto/seal.h"

#include <sodium.h>

#include "base/err.h"

_Static_assert(crypto_aead_xchacha20poly1305_ietf_KEYBYTES == PU_SEAL_KEY_LEN, "key");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == PU_SEAL_NONCE_LEN, "nonce");
_Static_assert(crypto_aead_xchacha20poly1305_ietf_ABYTES == PU_SEAL_TAG_LEN, "tag");

void pu_seal(const uint8_t key[PU_SEAL_KEY_LEN], const uint8_t nonce[PU_SEAL_NONCE_LEN],
	     struct pu_bytes ad, struct pu_bytes in, uint8_t *out)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, in.p, in.len, ad.p, ad.len, NULL,
						   nonce, key);
}

int pu_seal_open(const uint8_t key[PU_SEAL_KEY_LEN], const uint8_t nonce[PU_SEAL_NONCE_LEN],
		 struct pu_bytes ad, struct pu_bytes in, uint8_t *out)
{
	if (in.len < PU_SEAL_TAG_LEN ||
	    crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, in.p, in.len, ad.p, ad.len,
						       nonce, key) != 0)
		return PU_ECRYPTO;
	return 0;
}
