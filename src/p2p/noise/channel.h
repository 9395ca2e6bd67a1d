/* The libp2p Noise security channel (Noise_XX_25519_ChaChaPoly_SHA256, protocol
 * "/noise"): identity keys are proved inside the handshake, the muxer may be agreed
 * there too. Implements p2p/stack/secure.h. */
#ifndef PU_P2P_NOISE_CHANNEL_H
#define PU_P2P_NOISE_CHANNEL_H

#include "p2p/stack/secure.h"

#define PU_NOISE_PROTOCOL "/noise"

enum {
	PU_NOISE_TAG_LEN = 16,
	PU_NOISE_FRAME_MAX = 65535, /* behind the two bytes of length */
	PU_NOISE_PLAIN_MAX = PU_NOISE_FRAME_MAX - PU_NOISE_TAG_LEN,
	PU_NOISE_HANDSHAKE_FRAME_MAX = 8192, /* longer handshake messages are refused */
};

/* The initiator's first message is written by the first call of handshake(), which
 * may come with empty input. The buffers of the caller need a max of at least
 *   handshake: in and out 2 + PU_NOISE_HANDSHAKE_FRAME_MAX
 *   open:      in 2 + PU_NOISE_FRAME_MAX, out PU_NOISE_PLAIN_MAX
 * else a large record is never complete. seal() adds 18 bytes for each
 * PU_NOISE_PLAIN_MAX bytes begun. Noise has no goodbye: close() writes nothing and
 * open() never gives PU_EEOF.
 * PU_ENOMEM, PU_ESYS (libsodium is unusable). */
int pu_noise_new(const struct pu_secure_config *cfg, struct pu_secure **ps);

#endif
