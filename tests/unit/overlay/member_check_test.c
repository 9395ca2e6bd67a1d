/* What `auth validate` finds, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "overlay/member_check.h"

#define ID1 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
#define ID2 "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"
#define ID3 "12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba"

static const uint8_t key[16] = { 1, 2, 3 };

struct heard {
	unsigned n, line, column; /* of the last one */
	char text[160];
};

static void on_finding(void *arg, const struct pu_member_finding *f)
{
	struct heard *h = arg;

	h->n++;
	h->line = f->line;
	h->column = f->column;
	snprintf(h->text, sizeof h->text, "%s", f->text);
}

static struct heard check(const char *text, size_t want_peers)
{
	struct heard h = { 0 };
	size_t n = 99;

	assert_int_equal(pu_member_check(pu_bytes_str(text), key, on_finding, &h, &n), 0);
	assert_int_equal(n, want_peers);
	return h;
}

static void lines_of_every_writer_are_fine(void **state)
{
	struct heard h = check(
		"# peers\n\n" ID1 "\n" ID2 "  expires=2026-03-01T12:00:00+01:00  "
		"verified=sha256:cb6714e5  group=ab12cd34  hmac_proof="
		"a753df4435766b05b56b31e93087a4101969a2a75c54ed9375734b955a26b008  access=network"
		"  future=whatever,x  # friend = of mine\r\n" ID3 " # x", 3);

	assert_int_equal(h.n, 0);
}

static void assert_fault(const char *text, size_t peers, unsigned line, unsigned column,
			 const char *about)
{
	struct heard h = check(text, peers);

	assert_int_equal(h.n, 1);
	assert_int_equal(h.line, line);
	assert_int_equal(h.column, column);
	if (!strstr(h.text, about))
		fail_msg("\"%s\" does not speak of %s", h.text, about);
}

static void faults_are_told_with_their_place(void **state)
{
	const unsigned len = sizeof ID1 - 1;

	assert_fault("# a\n  nobody\n", 0, 2, 3, "peer ID");
	assert_fault(ID1 " access=all\n", 1, 1, len + 9, "access=");
	assert_fault(ID1 " access=\n", 1, 1, len + 9, "access=");
	assert_fault(ID1 " expires=tomorrow\n", 0, 1, len + 10, "expires=");
	assert_fault(ID1 " verified=sha256:CB6714E5\n", 1, 1, len + 11, "verified=");
	assert_fault(ID1 " verified=yes\n", 1, 1, len + 11, "verified=");
	assert_fault(ID1 " group=\n", 1, 1, len + 8, "group=");
	assert_fault(ID1 " hmac_proof=00\n", 1, 1, len + 13, "hmac_proof=");
	assert_fault(ID1 " access=network access=services\n", 1, 1, len + 17, "twice");
	assert_fault(ID1 "  laptop\n", 1, 1, len + 3, "without '='");
	assert_fault(ID1 "\n\n" ID2 "\n " ID1 "\n", 2, 4, 2, "line 1");
}

static void all_faults_are_told(void **state)
{
	struct heard h = check("x\n" ID1 " access=x group= verified=\n" ID1 "\n", 1);

	assert_int_equal(h.n, 5);
	assert_int_equal(h.line, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_every_writer_are_fine),
		cmocka_unit_test(faults_are_told_with_their_place),
		cmocka_unit_test(all_faults_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
