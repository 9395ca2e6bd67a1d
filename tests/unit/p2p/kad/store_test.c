/* What others have stored here: providers and values, and what they cannot do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/kad/providers.h"
#include "p2p/kad/records.h"

static void random_zero(void *arg, void *p, size_t n)
{
	memset(p, 0, n);
}

struct fixture {
	struct pu_loop loop;
	struct pu_kad_providers ps;
	struct pu_kad_records rs;
	bool better; /* what the judge says */
	unsigned judged;
};

static bool judge(void *arg, struct pu_bytes key, struct pu_bytes value, struct pu_bytes old)
{
	struct fixture *f = arg;

	f->judged++;
	if (key.len < 4 || memcmp(key.p, "/ok/", 4) != 0)
		return false;
	return old.len == 0 || f->better;
}

static struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof *f);

	pu_loop_init(&f->loop, PU_SEC(1), 0, random_zero, NULL);
	pu_kad_providers_init(&f->ps, &f->loop);
	pu_kad_records_init(&f->rs, &f->loop, judge, f);
	return f;
}

static void fixture_free(struct fixture *f)
{
	pu_kad_providers_deinit(&f->ps);
	pu_kad_records_deinit(&f->rs);
	assert_int_equal(f->ps.bytes + f->rs.bytes, 0);
	assert_int_equal(f->ps.n + f->rs.n, 0);
	pu_loop_deinit(&f->loop);
	free(f);
}

static void advance(struct fixture *f, unsigned seconds)
{
	pu_loop_enter(&f->loop, pu_loop_now(&f->loop) + PU_SEC(seconds));
	pu_loop_leave(&f->loop);
}

static struct pu_peerid peer(unsigned n)
{
	struct pu_peerid id = { .len = 34, .b = { 0x12, 32 } };

	memcpy(id.b + 2, &n, sizeof n);
	return id;
}

static int provide(struct fixture *f, unsigned key, unsigned who, const char *addr)
{
	struct pu_kad_peer p = { .id = peer(who) };
	struct pu_multiaddr ma;

	if (addr) {
		assert_int_equal(pu_multiaddr_from_text(&ma, addr), 0);
		p.n_addrs = 1;
		p.addrs[0] = pu_multiaddr_bytes(&ma);
	}
	return pu_kad_providers_add(&f->ps, pu_bytes(&key, sizeof key), &p);
}

static size_t count(struct fixture *f, unsigned key)
{
	struct pu_kad_peer out[PU_KAD_PROVIDERS_PER_KEY + 1];

	return pu_kad_providers_find(&f->ps, pu_bytes(&key, sizeof key), out, PU_ARRAY_LEN(out));
}

static bool provides(struct fixture *f, unsigned key, unsigned who)
{
	struct pu_kad_peer out[PU_KAD_PROVIDERS_PER_KEY + 1];
	size_t n = pu_kad_providers_find(&f->ps, pu_bytes(&key, sizeof key), out, PU_ARRAY_LEN(out));
	struct pu_peerid id = peer(who);

	for (size_t i = 0; i < n; i++)
		if (pu_peerid_eq(&out[i].id, &id))
			return true;
	return false;
}

static void providers_come_back_newest_first(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_kad_peer out[4];
	unsigned key = 1;
	struct pu_peerid one = peer(1);

	provide(f, key, 1, "/ip4/1.1.1.1/tcp/1");
	provide(f, key, 2, NULL);
	provide(f, key, 1, "/ip4/2.2.2.2/tcp/1"); /* moved */
	assert_int_equal(pu_kad_providers_find(&f->ps, pu_bytes(&key, sizeof key), out, 4), 2);
	assert_true(pu_peerid_eq(&out[0].id, &one));
	assert_int_equal(out[0].n_addrs, 1);
	assert_int_equal(out[0].addrs[0].p[1], 2);
	assert_int_equal(out[1].n_addrs, 0);
	assert_int_equal(pu_kad_providers_find(&f->ps, pu_bytes(&key, sizeof key), out, 1), 1);
	assert_int_equal(pu_kad_providers_add(&f->ps, pu_bytes(NULL, 0), &out[0]), PU_EINVAL);
	fixture_free(f);
}

static void providers_age(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_kad_peer out[4];
	unsigned key = 1;

	provide(f, key, 1, "/ip4/1.1.1.1/tcp/1");
	advance(f, PU_KAD_PROVIDERS_ADDRS_VALID_S + 1);
	assert_int_equal(pu_kad_providers_find(&f->ps, pu_bytes(&key, sizeof key), out, 4), 1);
	assert_int_equal(out[0].n_addrs, 0); /* where it was, it may not be any more */
	provide(f, key, 2, NULL);
	advance(f, PU_KAD_PROVIDERS_VALID_S - PU_KAD_PROVIDERS_ADDRS_VALID_S);
	assert_false(provides(f, key, 1));
	assert_true(provides(f, key, 2));
	fixture_free(f);
}

static void greedy_provider_pushes_out_its_own(void **state)
{
	struct fixture *f = fixture_new();

	provide(f, 1000, 2, NULL);
	for (unsigned key = 0; key < PU_KAD_PROVIDERS_PER_PEER + 10; key++)
		provide(f, key, 1, NULL);
	assert_int_equal(f->ps.n, PU_KAD_PROVIDERS_PER_PEER + 1);
	assert_false(provides(f, 0, 1));
	assert_true(provides(f, PU_KAD_PROVIDERS_PER_PEER + 9, 1));
	assert_true(provides(f, 1000, 2));
	fixture_free(f);
}

static void key_and_store_are_bounded(void **state)
{
	struct fixture *f = fixture_new();

	for (unsigned who = 0; who < PU_KAD_PROVIDERS_PER_KEY + 5; who++)
		provide(f, 1, who, NULL);
	assert_int_equal(count(f, 1), PU_KAD_PROVIDERS_PER_KEY);
	assert_false(provides(f, 1, 4));
	assert_true(provides(f, 1, 5));
	for (unsigned i = 0; i < PU_KAD_PROVIDERS_MAX + 100; i++)
		provide(f, 10 + i, 100 + i / 32, "/ip4/1.1.1.1/tcp/1");
	assert_int_equal(f->ps.n, PU_KAD_PROVIDERS_MAX);
	assert_int_equal(count(f, 1), 0); /* the oldest of all */
	assert_true(f->ps.bytes < PU_KAD_PROVIDERS_MAX * 1024u);
	fixture_free(f);
}

static int put(struct fixture *f, const char *key, const char *value, unsigned from)
{
	struct pu_peerid id = peer(from);

	return pu_kad_records_put(&f->rs, pu_bytes_str(key), pu_bytes_str(value), &id);
}

static void values_need_somebody_who_vouches(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_kad_message *m = calloc(1, sizeof *m);

	assert_int_equal(put(f, "/pk/x", "v", 1), PU_EDENIED);
	assert_int_equal(put(f, "/ok/x", "v", 1), 0);
	assert_int_equal(put(f, "/ok/x", "w", 1), PU_EDENIED); /* not better */
	assert_int_equal(pu_kad_records_get(&f->rs, pu_bytes_str("/ok/x"), m), 0);
	assert_true(pu_bytes_eq_str(m->record_value, "v"));
	assert_string_equal(m->received, "1970-01-01T00:00:01.000000000Z");
	f->better = true;
	assert_int_equal(put(f, "/ok/x", "w", 1), 0);
	assert_int_equal(pu_kad_records_get(&f->rs, pu_bytes_str("/ok/x"), m), 0);
	assert_true(pu_bytes_eq_str(m->record_value, "w"));
	assert_int_equal(f->rs.n, 1);
	assert_int_equal(pu_kad_records_get(&f->rs, pu_bytes_str("/ok/y"), m), PU_ENOENT);
	f->rs.judge = NULL;
	assert_int_equal(put(f, "/ok/z", "w", 1), PU_EDENIED);
	free(m);
	fixture_free(f);
}

static void values_age_and_are_bounded(void **state)
{
	struct fixture *f = fixture_new();
	struct pu_kad_message *m = calloc(1, sizeof *m);
	char key[32];

	put(f, "/ok/a", "v", 9);
	for (unsigned i = 0; i < PU_KAD_RECORDS_PER_PEER + 5; i++) {
		snprintf(key, sizeof key, "/ok/p%u", i);
		put(f, key, "v", 1);
	}
	assert_int_equal(f->rs.n, PU_KAD_RECORDS_PER_PEER + 1);
	for (unsigned i = 0; i < PU_KAD_RECORDS_MAX + 5; i++) {
		snprintf(key, sizeof key, "/ok/q%u", i);
		put(f, key, "v", 100 + i);
	}
	assert_int_equal(f->rs.n, PU_KAD_RECORDS_MAX);
	assert_int_equal(pu_kad_records_get(&f->rs, pu_bytes_str("/ok/a"), m), PU_ENOENT);
	advance(f, PU_KAD_RECORDS_VALID_S);
	assert_int_equal(pu_kad_records_get(&f->rs, pu_bytes_str(key), m), PU_ENOENT);
	assert_int_equal(f->rs.n, 0);
	free(m);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(providers_come_back_newest_first),
		cmocka_unit_test(providers_age),
		cmocka_unit_test(greedy_provider_pushes_out_its_own),
		cmocka_unit_test(key_and_store_are_bounded),
		cmocka_unit_test(values_need_somebody_who_vouches),
		cmocka_unit_test(values_age_and_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
