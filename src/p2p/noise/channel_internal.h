/* For tests with known answers only. */
#ifndef PU_P2P_NOISE_CHANNEL_INTERNAL_H
#define PU_P2P_NOISE_CHANNEL_INTERNAL_H

#include "p2p/noise/channel.h"

/* pu_noise_new() with given X25519 secrets of 32 bytes each instead of fresh ones. */
int pu_noise_new_with_secrets(const struct pu_secure_config *cfg, const uint8_t *static_secret,
			      const uint8_t *ephemeral_secret, struct pu_secure **ps);
/* Hash of all handshake bytes; valid when the handshake is complete. */
const uint8_t *pu_noise_handshake_hash(const struct pu_secure *s);

#endif
