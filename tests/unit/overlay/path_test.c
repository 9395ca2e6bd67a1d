/* Paths get better when they can, are replaced when they die, and packets follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/path.h"
#include "overlay/reach.h"
#include "overlay/session.h"
#include "support/hosts.h"

#define IP_A "11.0.0.1"
#define IP_B "11.0.0.2"
#define QUIC_B "/ip4/" IP_B "/udp/4001/quic-v1"
#define TCP_B "/ip4/" IP_B "/tcp/4001"

static const char *const both[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001", NULL };
static const struct pu_sim_link good = { .delay = PU_MS(10) };
static const struct pu_sim_link no_udp = { .delay = PU_MS(10), .no_udp = true };

struct side {
	struct test_host t;
	struct pu_reach *reach;
	struct pu_path *path;
	struct pu_sessions *sessions;
	unsigned n_packets, n_undeliverable, n_punches, n_finds;
	pu_time last_packet, longest_gap;
};

struct pair {
	struct pu_sim *sim;
	struct side a, b;
	struct pu_timer talk;
};

static bool allowed(void *arg, const struct pu_peerid *peer)
{
	return true;
}

static void on_packet(void *arg, const struct pu_peerid *peer, const uint8_t *p, size_t len,
		      unsigned flags)
{
	struct side *s = arg;
	pu_time now = pu_sim_now(s->t.sim);

	if (s->n_packets++ > 0 && now - s->last_packet > s->longest_gap)
		s->longest_gap = now - s->last_packet;
	s->last_packet = now;
}

static void on_batch_end(void *arg)
{
}

static void on_undeliverable(void *arg, const struct pu_peerid *peer, const uint8_t *p, size_t len,
			     int err)
{
	((struct side *)arg)->n_undeliverable++;
}

static const struct pu_session_events session_events = { allowed, on_packet, on_batch_end,
							 on_undeliverable };

static int punch(void *arg, const struct pu_peerid *peer)
{
	((struct side *)arg)->n_punches++;
	return 0;
}

static void find(void *arg, const struct pu_peerid *peer)
{
	((struct side *)arg)->n_finds++;
}

static void unreachable(void *arg, const struct pu_peerid *peer)
{
	pu_path_unreachable(((struct side *)arg)->path, peer);
}

static void side_start(struct side *s)
{
	const struct pu_path_options opt = { .punch = punch, .find = find, .arg = s };

	test_host_start(&s->t, both);
	assert_int_equal(pu_sessions_new(s->t.h, &session_events, s, &s->sessions), 0);
	assert_int_equal(pu_reach_new(s->t.h, &s->reach), 0);
	assert_int_equal(pu_path_new(s->t.h, &opt, &s->path), 0);
	pu_reach_on_failed(s->reach, unreachable, s);
}

static void side_stop(struct side *s)
{
	pu_path_free(s->path);
	pu_reach_free(s->reach);
	pu_sessions_free(s->sessions);
	test_host_stop(&s->t);
}

static void talk(void *arg);

static void pair_start(struct pair *p)
{
	memset(p, 0, sizeof *p);
	p->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(p->sim, &good);
	test_host_init(&p->a.t, p->sim, 1, IP_A, NULL);
	test_host_init(&p->b.t, p->sim, 2, IP_B, NULL);
	side_start(&p->a);
	side_start(&p->b);
	pu_timer_init(&p->talk, pu_sim_loop(p->a.t.node), talk, p);
}

static void pair_stop(struct pair *p)
{
	pu_timer_stop(&p->talk);
	side_stop(&p->a);
	side_stop(&p->b);
	pu_sim_free(p->sim);
}

static const struct pu_peerid *id(const struct side *s)
{
	return &s->t.key.peer;
}

/* A sends a packet every 20 ms, B every answer. */
static void talk(void *arg)
{
	static const uint8_t bytes[100];
	const struct pu_pkt pkt = { .head = { bytes, sizeof bytes } };
	struct pair *p = arg;

	pu_sessions_send(p->a.sessions, id(&p->b), &pkt, 1);
	pu_timer_set(&p->talk, pu_loop_now(p->talk.loop) + PU_MS(20));
}

static void learn(struct side *s, const struct side *peer, const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_host_add_addr(s->t.h, id(peer), &ma, true), 0);
}

static void want(struct side *s, const struct side *peer)
{
	assert_int_equal(pu_reach_want(s->reach, id(peer)), 0);
	assert_int_equal(pu_path_want(s->path, id(peer)), 0);
}

static struct pu_conn *conn(const struct side *s, const struct side *peer)
{
	return pu_host_conn(s->t.h, id(peer));
}

static void mark(void *arg, struct pu_conn *c)
{
	c->limited = *(bool *)arg;
}

/* What there is counts as relayed from now on, or no longer. */
static void pretend_relayed(struct pair *p, bool relayed)
{
	pu_host_each_conn(p->a.t.h, mark, &relayed);
	pu_host_each_conn(p->b.t.h, mark, &relayed);
}

static struct pu_path_info info(const struct side *s, const struct side *peer)
{
	struct pu_path_info i;

	assert_true(pu_path_info(s->path, id(peer), &i));
	return i;
}

static unsigned n_conns(const struct side *s)
{
	struct pu_host_stats st;

	pu_host_stats(s->t.h, &st);
	return st.n_conns;
}

static void relayed_path_becomes_direct(void **state)
{
	struct pair p;

	pair_start(&p);
	learn(&p.a, &p.b, QUIC_B);
	assert_int_equal(pu_reach_want(p.a.reach, id(&p.b)), 0);
	pu_sim_run(p.sim, PU_SEC(1));
	pretend_relayed(&p, true);
	assert_int_equal(pu_path_want(p.a.path, id(&p.b)), 0);
	assert_int_equal(info(&p.a, &p.b).goal, PU_PATH_IMPROVE);
	pu_sim_run(p.sim, PU_MS(1900));
	assert_true(conn(&p.a, &p.b)->limited);
	pu_sim_run(p.sim, PU_MS(300));
	assert_false(conn(&p.a, &p.b)->limited);
	assert_int_equal(info(&p.a, &p.b).goal, PU_PATH_NONE);
	assert_int_equal(info(&p.a, &p.b).improved, 1);
	pu_host_protect(p.b.t.h, id(&p.a), true);
	/* Nothing more to do, and the relayed one stays as a spare. */
	pu_sim_run(p.sim, PU_SEC(1000));
	assert_int_equal(p.a.t.connected, 2);
	assert_int_equal(n_conns(&p.a), 2);
	pair_stop(&p);
}

static void tries_thin_out_and_punches_follow(void **state)
{
	const struct pu_sim_link wall = { .no_udp = true, .no_tcp = true };
	struct pair p;
	unsigned before;

	pair_start(&p);
	learn(&p.a, &p.b, TCP_B);
	assert_int_equal(pu_reach_want(p.a.reach, id(&p.b)), 0);
	pu_sim_run(p.sim, PU_SEC(1));
	pretend_relayed(&p, true);
	pu_sim_link(p.a.t.node, p.b.t.node, &wall);
	assert_int_equal(pu_path_want(p.a.path, id(&p.b)), 0);
	pu_sim_run(p.sim, PU_SEC(120));
	assert_in_range(p.a.n_punches, 3, 4);
	pu_sim_run(p.sim, PU_SEC(3600));
	assert_in_range(p.a.n_punches, 14, 24); /* in an hour */
	/* A change of the network is worth a try at once; an address, too. */
	before = info(&p.a, &p.b).tries;
	pu_path_network_changed(p.a.path);
	pu_sim_run(p.sim, PU_MS(100));
	assert_int_equal(info(&p.a, &p.b).tries, before + 1);
	pu_sim_run(p.sim, PU_SEC(20));
	pu_sim_link(p.a.t.node, p.b.t.node, &good);
	pu_host_set_interface_addrs(p.a.t.h, NULL, 0);
	learn(&p.a, &p.b, "/ip4/11.0.0.99/udp/4001/quic-v1");
	pu_sim_run(p.sim, PU_SEC(1));
	assert_true(conn(&p.a, &p.b)->datagrams);
	pair_stop(&p);
}

static void tcp_gives_way_to_quic_once_udp_passes(void **state)
{
	struct pair p;

	pair_start(&p);
	pu_sim_link(p.a.t.node, p.b.t.node, &no_udp);
	learn(&p.a, &p.b, TCP_B);
	learn(&p.a, &p.b, QUIC_B);
	want(&p.a, &p.b);
	pu_sim_run(p.sim, PU_SEC(20));
	assert_false(conn(&p.a, &p.b)->datagrams);
	talk(&p);
	pu_sim_run(p.sim, PU_SEC(1));
	pu_sim_link(p.a.t.node, p.b.t.node, &good);
	pu_sim_run(p.sim, PU_SEC(120));
	assert_true(conn(&p.a, &p.b)->datagrams);
	assert_in_range(p.b.longest_gap / 1000000, 10, 100); /* make before break */
	pair_stop(&p);
}

static bool on_tcp(void *arg)
{
	struct pair *p = arg;

	return conn(&p->a, &p->b) && !conn(&p->a, &p->b)->datagrams;
}

/* No other connection stands when UDP dies: one is made, and packets go there. */
static void blocked_udp_is_replaced_by_tcp_and_packets_move(void **state)
{
	struct pair p;

	pair_start(&p);
	learn(&p.a, &p.b, TCP_B);
	learn(&p.a, &p.b, QUIC_B);
	want(&p.a, &p.b);
	talk(&p);
	pu_sim_run(p.sim, PU_SEC(5));
	assert_true(conn(&p.a, &p.b)->datagrams);
	pu_sim_link(p.a.t.node, p.b.t.node, &no_udp);
	assert_true(pu_sim_run_until(p.sim, on_tcp, &p, PU_SEC(6)));
	pu_sim_run(p.sim, PU_SEC(30));
	assert_in_range(p.b.longest_gap / 1000000, 2000, 5000);
	assert_int_equal(n_conns(&p.a), 1);
	assert_int_equal(p.a.n_undeliverable, 0);
	assert_int_equal(info(&p.a, &p.b).replaced, 1);
	/* And back. */
	pu_sim_link(p.a.t.node, p.b.t.node, &good);
	pu_sim_run(p.sim, PU_SEC(400));
	assert_true(conn(&p.a, &p.b)->datagrams);
	assert_in_range(p.b.longest_gap / 1000000, 2000, 5000);
	assert_in_range(n_conns(&p.a), 1, 2);
	pair_stop(&p);
}

/* Nobody can say whether the old connection will ever speak again: it stays. */
static void dead_network_leaves_the_connection_alone(void **state)
{
	const struct pu_sim_link down = { .delay = PU_MS(10), .down = true };
	struct pair p;

	pair_start(&p);
	learn(&p.a, &p.b, QUIC_B);
	want(&p.a, &p.b);
	talk(&p);
	pu_sim_run(p.sim, PU_SEC(5));
	pu_sim_link(p.a.t.node, p.b.t.node, &down);
	pu_sim_run(p.sim, PU_SEC(20));
	assert_int_equal(n_conns(&p.a), 1);
	assert_int_equal(info(&p.a, &p.b).goal, PU_PATH_REPLACE);
	pu_sim_link(p.a.t.node, p.b.t.node, &good);
	pu_sim_run(p.sim, PU_SEC(5));
	assert_true(p.b.last_packet > pu_sim_now(p.sim) - PU_SEC(1));
	pu_sim_run(p.sim, PU_SEC(120));
	assert_int_equal(info(&p.a, &p.b).goal, PU_PATH_NONE);
	assert_int_equal(n_conns(&p.a), 1);
	pair_stop(&p);
}

static void more_addresses_are_sought_when_none_works(void **state)
{
	struct pair p;

	pair_start(&p);
	want(&p.a, &p.b);
	pu_sim_run(p.sim, PU_SEC(600));
	assert_in_range(p.a.n_finds, 4, 8);
	learn(&p.a, &p.b, QUIC_B);
	pu_sim_run(p.sim, PU_MS(500));
	assert_non_null(conn(&p.a, &p.b));
	pair_stop(&p);
}

static void close_direct(void *arg, struct pu_conn *c)
{
	if (!c->limited)
		pu_conn_close(c, PU_CONN_CODE_NORMAL);
}

static void flapping_direct_path_is_tried_less_and_less(void **state)
{
	struct pair p;
	unsigned dialled;

	pair_start(&p);
	learn(&p.a, &p.b, QUIC_B);
	assert_int_equal(pu_reach_want(p.a.reach, id(&p.b)), 0);
	pu_sim_run(p.sim, PU_SEC(1));
	pretend_relayed(&p, true);
	assert_int_equal(pu_path_want(p.a.path, id(&p.b)), 0);
	dialled = p.a.t.connected;
	for (int i = 0; i < 3600; i++) { /* an hour; no direct one lives for a second */
		pu_sim_run(p.sim, PU_SEC(1));
		pu_host_each_conn(p.b.t.h, close_direct, NULL);
	}
	assert_in_range(p.a.t.connected - dialled, 10, 25);
	pair_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relayed_path_becomes_direct),
		cmocka_unit_test(tries_thin_out_and_punches_follow),
		cmocka_unit_test(tcp_gives_way_to_quic_once_udp_passes),
		cmocka_unit_test(blocked_udp_is_replaced_by_tcp_and_packets_move),
		cmocka_unit_test(dead_network_leaves_the_connection_alone),
		cmocka_unit_test(more_addresses_are_sought_when_none_works),
		cmocka_unit_test(flapping_direct_path_is_tried_less_and_less),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
