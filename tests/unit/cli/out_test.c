/* Text of other machines on a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/out.h"

static void nothing_that_steers_a_terminal_is_left(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "\x1b[2Jx\x7f", "?[2Jx?" },
		{ "a\nb", "a?b" },
		{ "\xc2\x9b" "31mred", "?31mred" }, /* CSI as one character */
		{ "\xc2\xa9", "\xc2\xa9" },
		{ "cut\xc2", "cut\xc2" },
		{ NULL, "" },
	};
	char out[32];

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++)
		assert_string_equal(pu_out_clean(cases[i].from, out, sizeof out), cases[i].to);
	assert_string_equal(pu_out_clean("abcdef", out, 4), "abc");
}

static void failures_are_clean_and_keep_their_lines(void **state)
{
	struct pu_failure f = { .what = "join", .hint = "again",
				.why = "it says: \xc2\x9b" "2J\x1b]0;x\nand" };
	char text[256] = "";
	int saved = dup(STDERR_FILENO);
	FILE *tmp = tmpfile();

	fflush(stderr);
	dup2(fileno(tmp), STDERR_FILENO);
	pu_out_failure(&f);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(tmp);
	assert_true(fread(text, 1, sizeof text - 1, tmp) > 0);
	fclose(tmp);
	assert_string_equal(text, "peerup-vpn: join: it says: ?2J?]0;x\nand\ntry: again\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_that_steers_a_terminal_is_left),
		cmocka_unit_test(failures_are_clean_and_keep_their_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
