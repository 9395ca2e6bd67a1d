#include "overlay/pktq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"

static void fill(uint8_t *p, size_t len, unsigned n)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(n * 31 + i);
}

/* A model in lengths and numbers; content is derived from the number. */
static void packets_come_out_as_they_went_in(void **state)
{
	enum { MODEL = 4096, SIZE = 16384 };
	static uint8_t in[2000], want[2000];
	static size_t lens[MODEL];
	unsigned pushed = 0, popped = 0, refused = 0;
	struct pu_pktq q;

	srand(1);
	pu_pktq_init(&q, SIZE);
	for (int step = 0; step < 20000; step++) {
		if (rand() % 100 < 52) {
			size_t len = 1 + (size_t)rand() % sizeof in, head = (size_t)rand() % len;
			struct pu_pkt pkt = { .head = pu_bytes(in, head),
					      .body = pu_bytes(in + head, len - head),
					      .flags = pushed & 1 };
			int r;

			fill(in, len, pushed);
			r = pu_pktq_push(&q, &pkt, pushed);
			if (r == 0)
				lens[pushed++ % MODEL] = len;
			else
				refused += r == PU_ELIMIT;
		} else {
			struct pu_pktq_item item;

			assert_int_equal(pu_pktq_peek(&q, &item), pushed != popped);
			if (pushed == popped)
				continue;
			fill(want, lens[popped % MODEL], popped);
			assert_int_equal(item.data.len, lens[popped % MODEL]);
			assert_memory_equal(item.data.p, want, item.data.len);
			assert_int_equal(item.queued_at, popped);
			assert_int_equal(item.flags, popped & 1);
			pu_pktq_pop(&q);
			popped++;
		}
		assert_int_equal(q.n, pushed - popped);
		assert_true(q.bytes <= SIZE);
	}
	assert_true(refused > 0);
	assert_true(popped > 1000);
	pu_pktq_deinit(&q);
}

static void empty_queue_gives_its_memory_back(void **state)
{
	struct pu_pkt pkt = { .head = pu_bytes("abc", 3) };
	struct pu_pktq q;

	pu_pktq_init(&q, 4096);
	assert_null(q.ring);
	assert_int_equal(pu_pktq_push(&q, &pkt, 0), 0);
	pu_pktq_pop(&q);
	pu_pktq_trim(&q);
	assert_null(q.ring);
	assert_int_equal(pu_pktq_push(&q, &pkt, 0), 0);
	pu_pktq_deinit(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_out_as_they_went_in),
		cmocka_unit_test(empty_queue_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
