#include "crypto/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/vectors.h"

struct fixture {
	struct pu_vectors *keys, *v;
	struct pu_key a, b;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->keys = pu_vectors_load("keys.txt");
	f->v = pu_vectors_load("envelopes.txt");
	*state = f;
	return pu_crypto_init() ||
	       pu_key_decode(&f->a, pu_vectors_hex(f->keys, "ed25519.private")) ||
	       pu_key_from_seed(&f->b, pu_vectors_hex(f->keys, "b.seed").p);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pu_vectors_free(f->keys);
	pu_vectors_free(f->v);
	free(f);
	return 0;
}

static void our_record_is_byte_for_byte_that_of_others(void **state)
{
	static const uint8_t tcp[] = { 0x04, 0xc0, 0x00, 0x02, 0x01, 0x06, 0x0f, 0xa1 };
	static const uint8_t quic[] = { 0x04, 0xc0, 0x00, 0x02, 0x01, 0x91,
					0x02, 0x0f, 0xa1, 0xcd, 0x03 };
	const struct pu_bytes addrs[] = { pu_bytes(tcp, sizeof tcp), pu_bytes(quic, sizeof quic) };
	struct fixture *f = *state;
	struct pu_buf payload, env;

	pu_buf_init(&payload, PU_ENVELOPE_MAX);
	pu_buf_init(&env, PU_ENVELOPE_MAX);
	assert_int_equal(pu_peer_record_encode(&f->a.peer, 1, addrs, 2, &payload), 0);
	assert_true(pu_bytes_eq(pu_buf_bytes(&payload), pu_vectors_hex(f->v, "record.payload")));
	assert_int_equal(pu_envelope_seal(&f->a, PU_ENVELOPE_DOMAIN_PEER_RECORD,
					  PU_ENVELOPE_PEER_RECORD, pu_buf_bytes(&payload), &env),
			 0);
	assert_true(pu_bytes_eq(pu_buf_bytes(&env), pu_vectors_hex(f->v, "record.envelope")));
	pu_buf_deinit(&payload);
	pu_buf_deinit(&env);
}

static void a_voucher_is_byte_for_byte_that_of_others(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes payload = pu_vectors_hex(f->v, "voucher.payload"), got;
	struct pu_bytes known = pu_vectors_hex(f->v, "voucher.envelope");
	struct pu_pubkey signer;
	struct pu_buf env;

	pu_buf_init(&env, PU_ENVELOPE_MAX);
	assert_int_equal(pu_envelope_seal(&f->b, PU_ENVELOPE_DOMAIN_VOUCHER, PU_ENVELOPE_VOUCHER,
					  payload, &env),
			 0);
	assert_true(pu_bytes_eq(pu_buf_bytes(&env), known));
	assert_int_equal(pu_envelope_open(known, PU_ENVELOPE_DOMAIN_VOUCHER, PU_ENVELOPE_VOUCHER,
					  &signer, &got),
			 0);
	assert_true(pu_bytes_eq(got, payload));
	assert_true(pu_peerid_eq(&signer.peer, &f->b.peer));
	pu_buf_deinit(&env);
}

static int open_record(struct pu_bytes in)
{
	struct pu_pubkey signer;
	struct pu_bytes payload;

	return pu_envelope_open(in, PU_ENVELOPE_DOMAIN_PEER_RECORD, PU_ENVELOPE_PEER_RECORD,
				&signer, &payload);
}

static void a_record_opens_and_decodes(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes payload, addrs[4];
	struct pu_pubkey signer;
	struct pu_peerid peer;
	uint64_t seq;
	size_t n;

	assert_int_equal(pu_envelope_open(pu_vectors_hex(f->v, "record.envelope"),
					  PU_ENVELOPE_DOMAIN_PEER_RECORD, PU_ENVELOPE_PEER_RECORD,
					  &signer, &payload),
			 0);
	assert_int_equal(pu_peer_record_decode(payload, &peer, &seq, addrs, 4, &n), 0);
	assert_true(pu_peerid_eq(&peer, &signer.peer));
	assert_int_equal(seq, 1);
	assert_int_equal(n, 2);
	assert_int_equal(addrs[0].len, 8);
	assert_int_equal(addrs[1].len, 11);
	assert_int_equal(pu_peer_record_decode(payload, &peer, &seq, addrs, 1, &n), 0);
	assert_int_equal(n, 1);
}

static void no_changed_byte_is_accepted(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes known = pu_vectors_hex(f->v, "record.envelope");
	uint8_t bad[512];

	for (size_t i = 0; i < known.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bad, known.p, known.len);
			bad[i] ^= (uint8_t)(1u << bit);
			assert_int_not_equal(open_record(pu_bytes(bad, known.len)), 0);
		}
		assert_int_not_equal(open_record(pu_bytes(known.p, i)), 0);
	}
}

static void the_purpose_is_part_of_the_signature(void **state)
{
	struct fixture *f = *state;
	struct pu_bytes known = pu_vectors_hex(f->v, "record.envelope"), payload;
	struct pu_pubkey signer;

	assert_int_equal(pu_envelope_open(known, PU_ENVELOPE_DOMAIN_VOUCHER,
					  PU_ENVELOPE_PEER_RECORD, &signer, &payload),
			 PU_ECRYPTO);
	assert_int_equal(pu_envelope_open(known, PU_ENVELOPE_DOMAIN_PEER_RECORD,
					  PU_ENVELOPE_VOUCHER, &signer, &payload),
			 PU_EPROTO);
	assert_int_equal(open_record(pu_vectors_hex(f->v, "record.legacy")), PU_EPROTO);
}

static void sizes_are_bounded(void **state)
{
	static const uint8_t big[PU_ENVELOPE_MAX];
	struct fixture *f = *state;
	struct pu_bytes addrs[PU_PEER_RECORD_ADDRS_MAX + 1];
	struct pu_buf out;

	for (size_t i = 0; i < PU_ARRAY_LEN(addrs); i++)
		addrs[i] = pu_bytes(big, 8);
	pu_buf_init(&out, 1u << 20);
	assert_int_equal(pu_envelope_seal(&f->a, "x", 1, pu_bytes(big, sizeof big), &out),
			 PU_ELIMIT);
	assert_int_equal(pu_envelope_seal(&f->a, "x", 1, pu_bytes(big, SIZE_MAX), &out), PU_ELIMIT);
	assert_int_equal(pu_peer_record_encode(&f->a.peer, 1, addrs, PU_ARRAY_LEN(addrs), &out),
			 PU_ELIMIT);
	assert_int_equal(pu_peer_record_encode(&f->a.peer, UINT64_MAX, addrs, 1, &out), PU_ELIMIT);
	addrs[0].len = PU_ENVELOPE_MAX;
	assert_int_equal(pu_peer_record_encode(&f->a.peer, 1, addrs, 1, &out), PU_ELIMIT);
	assert_int_equal(out.len, 0);
	pu_buf_deinit(&out);
	assert_int_equal(open_record(pu_bytes(big, sizeof big)), PU_EPROTO);
}

static void a_record_needs_a_peer(void **state)
{
	struct pu_peerid peer;
	uint64_t seq;
	size_t n;

	assert_int_equal(pu_peer_record_decode(pu_bytes("\x10\x01", 2), &peer, &seq, NULL, 0, &n),
			 PU_EPROTO);
	assert_int_equal(pu_peer_record_decode(pu_bytes("\x0a\x02\x00\x00", 4), &peer, &seq, NULL,
					       0, &n),
			 PU_EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_record_is_byte_for_byte_that_of_others),
		cmocka_unit_test(a_voucher_is_byte_for_byte_that_of_others),
		cmocka_unit_test(a_record_opens_and_decodes),
		cmocka_unit_test(no_changed_byte_is_accepted),
		cmocka_unit_test(the_purpose_is_part_of_the_signature),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(a_record_needs_a_peer),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
