#include "p2p/proto/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "p2p/autonat/autonat.pb-c.h"

enum { BODY = 300, WHOLE = BODY + 2 };

/* A message of BODY bytes: one field, whose tag and length take three. */
static struct pu_buf packed(int (*put)(const struct ProtobufCMessage *, size_t, struct pu_buf *),
			    size_t max, size_t room, int expected)
{
	static uint8_t zeros[BODY - 3];
	PuPb__AutonatData m = PU_PB__AUTONAT_DATA__INIT;
	struct pu_buf out;

	m.has_data = 1;
	m.data = (ProtobufCBinaryData){ sizeof zeros, zeros };
	pu_buf_init(&out, room);
	assert_int_equal(put(&m.base, max, &out), expected);
	return out;
}

static void what_is_appended_is_split_off_again(void **state)
{
	struct pu_buf out = packed(pu_message_append, BODY, WHOLE, 0);
	struct pu_bytes in = pu_buf_bytes(&out), body;
	size_t used = 0;

	(void)state;
	assert_int_equal(in.len, WHOLE);
	assert_int_equal(pu_message_split(in, BODY, &body, &used), 0);
	assert_int_equal(used, WHOLE);
	assert_ptr_equal(body.p, in.p + 2);
	assert_int_equal(body.len, BODY);
	pu_buf_deinit(&out);
}

static void the_message_alone_has_no_length_in_front(void **state)
{
	struct pu_buf out = packed(pu_message_pack, BODY, BODY, 0);

	(void)state;
	assert_int_equal(out.len, BODY);
	assert_int_equal(pu_buf_bytes(&out).p[0], 0x0a);
	pu_buf_deinit(&out);
}

static void too_much_is_not_written_at_all(void **state)
{
	struct pu_buf longer = packed(pu_message_append, BODY - 1, WHOLE, PU_ELIMIT);
	struct pu_buf full = packed(pu_message_append, BODY, WHOLE - 1, PU_ELIMIT);

	(void)state;
	assert_int_equal(longer.len, 0);
	assert_int_equal(full.len, 0);
	pu_buf_deinit(&longer);
	pu_buf_deinit(&full);
}

static void a_part_waits_for_the_rest(void **state)
{
	struct pu_buf out = packed(pu_message_append, BODY, WHOLE, 0);
	struct pu_bytes body = { 0 };
	size_t used = 7;

	(void)state;
	for (size_t n = 0; n < WHOLE; n++)
		assert_int_equal(pu_message_split(pu_bytes(pu_buf_bytes(&out).p, n), BODY, &body,
						  &used), PU_EAGAIN);
	assert_int_equal(used, 7);
	assert_null(body.p);
	pu_buf_deinit(&out);
}

static void one_message_at_a_time(void **state)
{
	static const uint8_t two[] = { 1, 'a', 0, 1, 'b' };
	struct pu_bytes body;
	size_t used;

	(void)state;
	assert_int_equal(pu_message_split(pu_bytes(two, 5), 8, &body, &used), 0);
	assert_int_equal(used, 2);
	assert_true(pu_bytes_eq_str(body, "a"));
	assert_int_equal(pu_message_split(pu_bytes(two + 2, 3), 8, &body, &used), 0);
	assert_int_equal(used, 1);
	assert_int_equal(body.len, 0);
}

/* The length is judged before anything behind it has come. */
static void a_length_beyond_the_limit_is_refused_at_once(void **state)
{
	static const uint8_t longer[] = { 0x81, 0x40 }; /* 8193 */
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f };
	static const uint8_t endless[] = { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80 };
	static const uint8_t padded[] = { 0x81, 0 };
	struct pu_bytes body;
	size_t used;

	(void)state;
	assert_int_equal(pu_message_split(pu_bytes(longer, 2), 8192, &body, &used), PU_E2BIG);
	assert_int_equal(pu_message_split(pu_bytes(longer, 2), 8193, &body, &used), PU_EAGAIN);
	assert_int_equal(pu_message_split(pu_bytes(huge, 9), 8192, &body, &used), PU_E2BIG);
	assert_int_equal(pu_message_split(pu_bytes(endless, 9), 8192, &body, &used), PU_EPROTO);
	assert_int_equal(pu_message_split(pu_bytes(padded, 2), 8192, &body, &used), PU_EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_appended_is_split_off_again),
		cmocka_unit_test(the_message_alone_has_no_length_in_front),
		cmocka_unit_test(too_much_is_not_written_at_all),
		cmocka_unit_test(a_part_waits_for_the_rest),
		cmocka_unit_test(one_message_at_a_time),
		cmocka_unit_test(a_length_beyond_the_limit_is_refused_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
