/* Identity keys: our own is Ed25519; peers may bring Ed25519, ECDSA P-256, RSA
 * (2048 to 8192 bits) or secp256k1. Encodings as in the libp2p peer-ids spec. */
#ifndef PU_CRYPTO_KEY_H
#define PU_CRYPTO_KEY_H

#include "base/bytes.h"
#include "crypto/peerid.h"

enum {
	PU_PUBKEY_MAX = 1200,   /* encoded PublicKey, room for RSA 8192 */
	PU_SIGNATURE_MAX = 1024 /* RSA 8192 */
};

enum pu_key_type { /* values of the protobuf enum */
	PU_KEY_RSA = 0,
	PU_KEY_ED25519 = 1,
	PU_KEY_SECP256K1 = 2,
	PU_KEY_ECDSA = 3,
};

/* A private Ed25519 key with its public parts at hand. Wiped by deinit. */
struct pu_key {
	uint8_t secret[64];  /* seed ‖ public key, libsodium's layout */
	uint8_t encoded[36]; /* PublicKey protobuf */
	struct pu_peerid peer;
};

/* Once per process before anything else of crypto; safe to call again.
 * PU_ESYS. */
int pu_crypto_init(void);

/* seed: 32 bytes. */
int pu_key_from_seed(struct pu_key *k, const uint8_t seed[32]);
/* PrivateKey protobuf: 64-byte bodies and the legacy 96-byte ones whose copies
 * agree. PU_EINVAL, PU_ENOTSUP for other key types. */
int pu_key_decode(struct pu_key *k, struct pu_bytes pb);
/* The 68-byte PrivateKey protobuf. The caller wipes out. */
void pu_key_encode(const struct pu_key *k, uint8_t out[68]);
void pu_key_deinit(struct pu_key *k);
static inline struct pu_bytes pu_key_public(const struct pu_key *k)
{
	return pu_bytes(k->encoded, sizeof k->encoded);
}
/* Ed25519 over msg. */
void pu_key_sign(const struct pu_key *k, struct pu_bytes msg, uint8_t sig[64]);

/* Somebody's public key as received; borrows nothing. */
struct pu_pubkey {
	enum pu_key_type type;
	struct pu_peerid peer;
	uint16_t len;
	uint8_t encoded[PU_PUBKEY_MAX]; /* canonical PublicKey protobuf */
};

/* PU_EPROTO when malformed or too small to be safe, PU_ENOTSUP for unknown types. */
int pu_pubkey_decode(struct pu_pubkey *k, struct pu_bytes pb);
/* 0 when sig is k's signature over msg, PU_ECRYPTO otherwise. */
int pu_pubkey_verify(const struct pu_pubkey *k, struct pu_bytes msg, struct pu_bytes sig);

#endif
