/* The codes that two people compare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "overlay/sas.h"
#include "support/vectors.h"

static struct pu_peerid peer(struct pu_vectors *v, unsigned i, char which)
{
	struct pu_peerid id;
	char name[16];

	snprintf(name, sizeof name, "%u.%c", i, which);
	assert_int_equal(pu_peerid_from_text(&id, pu_vectors_text(v, name)), 0);
	return id;
}

static const char *want(struct pu_vectors *v, unsigned i, const char *what)
{
	char name[16];

	snprintf(name, sizeof name, "%u.%s", i, what);
	return pu_vectors_text(v, name);
}

static void both_ends_show_the_known_codes(void **state)
{
	struct pu_vectors *v = pu_vectors_load("sas.txt");

	for (unsigned i = 1; i <= 3; i++) {
		struct pu_peerid a = peer(v, i, 'a'), b = peer(v, i, 'b');
		struct pu_sas here, there;

		pu_sas_of(&a, &b, &here);
		pu_sas_of(&b, &a, &there);
		assert_string_equal(here.emoji, want(v, i, "emoji"));
		assert_string_equal(here.numbers, want(v, i, "numbers"));
		assert_string_equal(here.stored, want(v, i, "stored"));
		assert_string_equal(there.emoji, here.emoji);
		assert_string_equal(there.numbers, here.numbers);
		assert_string_equal(there.stored, here.stored);
	}
	pu_vectors_free(v);
}

static void no_two_bytes_look_alike(void **state)
{
	char a[PU_SAS_EMOJI_MAX], b[PU_SAS_EMOJI_MAX];

	for (unsigned i = 0; i < 256; i++) {
		assert_in_range(strlen(pu_sas_emoji((uint8_t)i, a)), 3, PU_SAS_EMOJI_MAX - 1);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(a, pu_sas_emoji((uint8_t)j, b));
	}
}

static void a_value_of_another_pair_does_not_count(void **state)
{
	struct pu_vectors *v = pu_vectors_load("sas.txt");
	struct pu_peerid a = peer(v, 1, 'a'), b = peer(v, 1, 'b'), other = peer(v, 2, 'a');
	const char *stored = want(v, 1, "stored");

	assert_int_equal(pu_sas_check(&a, &b, stored), PU_SAS_VERIFIED);
	assert_int_equal(pu_sas_check(&b, &a, stored), PU_SAS_VERIFIED);
	assert_int_equal(pu_sas_check(&a, &b, ""), PU_SAS_UNVERIFIED);
	assert_int_equal(pu_sas_check(&other, &b, stored), PU_SAS_STALE);
	assert_int_equal(pu_sas_check(&a, &b, "yes"), PU_SAS_STALE);
	assert_int_equal(pu_sas_check(&a, &b, "sha256:cb6714e50"), PU_SAS_STALE);
	pu_vectors_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ends_show_the_known_codes),
		cmocka_unit_test(no_two_bytes_look_alike),
		cmocka_unit_test(a_value_of_another_pair_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
