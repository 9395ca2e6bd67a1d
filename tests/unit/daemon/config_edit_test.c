/* Edits of the config file: exactly the place in question changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "daemon/config_edit.h"

struct edit_case {
	const char *before;
	enum { SET, SET_QUOTED, REMOVE, ADD, TAKE } what;
	const char *path[5];
	const char *value;
	int result;
	const char *after; /* NULL: as before */
};

static const struct edit_case cases[] = {
	/* the layout of the Go program: {} and [] become blocks */
	{ "names: {}\n", SET_QUOTED, { "names", "home" }, "12D3", 0,
	  "names:\n  home: \"12D3\"\n" },
	{ "names: {} # people\nx: 1\n", SET_QUOTED, { "names", "home" }, "12D3", 0,
	  "names: # people\n  home: \"12D3\"\nx: 1\n" },
	{ "relay:\n  addresses: []\n  x: 1\n", ADD, { "relay", "addresses" }, "/ip4/1", 0,
	  "relay:\n  addresses:\n    - \"/ip4/1\"\n  x: 1\n" },
	{ "names:\nx: 1\n", SET_QUOTED, { "names", "home" }, "12D3", 0,
	  "names:\n  home: \"12D3\"\nx: 1\n" },
	{ "names: ~\n", SET_QUOTED, { "names", "home" }, "12D3", 0, "names:\n  home: \"12D3\"\n" },
	/* behind what is there, before comments that follow */
	{ "names:\n  a: \"1\" # first\n\n# end of names\nx: 1\n", SET_QUOTED, { "names", "b" }, "2",
	  0, "names:\n  a: \"1\" # first\n  b: \"2\"\n\n# end of names\nx: 1\n" },
	{ "names:\n    a: \"1\"\n", SET_QUOTED, { "names", "b" }, "2", 0,
	  "names:\n    a: \"1\"\n    b: \"2\"\n" },
	{ "names:\n  a: \"1\"", SET_QUOTED, { "names", "b" }, "2", 0,
	  "names:\n  a: \"1\"\n  b: \"2\"\n" },
	{ "l:\n- a\n- b\nx: 1\n", ADD, { "l" }, "c", 0, "l:\n- a\n- b\n- \"c\"\nx: 1\n" },
	{ "l:\n    - a # one\n    # two is gone\n", ADD, { "l" }, "c", 0,
	  "l:\n    - a # one\n    - \"c\"\n    # two is gone\n" },
	/* missing sections appear at the end */
	{ "x: 1\n", SET_QUOTED, { "names", "home" }, "12D3", 0,
	  "x: 1\nnames:\n  home: \"12D3\"\n" },
	{ "", ADD, { "peers", "12D3", "addresses" }, "/ip4/1", 0,
	  "peers:\n  12D3:\n    addresses:\n      - \"/ip4/1\"\n" },
	{ "# only a comment\n", SET, { "version" }, "1", 0, "# only a comment\nversion: 1\n" },
	{ "peers:\n  12D3:\n    ports:\n      ssh: 22\n", ADD, { "peers", "12D3", "addresses" },
	  "/ip4/1", 0,
	  "peers:\n  12D3:\n    ports:\n      ssh: 22\n    addresses:\n      - \"/ip4/1\"\n" },
	/* values in place */
	{ "s:\n  ssh:\n    enabled: true # on\n    x: [1]\n", SET, { "s", "ssh", "enabled" },
	  "false", 0, "s:\n  ssh:\n    enabled: false # on\n    x: [1]\n" },
	{ "a:\nb: 1\n", SET, { "a" }, "2", 0, "a: 2\nb: 1\n" },
	{ "a: 'x'\n", SET_QUOTED, { "a" }, "say \"hi\" \\", 0, "a: \"say \\\"hi\\\" \\\\\"\n" },
	/* flow style stays flow style */
	{ "names: {a: \"1\"}\n", SET_QUOTED, { "names", "b" }, "2", 0,
	  "names: {a: \"1\", b: \"2\"}\n" },
	{ "{names: {}}\n", SET_QUOTED, { "names", "b" }, "2", 0, "{names: {b: \"2\"}}\n" },
	{ "l: [a, b]\n", ADD, { "l" }, "c", 0, "l: [a, b, \"c\"]\n" },
	{ "l: [a, b]\n", TAKE, { "l" }, "a", 0, "l: [b]\n" },
	{ "l: [a, b]\n", TAKE, { "l" }, "b", 0, "l: [a]\n" },
	{ "l: [a]\n", TAKE, { "l" }, "a", 0, "l: []\n" },
	{ "names: {a: \"1\", b: \"2\"}\n", REMOVE, { "names", "a" }, NULL, 0,
	  "names: {b: \"2\"}\n" },
	/* removal takes the lines of the value, nobody else's */
	{ "names:\n  a: \"1\"\n  # about b\n  b: \"2\" # here\nx: 1\n", REMOVE, { "names", "a" },
	  NULL, 0, "names:\n  # about b\n  b: \"2\" # here\nx: 1\n" },
	{ "names:\n  a: \"1\"\n  b: \"2\"\n# end\n", REMOVE, { "names", "b" }, NULL, 0,
	  "names:\n  a: \"1\"\n# end\n" },
	{ "names: # people\n  # about a\n  a: \"1\"\nx: 1\n", REMOVE, { "names", "a" }, NULL, 0,
	  "names: {} # people\n  # about a\nx: 1\n" },
	{ "s:\n  a:\n    x: 1\n    y:\n      - 1\n  b:\n    x: 2\n", REMOVE, { "s", "a" }, NULL, 0,
	  "s:\n  b:\n    x: 2\n" },
	{ "l:\n  - a\n  - b\n", TAKE, { "l" }, "b", 0, "l:\n  - a\n" },
	{ "l:\n  - a\nx: 1\n", TAKE, { "l" }, "a", 0, "l: []\nx: 1\n" },
	{ "a: 1\nb:\nc: 3\n", REMOVE, { "b" }, NULL, 0, "a: 1\nc: 3\n" },
	{ "a: 1\n", REMOVE, { "a" }, NULL, 0, "" },
	/* not-ASCII text before the place: marks count characters, we cut bytes */
	{ "x: \"h\xc3\xb6hle \xe2\x86\x92 \xf0\x9f\xa6\x8a\" # \xc3\xa4\nnames:\n  b\xc3\xb6: \"1\"\n"
	  "  c: \"2\"\n",
	  REMOVE, { "names", "c" }, NULL, 0,
	  "x: \"h\xc3\xb6hle \xe2\x86\x92 \xf0\x9f\xa6\x8a\" # \xc3\xa4\nnames:\n  b\xc3\xb6: \"1\"\n" },
	{ "a: 1\r\nnames:\r\n  b: \"2\"\r\n", REMOVE, { "a" }, NULL, 0,
	  "names:\r\n  b: \"2\"\r\n" },
	/* nothing to do, or nothing that can be done safely */
	{ "names:\n  a: \"1\"\n", REMOVE, { "names", "b" }, NULL, PU_ENOENT, NULL },
	{ "l: [a]\n", ADD, { "l" }, "a", PU_EEXIST, NULL },
	{ "l: [a]\n", TAKE, { "l" }, "b", PU_ENOENT, NULL },
	{ "b: &x {k: v}\nnames: *x\n", SET_QUOTED, { "names", "a" }, "1", PU_ENOTSUP, NULL },
	{ "names: !!map {}\n", SET_QUOTED, { "names", "a" }, "1", PU_ENOTSUP, NULL },
	{ "names: 7\n", SET_QUOTED, { "names", "a" }, "1", PU_ENOTSUP, NULL },
	{ "names:\n  a: \"1\"\n", SET_QUOTED, { "names", "b" }, "x\ny", PU_EINVAL, NULL },
	{ "names:\n  a: \"1\"\n", SET_QUOTED, { "names", "b\nc" }, "x", PU_EINVAL, NULL },
	{ "l:\n  - a\n  - &b b\n  - *b\n", TAKE, { "l" }, "b", PU_ENOTSUP, NULL },
};

static int apply(struct pu_config_edit *e, const struct edit_case *c)
{
	switch (c->what) {
	case SET:
		return pu_config_edit_set(e, c->path, c->value, false);
	case SET_QUOTED:
		return pu_config_edit_set(e, c->path, c->value, true);
	case REMOVE:
		return pu_config_edit_remove(e, c->path);
	case ADD:
		return pu_config_edit_list_add(e, c->path, c->value);
	case TAKE:
		return pu_config_edit_list_remove(e, c->path, c->value);
	}
	return PU_EINVAL;
}

static void an_edit_changes_its_place_only(void **state)
{
	static struct pu_config_diags diags;
	struct pu_config_edit *e;
	char after[512];

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		const struct edit_case *c = &cases[i];
		struct pu_bytes b;
		int r;

		assert_int_equal(pu_config_edit_open_text(pu_bytes_str(c->before), &e, &diags), 0);
		r = apply(e, c);
		b = pu_config_edit_text(e);
		snprintf(after, sizeof after, "%.*s", (int)b.len, (const char *)b.p);
		if (r != c->result || strcmp(after, c->after ? c->after : c->before) != 0)
			fail_msg("case %zu: %d %s\nfrom:\n%s\nto:\n%s", i, r, pu_err_name(r),
				 c->before, after);
		pu_config_edit_close(e);
	}
}

/* Another process names b while this one is about to name a: it has to wait, and both stay. */
static void edits_at_once_are_all_kept(void **state)
{
	static const char *const a[] = { "names", "a", NULL }, *const b[] = { "names", "b", NULL };
	static const char id[] = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
	char dir[] = "/tmp/pu_edit_XXXXXX", path[64];
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_config_edit *e;
	int status, r;
	pid_t child;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/config.yaml", dir);
	assert_int_equal(pu_file_replace(path, pu_bytes_str("version: 1\n"), 0600, NULL), 0);
	assert_int_equal(pu_config_edit_open(path, &e, d), 0);
	child = fork();
	if (child == 0) {
		pu_config_edit_close(e); /* the copy of a lock: the parent still holds it */
		r = pu_config_edit_open(path, &e, d);
		if (r == 0)
			r = pu_config_edit_set(e, b, id, true);
		_exit(r < 0 || pu_config_edit_commit(e, d) < 0);
	}
	usleep(50000);
	assert_int_equal(pu_config_edit_set(e, a, id, true), 0);
	assert_int_equal(pu_config_edit_commit(e, d), 0);
	pu_config_edit_close(e);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(pu_config_edit_open(path, &e, d), 0);
	assert_true(pu_config_edit_has(e, a));
	assert_true(pu_config_edit_has(e, b));
	pu_config_edit_close(e);
	free(d);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

static void edits_add_up_to_a_service(void **state)
{
	static struct pu_config_diags diags;
	const char *const enabled[] = { "services", "ssh", "enabled", NULL };
	const char *const address[] = { "services", "ssh", "local_address", NULL };
	const char *const peers[] = { "services", "ssh", "allowed_peers", NULL };
	static const char want[] = "services:\n  ssh:\n    enabled: true\n"
				   "    local_address: \"localhost:22\"\n"
				   "    allowed_peers:\n      - \"a\"\n      - \"b\"\n";
	struct pu_config_edit *e;

	assert_int_equal(pu_config_edit_open_text(pu_bytes_str("services: {}\n"), &e, &diags), 0);
	assert_int_equal(pu_config_edit_set(e, enabled, "true", false), 0);
	assert_int_equal(pu_config_edit_set(e, address, "localhost:22", true), 0);
	assert_int_equal(pu_config_edit_list_add(e, peers, "a"), 0);
	assert_int_equal(pu_config_edit_list_add(e, peers, "b"), 0);
	assert_true(pu_config_edit_has(e, address));
	assert_int_equal(pu_config_edit_text(e).len, strlen(want));
	assert_memory_equal(pu_config_edit_text(e).p, want, strlen(want));
	assert_int_equal(pu_config_edit_list_remove(e, peers, "a"), 0);
	assert_int_equal(pu_config_edit_list_remove(e, peers, "b"), 0);
	assert_int_equal(pu_config_edit_remove(e, enabled + 0), 0);
	assert_false(pu_config_edit_has(e, enabled));
	pu_config_edit_close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edit_changes_its_place_only),
		cmocka_unit_test(edits_at_once_are_all_kept),
		cmocka_unit_test(edits_add_up_to_a_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
