#include "crypto/dh.h"

#include <sodium.h>

#include "base/err.h"

_Static_assert(crypto_scalarmult_curve25519_BYTES == PU_DH_LEN, "point");
_Static_assert(crypto_scalarmult_curve25519_SCALARBYTES == PU_DH_LEN, "scalar");

void pu_dh_public(const uint8_t secret[PU_DH_LEN], uint8_t public[PU_DH_LEN])
{
	crypto_scalarmult_curve25519_base(public, secret);
}

int pu_dh(const uint8_t secret[PU_DH_LEN], const uint8_t public[PU_DH_LEN],
	  uint8_t shared[PU_DH_LEN])
{
	/* libsodium tells an all-zero result by an error. */
	return crypto_scalarmult_curve25519(shared, secret, public) == 0 ? 0 : PU_ECRYPTO;
}
