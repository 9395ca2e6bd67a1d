#include "base/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void counting_random(void *arg, void *p, size_t n)
{
	memset(p, ++*(int *)arg, n);
}

struct log {
	char s[256];
};

struct ticker {
	struct pu_timer timer;
	struct log *log;
	const char *name;
};

static void tick(void *arg)
{
	struct ticker *t = arg;

	strcat(t->log->s, t->name);
}

static void turn(struct pu_loop *l, pu_time now)
{
	pu_loop_enter(l, now);
	pu_loop_leave(l);
}

static void timers_fire_once_in_order_of_deadline(void **state)
{
	struct pu_loop l;
	struct log log = { "" };
	struct ticker t[3] = { { .log = &log, .name = "a" },
			       { .log = &log, .name = "b" },
			       { .log = &log, .name = "c" } };

	pu_loop_init(&l, 100, 0, NULL, NULL);
	for (int i = 0; i < 3; i++)
		pu_timer_init(&t[i].timer, &l, tick, &t[i]);
	assert_true(pu_loop_next_timeout(&l) == PU_TIME_NEVER);
	pu_timer_set(&t[0].timer, 300);
	pu_timer_set(&t[1].timer, 200);
	pu_timer_set(&t[2].timer, 250);
	assert_true(pu_loop_next_timeout(&l) == 200);
	turn(&l, 199);
	assert_string_equal(log.s, "");
	turn(&l, 260);
	assert_string_equal(log.s, "bc");
	assert_false(pu_timer_active(&t[1].timer));
	pu_timer_set(&t[0].timer, PU_TIME_NEVER);
	turn(&l, 1000);
	assert_string_equal(log.s, "bc");
	pu_loop_deinit(&l);
}

static void random_deadlines_come_out_sorted(void **state)
{
	static struct ticker t[500];
	struct log log = { "" };
	struct pu_loop l;
	pu_time last = 0;
	int left = 500;

	pu_loop_init(&l, 0, 0, NULL, NULL);
	srand(7);
	for (int i = 0; i < 500; i++) {
		t[i] = (struct ticker){ .log = &log, .name = "" };
		pu_timer_init(&t[i].timer, &l, tick, &t[i]);
		pu_timer_set(&t[i].timer, (pu_time)(rand() % 1000 + 1));
	}
	for (int i = 0; i < 500; i += 3)
		pu_timer_set(&t[i].timer, (pu_time)(rand() % 1000 + 1));
	for (int i = 0; i < 500; i += 5) {
		pu_timer_stop(&t[i].timer);
		left--;
	}
	while (pu_loop_next_timeout(&l) != PU_TIME_NEVER) {
		size_t before = l.n_timers;

		assert_true(pu_loop_next_timeout(&l) > last);
		last = pu_loop_next_timeout(&l);
		turn(&l, last);
		left -= (int)(before - l.n_timers);
	}
	assert_int_equal(left, 0);
	pu_loop_deinit(&l);
}

static void rearm(void *arg)
{
	struct ticker *t = arg;

	tick(arg);
	pu_timer_set(&t->timer, pu_loop_now(t->timer.loop));
}

static void a_timer_that_rearms_itself_cannot_hold_the_loop(void **state)
{
	struct log log = { "" };
	struct ticker t = { .log = &log, .name = "x" };
	struct pu_loop l;

	pu_loop_init(&l, 0, 0, NULL, NULL);
	pu_timer_init(&t.timer, &l, rearm, &t);
	pu_timer_set(&t.timer, 1);
	turn(&l, 5);
	assert_string_equal(log.s, "x");
	assert_true(pu_loop_next_timeout(&l) <= 5);
	turn(&l, 5);
	assert_string_equal(log.s, "xx");
	pu_timer_stop(&t.timer);
	pu_loop_deinit(&l);
}

struct work {
	struct pu_job job, *other;
	struct log *log;
	const char *name;
};

static void work(void *arg)
{
	struct work *w = arg;

	strcat(w->log->s, w->name);
	if (w->other)
		pu_job_defer(w->other);
	w->other = NULL;
}

static void jobs_run_once_per_request_and_after_timers(void **state)
{
	struct log log = { "" };
	struct ticker t = { .log = &log, .name = "t" };
	struct work a = { .log = &log, .name = "a" }, b = { .log = &log, .name = "b" };
	struct pu_loop l;

	pu_loop_init(&l, 10, 0, NULL, NULL);
	pu_timer_init(&t.timer, &l, tick, &t);
	pu_job_init(&a.job, &l, work, &a);
	pu_job_init(&b.job, &l, work, &b);
	pu_timer_set(&t.timer, 1);
	a.other = &b.job;
	pu_job_defer(&a.job);
	pu_job_defer(&a.job);
	assert_true(pu_loop_next_timeout(&l) <= 10);
	turn(&l, 20);
	assert_string_equal(log.s, "tab");
	pu_job_defer(&a.job);
	pu_job_cancel(&a.job);
	pu_job_cancel(&a.job);
	turn(&l, 30);
	assert_string_equal(log.s, "tab");
	pu_loop_deinit(&l);
}

static void time_never_runs_backwards(void **state)
{
	struct pu_loop l;

	pu_loop_init(&l, PU_SEC(10), (int64_t)PU_SEC(1000), NULL, NULL);
	turn(&l, PU_SEC(5));
	assert_true(pu_loop_now(&l) == PU_SEC(10));
	assert_int_equal(pu_loop_unix(&l), 1010);
	pu_loop_deinit(&l);
}

static void randomness_is_a_parameter(void **state)
{
	int calls = 0;
	uint8_t b[4];
	struct pu_loop l;

	pu_loop_init(&l, 0, 0, counting_random, &calls);
	pu_loop_random(&l, b, sizeof b);
	pu_loop_random(&l, b, sizeof b);
	assert_memory_equal(b, "\2\2\2\2", 4);
	pu_loop_deinit(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_once_in_order_of_deadline),
		cmocka_unit_test(random_deadlines_come_out_sorted),
		cmocka_unit_test(a_timer_that_rearms_itself_cannot_hold_the_loop),
		cmocka_unit_test(jobs_run_once_per_request_and_after_timers),
		cmocka_unit_test(time_never_runs_backwards),
		cmocka_unit_test(randomness_is_a_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
