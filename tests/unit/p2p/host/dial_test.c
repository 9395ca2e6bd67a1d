/* Which connection comes out when a peer has many addresses, names, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/dialer.h"
#include "support/hosts.h"

/* Private and public networks differ in their patience. */
#define PRIVATE_A "10.0.0.1"
#define PRIVATE_B "10.0.0.2"
#define PUBLIC_A "11.0.0.1"
#define PUBLIC_B "11.0.0.2"

struct pair {
	struct pu_sim *sim;
	struct test_host a, b;
};

static const char *const both[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001", NULL };

static void pair_start(struct pair *p, const char *ip_a, const char *ip_b,
		       const char *const *listen, const struct pu_sim_link *link)
{
	memset(p, 0, sizeof *p);
	p->sim = pu_sim_new(pu_sim_seed());
	if (link)
		pu_sim_default_link(p->sim, link);
	test_host_init(&p->a, p->sim, 1, ip_a, "fd00::1");
	test_host_init(&p->b, p->sim, 2, ip_b, "fd00::2");
	test_host_start(&p->a, listen);
	test_host_start(&p->b, listen);
}

static void pair_stop(struct pair *p)
{
	test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

static void add(struct test_host *h, const struct test_host *peer, const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_host_add_addr(h->h, &peer->key.peer, &ma, true), 0);
}

/* Ranking. */

static pu_time delay_of(const struct pu_dial_plan *plan, size_t n, const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&plan[i].ma, &ma))
			return plan[i].delay / 1000000;
	fail();
	return 0;
}

static void ranking_starts_with_quic_and_treats_private_apart(void **state)
{
	static const char *const text[] = {
		"/ip4/11.0.0.1/tcp/1", "/ip4/11.0.0.1/udp/1/quic-v1", "/ip6/2a00::1/udp/1/quic-v1",
		"/ip6/2a00::1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/udp/1/quic-v1",
		"/ip4/11.0.0.9/tcp/7777/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit",
		"/ip4/11.0.0.1/tcp/443/tls/sni/a.example/ws", "/ip4/10.0.0.1/tcp/80/ws",
	};
	struct pu_dial_plan plan[PU_ARRAY_LEN(text)];
	size_t n = PU_ARRAY_LEN(text);

	for (size_t i = 0; i < n; i++)
		assert_int_equal(pu_multiaddr_from_text(&plan[i].ma, text[i]), 0);
	pu_dialer_rank(plan, n);
	assert_int_equal(delay_of(plan, n, text[2]), 0);
	assert_int_equal(delay_of(plan, n, text[1]), 250);
	assert_int_equal(delay_of(plan, n, text[3]), 500);
	assert_int_equal(delay_of(plan, n, text[0]), 750);
	assert_int_equal(delay_of(plan, n, text[5]), 0);
	assert_int_equal(delay_of(plan, n, text[4]), 30);
	assert_int_equal(delay_of(plan, n, text[6]), 500);
	assert_int_equal(delay_of(plan, n, text[7]), 1000);
	assert_int_equal(delay_of(plan, n, text[8]), 60);
	for (size_t i = 1; i < n; i++)
		assert_true(plan[i - 1].delay <= plan[i].delay);
	pu_dialer_rank(plan + n - 1, 1); /* alone nobody waits */
	assert_int_equal(plan[n - 1].delay, 0);
}

/* Racing. */

static void quic_wins_where_both_work(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	test_host_introduce(&p.a, &p.b);
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	assert_string_equal(d.c->security, "quic");
	assert_true(d.took < PU_MS(100));
	pu_sim_run(p.sim, PU_SEC(2));
	assert_int_equal(p.b.connected, 1); /* no second one by TCP */
	assert_int_equal(pu_sim_counters(p.a.node, p.b.node).tcp_connects, 0);
	pair_stop(&p);
}

static void tcp_takes_over_where_udp_is_blocked(void **state)
{
	struct pu_sim_link no_udp = { .delay = PU_MS(5), .no_udp = true };
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, &no_udp);
	test_host_introduce(&p.a, &p.b);
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	assert_string_equal(d.c->muxer, "yamux");
	assert_in_range(d.took / 1000000, 250, 400);
	pair_stop(&p);
	pair_start(&p, PRIVATE_A, PRIVATE_B, both, &no_udp);
	test_host_introduce(&p.a, &p.b);
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	assert_in_range(d.took / 1000000, 30, 150);
	pair_stop(&p);
}

static void refused_address_does_not_hold_up_the_next(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, (const char *const[]){ "/ip4/0.0.0.0/tcp/4001", NULL },
		   NULL);
	add(&p.a, &p.b, "/ip4/" PUBLIC_B "/tcp/1");
	add(&p.a, &p.b, "/ip6/fd00::2/tcp/1");
	add(&p.a, &p.b, "/ip4/" PUBLIC_B "/tcp/4001");
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	assert_true(d.took < PU_MS(100));
	pair_stop(&p);
}

static void nothing_answers(void **state)
{
	struct pu_host_stats stats;
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	test_connect(&p.a, &p.b, &d, PU_SEC(1));
	assert_int_equal(d.err, PU_EUNREACH); /* no address known */
	add(&p.a, &p.b, "/ip4/11.0.0.99/tcp/1");
	add(&p.a, &p.b, "/ip4/11.0.0.98/tcp/1");
	test_connect(&p.a, &p.b, &d, PU_SEC(60));
	assert_int_equal(d.err, PU_ETIMEDOUT);
	assert_true(d.took <= PU_SEC(16));
	/* Again at once: not tried, but the reason is known. */
	test_connect(&p.a, &p.b, &d, PU_SEC(60));
	assert_int_equal(d.err, PU_ETIMEDOUT);
	assert_true(d.took < PU_MS(10));
	pu_host_stats(p.a.h, &stats);
	assert_int_equal(stats.dials, 2);
	assert_int_equal(stats.dials_failed, 2);
	/* A change of the network is a reason to try. */
	pu_host_set_interface_addrs(p.a.h, NULL, 0);
	test_connect(&p.a, &p.b, &d, PU_SEC(1));
	assert_false(d.done);
	pu_host_cancel(p.a.h, d.req);
	pair_stop(&p);
}

static void failures_are_repeated_with_growing_pauses(void **state)
{
	struct pu_host_stats stats;
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, NULL, NULL);
	add(&p.a, &p.b, "/ip4/" PUBLIC_B "/tcp/1");
	for (int i = 0; i < 600; i++) {
		test_connect(&p.a, &p.b, &d, PU_MS(500));
		assert_int_equal(d.err, PU_EREFUSED);
		pu_sim_run(p.sim, PU_MS(500) - d.took);
	}
	pu_host_stats(p.a.h, &stats);
	assert_in_range(stats.dials, 10, 20); /* in five minutes */
	pair_stop(&p);
}

static void ourselves_are_not_dialled(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	assert_int_equal(pu_host_connect(p.a.h, &p.a.key.peer, NULL, NULL, NULL), PU_EINVAL);
	/* Neither under somebody else's name. */
	add(&p.a, &p.b, "/ip4/" PUBLIC_A "/tcp/4001");
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_EUNREACH);
	pair_stop(&p);
}

/* Several who want the same. */

static bool both_done(void *arg)
{
	struct test_dial *d = arg;

	return d[0].done && d[1].done;
}

static void connect_requests_share_one_dial(void **state)
{
	struct test_dial d[3] = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	test_host_introduce(&p.a, &p.b);
	test_connect(&p.a, &p.b, &d[0], 0);
	test_connect(&p.a, &p.b, &d[1], 0);
	test_connect(&p.a, &p.b, &d[2], 0);
	pu_host_cancel(p.a.h, d[2].req);
	assert_true(pu_sim_run_until(p.sim, both_done, d, PU_SEC(5)));
	assert_ptr_equal(d[0].c, d[1].c);
	pu_sim_run(p.sim, PU_SEC(1));
	assert_false(d[2].done);
	assert_int_equal(p.b.connected, 1);
	/* With a connection there is nothing to do, but the answer still comes later. */
	test_connect(&p.a, &p.b, &d[2], PU_SEC(1));
	assert_int_equal(d[2].err, 0);
	assert_ptr_equal(d[2].c, d[0].c);
	pair_stop(&p);
}

static void both_sides_dial_at_once_and_one_connection_survives(void **state)
{
	static const char *const tcp[] = { "/ip4/0.0.0.0/tcp/4001", NULL };
	static const char *const quic[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };

	for (int i = 0; i < 4; i++) {
		struct test_dial d[2] = { 0 };
		struct pair p;

		pair_start(&p, i & 1 ? PUBLIC_A : PRIVATE_A, i & 1 ? PUBLIC_B : PRIVATE_B,
			   i & 2 ? tcp : quic, NULL);
		test_host_introduce(&p.a, &p.b);
		test_host_introduce(&p.b, &p.a);
		test_connect(&p.a, &p.b, &d[0], 0);
		test_connect(&p.b, &p.a, &d[1], 0);
		assert_true(pu_sim_run_until(p.sim, both_done, d, PU_SEC(20)));
		assert_int_equal(d[0].err, 0);
		assert_int_equal(d[1].err, 0);
		pu_sim_run(p.sim, PU_SEC(400));
		assert_int_equal(p.a.connected - p.a.disconnected, 1);
		assert_int_equal(p.b.connected - p.b.disconnected, 1);
		assert_true(p.a.connected <= 2);
		pair_stop(&p);
	}
}

static void a_lost_connection_can_be_made_again(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	test_host_introduce(&p.a, &p.b);
	for (int i = 0; i < 5; i++) {
		test_connect(&p.a, &p.b, &d, PU_SEC(20));
		assert_int_equal(d.err, 0);
		pu_host_disconnect(p.b.h, &p.a.key.peer, PU_CONN_CODE_NORMAL);
		pu_sim_run(p.sim, PU_SEC(5));
		assert_int_equal(p.a.disconnected, i + 1);
	}
	/* The other side restarts on the same port. */
	test_host_stop(&p.b);
	test_host_start(&p.b, both);
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	pair_stop(&p);
}

static void direct_done(void *arg, int err, struct pu_conn *c)
{
	struct test_dial *d = arg;

	d->done = true;
	d->err = err;
	d->c = c;
}

static void a_relayed_connection_serves_until_there_is_a_direct_one(void **state)
{
	struct test_dial d = { 0 }, direct[2] = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	test_host_introduce(&p.a, &p.b);
	test_connect(&p.a, &p.b, &d, PU_SEC(5));
	d.c->limited = true; /* as if */
	test_connect(&p.a, &p.b, &d, PU_SEC(5));
	assert_true(d.c->limited);
	assert_int_equal(pu_host_connect_direct(p.a.h, &p.b.key.peer, direct_done, &direct[0], NULL), 0);
	direct[1].done = true;
	assert_true(pu_sim_run_until(p.sim, both_done, direct, PU_SEC(5)));
	assert_int_equal(direct[0].err, 0);
	assert_false(direct[0].c->limited);
	assert_ptr_equal(pu_host_conn(p.a.h, &p.b.key.peer), direct[0].c);
	pair_stop(&p);
}

/* Names. */

static void names_are_resolved(void **state)
{
	static const char *const addrs[] = {
		"/dns4/b.test/tcp/4001", "/dns/b.test/udp/4001/quic-v1", "/dnsaddr/b.test",
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(addrs); i++) {
		struct test_dial d = { 0 };
		char id[PU_PEERID_TEXT_MAX], txt[200];
		struct pair p;

		pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
		pu_sim_add_name(p.sim, "b.test", "11.0.0.77", NULL); /* stale */
		pu_sim_add_name(p.sim, "b.test", PUBLIC_B, NULL);
		snprintf(txt, sizeof txt, "dnsaddr=/dns4/b.test/tcp/4001/p2p/%s",
			 pu_peerid_text(&p.b.key.peer, id));
		pu_sim_add_name(p.sim, "_dnsaddr.b.test", NULL, txt);
		snprintf(txt, sizeof txt, "dnsaddr=/ip4/11.0.0.78/tcp/1/p2p/%s",
			 pu_peerid_text(&p.a.key.peer, id));
		pu_sim_add_name(p.sim, "_dnsaddr.b.test", NULL, txt);
		pu_sim_add_name(p.sim, "_dnsaddr.b.test", NULL, "v=spf1 -all");
		add(&p.a, &p.b, addrs[i]);
		test_connect(&p.a, &p.b, &d, PU_SEC(20));
		assert_int_equal(d.err, 0);
		assert_true(d.took >= PU_MS(20));
		pair_stop(&p);
	}
}

static void unknown_name_is_told(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	add(&p.a, &p.b, "/dns4/nowhere.test/tcp/4001");
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_ENOENT);
	pu_sim_run(p.sim, PU_SEC(2));
	/* A question under way is forgotten at the end. */
	test_connect(&p.a, &p.b, &d, PU_MS(5));
	assert_false(d.done);
	pu_host_cancel(p.a.h, d.req);
	pair_stop(&p);
}

/* A TXT record that leads to itself. */
static void circular_names_end(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, PUBLIC_A, PUBLIC_B, both, NULL);
	pu_sim_add_name(p.sim, "_dnsaddr.b.test", NULL, "dnsaddr=/dnsaddr/b.test");
	pu_sim_add_name(p.sim, "_dnsaddr.b.test", NULL, "dnsaddr=/dnsaddr/b.test");
	add(&p.a, &p.b, "/dnsaddr/b.test");
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_true(d.done);
	assert_int_equal(d.err, PU_EUNREACH);
	assert_true(d.took < PU_SEC(1));
	pair_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranking_starts_with_quic_and_treats_private_apart),
		cmocka_unit_test(quic_wins_where_both_work),
		cmocka_unit_test(tcp_takes_over_where_udp_is_blocked),
		cmocka_unit_test(refused_address_does_not_hold_up_the_next),
		cmocka_unit_test(nothing_answers),
		cmocka_unit_test(failures_are_repeated_with_growing_pauses),
		cmocka_unit_test(ourselves_are_not_dialled),
		cmocka_unit_test(connect_requests_share_one_dial),
		cmocka_unit_test(both_sides_dial_at_once_and_one_connection_survives),
		cmocka_unit_test(a_lost_connection_can_be_made_again),
		cmocka_unit_test(a_relayed_connection_serves_until_there_is_a_direct_one),
		cmocka_unit_test(names_are_resolved),
		cmocka_unit_test(unknown_name_is_told),
		cmocka_unit_test(circular_names_end),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
