/* QR codes of text: what a reader would see. */
#include "cli/qr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static const char code[] = "relay.example.org/7-otter-canyon-maple";

static enum pu_qr_fit print(const char *text, unsigned columns, bool color, char **pout)
{
	size_t len;
	FILE *f = open_memstream(pout, &len);
	enum pu_qr_fit fit;

	assert_non_null(f);
	fit = pu_qr_print(f, text, columns, color);
	fclose(f);
	return fit;
}

/* Characters of a UTF-8 line without escape sequences. */
static unsigned width(const char *line)
{
	unsigned n = 0;

	for (; *line && *line != '\n'; line++)
		n += ((unsigned char)*line & 0xc0) != 0x80;
	return n;
}

static void all_lines_are_equally_wide_and_end_in_light(void **state)
{
	unsigned lines = 0, w;
	char *out;

	assert_int_equal(print(code, 0, false, &out), PU_QR_SHOWN);
	w = width(out);
	for (char *p = out; *p; p = strchr(p, '\n') + 1, lines++) {
		assert_int_equal(width(p), w);
		/* the margin, two modules on either side; the last row is half a character */
		assert_memory_equal(p, p[strcspn(p, "\n") + 1] ? "\u2588\u2588" : "\u2580\u2580", 6);
	}
	assert_int_equal(lines, (w + 1) / 2);
	free(out);
}

static void narrow_terminal_gets_none(void **state)
{
	unsigned w;
	char *out;

	assert_int_equal(print(code, 0, false, &out), PU_QR_SHOWN);
	w = width(out);
	free(out);
	assert_int_equal(print(code, w, false, &out), PU_QR_SHOWN);
	free(out);
	assert_int_equal(print(code, w - 1, false, &out), PU_QR_TOO_NARROW);
	assert_string_equal(out, "");
	free(out);
}

static void escape_sequences_only_with_color(void **state)
{
	char *out;

	print(code, 0, false, &out);
	assert_null(strchr(out, '\033'));
	free(out);
	print(code, 0, true, &out);
	assert_non_null(strchr(out, '\033'));
	/* the next prompt has its own colours again */
	assert_string_equal(out + strlen(out) - 5, "\033[0m\n");
	free(out);
}

static void text_beyond_a_qr_code_is_told(void **state)
{
	char *text = malloc(5000), *out;

	memset(text, 'a', 4999);
	text[4999] = '\0';
	assert_int_equal(print(text, 0, false, &out), PU_QR_IMPOSSIBLE);
	assert_string_equal(out, "");
	free(out);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_lines_are_equally_wide_and_end_in_light),
		cmocka_unit_test(narrow_terminal_gets_none),
		cmocka_unit_test(escape_sequences_only_with_color),
		cmocka_unit_test(text_beyond_a_qr_code_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
