/* The Noise handshake XX with 25519, ChaChaPoly and SHA-256 (noiseprotocol.org,
 * revision 34, sections 5 and 7): three messages, no framing, no libp2p in here.
 *
 *   -> e    <- e, ee, s, es    -> s, se
 *
 * The two ends write and read in turn; a call out of turn is an error of ours. */
#ifndef PU_P2P_NOISE_HANDSHAKE_H
#define PU_P2P_NOISE_HANDSHAKE_H

#include "base/buf.h"

enum {
	PU_NOISE_DH_LEN = 32,
	PU_NOISE_HASH_LEN = 32,
	PU_NOISE_MESSAGES = 3,
};

/* One direction of traffic: a key and the number of the next message. */
struct pu_noise_cipher {
	uint8_t key[32];
	uint64_t n;
	bool ready; /* false before the first key: nothing is encrypted */
};

struct pu_noise_keypair {
	uint8_t secret[PU_NOISE_DH_LEN];
	uint8_t public[PU_NOISE_DH_LEN];
};

struct pu_noise_handshake {
	bool initiator;
	unsigned n_messages; /* written and read so far */
	struct pu_noise_cipher cipher;
	uint8_t ck[PU_NOISE_HASH_LEN]; /* chaining key */
	uint8_t h[PU_NOISE_HASH_LEN];  /* hash of all that was said */
	struct pu_noise_keypair s, e;  /* static and ephemeral, ours */
	uint8_t rs[PU_NOISE_DH_LEN];   /* theirs, as they arrive */
	uint8_t re[PU_NOISE_DH_LEN];
};

/* Starts with our secrets, 32 bytes each, copied. */
void pu_noise_handshake_init(struct pu_noise_handshake *hs, bool initiator,
			     struct pu_bytes prologue, const uint8_t *static_secret,
			     const uint8_t *ephemeral_secret);
/* Wipes. */
void pu_noise_handshake_deinit(struct pu_noise_handshake *hs);

/* True when the next message is ours to write. */
bool pu_noise_handshake_our_turn(const struct pu_noise_handshake *hs);
static inline bool pu_noise_handshake_done(const struct pu_noise_handshake *hs)
{
	return hs->n_messages == PU_NOISE_MESSAGES;
}

/* Bytes that the next message adds to its payload. */
size_t pu_noise_handshake_overhead(const struct pu_noise_handshake *hs);
/* Appends the next message to out. PU_ECRYPTO (the peer sent a low-order point),
 * PU_ELIMIT, PU_ENOMEM. */
int pu_noise_handshake_write(struct pu_noise_handshake *hs, struct pu_bytes payload,
			     struct pu_buf *out);
/* Reads the next message; its payload goes to out (msg.len bytes are enough), the
 * length to *plen. PU_EPROTO (too short), PU_ECRYPTO. After a failure the
 * handshake is only good for deinit. */
int pu_noise_handshake_read(struct pu_noise_handshake *hs, struct pu_bytes msg, uint8_t *out,
			    size_t *plen);
/* After the third message: the traffic keys of both directions. */
void pu_noise_handshake_split(const struct pu_noise_handshake *hs, struct pu_noise_cipher *send,
			      struct pu_noise_cipher *recv);

/* in and out may be the same memory. Encrypt writes in.len + 16 bytes; decrypt
 * writes in.len - 16 bytes and fails with PU_ECRYPTO. */
int pu_noise_encrypt(struct pu_noise_cipher *c, struct pu_bytes ad, struct pu_bytes in,
		     uint8_t *out);
int pu_noise_decrypt(struct pu_noise_cipher *c, struct pu_bytes ad, struct pu_bytes in,
		     uint8_t *out);

#endif
