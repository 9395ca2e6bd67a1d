/* Names: exactly for people, as labels for DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "overlay/name.h"

#define ID1 "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
#define ID2 "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"

static const uint8_t key[16] = { 9 };
static struct pu_peerid p1, p2;

static int make_peers(void **state)
{
	return pu_peerid_from_text(&p1, ID1) | pu_peerid_from_text(&p2, ID2);
}

static struct pu_names *names(void)
{
	struct pu_names *n;

	assert_int_equal(pu_name_new(key, &n), 0);
	assert_int_equal(pu_name_add(n, "my_nas.box", &p1), 0);
	assert_int_equal(pu_name_add(n, "Home", &p1), 0);
	assert_int_equal(pu_name_add(n, "home", &p2), 0);
	return n;
}

static void a_name_is_found_exactly(void **state)
{
	struct pu_names *n = names();
	struct pu_peerid p;

	assert_int_equal(pu_name_find(n, "Home", &p), 0);
	assert_true(pu_peerid_eq(&p, &p1));
	assert_int_equal(pu_name_find(n, "home", &p), 0);
	assert_true(pu_peerid_eq(&p, &p2));
	assert_int_equal(pu_name_find(n, "HOME", &p), PU_ENOENT);
	assert_int_equal(pu_name_add(n, "home", &p1), PU_EEXIST);
	assert_int_equal(pu_name_add(n, "", &p1), PU_EINVAL);
	pu_name_free(n);
}

static void dns_ignores_case_and_the_first_wins(void **state)
{
	struct pu_names *n = names();
	struct pu_peerid p;

	assert_int_equal(pu_name_find_label(n, "hOmE", &p), 0);
	assert_true(pu_peerid_eq(&p, &p1));
	assert_int_equal(pu_name_find_label(n, "my_nas.box", &p), PU_ENOENT);
	pu_name_free(n);
}

static void a_peer_is_called_by_what_dns_can_serve(void **state)
{
	struct pu_names *n = names();
	struct pu_peerid nobody = p1;

	nobody.b[5] ^= 1;
	assert_string_equal(pu_name_of(n, &p1), "Home");
	assert_string_equal(pu_name_label_of(n, &p2), "home");
	assert_null(pu_name_of(n, &nobody));
	pu_name_free(n);
	assert_int_equal(pu_name_new(key, &n), 0);
	assert_int_equal(pu_name_add(n, "my_nas.box", &p1), 0);
	assert_string_equal(pu_name_of(n, &p1), "my_nas.box");
	assert_null(pu_name_label_of(n, &p1));
	pu_name_free(n);
}

static void typed_text_resolves_in_order(void **state)
{
	static const struct {
		const char *text;
		const struct pu_peerid *peer; /* NULL: not found */
		enum pu_name_source source;
	} v[] = {
		{ "home", &p2, PU_NAME_FROM_LIST },	{ ID2, &p2, PU_NAME_FROM_ID },
		{ "home.p2p", &p1, PU_NAME_FROM_LIST }, { "HOME.P2P.", &p1, PU_NAME_FROM_LIST },
		{ "my_nas.box", &p1, PU_NAME_FROM_LIST }, { "nobody", NULL, 0 },
		{ "", NULL, 0 },  { ".p2p", NULL, 0 },	{ "p2p", NULL, 0 },
		{ "homep2p", NULL, 0 }, { "my_nas.box.p2p", NULL, 0 }, { ID2 "x", NULL, 0 },
	};
	struct pu_names *n = names();
	enum pu_name_source source;
	struct pu_peerid p;

	for (size_t i = 0; i < PU_ARRAY_LEN(v); i++) {
		int r = pu_name_resolve(n, "p2p", v[i].text, &p, &source);

		assert_int_equal(r, v[i].peer ? 0 : PU_ENOENT);
		if (r == 0) {
			assert_true(pu_peerid_eq(&p, v[i].peer));
			assert_int_equal(source, v[i].source);
		}
	}
	assert_int_equal(pu_name_resolve(n, NULL, "home.p2p", &p, &source), PU_ENOENT);
	/* A name that reads like a peer ID is still a name. */
	assert_int_equal(pu_name_add(n, ID2, &p1), 0);
	assert_int_equal(pu_name_resolve(n, NULL, ID2, &p, &source), 0);
	assert_true(pu_peerid_eq(&p, &p1));
	pu_name_free(n);
}

static void labels_follow_dns(void **state)
{
	static const char *const good[] = { "a", "A-1", "0", "x--y" };
	static const char *const bad[] = { "", "-a", "a-", "a_b", "a.b", "h\xc3\xb6", "a b" };

	for (size_t i = 0; i < PU_ARRAY_LEN(good); i++)
		assert_true(pu_name_is_label(good[i]));
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_false(pu_name_is_label(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_found_exactly),
		cmocka_unit_test(dns_ignores_case_and_the_first_wins),
		cmocka_unit_test(a_peer_is_called_by_what_dns_can_serve),
		cmocka_unit_test(typed_text_resolves_in_order),
		cmocka_unit_test(labels_follow_dns),
	};

	return cmocka_run_group_tests(tests, make_peers, NULL);
}
