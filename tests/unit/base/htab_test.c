#include "base/htab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 5000 };

struct item {
	struct pu_hnode node;
	uint32_t key;
};

static const uint8_t table_key[16] = { 1, 2, 3 };

static struct item *find(const struct pu_htab *t, uint32_t key)
{
	struct pu_hnode *n = pu_htab_first(t, pu_htab_hash(t, &key, sizeof key));

	for (; n; n = pu_htab_next(n))
		if (PU_CONTAINER_OF(n, struct item, node)->key == key)
			return PU_CONTAINER_OF(n, struct item, node);
	return NULL;
}

static void what_was_added_is_found_until_removed(void **state)
{
	struct item *items = calloc(N, sizeof *items);
	struct pu_htab t;

	pu_htab_init(&t, table_key);
	assert_null(find(&t, 1));
	for (uint32_t i = 0; i < N; i++) {
		items[i].key = i * 7;
		assert_int_equal(pu_htab_add(&t, &items[i].node,
					     pu_htab_hash(&t, &items[i].key, sizeof(uint32_t))),
				 0);
	}
	assert_int_equal(t.n_nodes, N);
	for (uint32_t i = 0; i < N; i += 2)
		pu_htab_remove(&t, &items[i].node);
	for (uint32_t i = 0; i < N; i++)
		assert_ptr_equal(find(&t, i * 7), i % 2 ? &items[i] : NULL);
	assert_int_equal(t.n_nodes, N / 2);
	pu_htab_remove(&t, &items[0].node);
	assert_int_equal(t.n_nodes, N / 2);
	pu_htab_deinit(&t);
	free(items);
}

static void equal_hashes_are_kept_apart_by_the_caller(void **state)
{
	struct item a = { .key = 1 }, b = { .key = 2 }, other = { .key = 3 };
	struct pu_hnode *n;
	struct pu_htab t;

	pu_htab_init(&t, table_key);
	pu_htab_add(&t, &a.node, 42);
	pu_htab_add(&t, &other.node, 42 + 16);
	pu_htab_add(&t, &b.node, 42);
	n = pu_htab_first(&t, 42);
	assert_ptr_equal(n, &b.node);
	n = pu_htab_next(n);
	assert_ptr_equal(n, &a.node);
	assert_null(pu_htab_next(n));
	pu_htab_deinit(&t);
}

static void another_key_gives_other_hashes(void **state)
{
	static const uint8_t other_key[16] = { 1, 2, 4 };
	struct pu_htab t, u;

	pu_htab_init(&t, table_key);
	pu_htab_init(&u, other_key);
	assert_true(pu_htab_hash(&t, "abc", 3) == pu_htab_hash(&t, "abc", 3));
	assert_true(pu_htab_hash(&t, "abc", 3) != pu_htab_hash(&u, "abc", 3));
	assert_true(pu_htab_hash(&t, "abc", 3) != pu_htab_hash(&t, "abc\0", 4));
	assert_true(pu_htab_hash(&t, "12345678", 8) != pu_htab_hash(&t, "12345679", 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_until_removed),
		cmocka_unit_test(equal_hashes_are_kept_apart_by_the_caller),
		cmocka_unit_test(another_key_gives_other_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
