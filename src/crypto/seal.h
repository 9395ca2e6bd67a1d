/* Messages that nobody else reads or alters: XChaCha20-Poly1305. */
#ifndef PU_CRYPTO_SEAL_H
#define PU_CRYPTO_SEAL_H

#include "base/bytes.h"

enum { PU_SEAL_KEY_LEN = 32, PU_SEAL_NONCE_LEN = 24, PU_SEAL_TAG_LEN = 16 };

/* Writes in.len + PU_SEAL_TAG_LEN bytes. A nonce is good for one message of a key; it may be
 * random, or fixed when the key is for one message only. ad is authenticated, not sent. */
void pu_seal(const uint8_t key[PU_SEAL_KEY_LEN], const uint8_t nonce[PU_SEAL_NONCE_LEN],
	     struct pu_bytes ad, struct pu_bytes in, uint8_t *out);
/* Writes in.len - PU_SEAL_TAG_LEN bytes. PU_ECRYPTO: too short, altered, another key or ad. */
int pu_seal_open(const uint8_t key[PU_SEAL_KEY_LEN], const uint8_t nonce[PU_SEAL_NONCE_LEN],
		 struct pu_bytes ad, struct pu_bytes in, uint8_t *out);

#endif
