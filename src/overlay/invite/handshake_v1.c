/* /peerup/invite/1.0.0, as peer-up speaks it:
 *
 *   J to I  01 ‖ public key        J to I  sealed name
 *   I to J  public key             I to J  sealed "OK " name, or "ERR " text
 *
 * One key for both directions, out of both key pairs and the token. */
#include <ctype.h>

#include "base/err.h"
#include "base/wire.h"
#include "crypto/kdf.h"
#include "overlay/invite/handshake_internal.h"
#include "overlay/invite/introduction.h"

#define INFO "peerup-invite-v1"
#define OK_WORD "OK "
#define ERR_WORD "ERR"

enum {
	VERSION_BYTE = 1,
	TOKEN_LEN = 8,
	OVERHEAD = PU_SEAL_NONCE_LEN + PU_SEAL_TAG_LEN,
	PLAIN_MAX = PU_HANDSHAKE_MESSAGE_MAX - OVERHEAD,
};

static const struct pu_bytes none;

static int v1_init(struct pu_handshake *h)
{
	h->random(h->arg, h->v1.secret, sizeof h->v1.secret);
	return 0;
}

static int v1_start(struct pu_handshake *h)
{
	uint8_t msg[1 + PU_DH_LEN] = { VERSION_BYTE };

	pu_dh_public(h->v1.secret, msg + 1);
	pu_handshake_send(h, msg, sizeof msg);
	return 0;
}

static int v1_frame(const struct pu_handshake *h, struct pu_bytes in, size_t *pat, size_t *plen)
{
	if (h->state != PU_HANDSHAKE_SHARE)
		return pu_handshake_frame(in, OVERHEAD, pat, plen);
	if (h->inviter && in.p[0] != VERSION_BYTE)
		return PU_EPROTO;
	*pat = h->inviter ? 1 : 0;
	*plen = PU_DH_LEN;
	return 0;
}

static int derive(struct pu_handshake *h, const uint8_t *public)
{
	uint8_t secret[PU_DH_LEN + TOKEN_LEN];
	int r = pu_dh(h->v1.secret, public, secret);

	if (r == 0) {
		memcpy(secret + PU_DH_LEN, h->code.token, TOKEN_LEN);
		pu_kdf_hkdf(pu_bytes(secret, sizeof secret), none, pu_bytes_str(INFO), h->v1.key,
			    sizeof h->v1.key);
	}
	explicit_bzero(secret, sizeof secret);
	return r == 0 ? 0 : PU_EPROTO;
}

static void send_sealed(struct pu_handshake *h, struct pu_bytes plain)
{
	uint8_t msg[PU_HANDSHAKE_PREFIX_LEN + PU_HANDSHAKE_MESSAGE_MAX];
	uint8_t *nonce = msg + PU_HANDSHAKE_PREFIX_LEN;

	pu_put_be16(msg, (uint16_t)(plain.len + OVERHEAD));
	h->random(h->arg, nonce, PU_SEAL_NONCE_LEN);
	pu_seal(h->v1.key, nonce, none, plain, nonce + PU_SEAL_NONCE_LEN);
	pu_handshake_send(h, msg, PU_HANDSHAKE_PREFIX_LEN + plain.len + OVERHEAD);
}

static int open_sealed(const struct pu_handshake *h, struct pu_bytes msg, uint8_t *out,
		       size_t *plen)
{
	struct pu_bytes sealed = pu_bytes(msg.p + PU_SEAL_NONCE_LEN, msg.len - PU_SEAL_NONCE_LEN);

	if (pu_seal_open(h->v1.key, msg.p, none, sealed, out) < 0)
		return PU_EDENIED;
	*plen = msg.len - OVERHEAD;
	return 0;
}

static int v1_on_share(struct pu_handshake *h, struct pu_bytes msg)
{
	uint8_t public[PU_DH_LEN];
	int r;

	r = derive(h, msg.p);
	if (r < 0)
		return r;
	if (h->inviter && !pu_handshake_may_guess(h))
		return PU_EDENIED;
	h->state = PU_HANDSHAKE_PROOF;
	pu_dh_public(h->v1.secret, public);
	if (h->inviter)
		pu_handshake_send(h, public, sizeof public);
	else
		send_sealed(h, pu_bytes_str(h->us.name));
	return 0;
}

static struct pu_bytes trim(struct pu_bytes b)
{
	while (b.len > 0 && isspace(b.p[0]))
		b = pu_bytes(b.p + 1, b.len - 1);
	while (b.len > 0 && isspace(b.p[b.len - 1]))
		b.len--;
	return b;
}

static bool begins(struct pu_bytes b, const char *word, size_t len)
{
	return b.len >= len && memcmp(b.p, word, len) == 0;
}

/* The inviter's "OK name" or "ERR text". */
static int take_answer(struct pu_handshake *h, struct pu_bytes plain)
{
	char text[PU_HANDSHAKE_REFUSAL_MAX + 1];
	size_t skip = strlen(ERR_WORD);

	if (begins(plain, ERR_WORD, skip)) {
		pu_introduction_text(trim(pu_bytes(plain.p + skip, plain.len - skip)), text);
		pu_handshake_failed(h, PU_EREFUSED, text);
		return PU_ECANCELED;
	}
	skip = strlen(OK_WORD) - 1;
	if (!begins(plain, OK_WORD, skip))
		return PU_EPROTO;
	return pu_introduction_name(trim(pu_bytes(plain.p + skip, plain.len - skip)), h->them.name);
}

static int v1_on_proof(struct pu_handshake *h, struct pu_bytes msg)
{
	uint8_t plain[PLAIN_MAX];
	size_t len;
	int r = open_sealed(h, msg, plain, &len);

	if (r < 0)
		return r;
	h->them.access = PU_ACCESS_SERVICES;
	if (h->inviter)
		r = pu_introduction_name(pu_bytes(plain, len), h->them.name);
	else
		r = take_answer(h, pu_bytes(plain, len));
	if (r < 0)
		return r;
	pu_handshake_proven(h);
	return 0;
}

/* Never reached: no state of version 1 waits for it. */
static int v1_on_last(struct pu_handshake *h, struct pu_bytes msg)
{
	return PU_EPROTO;
}

static void answer(struct pu_handshake *h, const char *word, const char *text, size_t max)
{
	uint8_t plain[sizeof ERR_WORD + PU_HANDSHAKE_NAME_MAX + PU_HANDSHAKE_REFUSAL_MAX];
	struct pu_wr w = pu_wr_init(plain, sizeof plain);

	pu_wr_bytes(&w, pu_bytes_str(word));
	pu_wr_bytes(&w, pu_bytes(text, strnlen(text, max)));
	send_sealed(h, pu_bytes(plain, w.len));
}

static int v1_accept(struct pu_handshake *h)
{
	if (h->inviter)
		answer(h, OK_WORD, h->us.name, PU_HANDSHAKE_NAME_MAX);
	pu_handshake_done(h);
	return 0;
}

/* A joiner has no word for it. */
static int v1_refuse(struct pu_handshake *h, const char *text)
{
	if (h->inviter)
		answer(h, ERR_WORD " ", text, PU_HANDSHAKE_REFUSAL_MAX);
	return 0;
}

const struct pu_handshake_version pu_handshake_version_1 = {
	.init = v1_init,
	.start = v1_start,
	.frame = v1_frame,
	.on_share = v1_on_share,
	.on_proof = v1_on_proof,
	.on_last = v1_on_last,
	.accept = v1_accept,
	.refuse = v1_refuse,
};
