#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "daemon/json_line.h"

static void assert_line(PU_TAKES json_t *v, const char *expected)
{
	size_t len = 0;
	char *text = pu_json_line(v, false, &len);

	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	free(text);
	json_decref(v);
}

/* Expected texts are what Go's encoding/json makes of the same values. */
static void numbers_have_the_digits_that_go_gives_them(void **state)
{
	static const struct {
		double v;
		const char *text;
	} numbers[] = {
		{ 0, "0" },		 { 1, "1" },
		{ 12.345, "12.345" },	 { 0.1, "0.1" },
		{ 100, "100" },		 { 0.001, "0.001" },
		{ 1500.25, "1500.25" },	 { 100.0 / 3, "33.333333333333336" },
		{ 1.0 / 3, "0.3333333333333333" }, { -2.5, "-2.5" },
		{ 123456789, "123456789" }, { 1e20, "100000000000000000000" },
		{ 1e21, "1e+21" },	 { 1.5e-7, "1.5e-7" },
		{ 0.000001, "0.000001" }, { 1.5e300, "1.5e+300" },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(numbers); i++)
		assert_line(json_real(numbers[i].v), numbers[i].text);
	assert_line(json_integer(-7), "-7");
}

static void numbers_read_back_as_themselves(void **state)
{
	double v = 1e-9;

	for (int i = 0; i < 2000; i++) {
		json_t *o = json_real(v);
		char *text = pu_json_line(o, false, NULL);

		assert_true(strtod(text, NULL) == v);
		free(text);
		json_decref(o);
		v *= 1.0372948;
	}
}

static void texts_are_escaped_as_go_does(void **state)
{
	assert_line(json_string("a<b>&c"), "\"a\\u003cb\\u003e\\u0026c\"");
	assert_line(json_string("\"\\\b\f\n\r\t\x01\x1f\x7f"),
		    "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
	assert_line(json_string("gr\xc3\xbc\xc3\x9f \xe2\x86\x92 \xf0\x9f\x98\x80"),
		    "\"gr\xc3\xbc\xc3\x9f \xe2\x86\x92 \xf0\x9f\x98\x80\"");
	assert_line(json_string("\xe2\x80\xa8|\xe2\x80\xa9|\xe2\x80\xaa"),
		    "\"\\u2028|\\u2029|\xe2\x80\xaa\"");
	assert_line(json_stringn("a\0b", 3), "\"a\\u0000b\"");
	assert_line(json_pack("{s:i}", "<", 1), "{\"\\u003c\":1}");
}

static void members_keep_their_order(void **state)
{
	assert_line(json_pack("{s:i, s:[b, n, {}], s:[], s:s}", "z", 1, "a", 1, "m", "", ""),
		    "{\"z\":1,\"a\":[true,null,{}],\"m\":[],\"\":\"\"}");
	assert_line(json_false(), "false");
}

static void a_line_ends_in_a_line_feed(void **state)
{
	json_t *v = json_pack("{s:i}", "a", 1);
	size_t len;
	char *text = pu_json_line(v, true, &len);

	assert_string_equal(text, "{\"a\":1}\n");
	assert_int_equal(len, 8);
	free(text);
	json_decref(v);
	assert_null(pu_json_line(NULL, true, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_the_digits_that_go_gives_them),
		cmocka_unit_test(numbers_read_back_as_themselves),
		cmocka_unit_test(texts_are_escaped_as_go_does),
		cmocka_unit_test(members_keep_their_order),
		cmocka_unit_test(a_line_ends_in_a_line_feed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
