#include "crypto/kdf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/vectors.h"

static struct pu_bytes hex(struct pu_vectors *v, int i, const char *name)
{
	char full[32];

	snprintf(full, sizeof full, "%d.%s", i, name);
	return pu_vectors_hex(v, full);
}

static void hkdf_is_that_of_the_rfc(void **state)
{
	struct pu_vectors *v = pu_vectors_load("kdf.txt");
	uint8_t out[96];

	for (int i = 1; i <= 3; i++) {
		struct pu_bytes want = hex(v, i, "out");

		assert_true(want.len <= sizeof out);
		pu_kdf_hkdf(hex(v, i, "secret"), hex(v, i, "salt"), hex(v, i, "info"), out,
			    want.len);
		assert_memory_equal(out, want.p, want.len);
	}
	pu_vectors_free(v);
}

static void hmac_is_that_of_the_rfc(void **state)
{
	struct pu_vectors *v = pu_vectors_load("kdf.txt");
	uint8_t out[PU_SHA256_LEN];

	pu_hmac_sha256(pu_vectors_hex(v, "hmac.key"), pu_vectors_hex(v, "hmac.in"), out);
	assert_memory_equal(out, pu_vectors_hex(v, "hmac.out").p, sizeof out);
	assert_true(pu_equal(out, pu_vectors_hex(v, "hmac.out").p, sizeof out));
	out[31] ^= 1;
	assert_false(pu_equal(out, pu_vectors_hex(v, "hmac.out").p, sizeof out));
	pu_vectors_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hkdf_is_that_of_the_rfc),
		cmocka_unit_test(hmac_is_that_of_the_rfc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
