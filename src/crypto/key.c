#include "crypto/key.h"

#include <secp256k1.h>
#include <sodium.h>

#include "base/err.h"
#include "crypto/pb.h"
#include "crypto/pubkey.h"

enum {
	SEED_LEN = crypto_sign_SEEDBYTES,
	PUBLIC_LEN = crypto_sign_PUBLICKEYBYTES,
	BODY_LEN = SEED_LEN + PUBLIC_LEN,
	LEGACY_BODY_LEN = BODY_LEN + PUBLIC_LEN,
};

_Static_assert(BODY_LEN == crypto_sign_SECRETKEYBYTES, "seed and public key");
_Static_assert(crypto_sign_BYTES == 64, "signature");

int pu_crypto_init(void)
{
	if (sodium_init() < 0)
		return PU_ESYS;
	/* Asked for by users of its static context; ends the program if it fails. */
	secp256k1_selftest();
	return 0;
}

int pu_key_from_seed(struct pu_key *k, const uint8_t seed[32])
{
	uint8_t public[PUBLIC_LEN];
	struct pu_pubkey pub;
	int r;

	r = crypto_sign_seed_keypair(public, k->secret, seed);
	if (r != 0)
		return PU_ECRYPTO;
	r = pu_pubkey_from_parts(&pub, PU_KEY_ED25519, pu_bytes(public, sizeof public));
	if (r < 0)
		return r;
	memcpy(k->encoded, pub.encoded, sizeof k->encoded);
	k->peer = pub.peer;
	return 0;
}

/* Every copy of the public key in the file must be the one the seed gives, or
 * signatures would leak the key. */
static int key_from_body(struct pu_key *k, struct pu_bytes body)
{
	struct pu_key made;
	int r;

	if (body.len != BODY_LEN && body.len != LEGACY_BODY_LEN)
		return PU_EINVAL;
	r = pu_key_from_seed(&made, body.p);
	for (size_t off = SEED_LEN; r == 0 && off < body.len; off += PUBLIC_LEN)
		if (sodium_memcmp(body.p + off, made.secret + SEED_LEN, PUBLIC_LEN) != 0)
			r = PU_EINVAL;
	if (r == 0)
		*k = made;
	pu_key_deinit(&made);
	return r;
}

int pu_key_decode(struct pu_key *k, struct pu_bytes pb)
{
	enum pu_key_type type;
	struct pu_bytes body;
	int r;

	r = pu_pubkey_split(pb, &type, &body);
	if (r < 0)
		return r == PU_ENOTSUP ? r : PU_EINVAL;
	return type == PU_KEY_ED25519 ? key_from_body(k, body) : PU_ENOTSUP;
}

void pu_key_encode(const struct pu_key *k, uint8_t out[68])
{
	struct pu_wr w = pu_wr_init(out, 68);

	pu_pb_put_varint(&w, 1, PU_KEY_ED25519);
	pu_pb_put_bytes(&w, 2, pu_bytes(k->secret, sizeof k->secret));
}

void pu_key_deinit(struct pu_key *k)
{
	sodium_memzero(k, sizeof *k);
}

void pu_key_sign(const struct pu_key *k, struct pu_bytes msg, uint8_t sig[64])
{
	crypto_sign_detached(sig, NULL, msg.p, msg.len, k->secret);
}
