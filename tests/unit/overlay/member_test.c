/* authorized_keys: what a line grants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "overlay/member.h"

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

/* A relay's line, which only says of which group it may speak. */
static void who_has_no_access_is_listed_and_let_in_to_nothing(void **state)
{
	struct pu_members *set = parse(ID1 " access=none group=ab12cd34\n");
	struct pu_peerid p1 = peer(ID1);
	const struct pu_member *m = pu_member_find(set, &p1);
	enum pu_access access;

	assert_string_equal(m->group, "ab12cd34");
	assert_string_equal(pu_member_access_text(m), "none");
	assert_false(pu_member_valid(m, 0));
	assert_false(pu_member_allowed(set, &p1, 0, &access));
	pu_member_free(set);
}

/* A clock that is set does not keep anybody in or out: only what it says now counts. */
static void expiry_follows_the_clock_both_ways(void **state)
{
	struct pu_members *set = parse(ID1 " expires=2026-03-01T12:00:00Z\n");
	struct pu_peerid p1 = peer(ID1);
	const struct pu_member *m = pu_member_find(set, &p1);

	assert_true(pu_member_valid(m, 0));
	assert_false(pu_member_valid(m, 4102444800));
	assert_true(pu_member_valid(m, 1772366399));
	assert_false(pu_member_valid(m, 1772366400));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_go_program_are_understood),
		cmocka_unit_test(who_has_no_access_is_listed_and_let_in_to_nothing),
		cmocka_unit_test(access_ends_at_the_moment_of_expiry),
		cmocka_unit_test(expiry_follows_the_clock_both_ways),
		cmocka_unit_test(doubtful_lines_grant_nothing_more),
		cmocka_unit_test(a_line_has_a_longest_length),
		cmocka_unit_test(comments_cannot_steer_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
