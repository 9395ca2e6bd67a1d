#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"

static struct {
	char s[4096];
	size_t len;
	int lines;
} got;

static void sink(void *arg, const char *line, size_t len)
{
	assert_true(len < sizeof got.s);
	memcpy(got.s, line, len);
	got.s[len] = '\0';
	got.len = len;
	got.lines++;
}

static int setup(void **state)
{
	memset(&got, 0, sizeof got);
	pu_log_set_sink(sink, NULL);
	pu_log_set_level(PU_LOG_INFO);
	pu_log_set_json(false);
	return 0;
}

static int teardown(void **state)
{
	pu_log_set_sink(NULL, NULL);
	return 0;
}

/* What stands behind the time, which is not ours to predict. */
static const char *behind_time(void)
{
	return strchr(got.s, ' ') + 1;
}

static void a_line_names_level_module_event_and_pairs(void **state)
{
	pu_log(PU_LOG_WARN, "conn", "lost", PU_KV_STR("peer", "home"), PU_KV_U64("n", 3),
	       PU_KV_I64("d", -1), PU_KV_ERR(PU_ETIMEDOUT));
	assert_string_equal(behind_time(),
			    "warn conn: lost peer=home n=3 d=-1 error=\"timed out\"\n");
	pu_log_set_json(true);
	pu_log(PU_LOG_INFO, "conn", "lost", PU_KV_STR("peer", "home"), PU_KV_U64("n", 3));
	assert_non_null(strstr(got.s, "\"level\":\"info\",\"module\":\"conn\",\"msg\":\"lost\","
				      "\"peer\":\"home\",\"n\":3}\n"));
}

static void lines_below_the_level_are_not_written(void **state)
{
	pu_log_msg(PU_LOG_DEBUG, "conn", "noise");
	assert_int_equal(got.lines, 0);
	pu_log_set_level(PU_LOG_OFF);
	pu_log_msg(PU_LOG_ERROR, "conn", "noise");
	assert_int_equal(got.lines, 0);
}

static void a_peer_cannot_forge_a_line_or_steer_the_terminal(void **state)
{
	pu_log(PU_LOG_INFO, "id", "agent", PU_KV_STR("a", "x\n2026 error fake: \x1b[2J\"\\"));
	assert_string_equal(behind_time(),
			    "info id: agent a=\"x\\u000a2026 error fake: \\u001b[2J\\\"\\\\\"\n");
	/* The C1 control CSI, as one byte and as UTF-8. */
	pu_log(PU_LOG_INFO, "id", "agent", PU_KV_STR("a", "\x9b" "2J\xc2\x9b" "2J"));
	assert_string_equal(behind_time(), "info id: agent a=\\u009b2J\\u00c2\\u009b2J\n");
}

static void only_valid_utf8_passes(void **state)
{
	pu_log(PU_LOG_INFO, "m", "e", PU_KV_STR("k", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb6"));
	assert_string_equal(behind_time(), "info m: e k=\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb6\n");
	pu_log(PU_LOG_INFO, "m", "e", PU_KV_STR("k", "\xc3"));
	assert_string_equal(behind_time(), "info m: e k=\\u00c3\n");
	pu_log(PU_LOG_INFO, "m", "e", PU_KV_STR("k", "\xed\xa0\x80"));
	assert_string_equal(behind_time(), "info m: e k=\\u00ed\\u00a0\\u0080\n");
	pu_log(PU_LOG_INFO, "m", "e", PU_KV_STR("k", "\xc0\xaf"));
	assert_string_equal(behind_time(), "info m: e k=\\u00c0\\u00af\n");
}

static void a_long_line_is_cut_and_still_json(void **state)
{
	char big[5000];

	memset(big, '\n', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	pu_log_set_json(true);
	pu_log(PU_LOG_INFO, "m", "e", PU_KV_STR("a", big), PU_KV_STR("b", big),
	       PU_KV_U64("c", 1));
	assert_string_equal(strstr(got.s, ",\"truncated\""), ",\"truncated\":true}\n");
	assert_non_null(strstr(got.s, "...\","));
	assert_null(strstr(got.s, "\"b\""));
	pu_log_set_json(false);
	pu_log(PU_LOG_INFO, "m", "e", PU_KV_STR("a", big), PU_KV_STR("b", big));
	assert_string_equal(got.s + got.len - 5, " ...\n");
}

static void levels_have_names(void **state)
{
	enum pu_log_level l;

	assert_int_equal(pu_log_level_parse("error", &l), 0);
	assert_int_equal(l, PU_LOG_ERROR);
	assert_int_equal(pu_log_level_parse("loud", &l), PU_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_names_level_module_event_and_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_below_the_level_are_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(a_peer_cannot_forge_a_line_or_steer_the_terminal, setup, teardown),
		cmocka_unit_test_setup_teardown(only_valid_utf8_passes, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_line_is_cut_and_still_json, setup, teardown),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
