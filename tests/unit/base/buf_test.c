#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"

static void bytes_leave_in_the_order_they_came(void **state)
{
	uint8_t in = 0, out = 0;
	struct pu_buf b;

	pu_buf_init(&b, 1000);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand() % 100;

		if (rand() % 2) {
			for (size_t j = 0; j < n && pu_buf_room(&b) > 0; j++, in++)
				assert_int_equal(pu_buf_append(&b, &in, 1), 0);
		} else {
			n = pu_min(n, b.len);
			for (size_t j = 0; j < n; j++)
				assert_int_equal(pu_buf_bytes(&b).p[j], out++);
			pu_buf_consume(&b, n);
		}
	}
	pu_buf_deinit(&b);
}

static void the_maximum_is_hard(void **state)
{
	struct pu_buf b;
	uint8_t *p, big[11] = { 0 };

	pu_buf_init(&b, 10);
	assert_int_equal(pu_buf_append(&b, big, 11), PU_ELIMIT);
	assert_int_equal(b.len, 0);
	assert_int_equal(pu_buf_append(&b, big, 10), 0);
	assert_int_equal(pu_buf_room(&b), 0);
	assert_int_equal(pu_buf_append(&b, big, 1), PU_ELIMIT);
	assert_int_equal(pu_buf_prepend(&b, big, 1), PU_ELIMIT);
	assert_int_equal(pu_buf_reserve(&b, SIZE_MAX, &p), PU_ELIMIT);
	pu_buf_consume(&b, 1);
	assert_int_equal(pu_buf_prepend(&b, big, 1), 0);
	pu_buf_deinit(&b);
}

static void headers_go_in_front(void **state)
{
	struct pu_buf b;

	pu_buf_init(&b, 100);
	assert_int_equal(pu_buf_prepend(&b, "", 0), 0);
	assert_int_equal(pu_buf_append(&b, "payload", 7), 0);
	assert_int_equal(pu_buf_prepend(&b, "head ", 5), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&b), "head payload"));
	pu_buf_consume(&b, 5);
	assert_int_equal(pu_buf_prepend(&b, "tail ", 5), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&b), "tail payload"));
	pu_buf_deinit(&b);
}

static void reserved_bytes_count_when_committed(void **state)
{
	struct pu_buf b;
	uint8_t *p;

	pu_buf_init(&b, 100);
	assert_int_equal(pu_buf_reserve(&b, 50, &p), 0);
	assert_int_equal(b.len, 0);
	memcpy(p, "abc", 3);
	pu_buf_commit(&b, 3);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&b), "abc"));
	pu_buf_clear(&b, 4096);
	assert_int_equal(b.len, 0);
	assert_non_null(b.mem);
	pu_buf_clear(&b, 0);
	assert_null(b.mem);
	pu_buf_deinit(&b);
}

static void a_queue_in_steady_use_stops_growing(void **state)
{
	struct pu_buf b;
	uint8_t chunk[100] = { 0 };

	pu_buf_init(&b, 1u << 30);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(pu_buf_append(&b, chunk, sizeof chunk), 0);
		if (i >= 10)
			pu_buf_consume(&b, sizeof chunk);
	}
	assert_true(b.cap < 10000);
	pu_buf_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_leave_in_the_order_they_came),
		cmocka_unit_test(the_maximum_is_hard),
		cmocka_unit_test(headers_go_in_front),
		cmocka_unit_test(reserved_bytes_count_when_committed),
		cmocka_unit_test(a_queue_in_steady_use_stops_growing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
