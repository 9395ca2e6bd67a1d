#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peerup/peerup.h"

static char dir[] = "/tmp/peerup-identity-XXXXXX";
static char path[128];

static int make_dir(void **state)
{
	snprintf(path, sizeof path, "%s/identity.key", mkdtemp(dir));
	return 0;
}

static int remove_dir(void **state)
{
	unlink(path);
	return rmdir(dir);
}

static void generated_ones_differ(void **state)
{
	struct peerup_identity *a, *b;
	char peer[PEERUP_PEER_TEXT_MAX];

	assert_int_equal(peerup_identity_generate(&a), 0);
	assert_int_equal(peerup_identity_generate(&b), 0);
	assert_string_not_equal(peerup_identity_peer(a), peerup_identity_peer(b));
	assert_int_equal(peerup_peer_normalize(peerup_identity_peer(a), peer), 0);
	assert_string_equal(peer, peerup_identity_peer(a));
	peerup_identity_free(a);
	peerup_identity_free(b);
	peerup_identity_free(NULL);
}

static void created_file_is_private_and_loads_again(void **state)
{
	struct peerup_identity *a, *b, *c = NULL;
	struct stat st;

	assert_int_equal(peerup_identity_load(path, &c), PEERUP_ENOENT);
	assert_int_equal(peerup_identity_load_or_create(path, &a), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(peerup_identity_load_or_create(path, &b), 0);
	assert_string_equal(peerup_identity_peer(a), peerup_identity_peer(b));
	peerup_identity_free(a);
	peerup_identity_free(b);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(peerup_identity_load(path, &c), PEERUP_EPERM);
	assert_int_equal(peerup_identity_load_or_create(path, &c), PEERUP_EPERM);
	assert_null(c);
}

static void what_is_no_key_is_refused_and_kept(void **state)
{
	struct peerup_identity *id = NULL;
	char text[32] = "";
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs("my shopping list", f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(peerup_identity_load_or_create(path, &id), PEERUP_EINVAL);
	assert_null(id);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "my shopping list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_ones_differ),
		cmocka_unit_test(created_file_is_private_and_loads_again),
		cmocka_unit_test(what_is_no_key_is_refused_and_kept),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
