#include "crypto/peerid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/codec.h"
#include "base/err.h"
#include "support/vectors.h"

static const char *const types[] = { "ed25519", "secp256k1", "ecdsa", "rsa", "b", "same" };

static const char *vector(struct pu_vectors *v, const char *type, const char *what)
{
	char name[64];

	snprintf(name, sizeof name, "%s.%s", type, what);
	return pu_vectors_text(v, name);
}

static void base58_and_cid_name_the_same_peer(void **state)
{
	struct pu_vectors *v = pu_vectors_load("keys.txt");

	for (size_t i = 0; i < PU_ARRAY_LEN(types); i++) {
		struct pu_peerid a, b;
		char text[PU_PEERID_TEXT_MAX];

		assert_int_equal(pu_peerid_from_text(&a, vector(v, types[i], "id")), 0);
		assert_int_equal(pu_peerid_from_text(&b, vector(v, types[i], "cid")), 0);
		assert_true(pu_peerid_eq(&a, &b));
		assert_string_equal(pu_peerid_text(&b, text), vector(v, types[i], "id"));
	}
	pu_vectors_free(v);
}

static void every_multibase_of_a_cid_is_read(void **state)
{
	struct pu_vectors *v = pu_vectors_load("keys.txt");
	const char *text = pu_vectors_text(v, "ed25519.id");
	struct pu_peerid id, got;
	uint8_t cid[2 + PU_PEERID_MAX] = { 1, 0x72 };
	char out[128];
	struct pu_bytes b;

	assert_int_equal(pu_peerid_from_text(&id, text), 0);
	memcpy(cid + 2, id.b, id.len);
	b = pu_bytes(cid, 2u + id.len);
	out[0] = 'f';
	assert_true(pu_hex_encode(b, out + 1, sizeof out - 1) > 0);
	assert_int_equal(pu_peerid_from_text(&got, out), 0);
	assert_true(pu_peerid_eq(&id, &got));
	out[0] = 'u';
	assert_true(pu_base64url_encode(b, out + 1, sizeof out - 1) > 0);
	assert_int_equal(pu_peerid_from_text(&got, out), 0);
	assert_true(pu_peerid_eq(&id, &got));
	out[0] = 'z';
	assert_true(pu_base58_encode(b, out + 1, sizeof out - 1) > 0);
	assert_int_equal(pu_peerid_from_text(&got, out), 0);
	assert_true(pu_peerid_eq(&id, &got));
	pu_vectors_free(v);
}

static void texts_that_name_nobody_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"Q",
		"Qm",
		"home",
		"12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3p",   /* one short */
		"12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq ", /* blank */
		"12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R30q",  /* 0 */
		"bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", /* codec raw */
		"f0172",
		"f01720000",
		"f0172120000",
		"F01720024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e",
	};
	struct pu_peerid id = { .len = 7 };

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(pu_peerid_from_text(&id, bad[i]), PU_EINVAL);
	assert_int_equal(id.len, 7);
}

static void a_text_of_any_length_is_refused_safely(void **state)
{
	char text[5000];
	struct pu_peerid id;

	for (size_t n = 0; n < sizeof text - 1; n = n * 2 + 1) {
		memset(text, '1', n);
		text[n] = '\0';
		assert_int_equal(pu_peerid_from_text(&id, text), PU_EINVAL);
	}
}

static void only_identity_and_sha256_multihashes_are_ids(void **state)
{
	uint8_t b[64] = { 0x12, 0x20 };
	struct pu_peerid id;

	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 34)), 0);
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 33)), PU_EINVAL);
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 35)), PU_EINVAL);
	b[1] = 0x1f;
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 33)), PU_EINVAL);
	b[0] = 0x13;
	b[1] = 0x20;
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 34)), PU_EINVAL);
	b[0] = 0x00;
	b[1] = 40;
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 42)), 0);
	b[1] = 41;
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 43)), PU_EINVAL);
	b[1] = 0;
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(b, 2)), PU_EINVAL);
	assert_int_equal(pu_peerid_from_bytes(&id, pu_bytes(NULL, 0)), PU_EINVAL);
}

static void the_short_form_is_for_logs(void **state)
{
	char out[PU_PEERID_SHORT_MAX], text[PU_PEERID_TEXT_MAX];
	struct pu_peerid id;

	assert_int_equal(pu_peerid_from_text(
				 &id, "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"),
			 0);
	assert_string_equal(pu_peerid_short(&id, out), "12D3KooWBtg3aaRM...");
	id = (struct pu_peerid){ 0 };
	assert_true(pu_peerid_empty(&id));
	assert_string_equal(pu_peerid_text(&id, text), "");
	assert_string_equal(pu_peerid_short(&id, out), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base58_and_cid_name_the_same_peer),
		cmocka_unit_test(every_multibase_of_a_cid_is_read),
		cmocka_unit_test(texts_that_name_nobody_are_refused),
		cmocka_unit_test(a_text_of_any_length_is_refused_safely),
		cmocka_unit_test(only_identity_and_sha256_multihashes_are_ids),
		cmocka_unit_test(the_short_form_is_for_logs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
