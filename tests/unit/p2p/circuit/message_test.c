#include "p2p/circuit/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "p2p/circuit/reader.h"
#include "p2p/circuit/voucher.h"
#include "support/vectors.h"

struct fixture {
	struct pu_vectors *circuit, *envelopes, *keys;
	struct pu_key a, b;
	struct pu_circuit_message m;
	struct pu_buf out;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	assert_int_equal(pu_crypto_init(), 0);
	f->circuit = pu_vectors_load("circuit.txt");
	f->envelopes = pu_vectors_load("envelopes.txt");
	f->keys = pu_vectors_load("keys.txt");
	assert_int_equal(pu_key_decode(&f->a, pu_vectors_hex(f->keys, "ed25519.private")), 0);
	assert_int_equal(pu_key_from_seed(&f->b, pu_vectors_hex(f->keys, "b.seed").p), 0);
	pu_buf_init(&f->out, 8192);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pu_buf_deinit(&f->out);
	pu_vectors_free(f->circuit);
	pu_vectors_free(f->envelopes);
	pu_vectors_free(f->keys);
	free(f);
	return 0;
}

static void assert_encodes(struct fixture *f, enum pu_circuit_protocol protocol, const char *name)
{
	struct pu_bytes want = pu_vectors_hex(f->circuit, name);

	pu_buf_clear(&f->out, SIZE_MAX);
	assert_int_equal(pu_circuit_message_encode(protocol, &f->m, &f->out), 0);
	assert_int_equal(f->out.len, want.len);
	assert_memory_equal(pu_buf_bytes(&f->out).p, want.p, want.len);
}

static void decode(struct fixture *f, enum pu_circuit_protocol protocol, const char *name)
{
	struct pu_bytes in = pu_vectors_hex(f->circuit, name);

	/* All of these are shorter than 128 bytes: one byte of length. */
	assert_int_equal(in.p[0], in.len - 1);
	assert_int_equal(pu_circuit_message_decode(protocol, pu_bytes(in.p + 1, in.len - 1), &f->m),
			 0);
}

static void the_messages_of_a_client_are_those_of_other_implementations(void **state)
{
	struct fixture *f = *state;

	decode(f, PU_CIRCUIT_HOP, "hop.reserve");
	assert_int_equal(f->m.type, PU_CIRCUIT_RESERVE);
	assert_true(pu_peerid_empty(&f->m.peer));
	assert_encodes(f, PU_CIRCUIT_HOP, "hop.reserve");

	decode(f, PU_CIRCUIT_HOP, "hop.connect");
	assert_int_equal(f->m.type, PU_CIRCUIT_CONNECT);
	assert_true(pu_peerid_eq(&f->m.peer, &f->a.peer));
	assert_encodes(f, PU_CIRCUIT_HOP, "hop.connect");

	decode(f, PU_CIRCUIT_STOP, "stop.ok");
	assert_int_equal(f->m.type, PU_CIRCUIT_STATUS);
	assert_int_equal(f->m.status, PU_CIRCUIT_OK);
	assert_false(f->m.has_limit);
	assert_encodes(f, PU_CIRCUIT_STOP, "stop.ok");
}

static void the_messages_of_a_relay_are_those_of_other_implementations(void **state)
{
	struct fixture *f = *state;
	char text[PU_MULTIADDR_TEXT_MAX], want[PU_MULTIADDR_TEXT_MAX], id[PU_PEERID_TEXT_MAX];

	decode(f, PU_CIRCUIT_HOP, "hop.ok");
	assert_int_equal(f->m.type, PU_CIRCUIT_STATUS);
	assert_int_equal(f->m.status, PU_CIRCUIT_OK);
	assert_true(f->m.has_reservation && f->m.has_limit);
	assert_int_equal(f->m.reservation.expires, 2000000000);
	assert_int_equal(f->m.reservation.n_addrs, 1);
	assert_int_equal(f->m.reservation.voucher_len, 0);
	snprintf(want, sizeof want, "/ip4/192.0.2.1/tcp/4001/p2p/%s", pu_peerid_text(&f->b.peer, id));
	assert_string_equal(pu_multiaddr_text(&f->m.reservation.addrs[0], text), want);
	assert_int_equal(f->m.limit.duration, 120);
	assert_int_equal(f->m.limit.data, 131072);
	assert_encodes(f, PU_CIRCUIT_HOP, "hop.ok");

	decode(f, PU_CIRCUIT_HOP, "hop.no_reservation");
	assert_int_equal(f->m.status, PU_CIRCUIT_NO_RESERVATION);
	assert_false(f->m.has_reservation);
	assert_encodes(f, PU_CIRCUIT_HOP, "hop.no_reservation");

	decode(f, PU_CIRCUIT_STOP, "stop.connect");
	assert_int_equal(f->m.type, PU_CIRCUIT_CONNECT);
	assert_true(pu_peerid_eq(&f->m.peer, &f->b.peer));
	assert_int_equal(f->m.limit.data, 131072);
	assert_encodes(f, PU_CIRCUIT_STOP, "stop.connect");
}

static void no_limit_travels_as_explicit_zeroes(void **state)
{
	static const uint8_t want[] = { 0x0b, 0x08, 0x02, 0x22, 0x04, 0x08, 0x00, 0x10, 0x00,
					0x28, 0xac, 0x02 };
	struct fixture *f = *state;

	f->m.type = PU_CIRCUIT_STATUS;
	f->m.status = 300;
	f->m.has_limit = true;
	assert_int_equal(pu_circuit_message_encode(PU_CIRCUIT_HOP, &f->m, &f->out), 0);
	assert_int_equal(f->out.len, sizeof want);
	assert_memory_equal(pu_buf_bytes(&f->out).p, want, sizeof want);
}

static void strange_messages_are_told_apart_from_broken_ones(void **state)
{
	static const uint8_t type_7[] = { 0x08, 0x07 }, nothing[] = { 0 };
	static const uint8_t bad_peer[] = { 0x08, 0x01, 0x12, 0x03, 0x0a, 0x01, 0xff };
	static const uint8_t cut[] = { 0x08, 0x01, 0x12, 0x30, 0x0a };
	struct fixture *f = *state;
	uint8_t *big = calloc(1, PU_CIRCUIT_MESSAGE_MAX + 1);

	assert_int_equal(pu_circuit_message_decode(PU_CIRCUIT_HOP, pu_bytes(type_7, 2), &f->m), 0);
	assert_int_equal(f->m.type, PU_CIRCUIT_UNKNOWN);
	assert_int_equal(pu_circuit_message_decode(PU_CIRCUIT_HOP, pu_bytes(nothing, 0), &f->m), 0);
	assert_int_equal(f->m.type, PU_CIRCUIT_RESERVE);
	assert_int_equal(pu_circuit_message_decode(PU_CIRCUIT_STOP, pu_bytes(nothing, 0), &f->m), 0);
	assert_int_equal(f->m.type, PU_CIRCUIT_CONNECT);
	assert_int_equal(pu_circuit_message_decode(PU_CIRCUIT_HOP, pu_bytes(bad_peer, sizeof bad_peer),
						   &f->m),
			 PU_EPROTO);
	assert_int_equal(pu_circuit_message_decode(PU_CIRCUIT_HOP, pu_bytes(cut, sizeof cut), &f->m),
			 PU_EPROTO);
	assert_int_equal(pu_circuit_message_decode(PU_CIRCUIT_HOP,
						   pu_bytes(big, PU_CIRCUIT_MESSAGE_MAX + 1), &f->m),
			 PU_EPROTO);
	free(big);
}

static void a_message_is_read_byte_by_byte_and_nothing_behind_it(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes in = pu_vectors_hex(f->circuit, "hop.ok"), body;
	struct pu_circuit_reader r;
	uint8_t more[256];
	size_t taken;

	pu_circuit_reader_init(&r);
	for (size_t i = 0; i + 1 < in.len; i++) {
		assert_int_equal(pu_circuit_reader_feed(&r, in.p + i, 1, &taken, &body), PU_EAGAIN);
		assert_int_equal(taken, 1);
	}
	memcpy(more, in.p, in.len);
	memset(more + in.len, 'x', 16);
	assert_int_equal(pu_circuit_reader_feed(&r, more + in.len - 1, 17, &taken, &body), 0);
	assert_int_equal(taken, 1);
	assert_int_equal(body.len, in.len - 1);
	assert_memory_equal(body.p, in.p + 1, in.len - 1);
	pu_circuit_reader_deinit(&r);

	pu_circuit_reader_init(&r);
	assert_int_equal(pu_circuit_reader_feed(&r, more, in.len + 16, &taken, &body), 0);
	assert_int_equal(taken, in.len);
	pu_circuit_reader_deinit(&r);
}

static void a_length_beyond_the_limit_is_refused_before_anything_is_allocated(void **state)
{
	static const uint8_t at_limit[] = { 0x80, 0x20 }, beyond[] = { 0x81, 0x20 };
	static const uint8_t endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80 };
	static const uint8_t padded[] = { 0x81, 0x00 };
	struct { const uint8_t *p; size_t len; int want; } cases[] = {
		{ at_limit, sizeof at_limit, PU_EAGAIN },
		{ beyond, sizeof beyond, PU_EPROTO },
		{ endless, sizeof endless, PU_EPROTO },
		{ padded, sizeof padded, PU_EPROTO },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct pu_circuit_reader r;
		struct pu_bytes body;
		size_t taken;

		pu_circuit_reader_init(&r);
		assert_int_equal(pu_circuit_reader_feed(&r, cases[i].p, cases[i].len, &taken, &body),
				 cases[i].want);
		assert_null(r.body.mem);
		pu_circuit_reader_deinit(&r);
	}
}

static void a_voucher_is_the_one_of_other_implementations(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes want = pu_vectors_hex(f->envelopes, "voucher.envelope");
	int64_t expires = 0;

	assert_int_equal(pu_circuit_voucher_make(&f->b, &f->a.peer, 2000000000, &f->out), 0);
	assert_int_equal(f->out.len, want.len);
	assert_memory_equal(pu_buf_bytes(&f->out).p, want.p, want.len);
	assert_int_equal(pu_circuit_voucher_check(want, &f->b.peer, &f->a.peer, 1999999999, &expires),
			 0);
	assert_int_equal(expires, 2000000000);
}

static void a_voucher_of_somebody_else_is_worth_nothing(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes v = pu_vectors_hex(f->envelopes, "voucher.envelope");
	const struct pu_peerid *a = &f->a.peer, *b = &f->b.peer;
	uint8_t forged[512];

	assert_int_equal(pu_circuit_voucher_check(v, b, a, 2000000000, NULL), PU_ETIMEDOUT);
	assert_int_equal(pu_circuit_voucher_check(v, b, b, 1, NULL), PU_EPEERID);
	assert_int_equal(pu_circuit_voucher_check(v, a, a, 1, NULL), PU_ECRYPTO);
	memcpy(forged, v.p, v.len);
	forged[v.len - 1] ^= 1;
	assert_int_equal(pu_circuit_voucher_check(pu_bytes(forged, v.len), b, a, 1, NULL), PU_ECRYPTO);
	assert_int_equal(pu_circuit_voucher_check(pu_bytes(v.p, v.len - 70), b, a, 1, NULL), PU_EPROTO);
	assert_int_equal(pu_circuit_voucher_check(pu_vectors_hex(f->envelopes, "record.envelope"), b, a,
						  1, NULL),
			 PU_EPROTO);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_messages_of_a_client_are_those_of_other_implementations),
		T(the_messages_of_a_relay_are_those_of_other_implementations),
		T(no_limit_travels_as_explicit_zeroes),
		T(strange_messages_are_told_apart_from_broken_ones),
		T(a_message_is_read_byte_by_byte_and_nothing_behind_it),
		T(a_length_beyond_the_limit_is_refused_before_anything_is_allocated),
		T(a_voucher_is_the_one_of_other_implementations),
		T(a_voucher_of_somebody_else_is_worth_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
