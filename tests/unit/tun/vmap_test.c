#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "support/craft.h"
#include "tun/vmap.h"

enum { N = 300 };

struct row {
	struct pu_ip prefix;
	unsigned bits;
	uint32_t handle; /* 0: empty */
};

static struct row rows[N];
static struct pu_vmap *m;

static int set_up(void **state)
{
	memset(rows, 0, sizeof rows);
	return pu_vmap_new(&m);
}

static int tear_down(void **state)
{
	pu_vmap_free(m);
	return 0;
}

/* Addresses that share long beginnings, so that prefixes overlap. */
static struct pu_ip random_ip(uint64_t *rnd)
{
	struct pu_ip a = { .version = craft_random(rnd) % 2 ? 4 : 6 };

	for (size_t i = 0; i < (a.version == 4 ? 4 : 16); i++)
		a.b[i] = craft_random(rnd) % 4 ? 0x40 : (uint8_t)craft_random(rnd) % 4;
	return a;
}

static bool covers(const struct row *r, const struct pu_ip *a)
{
	if (r->handle == 0 || r->prefix.version != a->version)
		return false;
	for (unsigned i = 0; i < r->bits; i++)
		if ((r->prefix.b[i / 8] ^ a->b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static uint32_t brute_force(const struct pu_ip *a)
{
	const struct row *best = NULL;

	for (size_t i = 0; i < N; i++)
		if (covers(&rows[i], a) && (!best || rows[i].bits > best->bits))
			best = &rows[i];
	return best ? best->handle : 0;
}

static struct row *same_prefix(const struct row *r)
{
	for (size_t i = 0; i < N; i++)
		if (rows[i].handle && rows[i].bits == r->bits && covers(&rows[i], &r->prefix))
			return &rows[i];
	return NULL;
}

static void put_row(struct row r, uint64_t *rnd)
{
	struct row *old = same_prefix(&r);

	assert_int_equal(pu_vmap_set(m, &r.prefix, r.bits, r.handle), 0);
	if (!old)
		old = &rows[craft_random(rnd) % N];
	if (old->handle && old->bits != r.bits)
		pu_vmap_remove(m, &old->prefix, old->bits);
	else if (old->handle && !covers(old, &r.prefix))
		pu_vmap_remove(m, &old->prefix, old->bits);
	*old = r;
}

static void finds_what_brute_force_finds(void **state)
{
	uint64_t rnd = 23;

	for (int i = 0; i < 20000; i++) {
		struct row r = { .prefix = random_ip(&rnd) };
		struct pu_ip a = random_ip(&rnd);
		unsigned top = r.prefix.version == 4 ? 32 : 128;

		r.bits = craft_random(&rnd) % 3 ? top : craft_random(&rnd) % (top + 1);
		r.handle = 1 + craft_random(&rnd) % 50;
		if (i % 500 == 499) {
			pu_vmap_remove_handle(m, r.handle);
			for (size_t k = 0; k < N; k++)
				if (rows[k].handle == r.handle)
					rows[k].handle = 0;
		} else if (i % 5 == 0) {
			struct row *old = &rows[craft_random(&rnd) % N];

			if (old->handle)
				pu_vmap_remove(m, &old->prefix, old->bits);
			old->handle = 0;
		} else {
			put_row(r, &rnd);
		}
		assert_int_equal(pu_vmap_find(m, &a), brute_force(&a));
		assert_int_equal(pu_vmap_find(m, &r.prefix), brute_force(&r.prefix));
	}
}

static void default_routes_of_both_families_are_apart(void **state)
{
	struct pu_ip any4 = { .version = 4 }, any6 = { .version = 6 }, none = { 0 };
	struct pu_ip a = pu_ip4("\x08\x08\x08\x08");

	assert_int_equal(pu_vmap_find(m, &a), 0);
	assert_int_equal(pu_vmap_set(m, &any6, 0, 6), 0);
	assert_int_equal(pu_vmap_find(m, &a), 0);
	assert_int_equal(pu_vmap_set(m, &any4, 0, 4), 0);
	assert_int_equal(pu_vmap_find(m, &a), 4);
	assert_int_equal(pu_vmap_find(m, &any6), 6);
	assert_int_equal(pu_vmap_find(m, &none), 0);
}

static void bits_behind_the_length_do_not_matter(void **state)
{
	struct pu_ip p = pu_ip4("\x0a\x40\x01\xff"), a = pu_ip4("\x0a\x40\x01\x03");

	assert_int_equal(pu_vmap_set(m, &p, 24, 9), 0);
	assert_int_equal(pu_vmap_find(m, &a), 9);
	pu_vmap_remove(m, &a, 24);
	assert_int_equal(pu_vmap_find(m, &a), 0);
}

static void nonsense_is_refused(void **state)
{
	struct pu_ip p = pu_ip4("\x0a\x40\x01\xff"), none = { 0 };

	assert_int_equal(pu_vmap_set(m, &p, 33, 1), PU_EINVAL);
	assert_int_equal(pu_vmap_set(m, &p, 32, 0), PU_EINVAL);
	assert_int_equal(pu_vmap_set(m, &none, 0, 1), PU_EINVAL);
	pu_vmap_remove(m, &p, 200);
}

static void table_is_bounded(void **state)
{
	int r = 0;
	uint32_t n;

	for (n = 0; n <= 1u << 18 && r == 0; n++) {
		struct pu_ip a = { .version = 4 };

		memcpy(a.b, &n, 4);
		r = pu_vmap_set(m, &a, 32, 1 + n);
	}
	assert_int_equal(r, PU_ELIMIT);
	assert_int_equal(n, (1u << 18) + 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(finds_what_brute_force_finds),
		T(default_routes_of_both_families_are_apart),
		T(bits_behind_the_length_do_not_matter),
		T(nonsense_is_refused),
		T(table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
