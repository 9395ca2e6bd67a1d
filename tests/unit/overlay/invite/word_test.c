#include "overlay/invite/word.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void words_are_short_and_sorted(void **state)
{
	for (int i = 0; i < PU_WORD_COUNT; i++) {
		const char *w = pu_word((uint8_t)i);
		size_t len = strlen(w);

		assert_in_range(len, 3, PU_WORD_MAX);
		assert_int_equal(strspn(w, "abcdefghijklmnopqrstuvwxyz"), len);
		if (i > 0)
			assert_true(strcmp(pu_word((uint8_t)(i - 1)), w) < 0);
		assert_true(pu_word_known(w));
	}
}

/* So that no single slip of the keyboard makes one word of another. */
static void any_two_words_are_two_slips_apart(void **state)
{
	for (int i = 0; i < PU_WORD_COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_true(pu_word_distance(pu_word((uint8_t)i), pu_word((uint8_t)j)) >= 2);
}

static void distance_counts_letters(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned want;
	} cases[] = {
		{ "otter", "otter", 0 },  { "oter", "otter", 1 }, { "ottter", "otter", 1 },
		{ "ottar", "otter", 1 },  { "ottre", "otter", 1 }, { "", "otter", 5 },
		{ "kitten", "sitting", 3 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		assert_int_equal(pu_word_distance(cases[i].a, cases[i].b), cases[i].want);
		assert_int_equal(pu_word_distance(cases[i].b, cases[i].a), cases[i].want);
	}
}

static void a_mistyped_word_is_recognised(void **state)
{
	static const char *const slips[] = { "oter", "ottr", "ottter", "ootter", "ottre", "atter" };

	for (size_t i = 0; i < PU_ARRAY_LEN(slips); i++) {
		assert_false(pu_word_known(slips[i]));
		assert_string_equal(pu_word_nearest(slips[i]), "otter");
	}
}

static void what_is_near_no_word_has_no_nearest(void **state)
{
	static const char *const far[] = { "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
					   "qqqqqqq", "" };

	for (size_t i = 0; i < PU_ARRAY_LEN(far); i++)
		assert_null(pu_word_nearest(far[i]));
	assert_false(pu_word_known(""));
	assert_false(pu_word_known("Otter"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_short_and_sorted),
		cmocka_unit_test(any_two_words_are_two_slips_apart),
		cmocka_unit_test(distance_counts_letters),
		cmocka_unit_test(a_mistyped_word_is_recognised),
		cmocka_unit_test(what_is_near_no_word_has_no_nearest),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
