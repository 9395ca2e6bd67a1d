/* Reading with a bound and replacing in one step, on a real file system. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

static char dir[64];

static int make_dir(void **state)
{
	strcpy(dir, "/tmp/pu_file_XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
	return system(cmd);
}

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
	return path[i];
}

static unsigned n_files(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void a_file_is_read_up_to_its_bound(void **state)
{
	struct pu_file_info info;
	char *data;
	size_t len;

	assert_int_equal(pu_file_replace(in_dir("f"), pu_bytes_str("hello"), 0640, NULL), 0);
	assert_int_equal(pu_file_read(in_dir("f"), 5, &data, &len, &info), 0);
	assert_int_equal(len, 5);
	assert_string_equal(data, "hello");
	assert_int_equal(info.mode, 0640);
	assert_int_equal(info.uid, geteuid());
	free(data);
	assert_int_equal(pu_file_read(in_dir("f"), 4, &data, &len, NULL), PU_E2BIG);
	assert_int_equal(pu_file_read(in_dir("none"), 4, &data, &len, NULL), PU_ENOENT);
}

static void a_large_file_comes_back_whole(void **state)
{
	size_t n = 1000000, len;
	char *out = malloc(n), *in;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(i * 7);
	assert_int_equal(pu_file_replace(in_dir("big"), pu_bytes(out, n), 0600, NULL), 0);
	assert_int_equal(pu_file_read(in_dir("big"), n, &in, &len, NULL), 0);
	assert_int_equal(len, n);
	assert_memory_equal(in, out, n);
	free(in);
	free(out);
}

static void only_regular_files_are_read(void **state)
{
	char *data;
	size_t len;

	assert_int_equal(pu_file_read(dir, 100, &data, &len, NULL), PU_EINVAL);
	assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
	assert_int_equal(pu_file_read(in_dir("fifo"), 100, &data, &len, NULL), PU_EINVAL);
	assert_int_equal(pu_file_read("/dev/zero", 100, &data, &len, NULL), PU_EINVAL);
}

static void a_failed_replace_leaves_no_trace(void **state)
{
	unsigned before;

	/* A directory cannot be renamed over: the last step fails. */
	assert_int_equal(mkdir(in_dir("d"), 0700), 0);
	before = n_files();
	assert_true(pu_file_replace(in_dir("d"), pu_bytes_str("x"), 0600, NULL) < 0);
	assert_int_equal(n_files(), before);
	assert_int_equal(pu_file_replace(in_dir("no/such/dir"), pu_bytes_str("x"), 0600, NULL),
			 PU_ENOENT);
}

static void a_replaced_link_stays_a_link(void **state)
{
	struct stat st;
	char *data;
	size_t len;

	assert_int_equal(pu_file_replace(in_dir("target"), pu_bytes_str("old"), 0600, NULL), 0);
	assert_int_equal(symlink(in_dir("target"), in_dir("link")), 0);
	assert_int_equal(pu_file_replace(in_dir("link"), pu_bytes_str("new"), 0600, NULL), 0);
	assert_int_equal(lstat(in_dir("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(pu_file_read(in_dir("target"), 100, &data, &len, NULL), 0);
	assert_string_equal(data, "new");
	free(data);
}

/* A user's link may lead root to what is his, and nowhere else. */
static void root_is_not_led_astray_by_links(void **state)
{
	const struct pu_file_owner user = { .set = true, .uid = 12345, .gid = 12345 };
	struct pu_file_info info;
	char *data;
	size_t len;

	if (geteuid() != 0)
		skip();
	assert_int_equal(pu_file_replace(in_dir("roots"), pu_bytes_str("r"), 0600, NULL), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(pu_file_make_dirs(in_dir("home"), 0700, &user), 0);
	assert_int_equal(symlink("../roots", in_dir("home/link")), 0);
	assert_int_equal(lchown(in_dir("home/link"), 12345, 12345), 0);
	assert_int_equal(pu_file_replace(in_dir("home/link"), pu_bytes_str("x"), 0600, &user),
			 PU_EPERM);
	assert_int_equal(pu_file_replace(in_dir("home/link"), pu_bytes_str("x"), 0600, NULL),
			 PU_EPERM);
	assert_int_equal(pu_file_read(in_dir("home/link"), 9, &data, &len, NULL), PU_EPERM);
	assert_int_equal(pu_file_target(in_dir("home/link"), &data), PU_EPERM);
	assert_int_equal(pu_file_read(in_dir("roots"), 9, &data, &len, &info), 0);
	assert_string_equal(data, "r");
	assert_int_equal(info.uid, 0);
	free(data);
	/* What the link's owner may write is written for him. */
	assert_int_equal(chown(in_dir("roots"), 12345, 12345), 0);
	assert_int_equal(pu_file_replace(in_dir("home/own"), pu_bytes_str("y"), 0600, &user), 0);
	assert_int_equal(pu_file_read(in_dir("home/own"), 9, &data, &len, &info), 0);
	free(data);
	assert_int_equal(info.uid, 12345);
	assert_int_equal(info.gid, 12345);
	assert_int_equal(geteuid(), 0);
	assert_int_equal(getegid(), 0);
	/* Root's directory, a file for the user. */
	assert_int_equal(pu_file_replace(in_dir("gift"), pu_bytes_str("z"), 0600, &user), 0);
	assert_int_equal(pu_file_read(in_dir("gift"), 9, &data, &len, &info), 0);
	free(data);
	assert_int_equal(info.uid, 12345);
	/* A link to what is his. */
	assert_int_equal(pu_file_read(in_dir("home/link"), 9, &data, &len, NULL), 0);
	free(data);
}

static void new_directories_get_mode_and_owner(void **state)
{
	struct pu_file_owner owner = { .set = geteuid() == 0, .uid = 1234, .gid = 1235 };
	struct stat st;

	assert_int_equal(pu_file_make_dirs(in_dir("a/b/c"), 0700, &owner), 0);
	assert_int_equal(stat(in_dir("a/b"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	if (owner.set)
		assert_int_equal(st.st_uid, 1234);
	assert_int_equal(pu_file_make_dirs(in_dir("a/b/c"), 0700, &owner), 0);
	assert_int_equal(pu_file_make_dirs(in_dir("f/x"), 0700, NULL), PU_EEXIST);
}

static void make_aged(const char *name, time_t age)
{
	struct timespec then[2] = { { .tv_sec = time(NULL) - age }, { .tv_sec = time(NULL) - age } };
	int fd = open(in_dir(name), O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(futimens(fd, then), 0);
	close(fd);
}

static void what_a_crash_left_goes_with_the_next_change(void **state)
{
	static const char *const keep[] = { ".x.peerup-abcde", "x.peerup-abcdef", ".x.backup",
					    ".x.peerup-abcdefg", ".peerup-abcdef", ".x.peerup-young1" };

	for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++)
		make_aged(keep[i], i == 5 ? 1 : 3600);
	make_aged(".x.peerup-abcdef", 3600);
	make_aged(".other.peerup-ABC123", 3600);
	assert_int_equal(symlink("x", in_dir(".l.peerup-abcdef")), 0);
	assert_int_equal(pu_file_replace(in_dir("f"), pu_bytes_str("z"), 0600, NULL), 0);
	for (size_t i = 0; i < sizeof keep / sizeof keep[0]; i++)
		assert_int_equal(access(in_dir(keep[i]), F_OK), 0);
	assert_int_not_equal(access(in_dir(".x.peerup-abcdef"), F_OK), 0);
	assert_int_not_equal(access(in_dir(".other.peerup-ABC123"), F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_up_to_its_bound),
		cmocka_unit_test(a_large_file_comes_back_whole),
		cmocka_unit_test(only_regular_files_are_read),
		cmocka_unit_test(a_failed_replace_leaves_no_trace),
		cmocka_unit_test(a_replaced_link_stays_a_link),
		cmocka_unit_test(root_is_not_led_astray_by_links),
		cmocka_unit_test(new_directories_get_mode_and_owner),
		cmocka_unit_test(what_a_crash_left_goes_with_the_next_change),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
