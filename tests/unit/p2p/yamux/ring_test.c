#include "p2p/yamux/ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void bytes_come_out_in_order_across_the_seam(void **state)
{
	struct pu_yamux_ring r;
	uint8_t in[5000], out[5000], next_in = 0, next_out = 0;
	unsigned seed = 1;

	pu_yamux_ring_init(&r, 10000);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand_r(&seed) % sizeof in, took;

		for (size_t k = 0; k < n; k++)
			in[k] = (uint8_t)(next_in + k);
		took = pu_yamux_ring_write(&r, in, n);
		next_in = (uint8_t)(next_in + took);
		assert_true(r.len <= 10000);
		n = pu_min((size_t)rand_r(&seed) % sizeof out, r.len);
		pu_yamux_ring_read(&r, out, n);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(out[k], next_out++);
	}
	pu_yamux_ring_deinit(&r);
}

static void the_limit_is_exact(void **state)
{
	struct pu_yamux_ring r;
	uint8_t b[200] = { 0 };

	pu_yamux_ring_init(&r, 150);
	assert_int_equal(pu_yamux_ring_write(&r, b, 100), 100);
	assert_int_equal(pu_yamux_ring_room(&r), 50);
	assert_int_equal(pu_yamux_ring_write(&r, b, 100), 50);
	assert_int_equal(pu_yamux_ring_write(&r, b, 1), 0);
	pu_yamux_ring_read(&r, b, 1);
	assert_int_equal(pu_yamux_ring_write(&r, b, 2), 1);
	pu_yamux_ring_deinit(&r);
}

static void memory_is_kept_until_it_is_asked_back(void **state)
{
	struct pu_yamux_ring r;
	uint8_t *b = calloc(1, 1 << 20);

	pu_yamux_ring_init(&r, 1 << 20);
	assert_int_equal(pu_yamux_ring_write(&r, b, 1 << 20), 1 << 20);
	pu_yamux_ring_read(&r, b, 1 << 20);
	assert_true(r.cap >= 1 << 20);
	assert_int_equal(pu_yamux_ring_write(&r, b, 1), 1);
	pu_yamux_ring_trim(&r);
	assert_int_equal(r.len, 1);
	pu_yamux_ring_read(&r, b, 1);
	pu_yamux_ring_trim(&r);
	assert_int_equal(r.cap, 0);
	assert_int_equal(pu_yamux_ring_write(&r, b, 10), 10);
	pu_yamux_ring_deinit(&r);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_in_order_across_the_seam),
		cmocka_unit_test(the_limit_is_exact),
		cmocka_unit_test(memory_is_kept_until_it_is_asked_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
