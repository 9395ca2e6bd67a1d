/* Configs on trial and copies of good ones: every state that a crash can leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/loop_uv.h"
#include "daemon/config_archive.h"
#include "daemon/config_pending.h"

#define MARKER ".config.pending"
#define BACKUP ".config.pre-confirmed.yaml"
#define REJECTED ".config.rejected.yaml"

static char top[64];
static const char config[] = "config.yaml";

static int set_up(void **state)
{
	strcpy(top, "/tmp/pu_pending_XXXXXX");
	assert_non_null(mkdtemp(top));
	return chdir(top);
}

static int tear_down(void **state)
{
	char cmd[100];

	snprintf(cmd, sizeof cmd, "rm -rf %s", top);
	return chdir("/") | system(cmd);
}

static void put(const char *name, const char *text)
{
	assert_int_equal(pu_file_replace(name, pu_bytes_str(text), 0600, NULL), 0);
}

static void assert_file(const char *name, const char *text)
{
	struct pu_file_info info;
	char *got;
	size_t len;

	if (!text) {
		assert_int_equal(access(name, F_OK), -1);
		return;
	}
	assert_int_equal(pu_file_read(name, 4096, &got, &len, &info), 0);
	assert_string_equal(got, text);
	assert_int_equal(info.mode, 0600);
	free(got);
}

static int64_t in_seconds(int s)
{
	return pu_clock_wall_ns() + (int64_t)PU_SEC(1) * s;
}

static void begin(void)
{
	put(config, "old");
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str("new"), in_seconds(60)), 0);
}

/* --- the ordinary ways ---------------------------------------------------------------- */

static void a_config_on_trial_leaves_the_files_of_the_go_program(void **state)
{
	put(config, "old");
	/* 2026-03-01T12:00:00.5Z */
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str("new"),
						 1772366400500000000), 0);
	assert_file(config, "new");
	assert_file(BACKUP, "old");
	assert_file(MARKER, "{\"deadline\":\"2026-03-01T12:00:00.5Z\","
			    "\"backup\":\".config.pre-confirmed.yaml\"}");
}

static void a_second_trial_is_refused(void **state)
{
	begin();
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str("x"), in_seconds(9)),
			 PU_EEXIST);
	assert_file(config, "new");
	assert_file(BACKUP, "old");
}

static void without_a_config_there_is_nothing_to_come_back_to(void **state)
{
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str("x"), in_seconds(9)),
			 PU_ENOENT);
	assert_file(config, NULL);
	assert_file(MARKER, NULL);
	assert_file(BACKUP, NULL);
}

static void confirming_keeps_it_and_removes_the_traces(void **state)
{
	begin();
	assert_int_equal(pu_config_pending_confirm(config), 0);
	assert_file(config, "new");
	assert_file(MARKER, NULL);
	assert_file(BACKUP, NULL);
	assert_int_equal(pu_config_pending_confirm(config), PU_ENOENT);
	assert_int_equal(pu_config_pending_revert(config), PU_ENOENT);
}

static void reverting_brings_the_old_one_back_and_keeps_the_new_one_aside(void **state)
{
	begin();
	assert_int_equal(pu_config_pending_revert(config), 0);
	assert_file(config, "old");
	assert_file(MARKER, NULL);
	assert_file(BACKUP, NULL);
	assert_file(REJECTED, "new");
}

/* --- what a crash leaves ---------------------------------------------------------------- */

static void a_crash_before_the_marker_changes_nothing(void **state)
{
	bool reverted;

	put(config, "old");
	put(BACKUP, "old");
	assert_int_equal(pu_config_pending_settle(config, &reverted), 0);
	assert_false(reverted);
	assert_file(config, "old");
	/* and the next try is not in the way of the rest */
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str("new"), in_seconds(9)), 0);
}

static void a_crash_between_marker_and_config_ends_with_the_old_one(void **state)
{
	bool reverted;

	put(config, "old");
	put(BACKUP, "old");
	put(MARKER, "{\"deadline\":\"2020-01-01T00:00:00Z\",\"backup\":\"" BACKUP "\"}");
	assert_int_equal(pu_config_pending_settle(config, &reverted), 0);
	assert_true(reverted);
	assert_file(config, "old");
	assert_file(MARKER, NULL);
}

static void a_crash_during_the_trial_ends_with_the_old_one(void **state)
{
	bool reverted;

	put(config, "old");
	assert_int_equal(pu_config_pending_begin(config, pu_bytes_str("new"), in_seconds(-1)), 0);
	assert_int_equal(pu_config_pending_settle(config, &reverted), 0);
	assert_true(reverted);
	assert_file(config, "old");
}

static void a_trial_that_is_not_over_goes_on_after_a_crash(void **state)
{
	bool reverted;

	begin();
	assert_int_equal(pu_config_pending_settle(config, &reverted), 0);
	assert_false(reverted);
	assert_file(config, "new");
	assert_file(BACKUP, "old");
}

static void a_crash_within_the_revert_is_repeated(void **state)
{
	begin();
	put(config, "old"); /* the first step was done */
	assert_int_equal(pu_config_pending_revert(config), 0);
	assert_file(config, "old");
	assert_file(MARKER, NULL);
}

static void a_crash_within_the_confirmation_keeps_the_new_one(void **state)
{
	bool reverted;

	begin();
	assert_int_equal(unlink(MARKER), 0); /* the first step was done */
	assert_int_equal(pu_config_pending_settle(config, &reverted), 0);
	assert_false(reverted);
	assert_file(config, "new");
}

static void a_marker_without_a_backup_gives_way(void **state)
{
	begin();
	assert_int_equal(unlink(BACKUP), 0);
	assert_int_equal(pu_config_pending_revert(config), 0);
	assert_file(config, "new");
	assert_file(MARKER, NULL);
}

static void a_marker_that_nobody_understands_is_due(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{\"deadline\":7}",
					     "{\"deadline\":\"tomorrow\",\"backup\":\"x\"}" };
	struct pu_config_pending p;
	bool reverted;

	for (size_t i = 0; i < PU_ARRAY_LEN(texts); i++) {
		put(config, "new");
		put(BACKUP, "old");
		put(MARKER, texts[i]);
		assert_int_equal(pu_config_pending_read(config, &p), 0);
		assert_int_equal(pu_config_pending_left(&p, 0), 0);
		assert_int_equal(pu_config_pending_settle(config, &reverted), 0);
		assert_true(reverted);
		assert_file(config, "old");
	}
}

static void the_marker_does_not_choose_what_is_restored(void **state)
{
	put("secret", "of somebody else");
	begin();
	put(MARKER, "{\"deadline\":\"2020-01-01T00:00:00Z\",\"backup\":\"../../secret\"}");
	assert_int_equal(pu_config_pending_revert(config), 0);
	assert_file(config, "old");
}

/* --- clocks ----------------------------------------------------------------------------- */

static void a_clock_that_was_set_back_does_not_prolong_a_trial(void **state)
{
	const int64_t made = 1000 * (int64_t)PU_SEC(1);
	const struct pu_config_pending p = { .deadline = made + (int64_t)PU_SEC(300),
					     .made = made };

	assert_int_equal(pu_config_pending_left(&p, made + (int64_t)PU_SEC(100)), PU_SEC(200));
	assert_int_equal(pu_config_pending_left(&p, 0), PU_SEC(300));
	assert_int_equal(pu_config_pending_left(&p, p.deadline), 0);
	assert_int_equal(pu_config_pending_left(&p, p.deadline + 1), 0);
}

static void a_deadline_in_another_zone_is_understood(void **state)
{
	struct pu_config_pending p;

	put(config, "new");
	put(MARKER, "{\"deadline\":\"2026-03-01T13:30:00.123456789+01:30\",\"backup\":\"b\"}");
	assert_int_equal(pu_config_pending_read(config, &p), 0);
	assert_false(p.broken);
	assert_int_equal(p.deadline, 1772366400123456789);
}

/* --- copies of good ones ---------------------------------------------------------------- */

static void the_last_five_are_kept_and_the_same_one_only_once(void **state)
{
	char text[2] = "1";

	put(config, "x");
	for (; text[0] <= '7'; text[0]++) {
		assert_int_equal(pu_config_archive_save(config, pu_bytes_str(text)), 0);
		assert_int_equal(pu_config_archive_save(config, pu_bytes_str(text)), 0);
	}
	assert_file(".config.last-good.yaml", "7");
	assert_file(".config.last-good.1.yaml", "6");
	assert_file(".config.last-good.2.yaml", "5");
	assert_file(".config.last-good.3.yaml", "4");
	assert_file(".config.last-good.4.yaml", "3");
	assert_file(".config.last-good.5.yaml", NULL);
}

static void restoring_keeps_what_it_replaces(void **state)
{
	put(config, "broken");
	assert_int_equal(pu_config_archive_restore(config, 0), PU_ENOENT);
	assert_file(config, "broken");
	assert_int_equal(pu_config_archive_save(config, pu_bytes_str("good")), 0);
	assert_int_equal(pu_config_archive_restore(config, 0), 0);
	assert_file(config, "good");
	assert_file(REJECTED, "broken");
	assert_int_equal(unlink(config), 0);
	assert_int_equal(pu_config_archive_restore(config, 0), 0);
	assert_file(config, "good");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_config_on_trial_leaves_the_files_of_the_go_program),
		TEST(a_second_trial_is_refused),
		TEST(without_a_config_there_is_nothing_to_come_back_to),
		TEST(confirming_keeps_it_and_removes_the_traces),
		TEST(reverting_brings_the_old_one_back_and_keeps_the_new_one_aside),
		TEST(a_crash_before_the_marker_changes_nothing),
		TEST(a_crash_between_marker_and_config_ends_with_the_old_one),
		TEST(a_crash_during_the_trial_ends_with_the_old_one),
		TEST(a_trial_that_is_not_over_goes_on_after_a_crash),
		TEST(a_crash_within_the_revert_is_repeated),
		TEST(a_crash_within_the_confirmation_keeps_the_new_one),
		TEST(a_marker_without_a_backup_gives_way),
		TEST(a_marker_that_nobody_understands_is_due),
		TEST(the_marker_does_not_choose_what_is_restored),
		TEST(a_clock_that_was_set_back_does_not_prolong_a_trial),
		TEST(a_deadline_in_another_zone_is_understood),
		TEST(the_last_five_are_kept_and_the_same_one_only_once),
		TEST(restoring_keeps_what_it_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
