/* /peerup/invite/3.0.0; docs/protocols/invite.md has the messages and the reasons.
 *
 *   J to I  share                  I to J  share
 *   J to I  proof ‖ sealed introduction
 *   I to J  proof ‖ sealed introduction, or refusal
 *   J to I  sealed "stored", or refusal
 *   I to J  sealed "stored" */
#include "base/err.h"
#include "base/wire.h"
#include "crypto/kdf.h"
#include "overlay/invite/handshake_internal.h"
#include "overlay/invite/introduction.h"

#define INFO "peerup-invite-v3"

enum {
	PROOF_LEN = PU_SHA256_LEN,
	PLAIN_MAX = PU_HANDSHAKE_MESSAGE_MAX - PROOF_LEN - PU_SEAL_TAG_LEN,
	CHANNEL_MAX = 256,
};

static const struct pu_bytes none;

/* Who talks to whom about what: both ends must mean the same, or their keys differ. */
static size_t write_channel(const struct pu_handshake *h, uint8_t out[CHANNEL_MAX])
{
	const struct pu_peerid *joiner = h->inviter ? &h->peer : &h->self;
	const struct pu_peerid *inviter = h->inviter ? &h->self : &h->peer;
	struct pu_wr w = pu_wr_init(out, CHANNEL_MAX);

	pu_wr_lp(&w, pu_bytes_str(PU_INVITE_PROTOCOL_V3));
	pu_wr_lp(&w, pu_bytes_str("joiner"));
	pu_wr_lp(&w, pu_peerid_bytes(joiner));
	pu_wr_lp(&w, pu_bytes_str("inviter"));
	pu_wr_lp(&w, pu_peerid_bytes(inviter));
	pu_wr_be16(&w, (uint16_t)h->code.number);
	return w.len;
}

static int v3_init(struct pu_handshake *h)
{
	uint8_t channel[CHANNEL_MAX], secret[64];
	struct pu_bytes ci = pu_bytes(channel, write_channel(h, channel));
	int r;

	h->random(h->arg, secret, sizeof secret);
	pu_sha256(ci, h->v3.transcript);
	r = pu_cpace_start(&h->v3.cpace, pu_bytes_str(h->code.password), ci, none, secret);
	explicit_bzero(secret, sizeof secret);
	return r;
}

/* The transcript is a chain: each link is the MAC of a message, keyed by the link before. */
static void mix(struct pu_handshake *h, struct pu_bytes msg)
{
	uint8_t next[PU_SHA256_LEN];

	pu_hmac_sha256(pu_bytes(h->v3.transcript, sizeof h->v3.transcript), msg, next);
	memcpy(h->v3.transcript, next, sizeof next);
}

/* Key for what the inviter or the joiner sends. */
static const uint8_t *key_of(const struct pu_handshake *h, enum pu_handshake_key k, bool inviter)
{
	return h->v3.key[k + inviter];
}

static void make_proof(const struct pu_handshake *h, bool inviter, uint8_t out[PROOF_LEN])
{
	pu_hmac_sha256(pu_bytes(key_of(h, PU_HANDSHAKE_KEY_PROOF, inviter), PU_SEAL_KEY_LEN),
		       pu_bytes(h->v3.transcript, sizeof h->v3.transcript), out);
}

static void send_share(struct pu_handshake *h)
{
	uint8_t msg[PU_HANDSHAKE_PREFIX_LEN + PU_CPACE_SHARE_LEN];

	pu_put_be16(msg, PU_CPACE_SHARE_LEN);
	memcpy(msg + PU_HANDSHAKE_PREFIX_LEN, h->v3.cpace.share, PU_CPACE_SHARE_LEN);
	pu_handshake_send(h, msg, sizeof msg);
}

/* Seals plain with that key, which nothing else is sealed with, so that the nonce may be
 * fixed; in front the proof, if this message has one. */
static void send_sealed(struct pu_handshake *h, enum pu_handshake_key k, struct pu_bytes plain)
{
	static const uint8_t nonce[PU_SEAL_NONCE_LEN];
	uint8_t msg[PU_HANDSHAKE_PREFIX_LEN + PU_HANDSHAKE_MESSAGE_MAX];
	uint8_t *proof = msg + PU_HANDSHAKE_PREFIX_LEN;
	size_t proof_len = k == PU_HANDSHAKE_KEY_FIRST ? PROOF_LEN : 0;
	size_t len = plain.len + PU_SEAL_TAG_LEN;

	pu_seal(key_of(h, k, h->inviter), nonce,
		pu_bytes(h->v3.transcript, sizeof h->v3.transcript), plain, proof + proof_len);
	mix(h, pu_bytes(proof + proof_len, len));
	if (proof_len)
		make_proof(h, h->inviter, proof);
	pu_put_be16(msg, (uint16_t)(proof_len + len));
	pu_handshake_send(h, msg, PU_HANDSHAKE_PREFIX_LEN + proof_len + len);
}

/* The proof comes first: nothing is decrypted for somebody who does not know the password. */
static int open_sealed(struct pu_handshake *h, enum pu_handshake_key k, struct pu_bytes msg,
		       uint8_t *out, size_t *plen)
{
	static const uint8_t nonce[PU_SEAL_NONCE_LEN];
	size_t proof_len = k == PU_HANDSHAKE_KEY_FIRST ? PROOF_LEN : 0;
	struct pu_bytes sealed = pu_bytes(msg.p + proof_len, msg.len - proof_len);
	uint8_t proof[PROOF_LEN], before[PU_SHA256_LEN];

	memcpy(before, h->v3.transcript, sizeof before);
	mix(h, sealed);
	make_proof(h, !h->inviter, proof);
	if (proof_len && !pu_equal(proof, msg.p, proof_len))
		return PU_EDENIED;
	if (pu_seal_open(key_of(h, k, !h->inviter), nonce, pu_bytes(before, sizeof before), sealed,
			 out) < 0)
		return PU_EPROTO;
	*plen = sealed.len - PU_SEAL_TAG_LEN;
	return 0;
}

static int send_introduction(struct pu_handshake *h)
{
	struct pu_buf plain;
	int r;

	pu_buf_init(&plain, PLAIN_MAX);
	r = pu_introduction_pack(&h->us, &plain);
	if (r == 0)
		send_sealed(h, PU_HANDSHAKE_KEY_FIRST, pu_buf_bytes(&plain));
	pu_buf_deinit(&plain);
	return r;
}

/* text NULL: stored. */
static int send_word(struct pu_handshake *h, enum pu_handshake_key k, const char *text)
{
	struct pu_buf plain;
	int r;

	pu_buf_init(&plain, PLAIN_MAX);
	r = text ? pu_introduction_pack_refusal(text, &plain) : pu_introduction_pack_stored(&plain);
	if (r == 0)
		send_sealed(h, k, pu_buf_bytes(&plain));
	pu_buf_deinit(&plain);
	return r;
}

static int v3_start(struct pu_handshake *h)
{
	send_share(h);
	return 0;
}

static int v3_frame(const struct pu_handshake *h, struct pu_bytes in, size_t *pat, size_t *plen)
{
	size_t min = PU_SEAL_TAG_LEN;

	if (h->state == PU_HANDSHAKE_SHARE)
		min = PU_CPACE_SHARE_LEN;
	else if (h->state == PU_HANDSHAKE_PROOF)
		min = PROOF_LEN + PU_SEAL_TAG_LEN;
	return pu_handshake_frame(in, min, pat, plen);
}

static int derive(struct pu_handshake *h, const uint8_t *share)
{
	const uint8_t *joiner = h->inviter ? share : h->v3.cpace.share;
	const uint8_t *inviter = h->inviter ? h->v3.cpace.share : share;
	uint8_t isk[PU_CPACE_KEY_LEN];
	int r = pu_cpace_finish(&h->v3.cpace, !h->inviter, share, none, none, none, isk);

	if (r == 0) {
		pu_kdf_hkdf(pu_bytes(isk, sizeof isk), none, pu_bytes_str(INFO), h->v3.key[0],
			    sizeof h->v3.key);
		mix(h, pu_bytes(joiner, PU_CPACE_SHARE_LEN));
		mix(h, pu_bytes(inviter, PU_CPACE_SHARE_LEN));
	}
	explicit_bzero(isk, sizeof isk);
	explicit_bzero(h->v3.cpace.scalar, sizeof h->v3.cpace.scalar);
	return r == 0 ? 0 : PU_EPROTO;
}

static int v3_on_share(struct pu_handshake *h, struct pu_bytes msg)
{
	int r;

	if (msg.len != PU_CPACE_SHARE_LEN)
		return PU_EPROTO;
	r = derive(h, msg.p);
	if (r < 0)
		return r;
	if (h->inviter && !pu_handshake_may_guess(h))
		return PU_EDENIED;
	h->state = PU_HANDSHAKE_PROOF;
	if (!h->inviter)
		return send_introduction(h);
	send_share(h);
	return 0;
}

/* A refusal ends it, whoever says so. */
static int take_word(struct pu_handshake *h, struct pu_bytes plain, enum pu_sealed_kind want)
{
	char text[PU_HANDSHAKE_REFUSAL_MAX + 1];
	enum pu_sealed_kind kind;
	int r = pu_introduction_unpack(plain, &kind, &h->them, text);

	if (r < 0)
		return r;
	if (kind == want)
		return 0;
	/* The joiner has nothing to refuse in its first message, nor the inviter in its last. */
	if (kind != PU_SEALED_REFUSAL || h->inviter == (h->state == PU_HANDSHAKE_PROOF))
		return PU_EPROTO;
	pu_handshake_failed(h, PU_EREFUSED, text);
	return PU_ECANCELED;
}

static int v3_on_proof(struct pu_handshake *h, struct pu_bytes msg)
{
	uint8_t plain[PLAIN_MAX];
	size_t len;
	int r = open_sealed(h, PU_HANDSHAKE_KEY_FIRST, msg, plain, &len);

	if (r == 0)
		r = take_word(h, pu_bytes(plain, len), PU_SEALED_INTRODUCTION);
	if (r == 0)
		pu_handshake_proven(h);
	return r;
}

static int v3_on_last(struct pu_handshake *h, struct pu_bytes msg)
{
	uint8_t plain[PU_HANDSHAKE_MESSAGE_MAX];
	size_t len;
	int r = open_sealed(h, PU_HANDSHAKE_KEY_LAST, msg, plain, &len);

	if (r == 0)
		r = take_word(h, pu_bytes(plain, len), PU_SEALED_STORED);
	if (r == 0 && h->inviter)
		r = send_word(h, PU_HANDSHAKE_KEY_LAST, NULL);
	if (r == 0)
		pu_handshake_done(h);
	return r;
}

static int v3_accept(struct pu_handshake *h)
{
	h->state = PU_HANDSHAKE_LAST;
	if (h->inviter)
		return send_introduction(h);
	return send_word(h, PU_HANDSHAKE_KEY_LAST, NULL);
}

static int v3_refuse(struct pu_handshake *h, const char *text)
{
	return send_word(h, h->inviter ? PU_HANDSHAKE_KEY_FIRST : PU_HANDSHAKE_KEY_LAST, text);
}

const struct pu_handshake_version pu_handshake_version_3 = {
	.init = v3_init,
	.start = v3_start,
	.frame = v3_frame,
	.on_share = v3_on_share,
	.on_proof = v3_on_proof,
	.on_last = v3_on_last,
	.accept = v3_accept,
	.refuse = v3_refuse,
};
