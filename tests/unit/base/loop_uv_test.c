#include "base/loop_uv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
	struct pu_loop_uv *uv;
	struct pu_loop *loop;
	struct pu_timer timer;
	uv_idle_t idle; /* closed when the loop is freed */
	pu_time fired;
	unsigned n;
};

static void on_timer(void *arg)
{
	struct fixture *f = arg;

	f->fired = pu_clock_monotonic();
	f->n++;
	pu_loop_uv_stop(f->uv);
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	if (pu_loop_uv_new(&f.uv) < 0)
		return -1;
	f.loop = pu_loop_uv_loop(f.uv);
	pu_timer_init(&f.timer, f.loop, on_timer, &f);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	pu_timer_stop(&f->timer);
	pu_loop_uv_free(f->uv);
	return 0;
}

static void a_timer_fires_soon_after_its_deadline_and_never_before(void **state)
{
	struct fixture *f = *state;
	pu_time deadline;

	for (unsigned i = 1; i <= 5; i++) {
		deadline = pu_clock_monotonic() + PU_US(3300);
		pu_timer_set(&f->timer, deadline);
		pu_loop_uv_run(f->uv);
		assert_int_equal(f->n, i);
		assert_true(f->fired >= deadline);
		assert_true(f->fired < deadline + PU_MS(500));
	}
}

static void on_idle(uv_idle_t *h)
{
}

/* Turns of the loop that are none of ours do not put a timer off. */
static void a_busy_loop_does_not_starve_timers(void **state)
{
	struct fixture *f = *state;
	pu_time begin = pu_clock_monotonic();

	uv_idle_init(pu_loop_uv_of(f->loop), &f->idle);
	uv_idle_start(&f->idle, on_idle);
	pu_timer_set(&f->timer, begin + PU_MS(20));
	while (f->n == 0 && pu_clock_monotonic() < begin + PU_SEC(2))
		uv_run(pu_loop_uv_of(f->loop), UV_RUN_NOWAIT);
	uv_close((uv_handle_t *)&f->idle, NULL);
	assert_int_equal(f->n, 1);
	assert_true(f->fired >= begin + PU_MS(20));
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct fixture *f = *state;
	pu_time begin = pu_clock_monotonic();

	pu_timer_set(&f->timer, begin + PU_MS(5));
	uv_run(pu_loop_uv_of(f->loop), UV_RUN_NOWAIT);
	pu_timer_stop(&f->timer);
	while (pu_clock_monotonic() < begin + PU_MS(30))
		uv_run(pu_loop_uv_of(f->loop), UV_RUN_NOWAIT);
	assert_int_equal(f->n, 0);
}

/* The time that a process stands still is told and not counted. */
struct still {
	struct pu_loop_uv *uv;
	pu_time gap;
	unsigned gaps, timers;
};

static void on_gap(void *arg, pu_time gap)
{
	struct still *s = arg;

	s->gap = gap;
	s->gaps++;
}

static void on_still_timer(void *arg)
{
	struct still *s = arg;

	s->timers++;
	pu_loop_uv_stop(s->uv);
}

static void a_pause_of_the_process_is_told_and_not_counted(void **state)
{
	struct fixture *f = *state;
	struct still s = { .uv = f->uv };
	pu_time before = pu_clock_monotonic();
	struct pu_gap_watch watch;
	struct pu_timer first, second;
	int64_t unix_before;

	pu_loop_watch_gaps(f->loop, &watch, on_gap, &s);
	pu_timer_init(&first, f->loop, on_still_timer, &s);
	pu_timer_init(&second, f->loop, on_still_timer, &s);
	pu_timer_set(&first, before + PU_MS(100));
	pu_timer_set(&second, before + PU_MS(600));
	unix_before = pu_loop_unix(f->loop);
	uv_run(pu_loop_uv_of(f->loop), UV_RUN_NOWAIT);
	usleep(2700000);
	pu_loop_uv_run(f->uv);
	assert_int_equal(s.timers, 1);
	assert_int_equal(s.gaps, 1);
	assert_in_range(s.gap, PU_MS(2500), PU_SEC(30));
	/* For the world it did pass, and so it does for the date. */
	assert_in_range(pu_clock_monotonic() - before, PU_MS(2600), PU_SEC(30));
	assert_true(pu_loop_unix(f->loop) >= unix_before + 2);
	assert_true(pu_loop_now(f->loop) < before + PU_MS(600));

	pu_loop_uv_run(f->uv);
	assert_int_equal(s.timers, 2);
	assert_int_equal(s.gaps, 1);
	assert_in_range(pu_clock_monotonic() - before, PU_MS(3100), PU_SEC(30));
	pu_loop_unwatch_gaps(&watch);
}

static void a_timer_set_for_the_past_is_no_pause(void **state)
{
	struct fixture *f = *state;
	struct still s = { .uv = f->uv };
	struct pu_gap_watch watch;
	struct pu_timer timer;

	pu_loop_watch_gaps(f->loop, &watch, on_gap, &s);
	pu_timer_init(&timer, f->loop, on_still_timer, &s);
	pu_timer_set(&timer, pu_loop_now(f->loop) - PU_SEC(10));
	pu_loop_uv_run(f->uv);
	assert_int_equal(s.timers, 1);
	assert_int_equal(s.gaps, 0);
	pu_loop_unwatch_gaps(&watch);
}

static void random_bytes_differ(void **state)
{
	struct fixture *f = *state;
	uint8_t a[32], b[32];

	pu_loop_random(f->loop, a, sizeof a);
	pu_loop_random(f->loop, b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_timer_fires_soon_after_its_deadline_and_never_before, setup, teardown),
		cmocka_unit_test_setup_teardown(a_busy_loop_does_not_starve_timers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stopped_timer_does_not_fire, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_pause_of_the_process_is_told_and_not_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_timer_set_for_the_past_is_no_pause, setup,
						teardown),
		cmocka_unit_test_setup_teardown(random_bytes_differ, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
