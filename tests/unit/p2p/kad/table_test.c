/* Who keeps a place and who gets one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/kad/table.h"

static const struct pu_kad_group nowhere;

static struct pu_peerid name(unsigned n)
{
	struct pu_peerid id = { .len = 34, .b = { 0x12, 32 } };

	memcpy(id.b + 2, &n, sizeof n);
	return id;
}

struct fixture {
	struct pu_kad_table t;
	unsigned next;
};

static struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct pu_peerid self = name(0);

	pu_kad_table_init(&f->t, &self, 0);
	f->next = 1;
	return f;
}

static void fixture_free(struct fixture *f)
{
	pu_kad_table_deinit(&f->t);
	free(f);
}

/* The next name that belongs into the bucket. */
static struct pu_peerid in_bucket(struct fixture *f, unsigned bucket)
{
	for (;;) {
		struct pu_peerid id = name(f->next++);
		struct pu_kad_key key = pu_kad_key_of_peer(&id);

		if (pu_kad_key_common(&key, &f->t.self) == bucket)
			return id;
	}
}

static void the_living_keep_their_places(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_peerid first = in_bucket(f, 0), id = first;

	assert_int_equal(pu_kad_table_add(&f->t, &id, &nowhere, 1), 0);
	for (unsigned i = 1; i < PU_KAD_K; i++) {
		id = in_bucket(f, 0);
		assert_int_equal(pu_kad_table_add(&f->t, &id, &nowhere, 1), 0);
	}
	for (unsigned i = 0; i < 1000; i++) {
		id = in_bucket(f, 0);
		assert_int_equal(pu_kad_table_add(&f->t, &id, &nowhere, 2), PU_EAGAIN);
	}
	assert_int_equal(f->t.n, PU_KAD_K);
	assert_non_null(pu_kad_table_find(&f->t, &first));
	assert_int_equal(pu_kad_table_add(&f->t, &first, &nowhere, 3), PU_EEXIST);
	/* Other buckets have room of their own. */
	id = in_bucket(f, 3);
	assert_int_equal(pu_kad_table_add(&f->t, &id, &nowhere, 2), 0);
	assert_int_equal(pu_kad_table_depth(&f->t), 4);
	fixture_free(f);
}

static void the_dead_make_room_for_the_newest_that_waits(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_peerid first = in_bucket(f, 0), id = first, last;

	for (unsigned i = 0; i < PU_KAD_K; i++) {
		pu_kad_table_add(&f->t, &id, &nowhere, 1);
		id = in_bucket(f, 0);
	}
	last = id;
	pu_kad_table_add(&f->t, &last, &nowhere, 2);
	/* One failure is an accident, and an answer wipes it out. */
	assert_false(pu_kad_table_failed(&f->t, &first));
	pu_kad_table_add(&f->t, &first, &nowhere, 3);
	assert_false(pu_kad_table_failed(&f->t, &first));
	assert_true(pu_kad_table_failed(&f->t, &first));
	assert_null(pu_kad_table_find(&f->t, &first));
	assert_non_null(pu_kad_table_find(&f->t, &last));
	assert_int_equal(f->t.n, PU_KAD_K);
	fixture_free(f);
}

static void without_anybody_waiting_the_dead_stay_longer(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_peerid id = in_bucket(f, 0);

	pu_kad_table_add(&f->t, &id, &nowhere, 1);
	for (unsigned i = 1; i < PU_KAD_TABLE_FORGET; i++)
		assert_false(pu_kad_table_failed(&f->t, &id));
	assert_true(pu_kad_table_failed(&f->t, &id));
	assert_int_equal(f->t.n, 0);
	assert_false(pu_kad_table_failed(&f->t, &id)); /* unknown */
	fixture_free(f);
}

static int by_distance(const void *pa, const void *pb, void *key)
{
	const struct pu_kad_key *a = pa, *b = pb;
	struct pu_kad_key da = pu_kad_key_distance(a, key), db = pu_kad_key_distance(b, key);

	return pu_kad_key_compare(&da, &db);
}

static void closest_are_those_of_brute_force(void **state)
{
	enum { N = 600, LOOKUPS = 300 };
	struct fixture *f = fixture_new();
	struct pu_kad_key *all = calloc(N, sizeof *all);
	const struct pu_kad_entry *e[PU_KAD_K];
	unsigned n = 0;

	for (unsigned i = 1; i <= N; i++) {
		struct pu_peerid id = name(i);

		if (pu_kad_table_add(&f->t, &id, &nowhere, 1) == 0)
			all[n++] = pu_kad_key_of_peer(&id);
	}
	assert_true(n > 80);
	for (unsigned i = 0; i < LOOKUPS; i++) {
		struct pu_peerid id = name(1000000 + i);
		struct pu_kad_key key = i ? pu_kad_key_of_peer(&id) : f->t.self;

		assert_int_equal(pu_kad_table_closest(&f->t, &key, e, PU_KAD_K), PU_KAD_K);
		qsort_r(all, n, sizeof *all, by_distance, &key);
		for (unsigned j = 0; j < PU_KAD_K; j++)
			assert_memory_equal(&e[j]->key, &all[j], sizeof all[j]);
	}
	free(all);
	fixture_free(f);
}

static void those_that_failed_are_named_last(void **state)
{
	struct fixture *f = fixture_new();
	const struct pu_kad_entry *e[3];
	struct pu_peerid near = in_bucket(f, 2), far = in_bucket(f, 0);

	pu_kad_table_add(&f->t, &near, &nowhere, 1);
	pu_kad_table_add(&f->t, &far, &nowhere, 1);
	pu_kad_table_failed(&f->t, &near);
	assert_int_equal(pu_kad_table_closest(&f->t, &f->t.self, e, 3), 2);
	assert_true(pu_peerid_eq(&e[0]->id, &far));
	assert_int_equal(pu_kad_table_closest(&f->t, &f->t.self, e, 1), 1);
	assert_true(pu_peerid_eq(&e[0]->id, &far));
	fixture_free(f);
}

static struct pu_kad_group group(const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	return pu_kad_group_of(&ma);
}

static void one_network_gets_its_share_only(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_kad_group sybils = group("/ip4/11.2.3.4/tcp/1");
	struct pu_kad_group other = group("/ip4/11.2.4.4/tcp/1");
	struct pu_kad_group expected = { { 4, 11, 2, 3 } };
	struct pu_peerid id;
	unsigned n = 0;

	assert_memory_equal(&sybils, &expected, sizeof sybils);
	for (unsigned i = 0; i < 1000; i++) {
		id = in_bucket(f, 0);
		n += pu_kad_table_add(&f->t, &id, &sybils, 1) == 0;
	}
	assert_int_equal(n, PU_KAD_GROUP_BUCKET);
	for (unsigned i = 0; i < 1000; i++) {
		id = name(f->next++);
		pu_kad_table_add(&f->t, &id, &sybils, 1);
	}
	assert_int_equal(f->t.n, PU_KAD_GROUP_TABLE);
	id = in_bucket(f, 0);
	assert_int_equal(pu_kad_table_add(&f->t, &id, &other, 1), 0);
	fixture_free(f);
}

static void private_addresses_are_nobodys_network(void **state)
{
	struct pu_kad_group g = group("/ip4/192.168.1.1/tcp/1");

	assert_memory_equal(&g, &nowhere, sizeof g);
	g = group("/ip6/2a00:1:2:3::1/tcp/1");
	assert_int_equal(g.b[0], 6);
	g = group("/dns4/example.org/tcp/1");
	assert_memory_equal(&g, &nowhere, sizeof g);
}

static void those_long_silent_are_named(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_peerid out[4], old = in_bucket(f, 0), young = in_bucket(f, 1);

	pu_kad_table_add(&f->t, &old, &nowhere, 100);
	pu_kad_table_add(&f->t, &young, &nowhere, 200);
	assert_int_equal(pu_kad_table_stale(&f->t, 150, out, 4), 1);
	assert_true(pu_peerid_eq(&out[0], &old));
	pu_kad_table_add(&f->t, &old, &nowhere, 201);
	assert_int_equal(pu_kad_table_stale(&f->t, 150, out, 4), 0);
	fixture_free(f);
}

static void we_are_not_in_our_own_table(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_peerid self = name(0);

	assert_int_equal(pu_kad_table_add(&f->t, &self, &nowhere, 1), PU_EINVAL);
	assert_null(pu_kad_table_find(&f->t, &self));
	pu_kad_table_remove(&f->t, &self);
	fixture_free(f);
}

static void removing_lets_the_next_one_in(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_peerid first = in_bucket(f, 0), id = first;
	size_t full;

	for (unsigned i = 0; i < PU_KAD_K + 1; i++) {
		pu_kad_table_add(&f->t, &id, &nowhere, 1);
		if (i < PU_KAD_K)
			id = in_bucket(f, 0);
	}
	full = pu_kad_table_bytes(&f->t);
	pu_kad_table_remove(&f->t, &first);
	assert_int_equal(f->t.n, PU_KAD_K);
	assert_non_null(pu_kad_table_find(&f->t, &id));
	/* What waits can be taken away as well, and memory has a ceiling. */
	for (unsigned i = 0; i < 1000; i++) {
		id = in_bucket(f, 0);
		pu_kad_table_add(&f->t, &id, &nowhere, 1);
	}
	pu_kad_table_remove(&f->t, &id);
	assert_true(pu_kad_table_bytes(&f->t) <=
		    full + PU_KAD_SPARE * sizeof(struct pu_kad_entry));
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_living_keep_their_places),
		cmocka_unit_test(the_dead_make_room_for_the_newest_that_waits),
		cmocka_unit_test(without_anybody_waiting_the_dead_stay_longer),
		cmocka_unit_test(closest_are_those_of_brute_force),
		cmocka_unit_test(those_that_failed_are_named_last),
		cmocka_unit_test(one_network_gets_its_share_only),
		cmocka_unit_test(private_addresses_are_nobodys_network),
		cmocka_unit_test(those_long_silent_are_named),
		cmocka_unit_test(we_are_not_in_our_own_table),
		cmocka_unit_test(removing_lets_the_next_one_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
