#include "p2p/noise/handshake.h"

#include <assert.h>
#include <sodium.h>

#include "base/err.h"
#include "crypto/dh.h"
#include "crypto/kdf.h"

/* Exactly as long as the hash, so it is the first h and ck unhashed. */
#define PROTOCOL_NAME "Noise_XX_25519_ChaChaPoly_SHA256"

_Static_assert(sizeof PROTOCOL_NAME - 1 == PU_NOISE_HASH_LEN, "see section 5.2");
_Static_assert(crypto_hash_sha256_BYTES == PU_NOISE_HASH_LEN, "hash");
_Static_assert((int)PU_DH_LEN == (int)PU_NOISE_DH_LEN, "point");
_Static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == 32, "key");

enum {
	TAG_LEN = crypto_aead_chacha20poly1305_ietf_ABYTES,
	NONCE_LEN = crypto_aead_chacha20poly1305_ietf_NPUBBYTES,
};

/* The tokens of XX in order, by message; 0 ends a message. */
enum token { TOKEN_E = 1, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE };
static const enum token pattern[PU_NOISE_MESSAGES][5] = {
	{ TOKEN_E },
	{ TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES },
	{ TOKEN_S, TOKEN_SE },
};

/* 4 zero bytes ‖ the counter, little-endian. */
static void make_nonce(uint64_t n, uint8_t nonce[NONCE_LEN])
{
	memset(nonce, 0, 4);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(n >> (8 * i));
}

int pu_noise_encrypt(struct pu_noise_cipher *c, struct pu_bytes ad, struct pu_bytes in,
		     uint8_t *out)
{
	uint8_t nonce[NONCE_LEN];

	/* The last counter value is reserved by section 5.1. */
	if (c->n == UINT64_MAX)
		return PU_ECRYPTO;
	make_nonce(c->n++, nonce);
	crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, in.p, in.len, ad.p, ad.len, NULL,
						  nonce, c->key);
	return 0;
}

int pu_noise_decrypt(struct pu_noise_cipher *c, struct pu_bytes ad, struct pu_bytes in,
		     uint8_t *out)
{
	uint8_t nonce[NONCE_LEN];

	if (c->n == UINT64_MAX)
		return PU_ECRYPTO;
	make_nonce(c->n, nonce);
	if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, in.p, in.len, ad.p, ad.len,
						      nonce, c->key) != 0)
		return PU_ECRYPTO;
	c->n++;
	return 0;
}

static void mix_hash(struct pu_noise_handshake *hs, struct pu_bytes data)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, hs->h, sizeof hs->h);
	crypto_hash_sha256_update(&st, data.p, data.len);
	crypto_hash_sha256_final(&st, hs->h);
}

/* HKDF of section 4.3 with two outputs; out1 may be ck. */
static void hkdf2(const uint8_t *ck, struct pu_bytes input, uint8_t *out1, uint8_t *out2)
{
	uint8_t out[2][PU_NOISE_HASH_LEN];

	pu_kdf_hkdf(input, pu_bytes(ck, PU_NOISE_HASH_LEN), pu_bytes(NULL, 0), out[0], sizeof out);
	memcpy(out1, out[0], sizeof out[0]);
	memcpy(out2, out[1], sizeof out[1]);
	sodium_memzero(out, sizeof out);
}

/* Mixes the shared secret of two keys into ck and starts a new cipher key. */
static int mix_dh(struct pu_noise_handshake *hs, const uint8_t *secret, const uint8_t *public)
{
	uint8_t shared[PU_NOISE_DH_LEN];
	int r;

	r = pu_dh(secret, public, shared);
	if (r == 0) {
		hkdf2(hs->ck, pu_bytes(shared, sizeof shared), hs->ck, hs->cipher.key);
		hs->cipher.n = 0;
		hs->cipher.ready = true;
	}
	sodium_memzero(shared, sizeof shared);
	return r;
}

/* es is the initiator's e with the responder's s, se the other way round. */
static int mix_token(struct pu_noise_handshake *hs, enum token t)
{
	switch (t) {
	case TOKEN_EE:
		return mix_dh(hs, hs->e.secret, hs->re);
	case TOKEN_ES:
		return hs->initiator ? mix_dh(hs, hs->e.secret, hs->rs) :
				       mix_dh(hs, hs->s.secret, hs->re);
	case TOKEN_SE:
		return hs->initiator ? mix_dh(hs, hs->s.secret, hs->re) :
				       mix_dh(hs, hs->e.secret, hs->rs);
	case TOKEN_E:
	case TOKEN_S:
		break;
	}
	return 0;
}

static size_t tag_len(const struct pu_noise_handshake *hs)
{
	return hs->cipher.ready ? TAG_LEN : 0;
}

/* EncryptAndHash of section 5.2; returns the bytes written. */
static int seal(struct pu_noise_handshake *hs, struct pu_bytes in, uint8_t *out)
{
	size_t len = in.len + tag_len(hs);
	int r;

	if (hs->cipher.ready) {
		r = pu_noise_encrypt(&hs->cipher, pu_bytes(hs->h, sizeof hs->h), in, out);
		if (r < 0)
			return r;
	} else if (in.len) {
		memcpy(out, in.p, in.len);
	}
	mix_hash(hs, pu_bytes(out, len));
	return (int)len;
}

/* DecryptAndHash; returns the bytes written. */
static int unseal(struct pu_noise_handshake *hs, struct pu_bytes in, uint8_t *out)
{
	uint8_t ad[PU_NOISE_HASH_LEN];
	size_t len;
	int r;

	if (in.len < tag_len(hs))
		return PU_EPROTO;
	len = in.len - tag_len(hs);
	memcpy(ad, hs->h, sizeof ad);
	mix_hash(hs, in);
	if (hs->cipher.ready) {
		r = pu_noise_decrypt(&hs->cipher, pu_bytes(ad, sizeof ad), in, out);
		if (r < 0)
			return r;
	} else if (len) {
		memcpy(out, in.p, len);
	}
	return (int)len;
}

static void keypair_init(struct pu_noise_keypair *kp, const uint8_t *secret)
{
	memcpy(kp->secret, secret, sizeof kp->secret);
	pu_dh_public(kp->secret, kp->public);
}

void pu_noise_handshake_init(struct pu_noise_handshake *hs, bool initiator,
			     struct pu_bytes prologue, const uint8_t *static_secret,
			     const uint8_t *ephemeral_secret)
{
	*hs = (struct pu_noise_handshake){ .initiator = initiator };
	keypair_init(&hs->s, static_secret);
	keypair_init(&hs->e, ephemeral_secret);
	memcpy(hs->h, PROTOCOL_NAME, sizeof hs->h);
	memcpy(hs->ck, PROTOCOL_NAME, sizeof hs->ck);
	mix_hash(hs, prologue);
}

void pu_noise_handshake_deinit(struct pu_noise_handshake *hs)
{
	sodium_memzero(hs, sizeof *hs);
}

bool pu_noise_handshake_our_turn(const struct pu_noise_handshake *hs)
{
	return !pu_noise_handshake_done(hs) && (hs->n_messages % 2 == 0) == hs->initiator;
}

size_t pu_noise_handshake_overhead(const struct pu_noise_handshake *hs)
{
	static const size_t overhead[PU_NOISE_MESSAGES] = {
		PU_NOISE_DH_LEN,
		PU_NOISE_DH_LEN + PU_NOISE_DH_LEN + TAG_LEN + TAG_LEN,
		PU_NOISE_DH_LEN + TAG_LEN + TAG_LEN,
	};

	assert(!pu_noise_handshake_done(hs));
	return overhead[hs->n_messages];
}

/* Writes what a token puts on the wire; returns the bytes written. */
static int write_token(struct pu_noise_handshake *hs, enum token t, uint8_t *out)
{
	if (t == TOKEN_S)
		return seal(hs, pu_bytes(hs->s.public, sizeof hs->s.public), out);
	if (t != TOKEN_E)
		return mix_token(hs, t);
	memcpy(out, hs->e.public, sizeof hs->e.public);
	mix_hash(hs, pu_bytes(out, sizeof hs->e.public));
	return PU_NOISE_DH_LEN;
}

int pu_noise_handshake_write(struct pu_noise_handshake *hs, struct pu_bytes payload,
			     struct pu_buf *out)
{
	size_t len = 0;
	uint8_t *p;
	int r;

	assert(pu_noise_handshake_our_turn(hs));
	r = pu_buf_reserve(out, pu_noise_handshake_overhead(hs) + payload.len, &p);
	if (r < 0)
		return r;
	for (const enum token *t = pattern[hs->n_messages]; *t; t++) {
		r = write_token(hs, *t, p + len);
		if (r < 0)
			return r;
		len += (size_t)r;
	}
	r = seal(hs, payload, p + len);
	if (r < 0)
		return r;
	pu_buf_commit(out, len + (size_t)r);
	hs->n_messages++;
	return 0;
}

/* Reads what a token has on the wire; returns the bytes used. */
static int read_token(struct pu_noise_handshake *hs, enum token t, struct pu_bytes in)
{
	size_t len = PU_NOISE_DH_LEN;
	int r;

	if (t == TOKEN_S)
		len += tag_len(hs);
	else if (t != TOKEN_E)
		return mix_token(hs, t);
	if (in.len < len)
		return PU_EPROTO;
	if (t == TOKEN_S) {
		r = unseal(hs, pu_bytes(in.p, len), hs->rs);
		return r < 0 ? r : (int)len;
	}
	memcpy(hs->re, in.p, sizeof hs->re);
	mix_hash(hs, pu_bytes(in.p, len));
	return (int)len;
}

int pu_noise_handshake_read(struct pu_noise_handshake *hs, struct pu_bytes msg, uint8_t *out,
			    size_t *plen)
{
	int r;

	assert(!pu_noise_handshake_done(hs) && !pu_noise_handshake_our_turn(hs));
	for (const enum token *t = pattern[hs->n_messages]; *t; t++) {
		r = read_token(hs, *t, msg);
		if (r < 0)
			return r;
		msg.p += r;
		msg.len -= (size_t)r;
	}
	r = unseal(hs, msg, out);
	if (r < 0)
		return r;
	*plen = (size_t)r;
	hs->n_messages++;
	return 0;
}

void pu_noise_handshake_split(const struct pu_noise_handshake *hs, struct pu_noise_cipher *send,
			      struct pu_noise_cipher *recv)
{
	struct pu_noise_cipher *first = hs->initiator ? send : recv;
	struct pu_noise_cipher *second = hs->initiator ? recv : send;

	assert(pu_noise_handshake_done(hs));
	*first = *second = (struct pu_noise_cipher){ .ready = true };
	hkdf2(hs->ck, pu_bytes(NULL, 0), first->key, second->key);
}
