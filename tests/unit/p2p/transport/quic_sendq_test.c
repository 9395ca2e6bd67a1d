/* The send queue of a stream against a plain model of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "p2p/transport/quic_sendq.h"

static uint8_t byte_at(uint64_t off)
{
	return (uint8_t)(off * 31 + (off >> 9));
}

static void write_some(struct quic_sendq *q, size_t len)
{
	uint8_t buf[70000];

	for (size_t i = 0; i < len; i++)
		buf[i] = byte_at(q->written + i);
	assert_int_equal(pu_quic_sendq_append(q, buf, len), len);
}

/* The next bytes are the right ones, wherever they lie. */
static size_t check_unsent(const struct quic_sendq *q)
{
	ngtcp2_vec v[3];
	size_t n = pu_quic_sendq_unsent(q, v, 3), len = 0;

	for (size_t i = 0; i < n; i++) {
		assert_true(v[i].len > 0);
		for (size_t j = 0; j < v[i].len; j++)
			assert_int_equal(v[i].base[j], byte_at(q->sent + len + j));
		len += v[i].len;
	}
	assert_true(len <= pu_quic_sendq_waiting(q));
	assert_int_equal(len == 0, pu_quic_sendq_waiting(q) == 0);
	return len;
}

static void bytes_come_out_in_order(void **state)
{
	struct quic_sendq q = { 0 };

	srand(1);
	for (int i = 0; i < 3000; i++) {
		size_t n;

		if (pu_quic_sendq_held(&q) < 300000)
			write_some(&q, (size_t)rand() % (rand() % 8 ? 2000 : 70000));
		n = check_unsent(&q);
		if (n > 0)
			pu_quic_sendq_sent(&q, (size_t)rand() % (n + 1));
		check_unsent(&q);
		if (rand() % 3 == 0) {
			uint64_t upto = q.acked + (uint64_t)rand() % (q.sent - q.acked + 1);
			size_t before = pu_quic_sendq_held(&q);
			size_t freed = pu_quic_sendq_acked(&q, upto);

			assert_int_equal(q.acked, upto);
			assert_int_equal(before - pu_quic_sendq_held(&q), freed);
		}
	}
	pu_quic_sendq_drop(&q);
}

static void sent_bytes_do_not_move(void **state)
{
	struct quic_sendq q = { 0 };
	const uint8_t *first;
	ngtcp2_vec v[1];

	write_some(&q, 1000);
	assert_int_equal(pu_quic_sendq_unsent(&q, v, 1), 1);
	first = v[0].base;
	pu_quic_sendq_sent(&q, 1000);
	for (int i = 0; i < 50; i++)
		write_some(&q, 3000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(first[i], byte_at((uint64_t)i));
	pu_quic_sendq_drop(&q);
}

static void nothing_is_acknowledged_before_it_was_sent(void **state)
{
	struct quic_sendq q = { 0 };

	write_some(&q, 1000);
	pu_quic_sendq_sent(&q, 300);
	assert_int_equal(pu_quic_sendq_acked(&q, 5000), 300);
	assert_int_equal(pu_quic_sendq_acked(&q, 200), 0);
	assert_int_equal(pu_quic_sendq_waiting(&q), 700);
	check_unsent(&q);
	assert_int_equal(pu_quic_sendq_drop(&q), 700);
	assert_int_equal(pu_quic_sendq_held(&q), 0);
	assert_int_equal(check_unsent(&q), 0);
}

static void cut_keeps_what_is_under_way(void **state)
{
	static const size_t sent[] = { 0, 100, 40000, 60000 };

	for (size_t i = 0; i < 4; i++) {
		struct quic_sendq q = { 0 };

		write_some(&q, 60000);
		for (size_t n; q.sent < sent[i];) {
			n = check_unsent(&q);
			n = n < sent[i] - q.sent ? n : sent[i] - q.sent;
			pu_quic_sendq_sent(&q, n);
		}
		assert_int_equal(pu_quic_sendq_cut(&q), 60000 - sent[i]);
		assert_int_equal(q.written, sent[i]);
		assert_int_equal(check_unsent(&q), 0);
		write_some(&q, 3000);
		assert_int_equal(check_unsent(&q), 3000);
		pu_quic_sendq_sent(&q, 3000);
		assert_int_equal(pu_quic_sendq_acked(&q, q.sent), sent[i] + 3000);
		assert_null(q.head);
	}
}

static void queue_is_empty_again_after_all(void **state)
{
	struct quic_sendq q = { 0 };

	for (int i = 0; i < 10; i++) {
		write_some(&q, 100);
		pu_quic_sendq_sent(&q, 100);
		assert_int_equal(pu_quic_sendq_acked(&q, q.sent), 100);
		assert_null(q.head);
		assert_null(q.tail);
		assert_null(q.cursor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_in_order),
		cmocka_unit_test(sent_bytes_do_not_move),
		cmocka_unit_test(nothing_is_acknowledged_before_it_was_sent),
		cmocka_unit_test(cut_keeps_what_is_under_way),
		cmocka_unit_test(queue_is_empty_again_after_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
