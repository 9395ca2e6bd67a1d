/* A running program and its config on trial, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/loop_uv.h"
#include "daemon/config_pending.h"
#include "daemon/trial.h"

static char top[64];
static const char config[] = "config.yaml";
static struct pu_loop loop;
static struct pu_trial trial;
static char applied[64];
static const char *ended;
static int apply_result;

static void no_random(void *arg, void *p, size_t n)
{
	memset(p, 0, n);
}

static int apply(void *arg, struct pu_bytes text)
{
	snprintf(applied, sizeof applied, "%.*s", (int)text.len, (const char *)text.p);
	return strcmp(applied, "bad") == 0 ? PU_ECONFIG : apply_result;
}

static void on_end(void *arg, const char *what)
{
	ended = what;
}

static const struct pu_trial_ops ops = { .apply = apply, .on_end = on_end };

static void put(const char *name, const char *text)
{
	assert_int_equal(pu_file_replace(name, pu_bytes_str(text), 0600, NULL), 0);
}

static int set_up(void **state)
{
	strcpy(top, "/tmp/pu_trial_XXXXXX");
	assert_non_null(mkdtemp(top));
	assert_int_equal(chdir(top), 0);
	applied[0] = '\0';
	ended = NULL;
	apply_result = 0;
	pu_loop_init(&loop, PU_SEC(100), pu_clock_wall_ns() - (int64_t)PU_SEC(100), no_random,
		     NULL);
	put(config, "old");
	pu_trial_init(&trial, &loop, config, &ops, NULL);
	assert_int_equal(pu_trial_loaded(&trial, pu_bytes_str("old"), true), 0);
	return 0;
}

static int tear_down(void **state)
{
	char cmd[100];

	pu_trial_stop(&trial);
	pu_loop_deinit(&loop);
	snprintf(cmd, sizeof cmd, "rm -rf %s", top);
	return chdir("/") | system(cmd);
}

static void assert_file(const char *name, const char *text)
{
	char *got;
	size_t len;

	if (!text) {
		assert_int_equal(access(name, F_OK), -1);
		return;
	}
	assert_int_equal(pu_file_read(name, 4096, &got, &len, NULL), 0);
	assert_string_equal(got, text);
	free(got);
}

static void pass(pu_time t)
{
	pu_loop_enter(&loop, pu_loop_now(&loop) + t);
	pu_loop_leave(&loop);
}

static void begin(const char *text, int seconds)
{
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str(text),
						 pu_clock_wall_ns() +
							 (int64_t)PU_SEC(1) * seconds), 0);
	trial.touched = true;
	pu_trial_check(&trial);
}

static void a_good_start_is_archived(void **state)
{
	pu_trial_start(&trial, false);
	assert_file(".config.last-good.yaml", "old");
	assert_string_equal(applied, "");
}

static void what_was_loaded_is_archived_not_what_the_file_became(void **state)
{
	put(config, "edited");
	pu_trial_start(&trial, false);
	assert_file(".config.last-good.yaml", "old");
}

static void a_trial_is_taken_over_and_not_archived(void **state)
{
	pu_trial_start(&trial, false);
	begin("new", 30);
	assert_string_equal(applied, "new");
	assert_true(trial.pending);
	assert_file(".config.last-good.yaml", "old");
}

static void unconfirmed_it_is_taken_back_at_the_deadline_and_not_before(void **state)
{
	pu_trial_start(&trial, false);
	begin("new", 30);
	pass(PU_SEC(29));
	assert_file(config, "new");
	pass(PU_SEC(2));
	assert_file(config, "old");
	assert_string_equal(applied, "old");
	assert_string_equal(ended, "reverted");
	assert_file(".config.pending", NULL);
	assert_file(".config.last-good.yaml", "old");
}

static void confirmed_it_stays_and_is_archived(void **state)
{
	pu_trial_start(&trial, false);
	begin("new", 30);
	assert_int_equal(pu_config_pending_confirm(config), 0);
	pu_trial_check(&trial);
	assert_string_equal(ended, "confirmed");
	pass(PU_SEC(60));
	assert_file(config, "new");
	assert_file(".config.last-good.yaml", "new");
	assert_file(".config.last-good.1.yaml", "old");
}

/* The deadline comes before anybody told us that the marker is gone. */
static void a_confirmation_that_went_unnoticed_counts(void **state)
{
	pu_trial_start(&trial, false);
	begin("new", 30);
	assert_int_equal(pu_config_pending_confirm(config), 0);
	pass(PU_SEC(31));
	assert_string_equal(ended, "confirmed");
	assert_file(config, "new");
}

static void what_cannot_be_used_is_taken_back_at_once(void **state)
{
	pu_trial_start(&trial, false);
	begin("bad", 30);
	assert_file(config, "old");
	assert_string_equal(ended, "reverted");
	assert_file(".config.rejected.yaml", "bad");
	assert_file(".config.pending", NULL);
}

static void what_needs_a_restart_is_in_use_only_after_it(void **state)
{
	pu_trial_start(&trial, false);
	apply_result = PU_TRIAL_RESTARTS;
	begin("new", 30);
	assert_string_equal(trial.text, "old");
}

/* Files are followed: a reload of what can be reloaded may come before the trial is noticed. */
static void a_reload_in_parts_does_not_hide_the_rest(void **state)
{
	pu_trial_start(&trial, false);
	apply_result = PU_TRIAL_RESTARTS;
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str("new"),
						 pu_clock_wall_ns() + (int64_t)PU_SEC(30)), 0);
	assert_int_equal(pu_trial_loaded(&trial, pu_bytes_str("new"), false), 0);
	pu_trial_check(&trial);
	assert_string_equal(applied, "new");
}

static void clocks_that_jump_change_nothing(void **state)
{
	pu_trial_start(&trial, false);
	begin("new", 30);
	loop.wall_offset += (int64_t)PU_SEC(86400);
	pass(PU_SEC(1));
	pu_trial_check(&trial);
	assert_file(config, "new");
	loop.wall_offset -= 2 * (int64_t)PU_SEC(86400);
	pass(PU_SEC(28));
	pu_trial_check(&trial);
	assert_file(config, "new");
	pass(PU_SEC(2));
	assert_file(config, "old");
}

static void time_asleep_counts(void **state)
{
	pu_trial_start(&trial, false);
	begin("new", 30);
	pu_loop_enter(&loop, pu_loop_now(&loop));
	pu_loop_gap(&loop, PU_SEC(20));
	pu_loop_leave(&loop);
	pass(PU_SEC(5));
	assert_file(config, "new");
	pass(PU_SEC(6));
	assert_file(config, "old");
}

static void an_edit_without_a_trial_is_left_alone(void **state)
{
	pu_trial_start(&trial, false);
	put(config, "edited");
	pu_trial_check(&trial);
	assert_string_equal(applied, "");
	pass(PU_SEC(3600));
	assert_file(config, "edited");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_start_is_archived),
		TEST(what_was_loaded_is_archived_not_what_the_file_became),
		TEST(a_trial_is_taken_over_and_not_archived),
		TEST(unconfirmed_it_is_taken_back_at_the_deadline_and_not_before),
		TEST(confirmed_it_stays_and_is_archived),
		TEST(a_confirmation_that_went_unnoticed_counts),
		TEST(what_cannot_be_used_is_taken_back_at_once),
		TEST(what_needs_a_restart_is_in_use_only_after_it),
		TEST(a_reload_in_parts_does_not_hide_the_rest),
		TEST(clocks_that_jump_change_nothing),
		TEST(time_asleep_counts),
		TEST(an_edit_without_a_trial_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
