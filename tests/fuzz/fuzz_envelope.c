#include <stdint.h>

#include "crypto/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_bytes in = pu_bytes(data, size), payload, addrs[8];
	struct pu_pubkey signer;
	struct pu_peerid peer;
	uint64_t seq;
	size_t n;

	pu_crypto_init();
	pu_envelope_open(in, PU_ENVELOPE_DOMAIN_PEER_RECORD, PU_ENVELOPE_PEER_RECORD, &signer,
			 &payload);
	pu_envelope_open(in, PU_ENVELOPE_DOMAIN_VOUCHER, PU_ENVELOPE_VOUCHER, &signer, &payload);
	pu_peer_record_decode(in, &peer, &seq, addrs, 8, &n);
	return 0;
}
