/* The protobuf message inside noise handshake messages 2 and 3:
 *   NoiseHandshakePayload { identity_key = 1; identity_sig = 2; extensions = 4 }
 *   NoiseExtensions { webtransport_certhashes = 1; stream_muxers = 2, repeated }
 * Field by field instead of generated code: no allocation for a stranger. */
#ifndef PU_P2P_NOISE_PAYLOAD_H
#define PU_P2P_NOISE_PAYLOAD_H

#include "base/bytes.h"

enum {
	/* More muxers than this and the peer counts as having named none, as in go. */
	PU_NOISE_MUXERS_MAX = 100,
	PU_NOISE_PAYLOAD_MAX = 4096, /* of what we write */
};

struct pu_noise_payload {
	struct pu_bytes identity_key, identity_sig;
	struct pu_bytes muxers[PU_NOISE_MUXERS_MAX];
	size_t n_muxers;
};

/* Writes the message to out; returns its length or PU_ELIMIT. */
int pu_noise_payload_encode(const struct pu_noise_payload *pl, uint8_t *out, size_t cap);
/* All spans borrow from in. Unknown fields are skipped, the last of a repeated
 * singular field wins, absent fields are empty. PU_EPROTO. */
int pu_noise_payload_decode(struct pu_noise_payload *pl, struct pu_bytes in);

#endif
