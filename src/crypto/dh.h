/* Diffie-Hellman over Curve25519 (X25519, RFC 7748). */
#ifndef PU_CRYPTO_DH_H
#define PU_CRYPTO_DH_H

#include "base/bytes.h"

enum { PU_DH_LEN = 32 }; /* secrets, public keys, results */

/* Any 32 random bytes are a secret. */
void pu_dh_public(const uint8_t secret[PU_DH_LEN], uint8_t public[PU_DH_LEN]);
/* PU_ECRYPTO: a public key of low order, whose result would be zero for everybody. */
int pu_dh(const uint8_t secret[PU_DH_LEN], const uint8_t public[PU_DH_LEN],
	  uint8_t shared[PU_DH_LEN]);

#endif
