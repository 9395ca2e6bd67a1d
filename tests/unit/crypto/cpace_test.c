#include "crypto/cpace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "crypto/key.h"
#include "support/vectors.h"

static const struct pu_bytes none;

static struct pu_vectors *v;

static int load(void **state)
{
	v = pu_vectors_load("cpace.txt");
	return pu_crypto_init();
}

static int unload(void **state)
{
	pu_vectors_free(v);
	return 0;
}

/* A scalar below the order of the group stays what it is when 64 bytes are reduced. */
static void start(struct pu_cpace *c, struct pu_bytes scalar)
{
	uint8_t secret[64] = { 0 };

	memcpy(secret, scalar.p, scalar.len);
	assert_int_equal(pu_cpace_start(c, pu_vectors_hex(v, "password"),
					pu_vectors_hex(v, "channel"), pu_vectors_hex(v, "sid"),
					secret),
			 0);
}

static void assert_bytes(const uint8_t *p, const char *name)
{
	struct pu_bytes want = pu_vectors_hex(v, name);

	assert_memory_equal(p, want.p, want.len);
}

static void generator_is_that_of_the_draft(void **state)
{
	static const uint8_t one[] = { 1 };
	struct pu_cpace c;

	start(&c, pu_bytes(one, 1));
	assert_bytes(c.share, "generator");
}

static void shares_and_key_are_those_of_the_draft(void **state)
{
	struct pu_bytes sid = pu_vectors_hex(v, "sid"), ad_a = pu_vectors_hex(v, "ad_a"),
			ad_b = pu_vectors_hex(v, "ad_b");
	uint8_t key[PU_CPACE_KEY_LEN];
	struct pu_cpace a, b;

	start(&a, pu_vectors_hex(v, "y_a"));
	start(&b, pu_vectors_hex(v, "y_b"));
	assert_bytes(a.share, "share_a");
	assert_bytes(b.share, "share_b");
	assert_int_equal(pu_cpace_finish(&a, true, b.share, sid, ad_a, ad_b, key), 0);
	assert_bytes(key, "isk");
	memset(key, 0, sizeof key);
	assert_int_equal(pu_cpace_finish(&b, false, a.share, sid, ad_a, ad_b, key), 0);
	assert_bytes(key, "isk");
}

static void what_is_no_element_or_neutral_is_refused(void **state)
{
	static const char *const bad[] = { "invalid_1", "invalid_2" };
	uint8_t key[PU_CPACE_KEY_LEN] = { 0x5a };
	struct pu_cpace c;

	start(&c, pu_vectors_hex(v, "s"));
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(pu_cpace_finish(&c, true, pu_vectors_hex(v, bad[i]).p, none, none,
						 none, key),
				 PU_ECRYPTO);
	assert_int_equal(key[0], 0x5a);
	assert_int_equal(pu_cpace_finish(&c, true, pu_vectors_hex(v, "x").p, none, none, none, key),
			 0);
}

struct end {
	const char *password, *channel, *sid, *ad;
};

/* The keys of both ends, which have their own idea of everything. */
static bool agree(const struct end *a, const struct end *b)
{
	uint8_t secret_a[64] = { 1, 2, 3 }, secret_b[64] = { 4, 5, 6 };
	uint8_t key_a[PU_CPACE_KEY_LEN], key_b[PU_CPACE_KEY_LEN];
	struct pu_cpace ca, cb;

	assert_int_equal(pu_cpace_start(&ca, pu_bytes_str(a->password), pu_bytes_str(a->channel),
					pu_bytes_str(a->sid), secret_a),
			 0);
	assert_int_equal(pu_cpace_start(&cb, pu_bytes_str(b->password), pu_bytes_str(b->channel),
					pu_bytes_str(b->sid), secret_b),
			 0);
	assert_int_equal(pu_cpace_finish(&ca, true, cb.share, pu_bytes_str(a->sid),
					 pu_bytes_str(a->ad), none, key_a),
			 0);
	assert_int_equal(pu_cpace_finish(&cb, false, ca.share, pu_bytes_str(b->sid),
					 pu_bytes_str(b->ad), none, key_b),
			 0);
	return memcmp(key_a, key_b, sizeof key_a) == 0;
}

static void only_the_same_password_and_context_give_the_same_key(void **state)
{
	static const struct end one = { "otter", "a-b", "", "x" };
	static const struct end others[] = {
		{ "otters", "a-b", "", "x" },
		{ "otter", "a-c", "", "x" },
		{ "otter", "a-b", "s", "x" },
		{ "otter", "a-b", "", "y" },
		{ "", "a-b", "", "x" },
		{ "ottera", "-b", "", "x" }, /* the same bytes, cut elsewhere */
	};

	assert_true(agree(&one, &one));
	for (size_t i = 0; i < PU_ARRAY_LEN(others); i++)
		assert_false(agree(&one, &others[i]));
}

static void two_initiators_do_not_agree(void **state)
{
	uint8_t key_a[PU_CPACE_KEY_LEN], key_b[PU_CPACE_KEY_LEN];
	struct pu_cpace a, b;

	start(&a, pu_vectors_hex(v, "y_a"));
	start(&b, pu_vectors_hex(v, "y_b"));
	assert_int_equal(pu_cpace_finish(&a, true, b.share, none, none, none, key_a), 0);
	assert_int_equal(pu_cpace_finish(&b, true, a.share, none, none, none, key_b), 0);
	assert_memory_not_equal(key_a, key_b, sizeof key_a);
}

static void long_input_is_refused(void **state)
{
	static const uint8_t zero[PU_CPACE_CONTEXT_MAX + 1];
	uint8_t secret[64] = { 1 };
	struct pu_cpace c;

	assert_int_equal(pu_cpace_start(&c, pu_bytes(zero, PU_CPACE_PASSWORD_MAX),
					pu_bytes(zero, PU_CPACE_CONTEXT_MAX), none, secret),
			 0);
	assert_int_equal(
		pu_cpace_start(&c, pu_bytes(zero, PU_CPACE_PASSWORD_MAX + 1), none, none, secret),
		PU_ELIMIT);
	assert_int_equal(
		pu_cpace_start(&c, none, pu_bytes(zero, PU_CPACE_CONTEXT_MAX + 1), none, secret),
		PU_ELIMIT);
	assert_int_equal(
		pu_cpace_start(&c, none, none, pu_bytes(zero, PU_CPACE_CONTEXT_MAX + 1), secret),
		PU_ELIMIT);
}

static void a_source_of_nothing_but_zeros_is_noticed(void **state)
{
	static const uint8_t secret[64];
	struct pu_cpace c;

	assert_int_equal(pu_cpace_start(&c, none, none, none, secret), PU_ECRYPTO);
}

static void wiping_leaves_no_scalar(void **state)
{
	static const uint8_t zero[32];
	struct pu_cpace c;

	start(&c, pu_vectors_hex(v, "y_a"));
	pu_cpace_wipe(&c);
	assert_memory_equal(c.scalar, zero, sizeof zero);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generator_is_that_of_the_draft),
		cmocka_unit_test(shares_and_key_are_those_of_the_draft),
		cmocka_unit_test(what_is_no_element_or_neutral_is_refused),
		cmocka_unit_test(only_the_same_password_and_context_give_the_same_key),
		cmocka_unit_test(two_initiators_do_not_agree),
		cmocka_unit_test(long_input_is_refused),
		cmocka_unit_test(a_source_of_nothing_but_zeros_is_noticed),
		cmocka_unit_test(wiping_leaves_no_scalar),
	};
	return cmocka_run_group_tests(tests, load, unload);
}
