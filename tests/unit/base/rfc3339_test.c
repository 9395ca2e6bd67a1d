/* Times as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <time.h>

#include "base/err.h"
#include "base/rfc3339.h"

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_s;
	} v[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1969-12-31T23:59:59Z", -1 },
		{ "2026-03-01T12:00:00Z", 1772366400 },
		{ "2026-03-01t12:00:00z", 1772366400 },
		{ "2026-03-01T13:00:00+01:00", 1772366400 },
		{ "2026-03-01T11:30:00-00:30", 1772366400 },
		{ "2026-03-01T12:00:00.123456789Z", 1772366400 },
		{ "2024-02-29T00:00:00Z", 1709164800 },
		{ "2016-12-31T23:59:60Z", 1483228800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
		{ "0001-01-01T00:00:00Z", -62135596800 },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(v); i++) {
		int64_t t = -7;

		assert_int_equal(pu_rfc3339_parse(v[i].text, &t), 0);
		assert_int_equal(t, v[i].unix_s);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const v[] = {
		"", "2026", "2026-03-01", "2026-03-01 12:00:00Z", "2026-03-01T12:00Z",
		"2026-03-01T12:00:00", "2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z",
		"2025-02-29T12:00:00Z", "2026-03-32T12:00:00Z", "2026-03-01T24:00:00Z",
		"2026-03-01T12:60:00Z", "2026-03-01T12:00:61Z", "2026-03-01T12:00:00.Z",
		"2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+0100", "2026-03-01T12:00:00Zx",
		"0000-01-01T00:00:00Z", "-026-03-01T12:00:00Z",
	};
	int64_t t;

	for (size_t i = 0; i < PU_ARRAY_LEN(v); i++)
		assert_int_equal(pu_rfc3339_parse(v[i], &t), PU_EINVAL);
}

static void text_and_libc_agree(void **state)
{
	char ours[PU_RFC3339_MAX], libc[PU_RFC3339_MAX];
	int64_t back;

	for (int64_t t = -62135596800; t < 253402300799; t += 86400 * 13 + 12345) {
		time_t tt = (time_t)t;
		struct tm tm;

		gmtime_r(&tt, &tm);
		assert_true(strftime(libc, sizeof libc, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
		pu_rfc3339_text(t, ours);
		if (tm.tm_year + 1900 >= 1000) /* libc does not pad */
			assert_string_equal(ours, libc);
		assert_int_equal(pu_rfc3339_parse(ours, &back), 0);
		assert_int_equal(back, t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(text_and_libc_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
