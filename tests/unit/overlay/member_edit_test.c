/* Edits of authorized_keys touch nothing else and lose nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/filelock.h"
#include "overlay/member_edit.h"

#define ID1 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
#define ID2 "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"
#define ID3 "12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba"

static struct pu_peerid peer(const char *id)
{
	struct pu_peerid p;

	assert_int_equal(pu_peerid_from_text(&p, id), 0);
	return p;
}

static char path[64];

static void put(const char *text)
{
	assert_int_equal(pu_file_replace(path, pu_bytes_str(text), 0600, NULL), 0);
}

static void assert_file(const char *want)
{
	struct pu_file_info info;
	char *text;
	size_t len;

	assert_int_equal(pu_file_read(path, 1000000, &text, &len, &info), 0);
	assert_string_equal(text, want);
	assert_int_equal(info.mode, 0600);
	free(text);
}

static int make_path(void **state)
{
	strcpy(path, "/tmp/pu_member_XXXXXX");
	return close(mkstemp(path)) < 0 || unlink(path) < 0;
}

static int remove_path(void **state)
{
	char lock[64];

	snprintf(lock, sizeof lock, "/tmp/.%s.lock", path + strlen("/tmp/"));
	unlink(lock);
	unlink(path);
	rmdir(path);
	return 0;
}

static void adding_makes_the_file_and_appends(void **state)
{
	struct pu_peerid p1 = peer(ID1), p2 = peer(ID2), p3 = peer(ID3);

	assert_int_equal(pu_member_edit_add(path, &p1, PU_ACCESS_SERVICES, NULL, NULL), 0);
	assert_int_equal(pu_member_edit_add(path, &p2, PU_ACCESS_NETWORK, "my\n lap\rtop", NULL),
			 0);
	assert_file(ID1 "\n" ID2 "  access=network  # my laptop\n");
	assert_int_equal(pu_member_edit_add(path, &p1, PU_ACCESS_SERVICES, NULL, NULL), PU_EEXIST);
	put("# no line feed at the end");
	assert_int_equal(pu_member_edit_add(path, &p3, PU_ACCESS_SERVICES, "", NULL), 0);
	assert_file("# no line feed at the end\n" ID3 "\n");
}

static void a_bad_line_does_not_hinder_an_edit(void **state)
{
	struct pu_peerid p1 = peer(ID1);

	put("broken line\n");
	assert_int_equal(pu_member_edit_add(path, &p1, PU_ACCESS_SERVICES, NULL, NULL), 0);
	assert_file("broken line\n" ID1 "\n");
}

static void removing_keeps_other_lines_byte_for_byte(void **state)
{
	struct pu_peerid p1 = peer(ID1), p2 = peer(ID2);

	put("# top\r\n\n \t" ID2 "  odd   spacing=1 \t# x \n" ID1 " a=b\n" ID1
	    " # again\nbroken\n# end");
	assert_int_equal(pu_member_edit_remove(path, &p1), 0);
	assert_file("# top\r\n\n \t" ID2 "  odd   spacing=1 \t# x \nbroken\n# end");
	assert_int_equal(pu_member_edit_remove(path, &p1), PU_ENOENT);
	assert_int_equal(pu_member_edit_remove(path, &p2), 0);
	assert_file("# top\r\n\nbroken\n# end");
}

static void attributes_are_set_in_place(void **state)
{
	struct pu_peerid p1 = peer(ID1), p3 = peer(ID3);

	put(ID1 " group=g access=services hmac_proof=00 # me\n" ID2 "\n");
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "access", "network"), 0);
	assert_file(ID1 " group=g access=network hmac_proof=00 # me\n" ID2 "\n");
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "verified", "sha256:cb6714e5"), 0);
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "group", ""), 0);
	assert_file(ID1 " access=network hmac_proof=00  verified=sha256:cb6714e5 # me\n" ID2
			"\n");
	assert_int_equal(pu_member_edit_set_attr(path, &p3, "a", "b"), PU_ENOENT);
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "a", "b c"), PU_EINVAL);
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "a#", "b"), PU_EINVAL);
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "a=b", "c"), PU_EINVAL);
}

static unsigned n_siblings(void)
{
	char cmd[160];
	unsigned n = 0;
	FILE *f;

	snprintf(cmd, sizeof cmd, "ls -d %s* | wc -l", path);
	f = popen(cmd, "r");
	assert_int_equal(fscanf(f, "%u", &n), 1);
	pclose(f);
	return n;
}

/* No room for the new content: nothing may be lost, nothing left behind. */
static void a_failed_write_changes_nothing(void **state)
{
	struct rlimit full = { .rlim_cur = 0, .rlim_max = RLIM_INFINITY }, old;
	struct pu_peerid p1 = peer(ID1);
	int r;

	put("# old\n");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	r = pu_member_edit_add(path, &p1, PU_ACCESS_SERVICES, NULL, NULL);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(r < 0);
	assert_file("# old\n");
	assert_int_equal(n_siblings(), 1);
}

static void a_changed_line_keeps_all_its_other_bytes(void **state)
{
	static const struct pu_member_set both[] = { { "expires", "2027-01-01T00:00:00Z" },
							 { "access", "" } };
	struct pu_peerid p1 = peer(ID1);

	put("\t" ID1 "   Odd=1\tx  access=network   expires=old  expires=older word y=#  c \t#d\r\n"
	    "# end");
	assert_int_equal(pu_member_edit_set(path, &p1, both, 2, NULL), 0);
	assert_file("\t" ID1 "   Odd=1\tx   expires=2027-01-01T00:00:00Z word y=#  c \t#d\r\n"
		    "# end");
	assert_int_equal(pu_member_edit_set(path, &p1, NULL, 0, "new # one"), 0);
	assert_file("\t" ID1 "   Odd=1\tx   expires=2027-01-01T00:00:00Z word y=  # new # one\r\n"
		    "# end");
	assert_int_equal(pu_member_edit_set(path, &p1, NULL, 0, ""), 0);
	assert_file("\t" ID1 "   Odd=1\tx   expires=2027-01-01T00:00:00Z word y=\r\n# end");
}

static void a_last_line_without_line_feed_stays_so(void **state)
{
	struct pu_peerid p1 = peer(ID1);

	put(ID1);
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "group", "g"), 0);
	assert_file(ID1 "  group=g");
}

static void attributes_can_be_there_from_the_start(void **state)
{
	static const struct pu_member_set v[] = { { "access", "network" },
						  { "expires", "2027-01-01T00:00:00Z" },
						  { "group", "ab12cd34" } };
	static const struct pu_member_set bad = { "group", "a b" };
	struct pu_peerid p1 = peer(ID1), p2 = peer(ID2);

	assert_int_equal(pu_member_edit_add_with(path, &p1, v, 3, "me", NULL),
			 0);
	assert_file(ID1 "  access=network  expires=2027-01-01T00:00:00Z  group=ab12cd34  # me\n");
	assert_int_equal(pu_member_edit_add_with(path, &p2, &bad, 1, NULL, NULL),
			 PU_EINVAL);
}

static void a_link_stays_and_its_target_is_rewritten(void **state)
{
	char link[64], lock[64];
	struct pu_peerid p1 = peer(ID1);
	struct stat st;

	snprintf(link, sizeof link, "%s.link", path);
	put("# top\n");
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(pu_member_edit_add(link, &p1, PU_ACCESS_SERVICES, NULL, NULL), 0);
	assert_file("# top\n" ID1 "\n");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(path);
	assert_int_equal(pu_member_edit_add(link, &p1, PU_ACCESS_SERVICES, NULL, NULL),
			 PU_ENOENT);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	unlink(link);
	snprintf(lock, sizeof lock, "/tmp/.%s.lock", link + strlen("/tmp/"));
	assert_int_equal(access(lock, F_OK), -1);
}

static void the_file_stays_its_owners(void **state)
{
	static const struct pu_file_owner me = { .set = true, .uid = 0, .gid = 0 };
	struct pu_peerid p1 = peer(ID1);
	struct stat st;

	if (geteuid() != 0)
		skip();
	put("# top\n");
	assert_int_equal(chown(path, 1234, 2345), 0);
	assert_int_equal(pu_member_edit_add(path, &p1, PU_ACCESS_SERVICES, NULL, &me), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 2345);
}

enum { WRITERS = 4, LINES = 20 };

static struct pu_peerid nth_peer(unsigned writer, unsigned i)
{
	uint8_t raw[38] = { 0x00, 0x24, 0x08, 0x01, 0x12, 0x20, (uint8_t)writer, (uint8_t)i };
	struct pu_peerid p;

	if (pu_peerid_from_bytes(&p, pu_bytes(raw, sizeof raw)) < 0)
		_exit(9);
	return p;
}

static void write_many(unsigned writer)
{
	for (unsigned i = 0; i < LINES; i++) {
		struct pu_peerid p = nth_peer(writer, i);

		if (pu_member_edit_add(path, &p, PU_ACCESS_SERVICES, NULL, NULL) < 0)
			_exit(1);
		if (pu_member_edit_set_attr(path, &p, "group", "g") < 0)
			_exit(2);
	}
	_exit(0);
}

static void writers_at_the_same_time_lose_no_line(void **state)
{
	static const uint8_t key[16] = { 1 };
	struct pu_members *set;
	pid_t pid[WRITERS];
	int status;

	for (unsigned w = 0; w < WRITERS; w++) {
		pid[w] = fork();
		assert_true(pid[w] >= 0);
		if (pid[w] == 0)
			write_many(w);
	}
	for (unsigned w = 0; w < WRITERS; w++) {
		assert_int_equal(waitpid(pid[w], &status, 0), pid[w]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(pu_member_load(path, key, NULL, NULL, &set), 0);
	assert_int_equal(pu_member_count(set), WRITERS * LINES);
	for (size_t i = 0; i < pu_member_count(set); i++)
		assert_string_equal(pu_member_at(set, i)->group, "g");
	pu_member_free(set);
}

static void whoever_holds_the_file_is_not_waited_for_for_ever(void **state)
{
	int fd, second = -1;

	assert_int_equal(pu_filelock_take(path, NULL, 0, &fd), 0);
	assert_int_equal(pu_filelock_take(path, NULL, PU_MS(20), &second), PU_ETIMEDOUT);
	assert_int_equal(second, -1);
	pu_filelock_release(fd);
	assert_int_equal(pu_filelock_take(path, NULL, 0, &second), 0);
	pu_filelock_release(second);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_path, remove_path)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(adding_makes_the_file_and_appends),
		TEST(a_bad_line_does_not_hinder_an_edit),
		TEST(removing_keeps_other_lines_byte_for_byte),
		TEST(attributes_are_set_in_place),
		TEST(a_failed_write_changes_nothing),
		TEST(a_changed_line_keeps_all_its_other_bytes),
		TEST(a_last_line_without_line_feed_stays_so),
		TEST(attributes_can_be_there_from_the_start),
		TEST(a_link_stays_and_its_target_is_rewritten),
		TEST(the_file_stays_its_owners),
		TEST(writers_at_the_same_time_lose_no_line),
		TEST(whoever_holds_the_file_is_not_waited_for_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
