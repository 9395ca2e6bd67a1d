/* Names of files from peers: which ones pass, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/err.h"
#include "overlay/files/manifest.h"

static int check(const char *path)
{
	return pu_files_path_check(pu_bytes_str(path));
}

static void ordinary_names_pass(void **state)
{
	static const char *const good[] = {
		"a", "photo.jpg", "a/b/c", ".hidden", "...", "..a", "a..", "with space/and ' \" $",
		"\xc3\xa9t\xc3\xa9/\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x98\x80", "-rf", "a\\b",
		".peerup-notes", "COM1", "a.part",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(good); i++)
		if (check(good[i]) != 0)
			fail_msg("%s is refused", good[i]);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "/", "/etc/passwd", "..", "../a", "a/..", "a/../b", "a/../../b", ".", "./a",
		"a/.", "a//b", "a/", "//a", "a/./b",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		if (check(bad[i]) != PU_EINVAL)
			fail_msg("\"%s\" passes", bad[i]);
}

static void names_that_steer_terminals_are_refused(void **state)
{
	static const char *const bad[] = {
		"a\nb", "\033[2J", "a\x7f", "\xc2\x9b" "2J", "\xe2\x80\xae" "gpj.exe", "\xe2\x80\xa8",
		"\xe2\x81\xa6", "tab\there",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(check(bad[i]), PU_EINVAL);
	assert_int_equal(pu_files_path_check(pu_bytes("a\0b", 3)), PU_EINVAL);
}

static void what_is_no_utf8_is_refused(void **state)
{
	static const char *const bad[] = {
		"\xff", "a\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\x80", "\xe2\x82", "\xf8\x88\x80\x80\x80",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(check(bad[i]), PU_EINVAL);
}

static void names_of_our_own_parts_are_refused(void **state)
{
	assert_int_equal(check("a/.peerup-0123456789abcdef0123456789abcdef.part"), PU_EINVAL);
	assert_int_equal(check(".peerup-.part"), PU_EINVAL);
	assert_int_equal(check(".peerup-x.part/a"), PU_EINVAL);
}

static void too_long_and_too_deep_is_refused(void **state)
{
	char path[PU_FILES_PATH_MAX + 2];

	memset(path, 'a', sizeof path);
	path[255] = '\0';
	assert_int_equal(check(path), 0);
	path[255] = 'a';
	path[256] = '\0';
	assert_int_equal(check(path), PU_EINVAL);
	for (size_t i = 0; i < sizeof path; i++)
		path[i] = i % 2 ? '/' : 'a';
	path[2 * PU_FILES_DEPTH_MAX - 1] = '\0';
	assert_int_equal(check(path), 0);
	path[2 * PU_FILES_DEPTH_MAX - 1] = '/';
	path[2 * PU_FILES_DEPTH_MAX + 1] = '\0';
	assert_int_equal(check(path), PU_E2BIG);
	for (size_t i = 0; i < sizeof path; i++)
		path[i] = i % 200 == 199 ? '/' : 'a';
	assert_int_equal(pu_files_path_check(pu_bytes(path, PU_FILES_PATH_MAX)), 0);
	assert_int_equal(pu_files_path_check(pu_bytes(path, PU_FILES_PATH_MAX + 1)), PU_E2BIG);
}

static void other_names_keep_the_ending(void **state)
{
	char out[PU_FILES_NAME_MAX + 1], name[PU_FILES_NAME_MAX + 1];

	pu_files_path_other("photo.jpg", 2, out);
	assert_string_equal(out, "photo (2).jpg");
	pu_files_path_other("notes", 13, out);
	assert_string_equal(out, "notes (13)");
	pu_files_path_other(".profile", 2, out);
	assert_string_equal(out, ".profile (2)");
	memset(name, 'n', sizeof name);
	name[PU_FILES_NAME_MAX] = '\0';
	assert_int_equal(pu_files_path_other(name, 2, out), PU_E2BIG);
	name[PU_FILES_NAME_MAX - 4] = '\0';
	assert_int_equal(pu_files_path_other(name, 2, out), 0);
}

/* --- manifests ------------------------------------------------------------------------ */

static int add(struct pu_files_manifest *m, const char *path, enum pu_files_kind kind,
	       uint64_t size)
{
	const struct pu_files_entry e = { .kind = kind, .size = size };

	return pu_files_manifest_add(m, &e, pu_bytes_str(path));
}

static int verdict(size_t n, const char *const paths[])
{
	struct pu_files_manifest m;
	int r;

	pu_files_manifest_init(&m);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(add(&m, paths[i], PU_FILES_FILE, 1), 0);
	r = pu_files_manifest_check(&m);
	pu_files_manifest_deinit(&m);
	return r;
}

static void one_path_twice_is_refused(void **state)
{
	assert_int_equal(verdict(3, (const char *const[]){ "a", "b", "a" }), PU_EEXIST);
	assert_int_equal(verdict(4, (const char *const[]){ "a/b", "a.b", "a!", "a/b" }), PU_EEXIST);
	/* Where that is one file, the second one gets another name. */
	assert_int_equal(verdict(2, (const char *const[]){ "a", "A" }), 0);
}

static void a_file_is_no_folder(void **state)
{
	struct pu_files_manifest m;

	assert_int_equal(verdict(3, (const char *const[]){ "a", "a.x", "a/b" }), PU_EEXIST);
	assert_int_equal(verdict(3, (const char *const[]){ "ab", "a/b", "a!" }), 0);
	pu_files_manifest_init(&m);
	assert_int_equal(add(&m, "a", PU_FILES_FOLDER, 0), 0);
	assert_int_equal(add(&m, "a/b", PU_FILES_FILE, 3), 0);
	assert_int_equal(pu_files_manifest_check(&m), 0);
	assert_int_equal(m.n_files, 1);
	assert_int_equal(m.bytes, 3);
	pu_files_manifest_deinit(&m);
}

static void sums_and_counts_have_limits(void **state)
{
	struct pu_files_manifest m;
	char name[32];

	pu_files_manifest_init(&m);
	assert_int_equal(add(&m, "folder", PU_FILES_FOLDER, 1), PU_EINVAL);
	assert_int_equal(add(&m, "a", PU_FILES_FILE, PU_FILES_SIZE_MAX + 1), PU_E2BIG);
	assert_int_equal(add(&m, "b", PU_FILES_FILE, PU_FILES_SIZE_MAX), 0);
	assert_int_equal(add(&m, "c", PU_FILES_FILE, 1), PU_E2BIG);
	for (unsigned i = 1; i < PU_FILES_ENTRIES_MAX; i++) {
		snprintf(name, sizeof name, "n%u", i);
		assert_int_equal(add(&m, name, PU_FILES_FILE, 0), 0);
	}
	assert_int_equal(add(&m, "one more", PU_FILES_FILE, 0), PU_ELIMIT);
	assert_int_equal(pu_files_manifest_check(&m), 0);
	pu_files_manifest_deinit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_names_pass),
		cmocka_unit_test(names_that_lead_elsewhere_are_refused),
		cmocka_unit_test(names_that_steer_terminals_are_refused),
		cmocka_unit_test(what_is_no_utf8_is_refused),
		cmocka_unit_test(names_of_our_own_parts_are_refused),
		cmocka_unit_test(too_long_and_too_deep_is_refused),
		cmocka_unit_test(other_names_keep_the_ending),
		cmocka_unit_test(one_path_twice_is_refused),
		cmocka_unit_test(a_file_is_no_folder),
		cmocka_unit_test(sums_and_counts_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
