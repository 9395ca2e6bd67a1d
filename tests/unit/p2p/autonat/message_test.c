/* The messages of AutoNAT v2 against known bytes. */
#include "p2p/autonat/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "p2p/proto/message.h"
#include "support/vectors.h"

static struct pu_vectors *vectors;

static int load(void **state)
{
	vectors = pu_vectors_load("autonat.txt");
	return 0;
}

static int unload(void **state)
{
	pu_vectors_free(vectors);
	return 0;
}

static void addr(struct pu_multiaddr *ma, const char *text)
{
	assert_int_equal(pu_multiaddr_from_text(ma, text), 0);
}

static void encodes_to(const struct pu_autonat_message *m, const char *name)
{
	struct pu_bytes want = pu_vectors_hex(vectors, name);
	struct pu_buf out;

	pu_buf_init(&out, 10000);
	assert_int_equal(pu_autonat_message_encode(m, &out), 0);
	assert_int_equal(out.len, want.len);
	assert_memory_equal(pu_buf_bytes(&out).p, want.p, want.len);
	pu_buf_deinit(&out);
}

static struct pu_autonat_message decoded(const char *name)
{
	struct pu_bytes in = pu_vectors_hex(vectors, name), body;
	struct pu_autonat_message m;
	size_t used;

	assert_int_equal(pu_message_split(in, PU_AUTONAT_MESSAGE_MAX, &body, &used), 0);
	assert_int_equal(used, in.len);
	assert_int_equal(pu_autonat_message_decode(body, &m), 0);
	return m;
}

static void request(void **state)
{
	struct pu_autonat_message m = { .type = PU_AUTONAT_REQUEST, .nonce = 0x0102030405060708,
					.n_addrs = 2 }, got;

	addr(&m.addrs[0], "/ip4/192.0.2.1/tcp/4001");
	addr(&m.addrs[1], "/ip4/192.0.2.1/udp/4001/quic-v1");
	encodes_to(&m, "dial_request");
	got = decoded("dial_request");
	assert_int_equal(got.type, PU_AUTONAT_REQUEST);
	assert_int_equal(got.nonce, m.nonce);
	assert_int_equal(got.n_addrs, 2);
	assert_true(pu_multiaddr_eq(&got.addrs[0], &m.addrs[0]));
	assert_true(pu_multiaddr_eq(&got.addrs[1], &m.addrs[1]));
}

static void zero_index_is_written_and_understood_when_left_out(void **state)
{
	struct pu_autonat_message rs = { .type = PU_AUTONAT_RESPONSE, .status = PU_AUTONAT_OK,
					 .dial = PU_AUTONAT_DIAL_OK };
	struct pu_autonat_message dr = { .type = PU_AUTONAT_DATA_REQUEST, .n_bytes = 30000 };
	static const char *const responses[] = { "dial_response_ok_0_ok",
						 "dial_response_ok_0_ok_js" };
	static const char *const requests[] = { "data_request_0_30000",
						"data_request_0_30000_js" };

	encodes_to(&rs, responses[0]);
	encodes_to(&dr, requests[0]);
	for (int i = 0; i < 2; i++) {
		struct pu_autonat_message m = decoded(responses[i]);

		assert_int_equal(m.type, PU_AUTONAT_RESPONSE);
		assert_int_equal(m.status, PU_AUTONAT_OK);
		assert_int_equal(m.idx, 0);
		assert_int_equal(m.dial, PU_AUTONAT_DIAL_OK);
		m = decoded(requests[i]);
		assert_int_equal(m.type, PU_AUTONAT_DATA_REQUEST);
		assert_int_equal(m.idx, 0);
		assert_int_equal(m.n_bytes, 30000);
	}
}

static void dial_data(void **state)
{
	struct pu_autonat_message m = { .type = PU_AUTONAT_DATA, .n_bytes = 4 };
	struct pu_buf out;

	encodes_to(&m, "data_4_zeros");
	m = decoded("data_4_zeros");
	assert_int_equal(m.type, PU_AUTONAT_DATA);
	assert_int_equal(m.n_bytes, 4);
	/* What rust reads at most. */
	m.n_bytes = PU_AUTONAT_CHUNK;
	pu_buf_init(&out, 10000);
	assert_int_equal(pu_autonat_message_encode(&m, &out), 0);
	assert_true(out.len <= 4104);
	m.n_bytes = PU_AUTONAT_CHUNK_MAX + 1;
	assert_int_equal(pu_autonat_message_encode(&m, &out), PU_ELIMIT);
	pu_buf_deinit(&out);
}

static void dial_back(void **state)
{
	struct pu_bytes want = pu_vectors_hex(vectors, "dial_back");
	struct pu_buf out;
	uint64_t nonce;
	uint32_t status = 7;

	pu_buf_init(&out, 100);
	assert_int_equal(pu_autonat_back_encode(0x0102030405060708, &out), 0);
	assert_int_equal(out.len, want.len);
	assert_memory_equal(pu_buf_bytes(&out).p, want.p, want.len);
	assert_int_equal(pu_autonat_back_decode(pu_bytes(want.p + 1, want.len - 1), &nonce), 0);
	assert_int_equal(nonce, 0x0102030405060708);
	pu_buf_clear(&out, 0);
	assert_int_equal(pu_autonat_back_response_encode(&out), 0);
	assert_int_equal(out.len, 1);
	assert_int_equal(pu_buf_bytes(&out).p[0], 0);
	assert_int_equal(pu_autonat_back_response_decode(pu_bytes("", 0), &status), 0);
	assert_int_equal(status, 0);
	/* A number has to be there: zero is not "none". */
	assert_int_equal(pu_autonat_back_decode(pu_bytes("", 0), &nonce), PU_EPROTO);
	pu_buf_deinit(&out);
}

static void nonsense_is_refused(void **state)
{
	static const uint8_t none[] = { 0 };
	static const uint8_t without_nonce[] = { 0x0a, 0 };
	static const uint8_t unknown[] = { 0x2a, 0 };
	static const uint8_t cut[] = { 0x0a, 5, 0x0a };
	struct pu_autonat_message m;

	assert_int_equal(pu_autonat_message_decode(pu_bytes(none, 0), &m), PU_EPROTO);
	assert_int_equal(pu_autonat_message_decode(pu_bytes(without_nonce, 2), &m), PU_EPROTO);
	assert_int_equal(pu_autonat_message_decode(pu_bytes(unknown, 2), &m), PU_EPROTO);
	assert_int_equal(pu_autonat_message_decode(pu_bytes(cut, 3), &m), PU_EPROTO);
}

/* Addresses that we cannot read keep their place: the index counts them. */
static void unreadable_addresses_are_counted(void **state)
{
	static const uint8_t body[] = { 0x0a, 23, 0x0a, 2, 0xff, 0xff, 0x0a, 8, 4, 11, 0, 0, 1,
					6, 0x0f, 0xa1, 0x11, 1, 0, 0, 0, 0, 0, 0, 0 };
	struct pu_autonat_message m;

	assert_int_equal(pu_autonat_message_decode(pu_bytes(body, sizeof body), &m), 0);
	assert_int_equal(m.n_addrs, 2);
	assert_int_equal(m.addrs[0].len, 0);
	assert_int_equal(m.addrs[1].len, 8);
}

static void at_most_fifty_addresses_are_looked_at(void **state)
{
	uint8_t body[800] = { 0x0a };
	struct pu_autonat_message m;
	size_t len = 3;

	for (int i = 0; i < 70; i++, len += 10) {
		static const uint8_t one[] = { 0x0a, 8, 4, 11, 0, 0, 1, 6, 0x0f, 0xa1 };

		memcpy(body + len, one, sizeof one);
	}
	memcpy(body + len, "\x11\1\0\0\0\0\0\0\0", 9);
	len += 9;
	body[1] = (uint8_t)(0x80 | ((len - 3) & 0x7f));
	body[2] = (uint8_t)((len - 3) >> 7);
	assert_int_equal(pu_autonat_message_decode(pu_bytes(body, len), &m), 0);
	assert_int_equal(m.n_addrs, PU_AUTONAT_ADDRS_MAX);
	assert_int_equal(m.nonce, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request),
		cmocka_unit_test(zero_index_is_written_and_understood_when_left_out),
		cmocka_unit_test(dial_data),
		cmocka_unit_test(dial_back),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(unreadable_addresses_are_counted),
		cmocka_unit_test(at_most_fifty_addresses_are_looked_at),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
