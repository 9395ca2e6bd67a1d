#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

static void varints_are_those_of_the_specification(void **state)
{
	static const struct {
		uint64_t v;
		const char *bytes;
		size_t len;
	} cases[] = {
		{ 0, "\x00", 1 },	    { 1, "\x01", 1 },	    { 127, "\x7f", 1 },
		{ 128, "\x80\x01", 2 },	    { 255, "\xff\x01", 2 }, { 300, "\xac\x02", 2 },
		{ 16384, "\x80\x80\x01", 3 },
		{ INT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		uint8_t b[PU_UVARINT_MAX];
		uint64_t v = 0;

		assert_int_equal(pu_uvarint_encode(b, cases[i].v), cases[i].len);
		assert_int_equal(pu_uvarint_len(cases[i].v), cases[i].len);
		assert_memory_equal(b, cases[i].bytes, cases[i].len);
		assert_int_equal(pu_uvarint_decode(b, cases[i].len, &v), cases[i].len);
		assert_true(v == cases[i].v);
		for (size_t n = 0; n < cases[i].len; n++)
			assert_int_equal(pu_uvarint_decode(b, n, &v), PU_EAGAIN);
	}
}

static void padded_and_long_varints_are_refused(void **state)
{
	static const uint8_t padded[] = { 0x80, 0x00 }, padded3[] = { 0x81, 0x80, 0x00 };
	static const uint8_t too_long[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 };
	uint64_t v;

	assert_int_equal(pu_uvarint_decode(padded, sizeof padded, &v), PU_EPROTO);
	assert_int_equal(pu_uvarint_decode(padded3, sizeof padded3, &v), PU_EPROTO);
	assert_int_equal(pu_uvarint_decode(too_long, sizeof too_long, &v), PU_EPROTO);
	assert_int_equal(pu_uvarint_decode(too_long, 9, &v), PU_EPROTO);
}

static void what_is_written_is_read_back(void **state)
{
	uint8_t b[64];
	struct pu_wr w = pu_wr_init(b, sizeof b);
	struct pu_rd r;

	pu_wr_u8(&w, 1);
	pu_wr_be16(&w, 0x0203);
	pu_wr_be32(&w, 0x04050607);
	pu_wr_be64(&w, 0x08090a0b0c0d0e0full);
	pu_wr_uvarint(&w, 300);
	pu_wr_lp(&w, pu_bytes_str("abc"));
	r = pu_rd_init(b, (size_t)pu_wr_end(&w));
	assert_int_equal(pu_rd_u8(&r), 1);
	assert_int_equal(pu_rd_be16(&r), 0x0203);
	assert_int_equal(pu_rd_be32(&r), 0x04050607);
	assert_true(pu_rd_be64(&r) == 0x08090a0b0c0d0e0full);
	assert_int_equal(pu_rd_uvarint(&r), 300);
	assert_true(pu_bytes_eq_str(pu_rd_lp(&r, 3), "abc"));
	assert_int_equal(pu_rd_end(&r), 0);
}

static void the_first_error_sticks(void **state)
{
	struct pu_rd r = pu_rd_init("\x01\x02\x03", 3);
	uint8_t b[4];
	struct pu_wr w = pu_wr_init(b, sizeof b);

	assert_int_equal(pu_rd_be32(&r), 0);
	assert_int_equal(pu_rd_u8(&r), 0);
	assert_int_equal(pu_rd_bytes(&r, 0).len, 0);
	assert_int_equal(pu_rd_end(&r), PU_EPROTO);
	pu_wr_be64(&w, 1);
	pu_wr_u8(&w, 1);
	assert_int_equal(pu_wr_end(&w), PU_ELIMIT);
	assert_int_equal(w.len, 0);
}

static void trailing_short_and_oversized_input_is_an_error(void **state)
{
	struct pu_rd r = pu_rd_init("\x01\x02", 2);

	pu_rd_u8(&r);
	assert_int_equal(pu_rd_end(&r), PU_EPROTO);
	r = pu_rd_init("\x04" "abc", 4);
	assert_int_equal(pu_rd_lp(&r, 10).len, 0);
	assert_int_equal(pu_rd_end(&r), PU_EPROTO);
	r = pu_rd_init("\x03" "abc", 4);
	assert_int_equal(pu_rd_lp(&r, 2).len, 0);
	assert_int_equal(pu_rd_end(&r), PU_EPROTO);
	r = pu_rd_init("\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9);
	assert_int_equal(pu_rd_lp(&r, SIZE_MAX).len, 0);
	assert_int_equal(pu_rd_end(&r), PU_EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(varints_are_those_of_the_specification),
		cmocka_unit_test(padded_and_long_varints_are_refused),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(the_first_error_sticks),
		cmocka_unit_test(trailing_short_and_oversized_input_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
