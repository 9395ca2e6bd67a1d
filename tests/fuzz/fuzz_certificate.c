/* The certificate that a stranger shows in a TLS handshake. */
#include <stdint.h>
#include <stdlib.h>

#include "p2p/tls/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_peerid other = { 0 };
	struct pu_pubkey k;

	pu_crypto_init();
	if (pu_tls_verify(pu_bytes(data, size), NULL, 1700000000, &k) == 0 &&
	    pu_tls_verify(pu_bytes(data, size), &other, 1700000000, &k) == 0)
		abort();
	return 0;
}
