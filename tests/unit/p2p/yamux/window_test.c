#include "p2p/yamux/window.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/err.h"
#include "p2p/yamux/session.h"

enum { INITIAL = PU_YAMUX_WINDOW_INITIAL, MAX = PU_YAMUX_WINDOW_MAX };

static void overruns_are_noticed_to_the_byte(void **state)
{
	struct pu_yamux_window w;

	pu_yamux_window_init(&w, MAX, 0);
	assert_int_equal(pu_yamux_window_recv(&w, INITIAL - 1), 0);
	assert_int_equal(pu_yamux_window_recv(&w, 2), PU_EPROTO);
	assert_int_equal(pu_yamux_window_recv(&w, 1), 0);
	assert_int_equal(pu_yamux_window_recv(&w, 1), PU_EPROTO);
	assert_int_equal(pu_yamux_window_recv(&w, 0), 0);
}

static void credit_waits_for_half_a_window(void **state)
{
	struct pu_yamux_window w;

	pu_yamux_window_init(&w, MAX, 0);
	pu_yamux_window_recv(&w, INITIAL);
	assert_int_equal(pu_yamux_window_take(&w, INITIAL / 2 - 1, 1, PU_MS(10), MAX), 0);
	assert_false(pu_yamux_window_due(&w));
	pu_yamux_window_take(&w, 1, 1, PU_MS(10), MAX);
	assert_true(pu_yamux_window_due(&w));
	assert_int_equal(pu_yamux_window_announce(&w), INITIAL / 2);
	assert_int_equal(w.allowed, INITIAL / 2);
	assert_false(pu_yamux_window_due(&w));
}

/* One full window taken at that time. */
static uint32_t round_trip(struct pu_yamux_window *w, pu_time now, pu_time rtt, size_t budget)
{
	uint32_t size = w->size, grown;

	assert_int_equal(pu_yamux_window_recv(w, w->allowed), 0);
	grown = pu_yamux_window_take(w, size, now, rtt, budget);
	pu_yamux_window_announce(w);
	assert_int_equal(w->allowed, w->size);
	return grown;
}

static void a_window_that_limits_the_sender_doubles_up_to_the_maximum(void **state)
{
	struct pu_yamux_window w;
	pu_time now = 0, rtt = PU_MS(50);

	pu_yamux_window_init(&w, MAX, now);
	for (uint32_t size = INITIAL; size < MAX; size *= 2) {
		now += rtt;
		assert_int_equal(round_trip(&w, now, rtt, MAX), size);
		assert_int_equal(w.size, size * 2);
	}
	assert_int_equal(round_trip(&w, now + rtt, rtt, MAX), 0);
	assert_int_equal(w.size, MAX);
}

static void a_slow_sender_keeps_its_window(void **state)
{
	struct pu_yamux_window w;
	pu_time rtt = PU_MS(50);

	pu_yamux_window_init(&w, MAX, 0);
	assert_int_equal(round_trip(&w, 4 * rtt + 1, rtt, MAX), 0);
	/* Exactly four round trips later is soon enough. */
	assert_int_equal(round_trip(&w, 8 * rtt + 1, rtt, MAX), INITIAL);
}

static void a_burst_after_a_pause_is_not_a_fast_sender(void **state)
{
	struct pu_yamux_window w;
	pu_time rtt = PU_MS(50);

	pu_yamux_window_init(&w, MAX, 0);
	for (int i = 1; i < 5; i++)
		assert_int_equal(round_trip(&w, PU_SEC(10) * (pu_time)i, rtt, MAX), 0);
}

static void growth_respects_the_budget(void **state)
{
	struct pu_yamux_window w;

	pu_yamux_window_init(&w, MAX, 0);
	assert_int_equal(round_trip(&w, 1, PU_MS(10), 1000), 1000);
	assert_int_equal(round_trip(&w, 2, PU_MS(10), 0), 0);
	assert_int_equal(w.size, INITIAL + 1000);
	pu_yamux_window_init(&w, INITIAL + 5, 0);
	assert_int_equal(round_trip(&w, 1, PU_MS(10), MAX), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overruns_are_noticed_to_the_byte),
		cmocka_unit_test(credit_waits_for_half_a_window),
		cmocka_unit_test(a_window_that_limits_the_sender_doubles_up_to_the_maximum),
		cmocka_unit_test(a_slow_sender_keeps_its_window),
		cmocka_unit_test(a_burst_after_a_pause_is_not_a_fast_sender),
		cmocka_unit_test(growth_respects_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
