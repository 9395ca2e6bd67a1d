/* One walk, with peers that answer as the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "p2p/kad/lookup.h"

enum { ASKED_MAX = 400 };

struct fixture {
	struct pu_loop loop;
	struct pu_kad_lookup_config cfg;
	struct pu_kad_lookup *l;
	uint32_t ref[ASKED_MAX]; /* in the order of asking */
	unsigned number[ASKED_MAX];
	unsigned path[ASKED_MAX];
	unsigned n;
	unsigned done, liars;
	struct pu_peerid liar;
	bool refuse;
};

static const uint8_t addr[] = { 4, 1, 2, 3, 4, 6, 0, 1 };

static struct pu_peerid name(unsigned n)
{
	struct pu_peerid id = { .len = 34, .b = { 0x12, 32 } };

	memcpy(id.b + 2, &n, sizeof n);
	return id;
}

static struct pu_kad_peer peer(unsigned n)
{
	struct pu_kad_peer p = { .id = name(n), .n_addrs = 1 };

	p.addrs[0] = pu_bytes(addr, sizeof addr);
	return p;
}

static int ask(void *arg, const struct pu_kad_candidate *c)
{
	struct fixture *f = arg;

	assert_true(f->n < ASKED_MAX);
	f->ref[f->n] = c->ref;
	f->path[f->n] = c->path;
	memcpy(&f->number[f->n], c->id.b + 2, sizeof f->number[0]);
	f->n++;
	return f->refuse ? PU_ELIMIT : 0;
}

static void on_liar(void *arg, const struct pu_peerid *id)
{
	struct fixture *f = arg;

	f->liars++;
	f->liar = *id;
}

static void on_done(void *arg)
{
	((struct fixture *)arg)->done++;
}

static const struct pu_kad_lookup_events events = { ask, on_liar, on_done };

static void random_zero(void *arg, void *p, size_t n)
{
	memset(p, 0, n);
}

/* Seeds are named 1 to n. */
static struct fixture *fixture_new(const struct pu_kad_lookup_config *cfg, unsigned seeds)
{
	struct fixture *f = calloc(1, sizeof *f);

	pu_loop_init(&f->loop, PU_SEC(1), 0, random_zero, NULL);
	f->cfg = *cfg;
	f->cfg.loop = &f->loop;
	f->cfg.self = name(0);
	assert_int_equal(pu_kad_lookup_new(&f->cfg, &events, f, &f->l), 0);
	for (unsigned i = 1; i <= seeds; i++) {
		struct pu_kad_peer p = peer(i);

		assert_int_equal(pu_kad_lookup_seed(f->l, &p), 0);
	}
	pu_kad_lookup_start(f->l);
	assert_int_equal(f->n, 0); /* not from inside */
	return f;
}

static void turn(struct fixture *f, unsigned ms)
{
	pu_loop_enter(&f->loop, pu_loop_now(&f->loop) + PU_MS(ms));
	pu_loop_leave(&f->loop);
}

static void fixture_free(struct fixture *f)
{
	pu_kad_lookup_free(f->l);
	pu_loop_deinit(&f->loop);
	free(f);
}

static void answer_all(struct fixture *f, unsigned *from)
{
	for (; *from < f->n; ++*from)
		pu_kad_lookup_answered(f->l, f->ref[*from], NULL, 0);
}

static void nobody_to_ask_is_the_end(void **state)
{
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ 0 }, 0);

	turn(f, 0);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void so_many_are_asked_at_a_time(void **state)
{
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ .alpha = 4 }, 12);
	unsigned at = 0;

	turn(f, 0);
	assert_int_equal(f->n, 4);
	pu_kad_lookup_failed(f->l, f->ref[at++]);
	turn(f, 1);
	assert_int_equal(f->n, 5);
	while (!f->done) {
		answer_all(f, &at);
		turn(f, 1);
		assert_true(f->n - at <= 4);
	}
	assert_int_equal(f->n, 12); /* everybody, once */
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void nearest_come_first_and_end_the_walk(void **state)
{
	enum { QUORUM = 3 };
	struct pu_kad_peer named[20];
	const struct pu_kad_candidate *closest[20];
	struct fixture *f = fixture_new(
		&(struct pu_kad_lookup_config){ .alpha = 1, .quorum = QUORUM, .paths = 1 }, 1);
	struct pu_kad_lookup_stats st;

	turn(f, 0);
	for (unsigned i = 0; i < 20; i++)
		named[i] = peer(100 + i);
	pu_kad_lookup_answered(f->l, f->ref[0], named, 20);
	for (unsigned i = 1; !f->done; i++) {
		turn(f, 1);
		if (i < f->n)
			pu_kad_lookup_answered(f->l, f->ref[i], NULL, 0);
	}
	pu_kad_lookup_stats(f->l, &st);
	assert_true(st.answered <= QUORUM + 1); /* the seed may be far away */
	assert_true(pu_kad_lookup_closest(f->l, closest, 20) >= QUORUM);
	for (unsigned i = 1; i < QUORUM; i++)
		assert_true(pu_kad_key_compare(&closest[i - 1]->distance, &closest[i]->distance) < 0);
	assert_int_equal(closest[0]->hops, 1);
	fixture_free(f);
}

static void we_and_the_target_are_never_asked(void **state)
{
	struct pu_kad_peer named[] = { peer(0), peer(7), peer(8) };
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ .target = name(7) }, 1);

	named[2].n_addrs = 0; /* nor whoever lives nowhere */
	turn(f, 0);
	pu_kad_lookup_answered(f->l, f->ref[0], named, 3);
	turn(f, 1);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void slow_peer_makes_way_but_may_still_answer(void **state)
{
	struct pu_kad_peer named = peer(50);
	struct fixture *f = fixture_new(
		&(struct pu_kad_lookup_config){ .alpha = 1, .paths = 1, .slow = PU_MS(500) }, 2);

	turn(f, 0);
	assert_int_equal(f->n, 1);
	turn(f, 499);
	assert_int_equal(f->n, 1);
	turn(f, 1);
	assert_int_equal(f->n, 2); /* the second does not wait for the first */
	pu_kad_lookup_answered(f->l, f->ref[1], NULL, 0);
	turn(f, 1);
	assert_int_equal(f->done, 0); /* too few have answered to do without */
	pu_kad_lookup_answered(f->l, f->ref[0], &named, 1);
	turn(f, 1);
	assert_int_equal(f->n, 3);
	assert_int_equal(f->number[2], 50);
	pu_kad_lookup_failed(f->l, f->ref[2]);
	turn(f, 1);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void time_ends_every_walk(void **state)
{
	struct fixture *f =
		fixture_new(&(struct pu_kad_lookup_config){ .total = PU_SEC(5) }, 3);

	turn(f, 0);
	turn(f, 4999);
	assert_int_equal(f->done, 0);
	turn(f, 1);
	assert_int_equal(f->done, 1);
	/* Late answers find nobody at home. */
	pu_kad_lookup_answered(f->l, f->ref[0], NULL, 0);
	pu_kad_lookup_failed(f->l, f->ref[1]);
	turn(f, 1);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void finishing_leaves_some_grace(void **state)
{
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ 0 }, 3);

	turn(f, 0);
	pu_kad_lookup_finish(f->l, PU_MS(100));
	turn(f, 99);
	assert_int_equal(f->done, 0);
	pu_kad_lookup_finish(f->l, PU_SEC(100)); /* not longer than said before */
	turn(f, 1);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void paths_share_no_peer(void **state)
{
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ .alpha = 6 }, 20);
	unsigned per_path[PU_KAD_LOOKUP_PATHS] = { 0 }, at = 0;
	struct pu_kad_lookup_stats st;

	while (!f->done) {
		turn(f, 1);
		/* Everybody names the same two. */
		for (; at < f->n; at++) {
			struct pu_kad_peer named[] = { peer(500), peer(501) };

			pu_kad_lookup_answered(f->l, f->ref[at], named, 2);
		}
	}
	pu_kad_lookup_stats(f->l, &st);
	assert_int_equal(st.paths, PU_KAD_LOOKUP_PATHS);
	assert_int_equal(f->n, 22);
	for (unsigned i = 0; i < f->n; i++) {
		per_path[f->path[i]]++;
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(f->number[i], f->number[j]);
	}
	for (unsigned i = 0; i < PU_KAD_LOOKUP_PATHS; i++)
		assert_true(per_path[i] >= 6);
	fixture_free(f);
}

static void peer_whose_referrals_are_dead_loses_the_rest(void **state)
{
	struct pu_kad_peer named[20];
	struct fixture *f = fixture_new(
		&(struct pu_kad_lookup_config){ .alpha = 2, .paths = 1 }, 1);
	struct pu_peerid liar = name(1);

	turn(f, 0);
	for (unsigned i = 0; i < 20; i++)
		named[i] = peer(100 + i);
	pu_kad_lookup_answered(f->l, f->ref[0], named, 20);
	for (unsigned i = 1; i <= PU_KAD_LOOKUP_NONSENSE; i++) {
		turn(f, 1);
		assert_true(f->n > i);
		pu_kad_lookup_failed(f->l, f->ref[i]);
	}
	assert_int_equal(f->liars, 1);
	assert_true(pu_peerid_eq(&f->liar, &liar));
	turn(f, 1);
	for (unsigned i = PU_KAD_LOOKUP_NONSENSE + 1; i < f->n; i++)
		pu_kad_lookup_failed(f->l, f->ref[i]);
	turn(f, 1);
	assert_int_equal(f->done, 1);
	assert_true(f->n <= PU_KAD_LOOKUP_NONSENSE + 3); /* and not twenty */
	fixture_free(f);
}

/* Twenty are refused by our own limits, and none of them is the fault of who named it. */
static void what_we_cannot_ask_is_nobodys_lie(void **state)
{
	struct pu_kad_peer named[20];
	struct fixture *f = fixture_new(
		&(struct pu_kad_lookup_config){ .alpha = 2, .paths = 1 }, 1);

	turn(f, 0);
	for (unsigned i = 0; i < 20; i++)
		named[i] = peer(100 + i);
	f->refuse = true;
	pu_kad_lookup_answered(f->l, f->ref[0], named, 20);
	turn(f, 1);
	assert_int_equal(f->liars, 0);
	assert_int_equal(f->n, 21);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void one_living_referral_clears_a_peer(void **state)
{
	struct pu_kad_peer named[8];
	struct fixture *f = fixture_new(
		&(struct pu_kad_lookup_config){ .alpha = 1, .paths = 1 }, 1);

	turn(f, 0);
	for (unsigned i = 0; i < 8; i++)
		named[i] = peer(100 + i);
	pu_kad_lookup_answered(f->l, f->ref[0], named, 8);
	turn(f, 1);
	pu_kad_lookup_answered(f->l, f->ref[1], NULL, 0);
	for (unsigned i = 2; i <= 8; i++) {
		turn(f, 1);
		pu_kad_lookup_failed(f->l, f->ref[i]);
	}
	turn(f, 1);
	assert_int_equal(f->liars, 0);
	assert_int_equal(f->n, 9);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

/* A wrong address for a real peer must not be the last word. */
static void another_path_may_correct_an_address(void **state)
{
	static const uint8_t better[] = { 4, 9, 9, 9, 9, 6, 0, 1 };
	struct pu_kad_peer lie = peer(100), truth = peer(100);
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ .alpha = 12 }, 12);
	unsigned other = 1;

	truth.addrs[0] = pu_bytes(better, sizeof better);
	turn(f, 0);
	assert_int_equal(f->n, 12);
	while (f->path[other] == f->path[0])
		other++;
	pu_kad_lookup_answered(f->l, f->ref[0], &lie, 1);
	turn(f, 1);
	assert_int_equal(f->number[12], 100);
	pu_kad_lookup_failed(f->l, f->ref[12]);
	turn(f, 1);
	pu_kad_lookup_answered(f->l, f->ref[other], &truth, 1);
	turn(f, 1);
	assert_int_equal(f->n, 14);
	assert_int_equal(f->number[13], 100);
	/* Once: the next correction is not believed. */
	pu_kad_lookup_failed(f->l, f->ref[13]);
	turn(f, 1);
	assert_int_equal(f->n, 14);
	fixture_free(f);
}

static void peers_that_cannot_be_asked_are_passed_over(void **state)
{
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ 0 }, 12);

	f->refuse = true;
	turn(f, 0);
	assert_int_equal(f->n, 12);
	assert_int_equal(f->done, 1);
	fixture_free(f);
}

static void memory_of_a_walk_is_bounded(void **state)
{
	struct fixture *f = fixture_new(&(struct pu_kad_lookup_config){ .alpha = 32 }, 20);
	unsigned next = 1000, at = 0;

	for (unsigned round = 0; round < 40 && !f->done && f->n < ASKED_MAX - 40; round++) {
		turn(f, 1);
		for (; at < f->n; at++) {
			struct pu_kad_peer named[PU_KAD_PEERS_MAX];

			for (unsigned i = 0; i < PU_KAD_PEERS_MAX; i++)
				named[i] = peer(next++);
			pu_kad_lookup_answered(f->l, f->ref[at], named, PU_KAD_PEERS_MAX);
		}
		assert_true(pu_kad_lookup_bytes(f->l) <
			    PU_KAD_LOOKUP_PEERS_MAX * (sizeof(struct pu_kad_candidate) + 20) + 4096);
	}
	assert_true(next > 2000);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_to_ask_is_the_end),
		cmocka_unit_test(so_many_are_asked_at_a_time),
		cmocka_unit_test(nearest_come_first_and_end_the_walk),
		cmocka_unit_test(we_and_the_target_are_never_asked),
		cmocka_unit_test(slow_peer_makes_way_but_may_still_answer),
		cmocka_unit_test(time_ends_every_walk),
		cmocka_unit_test(finishing_leaves_some_grace),
		cmocka_unit_test(paths_share_no_peer),
		cmocka_unit_test(peer_whose_referrals_are_dead_loses_the_rest),
		cmocka_unit_test(what_we_cannot_ask_is_nobodys_lie),
		cmocka_unit_test(one_living_referral_clears_a_peer),
		cmocka_unit_test(another_path_may_correct_an_address),
		cmocka_unit_test(peers_that_cannot_be_asked_are_passed_over),
		cmocka_unit_test(memory_of_a_walk_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
