#include "crypto/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

static int count(const char *bytes, size_t len, struct pu_pb_field *last)
{
	struct pu_rd r = pu_rd_init(bytes, len);
	int n = 0;

	while (pu_pb_next(&r, last))
		n++;
	return pu_rd_end(&r) < 0 ? PU_EPROTO : n;
}

static void every_wire_type_is_walked(void **state)
{
	static const char msg[] = "\x08\x96\x01"
				  "\x12\x02hi"
				  "\x19\x01\x02\x03\x04\x05\x06\x07\x08"
				  "\x25\x01\x02\x03\x04";
	struct pu_rd r = pu_rd_init(msg, sizeof msg - 1);
	struct pu_pb_field f;

	assert_true(pu_pb_next(&r, &f) && pu_pb_is(&f, 1, PU_PB_VARINT) && f.value == 150);
	assert_true(pu_pb_next(&r, &f) && pu_pb_is(&f, 2, PU_PB_BYTES));
	assert_true(pu_bytes_eq_str(f.bytes, "hi"));
	assert_true(pu_pb_next(&r, &f) && pu_pb_is(&f, 3, PU_PB_FIXED64) && f.bytes.len == 8);
	assert_true(pu_pb_next(&r, &f) && pu_pb_is(&f, 4, PU_PB_FIXED32) && f.bytes.len == 4);
	assert_false(pu_pb_next(&r, &f));
	assert_int_equal(pu_rd_end(&r), 0);
}

static void varints_hold_64_bits_and_padding(void **state)
{
	struct pu_pb_field f;

	assert_int_equal(count("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, &f), 1);
	assert_true(f.value == UINT64_MAX);
	assert_int_equal(count("\x08\x80\x80\x00", 4, &f), 1);
	assert_true(f.value == 0);
	assert_int_equal(count("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, &f), PU_EPROTO);
	assert_int_equal(count("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 12, &f),
			 PU_EPROTO);
}

static void malformed_messages_are_errors(void **state)
{
	struct pu_pb_field f;

	assert_int_equal(count("", 0, &f), 0);
	assert_int_equal(count("\x08", 1, &f), PU_EPROTO);
	assert_int_equal(count("\x00\x01", 2, &f), PU_EPROTO);           /* field 0 */
	assert_int_equal(count("\x0b\x0c", 2, &f), PU_EPROTO);           /* group */
	assert_int_equal(count("\x0f", 1, &f), PU_EPROTO);               /* wire type 7 */
	assert_int_equal(count("\x12\x03hi", 4, &f), PU_EPROTO);         /* short */
	assert_int_equal(count("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, &f), PU_EPROTO);
	assert_int_equal(count("\x19\x01\x02", 3, &f), PU_EPROTO);
	assert_int_equal(count("\x88\x80\x80\x80\x80\x01\x00", 7, &f), PU_EPROTO); /* huge number */
}

static void what_is_put_is_read_back(void **state)
{
	uint8_t b[32];
	struct pu_wr w = pu_wr_init(b, sizeof b);
	struct pu_rd r;
	struct pu_pb_field f;

	pu_pb_put_varint(&w, 1, 300);
	pu_pb_put_bytes(&w, 2, pu_bytes_str("abc"));
	assert_int_equal(pu_wr_end(&w), 3 + (int)pu_pb_bytes_len(3));
	r = pu_rd_init(b, w.len);
	assert_true(pu_pb_next(&r, &f) && f.value == 300);
	assert_true(pu_pb_next(&r, &f) && pu_bytes_eq_str(f.bytes, "abc"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_wire_type_is_walked),
		cmocka_unit_test(varints_hold_64_bits_and_padding),
		cmocka_unit_test(malformed_messages_are_errors),
		cmocka_unit_test(what_is_put_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
