/* Which connection is the best one, what is remembered of dials, and which are not worth it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/black_hole.h"
#include "p2p/host/paths.h"
#include "support/hosts.h"

static const char *const both[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001",
				    "/ip6/::/udp/4001/quic-v1", "/ip6/::/tcp/4001", NULL };

struct pair {
	struct pu_sim *sim;
	struct test_host a, b;
};

static void pair_start(struct pair *p, const char *const *listen_b)
{
	const struct pu_sim_link link = { .delay = PU_MS(10) };

	memset(p, 0, sizeof *p);
	p->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(p->sim, &link);
	test_host_init(&p->a, p->sim, 1, "10.0.0.1", "2a00::1"); /* speaks from the first */
	test_host_init(&p->b, p->sim, 2, "10.0.0.2", "2a00::2");
	pu_sim_node_add_ip(p->a.node, "11.0.0.1");
	pu_sim_node_add_ip(p->b.node, "11.0.0.2");
	test_host_start(&p->a, both);
	test_host_start(&p->b, listen_b);
	/* What B tells about itself would be tried as well. */
	pu_host_protect(p->a.h, &p->b.key.peer, true);
	pu_host_protect(p->b.h, &p->a.key.peer, true);
}

static void pair_stop(struct pair *p)
{
	test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

static struct pu_multiaddr addr(const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	return ma;
}

static void learn(struct pair *p, const char *text, enum pu_addr_source source)
{
	struct pu_multiaddr ma = addr(text);

	assert_int_equal(pu_host_learn_addr(p->a.h, &p->b.key.peer, &ma, source), 0);
}

static void done(void *arg, int err, struct pu_conn *c)
{
	struct test_dial *d = arg;

	d->done = true;
	d->err = err;
	d->c = c;
}

static bool is_done(void *arg)
{
	return ((struct test_dial *)arg)->done;
}

/* One more connection, over that address alone. */
static struct pu_conn *dial_only(struct pair *p, const char *text)
{
	struct pu_multiaddr all[32], ma = addr(text);
	size_t n = pu_host_peer_addrs(p->a.h, &p->b.key.peer, all, PU_ARRAY_LEN(all));
	struct test_dial d = { 0 };

	for (size_t i = 0; i < n; i++)
		pu_host_remove_addr(p->a.h, &p->b.key.peer, &all[i]);
	pu_host_add_addr(p->a.h, &p->b.key.peer, &ma, true);
	assert_int_equal(pu_host_connect_better(p->a.h, &p->b.key.peer, PU_HOST_REPLACE, done, &d,
						NULL), 0);
	assert_true(pu_sim_run_until(p->sim, is_done, &d, PU_SEC(5)));
	assert_int_equal(d.err, 0);
	return d.c;
}

static struct pu_conn *best(struct pair *p)
{
	return pu_host_conn(p->a.h, &p->b.key.peer);
}

/* Choice. */

static void better_kinds_are_preferred_in_order(void **state)
{
	struct pu_conn *tcp4, *tcp6, *quic4, *quic6, *lan, *relayed;
	struct pair p;

	pair_start(&p, both);
	relayed = dial_only(&p, "/ip4/11.0.0.2/udp/4001/quic-v1");
	relayed->limited = true; /* as if */
	tcp4 = dial_only(&p, "/ip4/11.0.0.2/tcp/4001");
	assert_ptr_equal(best(&p), tcp4);
	assert_string_equal(pu_host_why_preferred(tcp4, relayed),
			    "direct rather than through a relay");
	tcp6 = dial_only(&p, "/ip6/2a00::2/tcp/4001");
	assert_ptr_equal(best(&p), tcp6);
	assert_string_equal(pu_host_why_preferred(tcp6, tcp4), "IPv6, which needs no NAT");
	quic4 = dial_only(&p, "/ip4/11.0.0.2/udp/4001/quic-v1");
	assert_ptr_equal(best(&p), quic4);
	quic6 = dial_only(&p, "/ip6/2a00::2/udp/4001/quic-v1");
	assert_ptr_equal(best(&p), quic6);
	lan = dial_only(&p, "/ip4/10.0.0.2/udp/4001/quic-v1");
	assert_ptr_equal(best(&p), lan);
	assert_string_equal(pu_host_why_preferred(lan, quic6), "on the same network");
	assert_string_equal(pu_host_why_preferred(lan, NULL), "");
	/* The oldest and worst ones do not come back while better ones live. */
	pu_sim_run(p.sim, PU_SEC(100));
	assert_ptr_equal(best(&p), lan);
	pair_stop(&p);
}

static void one_spare_of_another_kind_survives(void **state)
{
	struct pu_host_path v[8];
	struct pair p;

	pair_start(&p, both);
	for (int i = 0; i < 3; i++) {
		dial_only(&p, "/ip4/11.0.0.2/tcp/4001");
		dial_only(&p, "/ip4/11.0.0.2/udp/4001/quic-v1");
	}
	assert_int_equal(pu_host_paths(p.a.h, &p.b.key.peer, v, PU_ARRAY_LEN(v)), 6);
	assert_int_equal(v[0].state, PU_HOST_PATH_ACTIVE);
	assert_int_equal(v[1].state, PU_HOST_PATH_STANDBY);
	pu_sim_run(p.sim, PU_SEC(400));
	assert_int_equal(pu_host_paths(p.a.h, &p.b.key.peer, v, PU_ARRAY_LEN(v)), 2);
	assert_true(v[0].c->datagrams);
	assert_false(v[1].c->datagrams);
	pair_stop(&p);
}

static void old_streams_finish_where_they_are(void **state)
{
	static const char *const echo[] = { "/test/echo/1.0.0", NULL };
	struct test_sink at_a = { 0 }, at_b = { .echo = true };
	struct test_dial d = { .ev = &test_sink_events, .arg = &at_a };
	struct pair p;

	pair_start(&p, both);
	pu_host_handle(p.b.h, echo[0], test_sink_accept, &at_b);
	dial_only(&p, "/ip4/11.0.0.2/tcp/4001");
	test_open(&p.a, &p.b, echo, &d, PU_SEC(5));
	dial_only(&p, "/ip4/11.0.0.2/tcp/4001");
	dial_only(&p, "/ip4/11.0.0.2/udp/4001/quic-v1");
	assert_ptr_not_equal(best(&p), d.st->conn);
	pu_sim_run(p.sim, PU_SEC(1000)); /* not a word all the while */
	pu_stream_write(d.st, "still there?", 12);
	pu_sim_run(p.sim, PU_SEC(1));
	assert_int_equal(at_a.len, 12);
	pu_stream_close(d.st);
	pair_stop(&p);
}

static void shorter_round_trip_wins_among_equals_but_not_at_once(void **state)
{
	const struct pu_sim_link slow = { .delay = PU_MS(60) }, fast = { .delay = PU_MS(10) };
	struct pu_conn *quick, *late;
	struct pair p;

	pair_start(&p, both);
	quick = dial_only(&p, "/ip4/11.0.0.2/tcp/4001");
	pu_sim_run(p.sim, PU_SEC(40));
	pu_sim_link(p.a.node, p.b.node, &slow);
	late = dial_only(&p, "/ip4/11.0.0.2/tcp/4001");
	pu_sim_link(p.a.node, p.b.node, &fast);
	assert_ptr_equal(best(&p), late); /* the newest */
	assert_true(pu_conn_rtt(late) > 2 * pu_conn_rtt(quick));
	pu_sim_run(p.sim, PU_SEC(15));
	assert_ptr_equal(best(&p), late);
	pair_stop(&p);
}

static void nothing_better_to_dial_is_told(void **state)
{
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, both);
	dial_only(&p, "/ip4/11.0.0.2/udp/4001/quic-v1");
	assert_int_equal(pu_host_connect_better(p.a.h, &p.b.key.peer, PU_HOST_BETTER, done, &d,
						NULL), PU_EUNREACH);
	assert_int_equal(pu_host_connect_better(p.a.h, &p.b.key.peer, PU_HOST_REPLACE, done, &d,
						NULL), 0);
	assert_int_equal(pu_host_connect_better(p.a.h, &p.b.key.peer, PU_HOST_REPLACE, done, &d,
						NULL), PU_EEXIST);
	assert_int_equal(pu_host_connect_better(p.a.h, &p.a.key.peer, PU_HOST_REPLACE, done, &d,
						NULL), PU_EINVAL);
	assert_true(pu_sim_run_until(p.sim, is_done, &d, PU_SEC(5)));
	pair_stop(&p);
}

/* Memory. */

static const struct pu_host_candidate *candidate(const struct pu_host_candidate *v, size_t n,
						 const char *text)
{
	struct pu_multiaddr ma = addr(text);

	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&v[i].ma, &ma))
			return &v[i];
	fail();
	return NULL;
}

static void what_was_tried_is_remembered(void **state)
{
	static const char *const tcp[] = { "/ip4/0.0.0.0/tcp/4001", NULL };
	struct pu_host_candidate *v = calloc(32, sizeof *v);
	const struct pu_host_candidate *c;
	struct test_dial d = { 0 };
	struct pair p;
	size_t n;

	pair_start(&p, tcp);
	learn(&p, "/ip4/11.0.0.2/tcp/1", PU_ADDR_CONFIG);       /* refused */
	learn(&p, "/ip4/11.0.0.99/udp/1/quic-v1", PU_ADDR_DHT); /* overtaken */
	learn(&p, "/ip4/11.0.0.2/tcp/4001", PU_ADDR_MDNS);
	learn(&p, "/ip4/11.0.0.2/tcp/4001", PU_ADDR_CONFIG);
	learn(&p, "/ip4/11.0.0.2/tcp/4001/ws", PU_ADDR_TOLD);
	learn(&p, "/dns4/nowhere.test/tcp/4001", PU_ADDR_CONFIG);
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	n = pu_host_candidates(p.a.h, &p.b.key.peer, v, 32);
	c = candidate(v, n, "/ip4/11.0.0.2/tcp/1");
	assert_int_equal(c->n_attempts, 1);
	assert_int_equal(c->attempt[0].err, PU_EREFUSED);
	assert_int_equal(c->attempt[0].stage, PU_DIAL_CONNECT);
	assert_true(c->retry_at > pu_sim_now(p.sim));
	c = candidate(v, n, "/ip4/11.0.0.99/udp/1/quic-v1");
	assert_int_equal(c->attempt[0].stage, PU_DIAL_OVERTAKEN);
	assert_int_equal(c->sources, 1u << PU_ADDR_DHT);
	assert_int_equal(c->worth, PU_WORTH_DIRECT);
	c = candidate(v, n, "/ip4/11.0.0.2/tcp/4001");
	assert_int_equal(c->attempt[0].err, 0);
	assert_int_equal(c->attempt[0].stage, PU_DIAL_DONE);
	assert_true(c->attempt[0].took >= PU_MS(20));
	assert_int_equal(c->sources & ~(1u << PU_ADDR_RECORD),
			 1u << PU_ADDR_MDNS | 1u << PU_ADDR_CONFIG);
	assert_false(candidate(v, n, "/ip4/11.0.0.2/tcp/4001/ws")->usable);
	c = candidate(v, n, "/dns4/nowhere.test/tcp/4001");
	assert_int_equal(c->attempt[0].stage, PU_DIAL_RESOLVE);
	assert_int_equal(c->attempt[0].err, PU_ENOENT);
	free(v);
	pair_stop(&p);
}

static void only_the_last_attempts_are_remembered(void **state)
{
	struct pu_host_candidate v[32];
	struct test_dial d = { 0 };
	struct pair p;
	size_t n;

	pair_start(&p, NULL);
	learn(&p, "/ip4/11.0.0.2/tcp/1", PU_ADDR_CONFIG);
	for (int i = 0; i < 10; i++) {
		test_connect(&p.a, &p.b, &d, PU_SEC(20));
		pu_sim_run(p.sim, PU_SEC(100));
	}
	n = pu_host_candidates(p.a.h, &p.b.key.peer, v, PU_ARRAY_LEN(v));
	assert_int_equal(n, 1);
	assert_int_equal(v[0].n_attempts, PU_ADDR_ATTEMPTS_MAX);
	for (int i = 1; i < PU_ADDR_ATTEMPTS_MAX; i++)
		assert_true(v[0].attempt[i - 1].at > v[0].attempt[i].at);
	pair_stop(&p);
}

/* Networks that swallow things. */

static void hundred_failures_block_and_one_success_frees(void **state)
{
	struct pu_black_hole b = { 0 };
	unsigned allowed = 0;

	for (int i = 0; i < PU_BLACK_HOLE_WINDOW; i++) {
		assert_true(pu_black_hole_allows(&b));
		pu_black_hole_note(&b, i < PU_BLACK_HOLE_ENOUGH);
	}
	assert_true(pu_black_hole_allows(&b)); /* just enough */
	pu_black_hole_note(&b, false);
	assert_true(pu_black_hole_is_blocked(&b));
	for (int i = 0; i < 10 * PU_BLACK_HOLE_EVERY; i++)
		allowed += pu_black_hole_allows(&b);
	assert_int_equal(allowed, 10);
	pu_black_hole_note(&b, true);
	assert_false(pu_black_hole_is_blocked(&b));
	assert_true(pu_black_hole_allows(&b));
}

static void blocked_udp_is_not_tried_where_tcp_works(void **state)
{
	const struct pu_sim_link no_udp = { .delay = PU_MS(5), .no_udp = true };
	struct pu_host_stats before, after;
	struct test_dial d = { 0 };
	struct pair p;

	pair_start(&p, both);
	pu_sim_link(p.a.node, p.b.node, &no_udp);
	learn(&p, "/ip4/11.0.0.99/udp/1/quic-v1", PU_ADDR_CONFIG);
	for (int i = 0; i < PU_BLACK_HOLE_WINDOW + 5; i++) {
		test_connect(&p.a, &p.b, &d, PU_SEC(20));
		assert_int_equal(d.err, PU_ETIMEDOUT);
		pu_sim_run(p.sim, PU_SEC(70));
	}
	assert_true(pu_host_black_holes(p.a.h).udp);
	assert_false(pu_host_black_holes(p.a.h).ip6);
	learn(&p, "/ip4/11.0.0.2/tcp/4001", PU_ADDR_CONFIG);
	pu_host_stats(p.a.h, &before);
	test_connect(&p.a, &p.b, &d, PU_SEC(20));
	pu_host_stats(p.a.h, &after);
	assert_int_equal(d.err, 0);
	assert_int_equal(after.dials - before.dials, 1);
	assert_true(d.took < PU_MS(200)); /* no head start for UDP */
	/* Elsewhere it may be different. */
	pu_host_set_interface_addrs(p.a.h, NULL, 0);
	assert_false(pu_host_black_holes(p.a.h).udp);
	pair_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(better_kinds_are_preferred_in_order),
		cmocka_unit_test(one_spare_of_another_kind_survives),
		cmocka_unit_test(old_streams_finish_where_they_are),
		cmocka_unit_test(shorter_round_trip_wins_among_equals_but_not_at_once),
		cmocka_unit_test(nothing_better_to_dial_is_told),
		cmocka_unit_test(what_was_tried_is_remembered),
		cmocka_unit_test(only_the_last_attempts_are_remembered),
		cmocka_unit_test(hundred_failures_block_and_one_success_frees),
		cmocka_unit_test(blocked_udp_is_not_tried_where_tcp_works),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
