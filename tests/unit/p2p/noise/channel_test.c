#include "p2p/noise/channel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/loop.h"
#include "base/wire.h"
#include "crypto/pb.h"
#include "p2p/noise/channel_internal.h"
#include "p2p/noise/handshake.h"
#include "p2p/noise/payload.h"
#include "support/vectors.h"

enum { BUF_MAX = 1 << 20 };

static const char *const yamux[] = { "/yamux/1.0.0", NULL };
static const char *const a_then_yamux[] = { "/a", "/yamux/1.0.0", NULL };
static const char *const yamux_then_a[] = { "/yamux/1.0.0", "/a", NULL };
static const char *const only_b[] = { "/b", NULL };
static const char *const none[] = { NULL };

/* One end and what it wants to send. */
struct end {
	struct pu_key key;
	struct pu_secure *s;
	struct pu_buf out;
};

struct world {
	struct pu_vectors *keys, *xx, *v;
	struct pu_loop loop;
	struct end a, b; /* a dials */
};

static void weak_random(void *arg, void *p, size_t n)
{
	static uint8_t counter;

	for (uint8_t *b = p; n-- > 0;)
		*b++ = counter++;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	pu_crypto_init();
	w->keys = pu_vectors_load("keys.txt");
	w->xx = pu_vectors_load("noise_xx.txt");
	w->v = pu_vectors_load("noise_libp2p.txt");
	pu_loop_init(&w->loop, 1, 0, weak_random, NULL);
	pu_key_decode(&w->a.key, pu_vectors_hex(w->keys, "ed25519.private"));
	pu_key_from_seed(&w->b.key, pu_vectors_hex(w->keys, "b.seed").p);
	pu_buf_init(&w->a.out, BUF_MAX);
	pu_buf_init(&w->b.out, BUF_MAX);
	*state = w;
	return 0;
}

static void end_deinit(struct end *e)
{
	if (e->s)
		e->s->ops->free(e->s);
	pu_key_deinit(&e->key);
	pu_buf_deinit(&e->out);
}

static int teardown(void **state)
{
	struct world *w = *state;

	end_deinit(&w->a);
	end_deinit(&w->b);
	pu_loop_deinit(&w->loop);
	pu_vectors_free(w->keys);
	pu_vectors_free(w->xx);
	pu_vectors_free(w->v);
	free(w);
	return 0;
}

/* Both ends with the secrets of the vectors. */
static void start(struct world *w, const char *const *muxers_a, const char *const *muxers_b,
		  const struct pu_peerid *expected)
{
	struct pu_secure_config ca = {
		.key = &w->a.key, .initiator = true, .muxers = muxers_a, .expected = expected,
		.loop = &w->loop,
	};
	struct pu_secure_config cb = { .key = &w->b.key, .muxers = muxers_b, .loop = &w->loop };

	assert_int_equal(pu_noise_new_with_secrets(&ca, pu_vectors_hex(w->xx, "init_static").p,
						   pu_vectors_hex(w->xx, "init_ephemeral").p,
						   &w->a.s), 0);
	assert_int_equal(pu_noise_new_with_secrets(&cb, pu_vectors_hex(w->xx, "resp_static").p,
						   pu_vectors_hex(w->xx, "resp_ephemeral").p,
						   &w->b.s), 0);
}

static int shake(struct end *from, struct end *to)
{
	return to->s->ops->handshake(to->s, &from->out, &to->out);
}

static void finish(struct world *w)
{
	assert_int_equal(shake(&w->b, &w->a), PU_EAGAIN);
	assert_int_equal(shake(&w->a, &w->b), PU_EAGAIN);
	assert_int_equal(shake(&w->b, &w->a), 0);
	assert_int_equal(shake(&w->a, &w->b), 0);
}

static void assert_out(struct world *w, struct end *e, const char *variant, const char *name)
{
	char full[64];

	snprintf(full, sizeof full, "%s%s", variant, name);
	assert_true(pu_bytes_eq(pu_buf_bytes(&e->out), pu_vectors_hex(w->v, full)));
}

static void known_bytes(struct world *w, const char *variant, const char *const *muxers)
{
	static const char hello[] = "\x13/multistream/1.0.0\n";
	struct pu_buf plain;
	char name[32];

	start(w, muxers, muxers, &w->b.key.peer);
	assert_int_equal(shake(&w->b, &w->a), PU_EAGAIN);
	assert_out(w, &w->a, variant, "message1");
	assert_int_equal(shake(&w->a, &w->b), PU_EAGAIN);
	assert_out(w, &w->b, variant, "message2");
	assert_int_equal(shake(&w->b, &w->a), 0);
	assert_out(w, &w->a, variant, "message3");
	assert_int_equal(shake(&w->a, &w->b), 0);
	snprintf(name, sizeof name, "%shash", variant);
	assert_memory_equal(pu_noise_handshake_hash(w->a.s), pu_vectors_hex(w->v, name).p, 32);
	assert_memory_equal(pu_noise_handshake_hash(w->b.s), pu_vectors_hex(w->v, name).p, 32);

	pu_buf_init(&plain, BUF_MAX);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str(hello), &w->a.out), 0);
	assert_out(w, &w->a, "", "frame_init");
	assert_int_equal(w->b.s->ops->seal(w->b.s, pu_bytes_str(hello), &w->b.out), 0);
	assert_out(w, &w->b, "", "frame_resp");
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&plain), hello));
	pu_buf_deinit(&plain);
}

static void known_handshake_without_muxers(void **state)
{
	struct world *w = *state;

	known_bytes(w, "plain.", NULL);
	assert_null(w->a.s->muxer);
	assert_null(w->b.s->muxer);
}

static void known_handshake_with_muxers(void **state)
{
	struct world *w = *state;

	known_bytes(w, "muxers.", yamux);
	assert_ptr_equal(w->a.s->muxer, yamux[0]);
	assert_ptr_equal(w->b.s->muxer, yamux[0]);
}

static void payload_is_the_known_bytes(void **state)
{
	struct world *w = *state;
	struct pu_bytes want = pu_vectors_hex(w->v, "payload2");
	struct pu_noise_payload pl;
	uint8_t out[256];

	assert_int_equal(pu_noise_payload_decode(&pl, want), 0);
	assert_true(pu_bytes_eq(pl.identity_key, pu_key_public(&w->b.key)));
	assert_int_equal(pl.identity_sig.len, 64);
	assert_int_equal(pl.n_muxers, 0);
	assert_int_equal(pu_noise_payload_encode(&pl, out, sizeof out), want.len);
	assert_memory_equal(out, want.p, want.len);
	assert_int_equal(pu_noise_payload_encode(&pl, out, want.len - 1), PU_ELIMIT);
}

static void both_ends_learn_who_the_other_is(void **state)
{
	struct world *w = *state;

	start(w, yamux, yamux, NULL);
	finish(w);
	assert_true(pu_peerid_eq(&w->a.s->remote.peer, &w->b.key.peer));
	assert_true(pu_peerid_eq(&w->b.s->remote.peer, &w->a.key.peer));
}

static void the_wrong_peer_learns_nothing_about_us(void **state)
{
	struct world *w = *state;

	start(w, yamux, yamux, &w->a.key.peer);
	assert_int_equal(shake(&w->b, &w->a), PU_EAGAIN);
	assert_int_equal(shake(&w->a, &w->b), PU_EAGAIN);
	assert_int_equal(shake(&w->b, &w->a), PU_EPEERID);
	assert_int_equal(w->a.out.len, 0);
	assert_int_equal(shake(&w->b, &w->a), PU_EPEERID);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str("x"), &w->a.out), PU_EPEERID);
}

static void a_responder_can_insist_on_a_peer_too(void **state)
{
	struct world *w = *state;
	struct pu_secure_config ca = {
		.key = &w->a.key, .initiator = true, .loop = &w->loop,
	};
	struct pu_secure_config cb = {
		.key = &w->b.key, .expected = &w->b.key.peer, .loop = &w->loop,
	};

	assert_int_equal(pu_noise_new(&ca, &w->a.s), 0);
	assert_int_equal(pu_noise_new(&cb, &w->b.s), 0);
	assert_int_equal(shake(&w->b, &w->a), PU_EAGAIN);
	assert_int_equal(shake(&w->a, &w->b), PU_EAGAIN);
	assert_int_equal(shake(&w->b, &w->a), 0);
	assert_int_equal(shake(&w->a, &w->b), PU_EPEERID);
}

static void muxer_is_the_first_of_the_initiator_that_both_state(void **state)
{
	static const struct {
		const char *const *a, *const *b;
		const char *want;
	} cases[] = {
		{ a_then_yamux, yamux_then_a, "/a" },
		{ yamux_then_a, a_then_yamux, "/yamux/1.0.0" },
		{ a_then_yamux, yamux, "/yamux/1.0.0" },
		{ yamux, only_b, NULL },
		{ yamux, none, NULL },
		{ NULL, yamux, NULL },
		{ none, NULL, NULL },
	};
	struct world *w = *state;

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		start(w, cases[i].a, cases[i].b, NULL);
		finish(w);
		if (cases[i].want) {
			assert_string_equal(w->a.s->muxer, cases[i].want);
			assert_string_equal(w->b.s->muxer, cases[i].want);
		} else {
			assert_null(w->a.s->muxer);
			assert_null(w->b.s->muxer);
		}
		w->a.s->ops->free(w->a.s);
		w->b.s->ops->free(w->b.s);
		w->a.s = w->b.s = NULL;
	}
}

static void handshake_survives_byte_by_byte_delivery(void **state)
{
	struct world *w = *state;
	struct end *from = &w->a, *to = &w->b;
	int r = PU_EAGAIN;

	start(w, yamux, yamux, NULL);
	assert_int_equal(shake(&w->b, &w->a), PU_EAGAIN);
	for (int turn = 0; turn < 3; turn++) {
		struct pu_buf in;
		struct end *swap = from;

		pu_buf_init(&in, BUF_MAX);
		while (from->out.len > 0) {
			assert_int_equal(r, PU_EAGAIN);
			pu_buf_append(&in, pu_buf_bytes(&from->out).p, 1);
			pu_buf_consume(&from->out, 1);
			r = to->s->ops->handshake(to->s, &in, &to->out);
		}
		assert_int_equal(in.len, 0);
		pu_buf_deinit(&in);
		assert_int_equal(r, turn == 0 ? PU_EAGAIN : 0);
		r = turn == 1 ? PU_EAGAIN : r;
		from = to;
		to = swap;
	}
}

/* What the peer sent along with its last message is payload. */
static void bytes_behind_the_handshake_are_left_alone(void **state)
{
	struct world *w = *state;
	struct pu_buf plain;

	start(w, yamux, yamux, NULL);
	assert_int_equal(shake(&w->b, &w->a), PU_EAGAIN);
	assert_int_equal(shake(&w->a, &w->b), PU_EAGAIN);
	assert_int_equal(shake(&w->b, &w->a), 0);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str("early"), &w->a.out), 0);
	assert_int_equal(shake(&w->a, &w->b), 0);
	assert_int_equal(w->a.out.len, 2 + 5 + PU_NOISE_TAG_LEN);
	pu_buf_init(&plain, BUF_MAX);
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&plain), "early"));
	pu_buf_deinit(&plain);
}

static void bad_frames_end_the_handshake(void **state)
{
	static const struct {
		uint8_t b[40];
		size_t len;
	} bad[] = {
		{ { 0, 0 }, 2 },        /* empty frame */
		{ { 0x20, 0x01 }, 2 },  /* 8193 */
		{ { 0, 31 }, 33 },      /* too short for a key */
		{ { 0, 33, 9 }, 35 },   /* payload in message 1 */
	};
	struct world *w = *state;

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++) {
		start(w, NULL, NULL, NULL);
		pu_buf_clear(&w->a.out, SIZE_MAX);
		pu_buf_append(&w->a.out, bad[i].b, bad[i].len);
		assert_int_equal(shake(&w->a, &w->b), PU_EPROTO);
		assert_int_equal(w->b.out.len, 0);
		w->a.s->ops->free(w->a.s);
		w->b.s->ops->free(w->b.s);
		w->a.s = w->b.s = NULL;
	}
}

/* A responder whose payload is what the test wants. */
static int answer_with(struct world *w, const struct pu_noise_payload *pl, struct pu_bytes raw)
{
	struct pu_noise_handshake hs;
	struct pu_bytes m1;
	uint8_t b[PU_NOISE_PAYLOAD_MAX], hdr[2];
	struct pu_buf msg;
	size_t len;
	int r;

	start(w, yamux, yamux, NULL);
	assert_int_equal(shake(&w->b, &w->a), PU_EAGAIN);
	pu_noise_handshake_init(&hs, false, pu_bytes(NULL, 0),
				pu_vectors_hex(w->xx, "resp_static").p,
				pu_vectors_hex(w->xx, "resp_ephemeral").p);
	m1 = pu_buf_bytes(&w->a.out);
	assert_int_equal(pu_noise_handshake_read(&hs, pu_bytes(m1.p + 2, m1.len - 2), b, &len), 0);
	pu_buf_clear(&w->a.out, SIZE_MAX);
	if (pl)
		raw = pu_bytes(b, (size_t)pu_noise_payload_encode(pl, b, sizeof b));
	pu_buf_init(&msg, BUF_MAX);
	assert_int_equal(pu_noise_handshake_write(&hs, raw, &msg), 0);
	pu_put_be16(hdr, (uint16_t)msg.len);
	assert_int_equal(pu_buf_prepend(&msg, hdr, 2), 0);
	r = w->a.s->ops->handshake(w->a.s, &msg, &w->a.out);
	pu_buf_deinit(&msg);
	w->a.s->ops->free(w->a.s);
	w->b.s->ops->free(w->b.s);
	w->a.s = w->b.s = NULL;
	return r;
}

static void identities_must_be_proved(void **state)
{
	struct world *w = *state;
	struct pu_noise_payload good, pl;
	uint8_t sig[64];

	assert_int_equal(pu_noise_payload_decode(&good, pu_vectors_hex(w->v, "payload2")), 0);
	assert_int_equal(answer_with(w, &good, good.identity_key), 0);
	assert_true(w->a.out.len > 0);
	pu_buf_clear(&w->a.out, SIZE_MAX);

	/* A good signature over another static key. */
	pl = good;
	pu_key_sign(&w->b.key, pu_bytes_str("noise-libp2p-static-key:somebody else's key 32 bytes"),
		    sig);
	pl.identity_sig = pu_bytes(sig, sizeof sig);
	assert_int_equal(answer_with(w, &pl, good.identity_key), PU_ECRYPTO);
	/* Somebody else's identity. */
	pl = good;
	pl.identity_key = pu_key_public(&w->a.key);
	assert_int_equal(answer_with(w, &pl, good.identity_key), PU_ECRYPTO);
	pl = good;
	pl.identity_sig.len--;
	assert_int_equal(answer_with(w, &pl, good.identity_key), PU_ECRYPTO);
	pl.identity_sig.len = 0;
	assert_int_equal(answer_with(w, &pl, good.identity_key), PU_ECRYPTO);
	pl = good;
	pl.identity_key.len = 0;
	assert_int_equal(answer_with(w, &pl, good.identity_key), PU_EPROTO);
	assert_int_equal(answer_with(w, NULL, pu_bytes_str("\x0a\x7f")), PU_EPROTO);
	assert_int_equal(answer_with(w, NULL, pu_bytes(NULL, 0)), PU_EPROTO);
	/* Nothing about us was sent to any of them. */
	assert_int_equal(w->a.out.len, 0);
}

static void unknown_payload_fields_are_skipped(void **state)
{
	struct world *w = *state;
	struct pu_bytes known = pu_vectors_hex(w->v, "payload2");
	uint8_t b[256];
	struct pu_wr wr = pu_wr_init(b, sizeof b);
	struct pu_noise_payload pl;

	pu_pb_put_bytes(&wr, 1, pu_bytes_str("overruled by the last one"));
	pu_pb_put_bytes(&wr, 3, pu_bytes_str("old data"));
	pu_pb_put_varint(&wr, 9, 1);
	pu_wr_bytes(&wr, known);
	assert_int_equal(pu_noise_payload_decode(&pl, pu_bytes(b, (size_t)pu_wr_end(&wr))), 0);
	assert_true(pu_bytes_eq(pl.identity_key, pu_key_public(&w->b.key)));
}

static void too_many_muxers_count_as_none(void **state)
{
	struct pu_noise_payload pl;
	uint8_t ext[512], all[600];
	struct pu_wr e = pu_wr_init(ext, sizeof ext), p = pu_wr_init(all, sizeof all);

	for (int i = 0; i < PU_NOISE_MUXERS_MAX; i++)
		pu_pb_put_bytes(&e, 2, pu_bytes_str("m"));
	pu_pb_put_bytes(&p, 4, pu_bytes(ext, e.len));
	assert_int_equal(pu_noise_payload_decode(&pl, pu_bytes(all, p.len)), 0);
	assert_int_equal(pl.n_muxers, PU_NOISE_MUXERS_MAX);
	pu_pb_put_bytes(&e, 2, pu_bytes_str("m"));
	p.len = 0;
	pu_pb_put_bytes(&p, 4, pu_bytes(ext, e.len));
	assert_int_equal(pu_noise_payload_decode(&pl, pu_bytes(all, p.len)), 0);
	assert_int_equal(pl.n_muxers, 0);
}

static void bulk_is_cut_into_frames_and_arrives_whole(void **state)
{
	enum { N = 3 * PU_NOISE_PLAIN_MAX + 1 };
	struct world *w = *state;
	struct pu_buf plain, wire;
	uint8_t *data = malloc(N);

	start(w, yamux, yamux, NULL);
	finish(w);
	for (size_t i = 0; i < N; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes(data, N), &w->a.out), 0);
	assert_int_equal(w->a.out.len, N + 4 * (2 + PU_NOISE_TAG_LEN));
	pu_buf_init(&plain, BUF_MAX);
	pu_buf_init(&wire, BUF_MAX);
	while (w->a.out.len > 0) {
		size_t n = pu_min(10007, w->a.out.len);

		pu_buf_append(&wire, pu_buf_bytes(&w->a.out).p, n);
		pu_buf_consume(&w->a.out, n);
		assert_int_equal(w->b.s->ops->open(w->b.s, &wire, &plain), 0);
	}
	assert_int_equal(wire.len, 0);
	assert_true(pu_bytes_eq(pu_buf_bytes(&plain), pu_bytes(data, N)));
	pu_buf_deinit(&wire);
	pu_buf_deinit(&plain);
	free(data);
}

static void full_buffers_lose_nothing(void **state)
{
	struct world *w = *state;
	struct pu_buf small, plain;

	start(w, yamux, yamux, NULL);
	finish(w);
	pu_buf_init(&small, 5 + 18 - 1);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str("hello"), &small), PU_ELIMIT);
	assert_int_equal(small.len, 0);
	pu_buf_deinit(&small);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str("hello"), &w->a.out), 0);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str("world"), &w->a.out), 0);
	pu_buf_init(&plain, 7);
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&plain), "hello"));
	pu_buf_consume(&plain, 5);
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&plain), "world"));
	pu_buf_deinit(&plain);
}

static void forged_records_end_the_channel(void **state)
{
	struct world *w = *state;
	struct pu_buf plain;

	start(w, yamux, yamux, NULL);
	finish(w);
	pu_buf_init(&plain, BUF_MAX);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str("hello"), &w->a.out), 0);
	w->a.out.mem[w->a.out.off + 4] ^= 1;
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), PU_ECRYPTO);
	assert_int_equal(plain.len, 0);
	pu_buf_clear(&w->a.out, SIZE_MAX);
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), PU_ECRYPTO);
	/* Shorter than a tag is impossible. */
	assert_int_equal(pu_buf_append(&w->b.out, "\0\x0f", 2), 0);
	assert_int_equal(w->a.s->ops->open(w->a.s, &w->b.out, &plain), PU_EPROTO);
	pu_buf_deinit(&plain);
}

static void an_empty_record_is_skipped(void **state)
{
	struct world *w = *state;
	struct pu_noise_cipher send = { .ready = true };
	uint8_t rec[2 + PU_NOISE_TAG_LEN] = { 0, PU_NOISE_TAG_LEN };
	struct pu_buf plain;

	start(w, yamux, yamux, NULL);
	finish(w);
	memcpy(send.key, pu_vectors_hex(w->v, "key_init").p, sizeof send.key);
	assert_int_equal(pu_noise_encrypt(&send, pu_bytes(NULL, 0), pu_bytes(NULL, 0), rec + 2), 0);
	pu_buf_init(&plain, BUF_MAX);
	assert_int_equal(pu_buf_append(&w->a.out, rec, sizeof rec), 0);
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), 0);
	assert_int_equal(w->a.out.len, 0);
	assert_int_equal(plain.len, 0);
	pu_buf_deinit(&plain);
}

static void a_record_cannot_be_replayed(void **state)
{
	struct world *w = *state;
	struct pu_buf plain, copy;

	start(w, yamux, yamux, NULL);
	finish(w);
	pu_buf_init(&plain, BUF_MAX);
	pu_buf_init(&copy, BUF_MAX);
	assert_int_equal(w->a.s->ops->seal(w->a.s, pu_bytes_str("hello"), &w->a.out), 0);
	pu_buf_append(&copy, pu_buf_bytes(&w->a.out).p, w->a.out.len);
	assert_int_equal(w->b.s->ops->open(w->b.s, &w->a.out, &plain), 0);
	assert_int_equal(w->b.s->ops->open(w->b.s, &copy, &plain), PU_ECRYPTO);
	pu_buf_deinit(&copy);
	pu_buf_deinit(&plain);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(known_handshake_without_muxers),
		T(known_handshake_with_muxers),
		T(payload_is_the_known_bytes),
		T(both_ends_learn_who_the_other_is),
		T(the_wrong_peer_learns_nothing_about_us),
		T(a_responder_can_insist_on_a_peer_too),
		T(muxer_is_the_first_of_the_initiator_that_both_state),
		T(handshake_survives_byte_by_byte_delivery),
		T(bytes_behind_the_handshake_are_left_alone),
		T(bad_frames_end_the_handshake),
		T(identities_must_be_proved),
		T(unknown_payload_fields_are_skipped),
		T(too_many_muxers_count_as_none),
		T(bulk_is_cut_into_frames_and_arrives_whole),
		T(full_buffers_lose_nothing),
		T(forged_records_end_the_channel),
		T(an_empty_record_is_skipped),
		T(a_record_cannot_be_replayed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
