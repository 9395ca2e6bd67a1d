/* Changes of a file are noticed, whatever way they come. */
#include "daemon/filewatch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/loop_uv.h"

struct fixture {
	struct pu_loop_uv *uv;
	struct pu_loop *loop;
	struct pu_filewatch *w;
	struct pu_timer timeout;
	char top[32], dir[64], file[96];
	unsigned n;
	bool stop_inside;
};

static void on_change(void *arg)
{
	struct fixture *f = arg;

	f->n++;
	if (f->stop_inside) {
		pu_filewatch_stop(f->w);
		f->w = NULL;
	}
}

static void on_timeout(void *arg)
{
	struct fixture *f = arg;

	pu_loop_uv_stop(f->uv);
}

static void run(struct fixture *f, pu_time t)
{
	pu_loop_uv_enter(f->loop);
	pu_timer_set(&f->timeout, pu_loop_now(f->loop) + t);
	pu_loop_uv_leave(f->loop);
	pu_loop_uv_run(f->uv);
}

static void write_text(const char *path, const char *text)
{
	FILE *fp = fopen(path, "w");

	assert_non_null(fp);
	assert_int_equal(fputs(text, fp) < 0, 0);
	assert_int_equal(fclose(fp), 0);
}

static void watch(struct fixture *f, const char *path)
{
	pu_loop_uv_enter(f->loop);
	assert_int_equal(pu_filewatch_start(f->loop, path, on_change, f, &f->w), 0);
	pu_loop_uv_leave(f->loop);
}

/* Exactly so many changes since the last call, each with time to settle. */
static void expect(struct fixture *f, unsigned n)
{
	run(f, PU_MS(PU_FILEWATCH_SETTLE_MS + 150));
	assert_int_equal(f->n, n);
	f->n = 0;
}

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .top = "/tmp/pu_watch_XXXXXX" };
	if (!mkdtemp(f.top) || pu_loop_uv_new(&f.uv) < 0)
		return -1;
	snprintf(f.dir, sizeof f.dir, "%s/dir", f.top);
	snprintf(f.file, sizeof f.file, "%s/keys", f.dir);
	f.loop = pu_loop_uv_loop(f.uv);
	pu_timer_init(&f.timeout, f.loop, on_timeout, &f);
	*state = &f;
	return mkdir(f.dir, 0700);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char cmd[64];

	pu_filewatch_stop(f->w);
	pu_timer_stop(&f->timeout);
	pu_loop_uv_free(f->uv);
	snprintf(cmd, sizeof cmd, "rm -rf %s", f->top);
	return system(cmd);
}

static void a_file_replaced_written_or_removed_is_noticed_once(void **state)
{
	struct fixture *f = *state;
	char other[128];

	write_text(f->file, "1");
	watch(f, f->file);
	expect(f, 0);
	assert_int_equal(pu_file_replace(f->file, pu_bytes_str("2"), 0600, NULL), 0);
	expect(f, 1);
	write_text(f->file, "3");
	write_text(f->file, "4");
	expect(f, 1);
	snprintf(other, sizeof other, "%s.other", f->file);
	write_text(other, "x");
	expect(f, 0);
	assert_int_equal(unlink(f->file), 0);
	expect(f, 1);
	write_text(f->file, "5");
	expect(f, 1);
}

static void a_file_that_appears_is_noticed(void **state)
{
	struct fixture *f = *state;

	watch(f, f->file);
	write_text(f->file, "1");
	expect(f, 1);
}

static void changes_behind_a_link_and_of_the_link_are_noticed(void **state)
{
	struct fixture *f = *state;
	char one[96], two[96], old[64];

	snprintf(one, sizeof one, "%s/one", f->top);
	snprintf(old, sizeof old, "%s/old", f->top);
	snprintf(two, sizeof two, "%s/two", old);
	assert_int_equal(mkdir(old, 0700), 0);
	write_text(one, "1");
	write_text(two, "2");
	assert_int_equal(symlink(one, f->file), 0);
	watch(f, f->file);
	assert_int_equal(pu_file_replace(one, pu_bytes_str("x"), 0600, NULL), 0);
	expect(f, 1);
	assert_int_equal(unlink(f->file), 0);
	assert_int_equal(symlink(two, f->file), 0);
	expect(f, 1);
	assert_int_equal(pu_file_replace(two, pu_bytes_str("y"), 0600, NULL), 0);
	expect(f, 1);
	assert_int_equal(pu_file_replace(one, pu_bytes_str("z"), 0600, NULL), 0);
	expect(f, 0);
}

static void a_directory_that_is_exchanged_is_followed(void **state)
{
	struct fixture *f = *state;
	char next[64], file[96], old[64];

	write_text(f->file, "1");
	snprintf(next, sizeof next, "%s/next", f->top);
	snprintf(old, sizeof old, "%s/old", f->top);
	snprintf(file, sizeof file, "%s/keys", next);
	assert_int_equal(mkdir(next, 0700), 0);
	write_text(file, "2");
	watch(f, f->file);
	assert_int_equal(rename(f->dir, old), 0);
	assert_int_equal(rename(next, f->dir), 0);
	run(f, PU_MS(PU_FILEWATCH_SETTLE_MS + 150));
	assert_true(f->n >= 1);
	f->n = 0;
	write_text(f->file, "3");
	expect(f, 1);
}

static void a_directory_that_comes_back_later_is_followed(void **state)
{
	struct fixture *f = *state;

	watch(f, f->file);
	assert_int_equal(rmdir(f->dir), 0);
	run(f, PU_MS(PU_FILEWATCH_SETTLE_MS + 150));
	f->n = 0;
	assert_int_equal(mkdir(f->dir, 0700), 0);
	write_text(f->file, "1");
	run(f, PU_MS(1700));
	assert_true(f->n >= 1);
	f->n = 0;
	write_text(f->file, "2");
	expect(f, 1);
}

static void somebody_who_never_stops_writing_does_not_hide_a_change(void **state)
{
	struct fixture *f = *state;

	watch(f, f->file);
	for (unsigned i = 0; i < 30 && f->n == 0; i++) {
		write_text(f->file, i & 1 ? "1" : "2");
		run(f, PU_MS(100));
	}
	assert_int_equal(f->n, 1);
}

static void the_callback_may_stop_the_watch(void **state)
{
	struct fixture *f = *state;

	watch(f, f->file);
	f->stop_inside = true;
	write_text(f->file, "1");
	expect(f, 1);
	write_text(f->file, "2");
	expect(f, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_replaced_written_or_removed_is_noticed_once),
		TEST(a_file_that_appears_is_noticed),
		TEST(changes_behind_a_link_and_of_the_link_are_noticed),
		TEST(a_directory_that_is_exchanged_is_followed),
		TEST(a_directory_that_comes_back_later_is_followed),
		TEST(somebody_who_never_stops_writing_does_not_hide_a_change),
		TEST(the_callback_may_stop_the_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
