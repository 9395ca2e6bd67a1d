#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/craft.h"
#include "tun/packet.h"

static void sum_equals_word_by_word_sum(void **state)
{
	uint8_t buf[700];
	uint64_t rnd = 1;

	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t)craft_random(&rnd);
	for (size_t off = 0; off < 9; off++)
		for (size_t len = 0; len + off <= sizeof buf; len++)
			assert_int_equal(pu_csum_fold(pu_csum_add(0, buf + off, len)),
					 craft_sum(0, buf + off, len));
}

static void sum_of_all_ones_does_not_overflow(void **state)
{
	static uint8_t buf[65536];

	memset(buf, 0xff, sizeof buf);
	assert_int_equal(pu_csum_fold(pu_csum_add(0, buf, sizeof buf)), 0xffff);
	assert_int_equal(pu_csum_fold(UINT64_MAX), 0xffff);
}

/* The example of RFC 1071, section 3. */
static void sum_of_the_rfc_example(void **state)
{
	static const uint8_t b[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	assert_int_equal(pu_csum_fold(pu_csum_add(0, b, sizeof b)), 0xddf2);
}

static void sums_of_even_pieces_add_up(void **state)
{
	uint8_t buf[301];
	uint64_t rnd = 7, sum;

	for (size_t i = 0; i < sizeof buf; i++)
		buf[i] = (uint8_t)craft_random(&rnd);
	for (size_t cut = 0; cut < sizeof buf; cut += 2) {
		sum = pu_csum_add(0, buf, cut);
		sum = pu_csum_add(sum, buf + cut, sizeof buf - cut);
		assert_int_equal(pu_csum_fold(sum), craft_sum(0, buf, sizeof buf));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_equals_word_by_word_sum),
		cmocka_unit_test(sum_of_all_ones_does_not_overflow),
		cmocka_unit_test(sum_of_the_rfc_example),
		cmocka_unit_test(sums_of_even_pieces_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
