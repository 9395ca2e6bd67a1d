/* authorized_keys: what a line grants, and edits that touch nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/err.h"
#include "overlay/member.h"
#include "overlay/member_edit.h"

#define ID1 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
#define ID2 "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"
#define ID3 "12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba"

static const uint8_t key[16] = { 1, 2, 3 };

static unsigned warned[16];
static size_t n_warned;

static void on_warning(void *arg, unsigned line, const char *text)
{
	assert_true(strlen(text) > 5);
	if (n_warned < PU_ARRAY_LEN(warned))
		warned[n_warned] = line;
	n_warned++;
}

static struct pu_members *parse(const char *text)
{
	struct pu_members *set;

	n_warned = 0;
	assert_int_equal(pu_member_parse(pu_bytes_str(text), key, on_warning, NULL, &set), 0);
	return set;
}

static struct pu_peerid peer(const char *id)
{
	struct pu_peerid p;

	assert_int_equal(pu_peerid_from_text(&p, id), 0);
	return p;
}

static void lines_of_the_go_program_are_understood(void **state)
{
	struct pu_members *set =
		parse("# peers\n\n  " ID1 "   # my laptop # blue\r\n"
		      "\t" ID2 "  expires=2026-03-01T12:00:00Z  verified=sha256:cb6714e5"
		      "  group=ab12cd34  hmac_proof=00ff  # friend\n" ID3);
	struct pu_peerid p1 = peer(ID1), p2 = peer(ID2), p3 = peer(ID3);
	const struct pu_member *m;

	assert_int_equal(n_warned, 0);
	assert_int_equal(pu_member_count(set), 3);
	m = pu_member_find(set, &p1);
	assert_string_equal(m->comment, "my laptop # blue");
	assert_int_equal(m->line, 3);
	assert_int_equal(m->access, PU_ACCESS_SERVICES);
	assert_true(m->expires == PU_MEMBER_NO_EXPIRY);
	m = pu_member_find(set, &p2);
	assert_int_equal(m->expires, 1772366400);
	assert_string_equal(m->verified, "sha256:cb6714e5");
	assert_string_equal(m->group, "ab12cd34");
	assert_non_null(pu_member_find(set, &p3));
	assert_ptr_equal(pu_member_at(set, 1), m);
	pu_member_free(set);
}

static void access_ends_at_the_moment_of_expiry(void **state)
{
	struct pu_members *set = parse(ID1 " expires=2026-03-01T12:00:00Z access=network\n");
	struct pu_peerid p1 = peer(ID1), p2 = peer(ID2);
	enum pu_access access = PU_ACCESS_SERVICES;

	assert_true(pu_member_allowed(set, &p1, 1772366399, &access));
	assert_int_equal(access, PU_ACCESS_NETWORK);
	assert_false(pu_member_allowed(set, &p1, 1772366400, &access));
	assert_false(pu_member_allowed(set, &p2, 0, &access));
	pu_member_free(set);
}

static void doubtful_lines_grant_nothing_more(void **state)
{
	struct pu_members *set = parse("nonsense\n"
				       ID1 " access=everything\n"
				       ID2 " expires=tomorrow\n"
				       ID3 "x\n"
				       ID1 " access=network\n"
				       "=\n"
				       ID3 " expires= lonely access=services access=network\n");
	struct pu_peerid p1 = peer(ID1), p2 = peer(ID2), p3 = peer(ID3);

	assert_int_equal(n_warned, 6);
	assert_int_equal(warned[0], 1);
	assert_int_equal(warned[5], 6);
	assert_int_equal(pu_member_find(set, &p1)->access, PU_ACCESS_SERVICES);
	assert_null(pu_member_find(set, &p2));
	/* A later duplicate attribute wins; words without '=' mean nothing. */
	assert_int_equal(pu_member_find(set, &p3)->access, PU_ACCESS_NETWORK);
	assert_true(pu_member_find(set, &p3)->expires == PU_MEMBER_NO_EXPIRY);
	pu_member_free(set);
}

static void a_line_has_a_longest_length(void **state)
{
	char *text = malloc(PU_MEMBER_LINE_MAX + 200);
	struct pu_members *set;

	memset(text, ' ', PU_MEMBER_LINE_MAX + 1);
	strcpy(text + PU_MEMBER_LINE_MAX + 1, "\n" ID1 "\n");
	memcpy(text, ID2, strlen(ID2));
	set = parse(text);
	assert_int_equal(n_warned, 1);
	assert_int_equal(pu_member_count(set), 1);
	pu_member_free(set);
	free(text);
}

static void comments_cannot_steer_a_terminal(void **state)
{
	struct pu_members *set = parse(ID1 " # a\033[2Jb\x7f\n");

	assert_string_equal(pu_member_at(set, 0)->comment, "a[2Jb");
	pu_member_free(set);
}

/* --- edits --- */

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
	assert_file(ID1 "  group=g  access=network  hmac_proof=00  # me\n" ID2 "\n");
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "verified", "sha256:cb6714e5"), 0);
	assert_int_equal(pu_member_edit_set_attr(path, &p1, "group", ""), 0);
	assert_file(ID1 "  access=network  hmac_proof=00  verified=sha256:cb6714e5  # me\n" ID2
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_go_program_are_understood),
		cmocka_unit_test(access_ends_at_the_moment_of_expiry),
		cmocka_unit_test(doubtful_lines_grant_nothing_more),
		cmocka_unit_test(a_line_has_a_longest_length),
		cmocka_unit_test(comments_cannot_steer_a_terminal),
		cmocka_unit_test_setup_teardown(adding_makes_the_file_and_appends, make_path,
						remove_path),
		cmocka_unit_test_setup_teardown(a_bad_line_does_not_hinder_an_edit, make_path,
						remove_path),
		cmocka_unit_test_setup_teardown(removing_keeps_other_lines_byte_for_byte,
						make_path, remove_path),
		cmocka_unit_test_setup_teardown(attributes_are_set_in_place, make_path,
						remove_path),
		cmocka_unit_test_setup_teardown(a_failed_write_changes_nothing, make_path,
						remove_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
