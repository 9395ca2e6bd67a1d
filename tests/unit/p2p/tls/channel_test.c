/* Two TLS channels joined by memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/loop.h"
#include "p2p/tls/channel.h"

static const char *const yamux_only[] = { "/yamux/1.0.0", NULL };
static const char *const other_muxers[] = { "/other/2", "/yamux/1.0.0", NULL };
static const char *const none[] = { NULL };

static struct pu_loop loop;
static struct pu_key key[2];

static void counting_random(void *arg, void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)p)[i] = (uint8_t)i;
}

static int setup(void **state)
{
	assert_int_equal(pu_crypto_init(), 0);
	pu_loop_init(&loop, 0, 1700000000ll * 1000000000, counting_random, NULL);
	for (int i = 0; i < 2; i++) {
		uint8_t seed[32] = { (uint8_t)(i + 1) };

		pu_key_from_seed(&key[i], seed);
	}
	return 0;
}

/* Wires of both directions; side 0 is the initiator. */
struct link {
	struct pu_secure *s[2];
	struct pu_buf wire[2]; /* to side i */
	int r[2];              /* of the handshake */
};

static void link_init(struct link *l, const struct pu_peerid *expected,
		      const char *const *muxers0, const char *const *muxers1)
{
	for (int i = 0; i < 2; i++) {
		const struct pu_secure_config cfg = {
			.key = &key[i], .expected = i ? NULL : expected, .initiator = i == 0,
			.muxers = i ? muxers1 : muxers0, .loop = &loop,
		};

		pu_buf_init(&l->wire[i], 1 << 20);
		assert_int_equal(pu_tls_new(&cfg, &l->s[i]), 0);
		l->r[i] = PU_EAGAIN;
	}
}

static void link_deinit(struct link *l)
{
	for (int i = 0; i < 2; i++) {
		l->s[i]->ops->free(l->s[i]);
		pu_buf_deinit(&l->wire[i]);
	}
}

/* Bytes arrive step at a time: nothing may depend on how they are cut. */
static void shake(struct link *l, size_t step)
{
	struct pu_buf part;

	pu_buf_init(&part, 1 << 20);
	for (int turn = 0; turn < 100000; turn++) {
		int i = turn & 1;
		struct pu_bytes b = pu_buf_bytes(&l->wire[i]);
		size_t n = pu_min(b.len, step);

		if (l->r[i] != PU_EAGAIN) {
			if (l->r[!i] != PU_EAGAIN || l->wire[!i].len == 0)
				break;
			continue;
		}
		assert_int_equal(pu_buf_append(&part, b.p, n), 0);
		pu_buf_consume(&l->wire[i], n);
		l->r[i] = l->s[i]->ops->handshake(l->s[i], &part, &l->wire[!i]);
		if (part.len > 0) { /* behind the handshake: not ours to lose */
			assert_int_equal(pu_buf_prepend(&l->wire[i], pu_buf_bytes(&part).p,
							part.len), 0);
			pu_buf_clear(&part, 0);
		}
	}
	pu_buf_deinit(&part);
}

static void carry(struct link *l, int from, const uint8_t *p, size_t len)
{
	struct pu_buf plain;

	pu_buf_init(&plain, 1 << 20);
	assert_int_equal(l->s[from]->ops->seal(l->s[from], pu_bytes(p, len), &l->wire[!from]), 0);
	assert_int_equal(l->s[!from]->ops->open(l->s[!from], &l->wire[!from], &plain), 0);
	assert_int_equal(plain.len, len);
	assert_memory_equal(pu_buf_bytes(&plain).p, p, len);
	pu_buf_deinit(&plain);
}

static void both_sides_prove_themselves_and_talk(void **state)
{
	static const size_t steps[] = { SIZE_MAX, 1000, 7, 1 };
	static uint8_t data[100000];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < PU_ARRAY_LEN(steps); i++) {
		struct link l;

		link_init(&l, &key[1].peer, yamux_only, yamux_only);
		shake(&l, steps[i]);
		assert_int_equal(l.r[0], 0);
		assert_int_equal(l.r[1], 0);
		assert_true(pu_peerid_eq(&l.s[0]->remote.peer, &key[1].peer));
		assert_true(pu_peerid_eq(&l.s[1]->remote.peer, &key[0].peer));
		assert_string_equal(l.s[0]->muxer, "/yamux/1.0.0");
		assert_string_equal(l.s[1]->muxer, "/yamux/1.0.0");
		carry(&l, 0, data, 1);
		carry(&l, 1, data, sizeof data);
		carry(&l, 0, data, sizeof data);
		link_deinit(&l);
	}
}

static void muxer_is_agreed_only_when_both_offer_it(void **state)
{
	struct link l;

	link_init(&l, NULL, yamux_only, none);
	shake(&l, SIZE_MAX);
	assert_int_equal(l.r[0], 0);
	assert_int_equal(l.r[1], 0);
	assert_null(l.s[0]->muxer);
	assert_null(l.s[1]->muxer);
	link_deinit(&l);

	link_init(&l, NULL, other_muxers, yamux_only);
	shake(&l, SIZE_MAX);
	assert_string_equal(l.s[0]->muxer, "/yamux/1.0.0");
	assert_string_equal(l.s[1]->muxer, "/yamux/1.0.0");
	link_deinit(&l);
}

static void unexpected_peer_is_refused_with_an_alert(void **state)
{
	struct link l;

	link_init(&l, &key[0].peer, none, none);
	shake(&l, SIZE_MAX);
	assert_int_equal(l.r[0], PU_EPEERID);
	assert_int_equal(l.r[1], PU_EDENIED); /* it got the alert */
	link_deinit(&l);
}

static void refusal_by_the_responder_reaches_the_initiator(void **state)
{
	struct link l;
	struct pu_buf plain;

	/* The initiator is complete before the responder has seen its certificate. */
	link_init(&l, NULL, none, none);
	l.s[1]->ops->free(l.s[1]);
	assert_int_equal(pu_tls_new(&(struct pu_secure_config){ .key = &key[1],
								.expected = &key[1].peer,
								.muxers = none, .loop = &loop },
				    &l.s[1]), 0);
	shake(&l, SIZE_MAX);
	assert_int_equal(l.r[0], 0);
	assert_int_equal(l.r[1], PU_EPEERID);
	pu_buf_init(&plain, 1 << 16);
	assert_int_equal(l.s[0]->ops->open(l.s[0], &l.wire[0], &plain), PU_EDENIED);
	pu_buf_deinit(&plain);
	link_deinit(&l);
}

static void forged_record_is_noticed(void **state)
{
	struct link l;
	struct pu_buf plain;
	struct pu_bytes b;

	link_init(&l, NULL, none, none);
	shake(&l, SIZE_MAX);
	pu_buf_init(&plain, 1 << 16);
	pu_buf_clear(&l.wire[1], 0);
	l.s[0]->ops->seal(l.s[0], pu_bytes("hello", 5), &l.wire[1]);
	b = pu_buf_bytes(&l.wire[1]);
	((uint8_t *)b.p)[b.len - 1] ^= 1;
	assert_int_equal(l.s[1]->ops->open(l.s[1], &l.wire[1], &plain), PU_ECRYPTO);
	assert_int_equal(plain.len, 0);
	pu_buf_deinit(&plain);
	link_deinit(&l);
}

static void garbage_instead_of_a_handshake_fails(void **state)
{
	struct link l;

	link_init(&l, NULL, none, none);
	pu_buf_append(&l.wire[1], "GET / HTTP/1.1\r\n\r\n", 18);
	l.r[1] = l.s[1]->ops->handshake(l.s[1], &l.wire[1], &l.wire[0]);
	assert_int_equal(l.r[1], PU_EPROTO);
	link_deinit(&l);
}

static void goodbye_is_an_end_of_file(void **state)
{
	struct link l;
	struct pu_buf plain;

	link_init(&l, NULL, none, none);
	shake(&l, SIZE_MAX);
	pu_buf_init(&plain, 1 << 16);
	l.s[0]->ops->seal(l.s[0], pu_bytes("bye", 3), &l.wire[1]);
	l.s[0]->ops->close(l.s[0], &l.wire[1]);
	assert_int_equal(l.s[1]->ops->open(l.s[1], &l.wire[1], &plain), PU_EEOF);
	assert_int_equal(plain.len, 3);
	pu_buf_deinit(&plain);
	link_deinit(&l);
}

static void full_output_takes_all_or_nothing(void **state)
{
	static uint8_t data[50000];
	struct link l;
	struct pu_buf small;

	link_init(&l, NULL, none, none);
	shake(&l, SIZE_MAX);
	pu_buf_init(&small, 40000);
	assert_int_equal(l.s[0]->ops->seal(l.s[0], pu_bytes(data, sizeof data), &small),
			 PU_ELIMIT);
	assert_int_equal(small.len, 0);
	pu_buf_deinit(&small);
	/* Nor is anything lost when plaintext finds no room. */
	pu_buf_clear(&l.wire[1], 0);
	assert_int_equal(l.s[0]->ops->seal(l.s[0], pu_bytes(data, sizeof data), &l.wire[1]), 0);
	pu_buf_init(&small, 2 * PU_TLS_PLAIN_MAX);
	for (size_t got = 0; got < sizeof data;) {
		assert_int_equal(l.s[1]->ops->open(l.s[1], &l.wire[1], &small), 0);
		assert_true(small.len > 0);
		got += small.len;
		pu_buf_clear(&small, 0);
	}
	assert_int_equal(l.wire[1].len, 0);
	pu_buf_deinit(&small);
	link_deinit(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_prove_themselves_and_talk),
		cmocka_unit_test(muxer_is_agreed_only_when_both_offer_it),
		cmocka_unit_test(unexpected_peer_is_refused_with_an_alert),
		cmocka_unit_test(refusal_by_the_responder_reaches_the_initiator),
		cmocka_unit_test(forged_record_is_noticed),
		cmocka_unit_test(garbage_instead_of_a_handshake_fails),
		cmocka_unit_test(goodbye_is_an_end_of_file),
		cmocka_unit_test(full_output_takes_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
