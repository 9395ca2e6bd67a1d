#include "p2p/noise/channel.h"

#include <sodium.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/wire.h"
#include "p2p/noise/channel_internal.h"
#include "p2p/noise/handshake.h"
#include "p2p/noise/payload.h"

#define SIGNATURE_PREFIX "noise-libp2p-static-key:"

enum {
	LENGTH_LEN = 2,
	SIGNED_LEN = sizeof SIGNATURE_PREFIX - 1 + PU_NOISE_DH_LEN,
};

struct pu_noise {
	struct pu_secure base;
	const struct pu_key *key;
	const char *const *muxers; /* may be NULL */
	struct pu_peerid expected; /* empty: anyone */
	struct pu_noise_handshake hs;
	struct pu_noise_cipher send, recv;
	uint8_t hash[PU_NOISE_HASH_LEN];
	int state; /* PU_EAGAIN in the handshake, 0 when open, else why it is over */
};

static struct pu_noise *noise(struct pu_secure *s)
{
	return PU_CONTAINER_OF(s, struct pu_noise, base);
}

static void signed_message(const uint8_t *static_public, uint8_t msg[SIGNED_LEN])
{
	memcpy(msg, SIGNATURE_PREFIX, sizeof SIGNATURE_PREFIX - 1);
	memcpy(msg + sizeof SIGNATURE_PREFIX - 1, static_public, PU_NOISE_DH_LEN);
}

/* The agreed muxer is the first of the initiator's list that the responder has
 * too, so both ends find the same one. A peer that states none gets multistream. */
static const char *choose_muxer(const struct pu_noise *ns, const struct pu_noise_payload *pl)
{
	size_t n_ours = 0, n_theirs = pl->n_muxers;

	while (ns->muxers && ns->muxers[n_ours])
		n_ours++;
	for (size_t i = 0; i < n_ours * n_theirs; i++) {
		size_t ours = ns->hs.initiator ? i / n_theirs : i % n_ours;
		size_t theirs = ns->hs.initiator ? i % n_theirs : i / n_ours;

		if (pu_bytes_eq_str(pl->muxers[theirs], ns->muxers[ours]))
			return ns->muxers[ours];
	}
	return NULL;
}

/* Appends u16 length ‖ handshake message with that payload. */
static int write_message(struct pu_noise *ns, struct pu_bytes payload, struct pu_buf *out)
{
	size_t len = pu_noise_handshake_overhead(&ns->hs) + payload.len;
	uint8_t b[LENGTH_LEN];
	uint8_t *unused;
	int r;

	/* Both or nothing. */
	r = pu_buf_reserve(out, LENGTH_LEN + len, &unused);
	if (r < 0)
		return r;
	pu_put_be16(b, (uint16_t)len);
	r = pu_buf_append(out, b, sizeof b);
	return r < 0 ? r : pu_noise_handshake_write(&ns->hs, payload, out);
}

static int write_identity(struct pu_noise *ns, struct pu_buf *out)
{
	uint8_t msg[SIGNED_LEN], sig[64], b[PU_NOISE_PAYLOAD_MAX];
	struct pu_noise_payload pl;
	int n;

	signed_message(ns->hs.s.public, msg);
	pu_key_sign(ns->key, pu_bytes(msg, sizeof msg), sig);
	pl.identity_key = pu_key_public(ns->key);
	pl.identity_sig = pu_bytes(sig, sizeof sig);
	pl.n_muxers = 0;
	for (size_t i = 0; ns->muxers && ns->muxers[i] && i < PU_NOISE_MUXERS_MAX; i++)
		pl.muxers[pl.n_muxers++] = pu_bytes_str(ns->muxers[i]);
	n = pu_noise_payload_encode(&pl, b, sizeof b);
	return n < 0 ? n : write_message(ns, pu_bytes(b, (size_t)n), out);
}

/* The payload of a message that came with a proven static key: does it belong to
 * the identity key, and is that the peer we want? */
static int check_identity(struct pu_noise *ns, struct pu_bytes payload)
{
	struct pu_noise_payload pl;
	uint8_t msg[SIGNED_LEN];
	int r;

	r = pu_noise_payload_decode(&pl, payload);
	if (r < 0)
		return r;
	r = pu_pubkey_decode(&ns->base.remote, pl.identity_key);
	if (r < 0)
		return r;
	signed_message(ns->hs.rs, msg);
	r = pu_pubkey_verify(&ns->base.remote, pu_bytes(msg, sizeof msg), pl.identity_sig);
	if (r < 0)
		return r;
	if (!pu_peerid_empty(&ns->expected) &&
	    !pu_peerid_eq(&ns->expected, &ns->base.remote.peer))
		return PU_EPEERID;
	ns->base.muxer = choose_muxer(ns, &pl);
	return 0;
}

static int read_message(struct pu_noise *ns, struct pu_bytes msg)
{
	uint8_t payload[PU_NOISE_HANDSHAKE_FRAME_MAX];
	size_t len;
	int r;

	r = pu_noise_handshake_read(&ns->hs, msg, payload, &len);
	if (r < 0)
		return r;
	/* The first message comes from anybody and has nothing to say. */
	if (ns->hs.n_messages == 1)
		return len == 0 ? 0 : PU_EPROTO;
	return check_identity(ns, pu_bytes(payload, len));
}

static int write_next(struct pu_noise *ns, struct pu_buf *out)
{
	if (ns->hs.n_messages == 0)
		return write_message(ns, pu_bytes(NULL, 0), out);
	return write_identity(ns, out);
}

static int read_next(struct pu_noise *ns, struct pu_buf *in)
{
	struct pu_bytes b = pu_buf_bytes(in);
	size_t len;
	int r;

	if (b.len < LENGTH_LEN)
		return PU_EAGAIN;
	len = pu_get_be16(b.p);
	if (len == 0 || len > PU_NOISE_HANDSHAKE_FRAME_MAX)
		return PU_EPROTO;
	if (b.len - LENGTH_LEN < len)
		return PU_EAGAIN;
	r = read_message(ns, pu_bytes(b.p + LENGTH_LEN, len));
	pu_buf_consume(in, LENGTH_LEN + len);
	return r;
}

static int noise_handshake(struct pu_secure *s, struct pu_buf *in, struct pu_buf *out)
{
	struct pu_noise *ns = noise(s);
	int r = 0;

	if (ns->state != PU_EAGAIN)
		return ns->state;
	while (r == 0 && !pu_noise_handshake_done(&ns->hs)) {
		if (pu_noise_handshake_our_turn(&ns->hs))
			r = write_next(ns, out);
		else
			r = read_next(ns, in);
	}
	if (r == PU_EAGAIN)
		return r;
	if (r == 0) {
		pu_noise_handshake_split(&ns->hs, &ns->send, &ns->recv);
		memcpy(ns->hash, ns->hs.h, sizeof ns->hash);
	}
	pu_noise_handshake_deinit(&ns->hs);
	ns->state = r;
	return r;
}

static int noise_seal(struct pu_secure *s, struct pu_bytes data, struct pu_buf *out)
{
	struct pu_noise *ns = noise(s);
	size_t n_frames = (data.len + PU_NOISE_PLAIN_MAX - 1) / PU_NOISE_PLAIN_MAX;
	size_t need;
	uint8_t *p;
	int r;

	if (ns->state < 0)
		return ns->state;
	need = data.len + n_frames * (LENGTH_LEN + PU_NOISE_TAG_LEN);
	r = pu_buf_reserve(out, need, &p);
	if (r < 0)
		return r;
	while (data.len > 0) {
		size_t len = pu_min(data.len, PU_NOISE_PLAIN_MAX);

		pu_put_be16(p, (uint16_t)(len + PU_NOISE_TAG_LEN));
		r = pu_noise_encrypt(&ns->send, pu_bytes(NULL, 0), pu_bytes(data.p, len),
				     p + LENGTH_LEN);
		if (r < 0) {
			ns->state = r;
			return r;
		}
		p += LENGTH_LEN + len + PU_NOISE_TAG_LEN;
		data.p += len;
		data.len -= len;
	}
	pu_buf_commit(out, need);
	return 0;
}

/* Opens the record at the start of in. PU_EAGAIN: it is not complete, or out has no
 * room for it. */
static int open_record(struct pu_noise *ns, struct pu_buf *in, struct pu_buf *out)
{
	struct pu_bytes b = pu_buf_bytes(in);
	size_t len;
	uint8_t *p;
	int r;

	if (b.len < LENGTH_LEN)
		return PU_EAGAIN;
	len = pu_get_be16(b.p);
	if (len < PU_NOISE_TAG_LEN)
		return PU_EPROTO;
	if (b.len - LENGTH_LEN < len)
		return PU_EAGAIN;
	r = pu_buf_reserve(out, len - PU_NOISE_TAG_LEN, &p);
	if (r == PU_ELIMIT)
		return PU_EAGAIN;
	if (r < 0)
		return r;
	r = pu_noise_decrypt(&ns->recv, pu_bytes(NULL, 0), pu_bytes(b.p + LENGTH_LEN, len), p);
	if (r < 0)
		return r;
	pu_buf_commit(out, len - PU_NOISE_TAG_LEN);
	pu_buf_consume(in, LENGTH_LEN + len);
	return 0;
}

static int noise_open(struct pu_secure *s, struct pu_buf *in, struct pu_buf *out)
{
	struct pu_noise *ns = noise(s);
	int r;

	if (ns->state < 0)
		return ns->state;
	do
		r = open_record(ns, in, out);
	while (r == 0);
	if (r == PU_EAGAIN)
		return 0;
	ns->state = r;
	return r;
}

static void noise_close(struct pu_secure *s, struct pu_buf *out)
{
	(void)s;
	(void)out;
}

static void noise_free(struct pu_secure *s)
{
	struct pu_noise *ns = noise(s);

	sodium_memzero(ns, sizeof *ns);
	free(ns);
}

static const struct pu_secure_ops noise_ops = {
	.protocol = PU_NOISE_PROTOCOL,
	.handshake = noise_handshake,
	.seal = noise_seal,
	.open = noise_open,
	.close = noise_close,
	.free = noise_free,
};

int pu_noise_new_with_secrets(const struct pu_secure_config *cfg, const uint8_t *static_secret,
			      const uint8_t *ephemeral_secret, struct pu_secure **ps)
{
	struct pu_noise *ns;
	int r;

	r = pu_crypto_init();
	if (r < 0)
		return r;
	ns = calloc(1, sizeof *ns);
	if (!ns)
		return PU_ENOMEM;
	ns->base.ops = &noise_ops;
	ns->key = cfg->key;
	ns->muxers = cfg->muxers;
	if (cfg->expected)
		ns->expected = *cfg->expected;
	ns->state = PU_EAGAIN;
	pu_noise_handshake_init(&ns->hs, cfg->initiator, pu_bytes(NULL, 0), static_secret,
				ephemeral_secret);
	*ps = &ns->base;
	return 0;
}

int pu_noise_new(const struct pu_secure_config *cfg, struct pu_secure **ps)
{
	uint8_t secrets[2][PU_NOISE_DH_LEN];
	int r;

	pu_loop_random(cfg->loop, secrets, sizeof secrets);
	r = pu_noise_new_with_secrets(cfg, secrets[0], secrets[1], ps);
	sodium_memzero(secrets, sizeof secrets);
	return r;
}

const uint8_t *pu_noise_handshake_hash(const struct pu_secure *s)
{
	return noise((struct pu_secure *)s)->hash;
}
