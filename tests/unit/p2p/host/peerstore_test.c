#include "p2p/host/peerstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"

static void counting(void *arg, void *p, size_t n)
{
	memset(p, 5, n);
}

struct store {
	struct pu_loop loop;
	struct pu_peerstore ps;
};

static void store_init(struct store *s)
{
	pu_loop_init(&s->loop, PU_SEC(100), 0, counting, NULL);
	pu_peerstore_init(&s->ps, &s->loop);
}

static void store_deinit(struct store *s)
{
	pu_peerstore_deinit(&s->ps);
	pu_loop_deinit(&s->loop);
}

static struct pu_peerid peer(unsigned n)
{
	struct pu_peerid id = { .len = 34 };

	id.b[0] = 0x12;
	id.b[1] = 32;
	memcpy(id.b + 2, &n, sizeof n);
	return id;
}

static struct pu_multiaddr addr(unsigned n)
{
	struct pu_multiaddr ma;
	char text[64];

	snprintf(text, sizeof text, "/ip4/11.0.%u.%u/tcp/4001", n >> 8, n & 255);
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	return ma;
}

static int add(struct store *s, struct pu_peer *p, unsigned n, bool permanent, bool certified)
{
	struct pu_multiaddr ma = addr(n);

	return pu_peerstore_add_addr(&s->ps, p, &ma, permanent, certified);
}

static bool has(struct pu_peer *p, unsigned n)
{
	struct pu_multiaddr ma = addr(n);

	return pu_peerstore_find_addr(p, &ma) != NULL;
}

static void strangers_push_out_the_oldest_stranger(void **state)
{
	struct pu_peerid id = peer(0), mine = peer(1), last = peer(PU_PEERSTORE_PEERS_MAX);
	struct store s;

	store_init(&s);
	assert_non_null(pu_peerstore_get(&s.ps, &id));
	assert_int_equal(add(&s, pu_peerstore_get(&s.ps, &mine), 1, true, false), 0);
	for (unsigned i = 2; i < PU_PEERSTORE_PEERS_MAX; i++) {
		struct pu_peerid other = peer(i);

		assert_non_null(pu_peerstore_get(&s.ps, &other));
	}
	assert_non_null(pu_peerstore_find(&s.ps, &id));
	assert_non_null(pu_peerstore_get(&s.ps, &last));
	assert_null(pu_peerstore_find(&s.ps, &id));
	/* Twice around: the user's own stays. */
	for (unsigned i = 0; i < PU_PEERSTORE_PEERS_MAX; i++) {
		struct pu_peerid other = peer(100000 + i);

		assert_non_null(pu_peerstore_get(&s.ps, &other));
	}
	assert_non_null(pu_peerstore_find(&s.ps, &mine));
	assert_int_equal(s.ps.peers.n_nodes, PU_PEERSTORE_PEERS_MAX);
	store_deinit(&s);
}

static void full_of_precious_peers_takes_nobody(void **state)
{
	struct pu_peerid id = peer(PU_PEERSTORE_PEERS_MAX);
	struct store s;

	store_init(&s);
	for (unsigned i = 0; i < PU_PEERSTORE_PEERS_MAX; i++) {
		struct pu_peerid other = peer(i);

		pu_peerstore_get(&s.ps, &other)->protections = 1;
	}
	assert_null(pu_peerstore_get(&s.ps, &id));
	store_deinit(&s);
}

static void addresses_of_more_trust_replace_those_of_less(void **state)
{
	struct pu_peerid id = peer(1);
	struct pu_peer *p;
	struct store s;

	store_init(&s);
	p = pu_peerstore_get(&s.ps, &id);
	assert_int_equal(add(&s, p, 0, true, false), 0);
	for (unsigned i = 1; i < PU_HOST_ADDRS_PER_PEER; i++)
		assert_int_equal(add(&s, p, i, false, false), 0);
	assert_int_equal(add(&s, p, 500, false, true), 0);
	assert_int_equal(p->n_addrs, PU_HOST_ADDRS_PER_PEER);
	assert_false(has(p, 1));
	assert_true(has(p, 0));
	for (unsigned i = 501; i < 600; i++)
		assert_int_equal(add(&s, p, i, false, true), 0);
	assert_int_equal(add(&s, p, 700, false, false), PU_ELIMIT);
	assert_int_equal(add(&s, p, 599, true, false), 0); /* known: promoted */
	pu_peerstore_doubt_addrs(p, true);
	pu_peerstore_drop_doubted(p);
	assert_int_equal(p->n_addrs, 2);
	store_deinit(&s);
}

static void repeated_addresses_keep_their_history(void **state)
{
	const struct pu_addr_attempt lost = { .err = PU_ETIMEDOUT };
	struct pu_peerid id = peer(1);
	struct pu_multiaddr kept = addr(1), seen = addr(3);
	struct pu_peer_addr *a;
	struct pu_peer *p;
	struct store s;

	store_init(&s);
	p = pu_peerstore_get(&s.ps, &id);
	for (unsigned i = 1; i <= 2; i++)
		assert_int_equal(add(&s, p, i, false, true), 0);
	assert_int_equal(pu_peerstore_learn_addr(&s.ps, p, &seen, PU_ADDR_MDNS), 0);
	a = pu_peerstore_find_addr(p, &kept);
	pu_peerstore_remember(a, &lost);
	pu_peerstore_dialed(&s.ps, a, false);
	pu_peerstore_doubt_addrs(p, true);
	assert_int_equal(add(&s, p, 1, false, true), 0);
	assert_int_equal(add(&s, p, 4, false, true), 0);
	pu_peerstore_drop_doubted(p);
	assert_true(has(p, 1) && !has(p, 2) && has(p, 3) && has(p, 4));
	assert_ptr_equal(pu_peerstore_find_addr(p, &kept), a);
	assert_int_equal(a->failures, 1);
	assert_int_equal(a->history->n, 1);
	store_deinit(&s);
}

static void address_of_somebody_else_is_refused(void **state)
{
	struct pu_peerid id = peer(1), other = peer(2);
	struct pu_multiaddr ma = addr(1);
	struct pu_peer *p;
	struct store s;

	store_init(&s);
	p = pu_peerstore_get(&s.ps, &id);
	assert_int_equal(pu_multiaddr_append(&ma, PU_MA_P2P, pu_peerid_bytes(&other)), 0);
	assert_int_equal(pu_peerstore_add_addr(&s.ps, p, &ma, true, false), PU_EINVAL);
	ma = addr(1);
	assert_int_equal(pu_multiaddr_append(&ma, PU_MA_P2P, pu_peerid_bytes(&id)), 0);
	assert_int_equal(pu_peerstore_add_addr(&s.ps, p, &ma, true, false), 0);
	assert_true(has(p, 1)); /* kept without /p2p */
	pu_peerstore_remove_addr(&s.ps, p, &ma);
	assert_false(has(p, 1));
	ma.len = 0;
	assert_int_equal(pu_peerstore_add_addr(&s.ps, p, &ma, true, false), PU_EINVAL);
	store_deinit(&s);
}

static void failures_wait_longer_each_time_up_to_a_minute(void **state)
{
	struct pu_peerid id = peer(1);
	struct pu_peer_addr *a;
	struct pu_peer *p;
	struct pu_multiaddr ma = addr(1);
	struct store s;
	pu_time last = 0;

	store_init(&s);
	p = pu_peerstore_get(&s.ps, &id);
	assert_int_equal(add(&s, p, 1, false, false), 0);
	a = pu_peerstore_find_addr(p, &ma);
	for (int i = 0; i < 50; i++) {
		pu_peerstore_dialed(&s.ps, a, false);
		assert_true(a->retry_at >= last);
		last = a->retry_at;
	}
	assert_int_equal(last - s.loop.now, PU_SEC(60));
	pu_peerstore_dialed(&s.ps, a, true);
	assert_int_equal(a->retry_at, 0);
	pu_peerstore_dialed(&s.ps, a, false);
	assert_int_equal(a->retry_at - s.loop.now, PU_SEC(1));
	pu_peerstore_forget_failures(&s.ps);
	assert_int_equal(a->retry_at, 0);
	store_deinit(&s);
}

static void protocols_are_found_whatever_their_order(void **state)
{
	struct pu_bytes names[] = { pu_bytes_str("/z"), pu_bytes_str("/a"), pu_bytes_str("/zz"),
				    pu_bytes_str("/a") };
	struct pu_peerid id = peer(1);
	struct pu_peer *p;
	struct store s;

	store_init(&s);
	p = pu_peerstore_get(&s.ps, &id);
	assert_false(pu_peerstore_supports(p, "/a"));
	assert_int_equal(pu_peerstore_set_protocols(p, names, 4), 0);
	assert_int_equal(p->n_protocols, 3);
	assert_true(pu_peerstore_supports(p, "/a"));
	assert_true(pu_peerstore_supports(p, "/z"));
	assert_true(pu_peerstore_supports(p, "/zz"));
	assert_false(pu_peerstore_supports(p, "/"));
	assert_false(pu_peerstore_supports(p, "/zzz"));
	pu_peerstore_left(p); /* a stranger */
	assert_false(pu_peerstore_supports(p, "/a"));
	store_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_push_out_the_oldest_stranger),
		cmocka_unit_test(full_of_precious_peers_takes_nobody),
		cmocka_unit_test(addresses_of_more_trust_replace_those_of_less),
		cmocka_unit_test(repeated_addresses_keep_their_history),
		cmocka_unit_test(address_of_somebody_else_is_refused),
		cmocka_unit_test(failures_wait_longer_each_time_up_to_a_minute),
		cmocka_unit_test(protocols_are_found_whatever_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
