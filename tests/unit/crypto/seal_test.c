#include "crypto/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "crypto/dh.h"
#include "support/vectors.h"

enum { OUT_MAX = 256 };

static void sealing_is_that_of_the_draft(void **state)
{
	struct pu_vectors *v = pu_vectors_load("seal.txt");
	struct pu_bytes plain = pu_vectors_hex(v, "plain"), sealed = pu_vectors_hex(v, "sealed");
	const uint8_t *key = pu_vectors_hex(v, "key").p, *nonce = pu_vectors_hex(v, "nonce").p;
	struct pu_bytes ad = pu_vectors_hex(v, "ad");
	uint8_t out[OUT_MAX];

	assert_int_equal(plain.len + PU_SEAL_TAG_LEN, sealed.len);
	pu_seal(key, nonce, ad, plain, out);
	assert_memory_equal(out, sealed.p, sealed.len);
	assert_int_equal(pu_seal_open(key, nonce, ad, sealed, out), 0);
	assert_memory_equal(out, plain.p, plain.len);
	pu_vectors_free(v);
}

static void what_was_altered_does_not_open(void **state)
{
	uint8_t key[PU_SEAL_KEY_LEN] = { 1 }, nonce[PU_SEAL_NONCE_LEN] = { 2 };
	struct pu_bytes ad = pu_bytes_str("ad"), none = { 0 };
	uint8_t sealed[4 + PU_SEAL_TAG_LEN], out[4];

	pu_seal(key, nonce, ad, pu_bytes_str("home"), sealed);
	for (size_t i = 0; i < sizeof sealed; i++) {
		sealed[i] ^= 1;
		assert_int_equal(pu_seal_open(key, nonce, ad, pu_bytes(sealed, sizeof sealed), out),
				 PU_ECRYPTO);
		sealed[i] ^= 1;
	}
	for (size_t len = 0; len < sizeof sealed; len++)
		assert_int_equal(pu_seal_open(key, nonce, ad, pu_bytes(sealed, len), out),
				 PU_ECRYPTO);
	assert_int_equal(pu_seal_open(key, nonce, none, pu_bytes(sealed, sizeof sealed), out),
			 PU_ECRYPTO);
	assert_int_equal(pu_seal_open(key, nonce, ad, pu_bytes(sealed, sizeof sealed), out), 0);
}

static void both_ends_of_a_diffie_hellman_agree(void **state)
{
	uint8_t a[PU_DH_LEN] = { 1 }, b[PU_DH_LEN] = { 2 };
	uint8_t public_a[PU_DH_LEN], public_b[PU_DH_LEN], ab[PU_DH_LEN], ba[PU_DH_LEN];

	pu_dh_public(a, public_a);
	pu_dh_public(b, public_b);
	assert_int_equal(pu_dh(a, public_b, ab), 0);
	assert_int_equal(pu_dh(b, public_a, ba), 0);
	assert_memory_equal(ab, ba, sizeof ab);
}

static void points_of_low_order_are_refused(void **state)
{
	static const uint8_t low[][PU_DH_LEN] = { { 0 }, { 1 } };
	uint8_t secret[PU_DH_LEN] = { 1 }, out[PU_DH_LEN];

	for (size_t i = 0; i < PU_ARRAY_LEN(low); i++)
		assert_int_equal(pu_dh(secret, low[i], out), PU_ECRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sealing_is_that_of_the_draft),
		cmocka_unit_test(what_was_altered_does_not_open),
		cmocka_unit_test(both_ends_of_a_diffie_hellman_agree),
		cmocka_unit_test(points_of_low_order_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
