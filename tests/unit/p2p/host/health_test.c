/* A path that dies is left within seconds; one that is only slow is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/health.h"
#include "p2p/host/paths.h"
#include "support/hosts.h"

#define ECHO "/test/echo/1.0.0"
#define IP_A "11.0.0.1"
#define IP_B "11.0.0.2"

static const char *const both[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001", NULL };
static const char *const echo[] = { ECHO, NULL };

/* A writes and sends datagrams in turns, B echoes or is silent. */
struct talk {
	struct pu_timer timer;
	struct pu_conn *c;
	struct pu_stream *st;
	pu_time every;
	size_t len;
	bool datagrams;
};

struct pair {
	struct pu_sim *sim;
	struct test_host a, b;
	struct test_sink sink_a, sink_b;
	struct talk talk_a, talk_b;
};

static const struct pu_sim_link good = { .delay = PU_MS(10) };
static const struct pu_sim_link no_udp = { .delay = PU_MS(10), .no_udp = true };
static const struct pu_sim_link down = { .delay = PU_MS(10), .down = true };

static void say(void *arg)
{
	static uint8_t bytes[65536];
	struct talk *t = arg;
	struct iovec iov = { bytes, t->len };

	if (t->datagrams)
		pu_conn_send_datagram(t->c, &iov, 1);
	else if (t->st)
		pu_stream_write(t->st, bytes, t->len);
	pu_timer_set(&t->timer, pu_loop_now(t->timer.loop) + t->every);
}

static void talk_start(struct talk *t, struct test_host *h)
{
	pu_timer_set(&t->timer, pu_sim_now(h->sim) + t->every);
}

/* On that connection only, in datagrams. */
static void chat(struct talk *t, struct test_host *h, struct pu_conn *c)
{
	t->c = c;
	t->every = PU_MS(50);
	t->len = 100;
	t->datagrams = true;
	talk_start(t, h);
}

static void write_now_and_then(struct talk *t, struct test_host *h, struct pu_stream *st, size_t len,
			       pu_time every)
{
	t->st = st;
	t->every = every;
	t->len = len;
	talk_start(t, h);
}

static void learn(struct test_host *h, const struct test_host *peer, const char *text)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_host_add_addr(h->h, &peer->key.peer, &ma, true), 0);
}

static void pair_start(struct pair *p)
{
	memset(p, 0, sizeof *p);
	p->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(p->sim, &good);
	test_host_init(&p->a, p->sim, 1, IP_A, NULL);
	test_host_init(&p->b, p->sim, 2, IP_B, NULL);
	test_host_start(&p->a, both);
	test_host_start(&p->b, both);
	pu_timer_init(&p->talk_a.timer, pu_sim_loop(p->a.node), say, &p->talk_a);
	pu_timer_init(&p->talk_b.timer, pu_sim_loop(p->b.node), say, &p->talk_b);
	p->sink_b.echo = true;
	assert_int_equal(pu_host_handle(p->b.h, ECHO, test_sink_accept, &p->sink_b), 0);
	pu_host_protect(p->a.h, &p->b.key.peer, true);
	pu_host_protect(p->b.h, &p->a.key.peer, true);
}

static void pair_stop(struct pair *p)
{
	pu_sim_default_link(p->sim, &good);
	pu_timer_stop(&p->talk_a.timer);
	pu_timer_stop(&p->talk_b.timer);
	test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

static struct pu_conn *connect_over(struct pair *p, const char *addr)
{
	struct test_dial d = { 0 };

	learn(&p->a, &p->b, addr);
	test_connect(&p->a, &p->b, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	pu_sim_run(p->sim, PU_SEC(1));
	return d.c;
}

struct better {
	bool done;
	int err;
	struct pu_conn *c;
};

static void better_done(void *arg, int err, struct pu_conn *c)
{
	*(struct better *)arg = (struct better){ true, err, c };
}

/* A has a TCP connection to B and a QUIC one, which is the better. */
static struct pu_conn *connect_both(struct pair *p, struct pu_conn **pquic)
{
	struct pu_conn *tcp = connect_over(p, "/ip4/" IP_B "/tcp/4001");
	struct better d = { 0 };

	learn(&p->a, &p->b, "/ip4/" IP_B "/udp/4001/quic-v1");
	assert_int_equal(pu_host_connect_better(p->a.h, &p->b.key.peer, PU_HOST_BETTER,
						better_done, &d, NULL), 0);
	pu_sim_run(p->sim, PU_SEC(2));
	assert_true(d.done);
	assert_int_equal(d.err, 0);
	assert_ptr_equal(pu_host_conn(p->a.h, &p->b.key.peer), d.c);
	*pquic = d.c;
	return tcp;
}

static struct pu_conn *conn_of(struct test_host *h, const struct test_host *peer)
{
	return pu_host_conn(h->h, &peer->key.peer);
}

static enum pu_host_path_state state_of(struct test_host *h, const struct test_host *peer,
				   const struct pu_conn *c)
{
	struct pu_host_path v[8];
	size_t n = pu_host_paths(h->h, &peer->key.peer, v, PU_ARRAY_LEN(v));

	for (size_t i = 0; i < n; i++)
		if (v[i].c == c)
			return v[i].state;
	fail();
	return PU_HOST_PATH_ACTIVE;
}

static bool moved(void *arg)
{
	struct pair *p = arg;
	struct pu_conn *c = conn_of(&p->a, &p->b);

	return c && !c->datagrams;
}

static bool suspects(void *arg)
{
	return ((struct test_host *)arg)->suspected > 0;
}

/* Dead paths. */

static void blocked_udp_is_left_in_seconds_and_its_connection_closed_later(void **state)
{
	struct pu_conn *tcp, *quic;
	struct pair p;
	pu_time t;

	pair_start(&p);
	tcp = connect_both(&p, &quic);
	chat(&p.talk_a, &p.a, quic);
	pu_sim_run(p.sim, PU_SEC(10));
	assert_int_equal(p.a.suspected, 0);
	pu_sim_link(p.a.node, p.b.node, &no_udp);
	t = pu_sim_now(p.sim);
	assert_true(pu_sim_run_until(p.sim, moved, &p, PU_SEC(10)));
	t = pu_sim_now(p.sim) - t;
	assert_in_range(t / 1000000, PU_HEALTH_SUSPECT_MIN_MS, 3500);
	assert_ptr_equal(conn_of(&p.a, &p.b), tcp);
	assert_int_equal(state_of(&p.a, &p.b, quic), PU_HOST_PATH_SUSPECT);
	assert_int_equal(p.a.disconnected, 0);
	pu_timer_stop(&p.talk_a.timer);
	pu_sim_run(p.sim, PU_SEC(9));
	assert_int_equal(p.a.disconnected, 1);
	assert_int_equal(p.a.suspected, 1);
	pair_stop(&p);
}

static void silent_connection_is_kept_while_there_is_no_other(void **state)
{
	struct pu_conn *quic;
	struct pair p;

	pair_start(&p);
	quic = connect_over(&p, "/ip4/" IP_B "/udp/4001/quic-v1");
	chat(&p.talk_a, &p.a, quic);
	pu_sim_run(p.sim, PU_SEC(2));
	pu_sim_link(p.a.node, p.b.node, &down);
	pu_sim_run(p.sim, PU_SEC(15));
	assert_int_equal(p.a.suspected, 1);
	assert_int_equal(p.a.disconnected, 0);
	assert_ptr_equal(conn_of(&p.a, &p.b), quic);
	/* It comes back, and the connection with it. */
	pu_sim_link(p.a.node, p.b.node, &good);
	pu_sim_run(p.sim, PU_SEC(15));
	assert_int_equal(p.a.recovered, 1);
	assert_int_equal(p.a.disconnected, 0);
	assert_int_equal(state_of(&p.a, &p.b, quic), PU_HOST_PATH_ACTIVE);
	pair_stop(&p);
}

/* Only what A sends is lost. A knows, for nothing is acknowledged though B's packets
 * come; B knows, for A's acknowledgements are lost as well. */
static void one_way_black_hole_is_noticed_by_the_side_that(void **state, bool a_talks)
{
	struct pu_conn *quic;
	struct pair p;

	pair_start(&p);
	connect_both(&p, &quic);
	pu_sim_run(p.sim, PU_SEC(1));
	chat(&p.talk_b, &p.b, conn_of(&p.b, &p.a));
	if (a_talks)
		chat(&p.talk_a, &p.a, quic);
	pu_sim_run(p.sim, PU_SEC(3));
	pu_sim_link_one_way(p.a.node, p.b.node, &no_udp);
	assert_true(pu_sim_run_until(p.sim, suspects, &p.b, PU_MS(3500)));
	if (a_talks)
		assert_true(pu_sim_run_until(p.sim, suspects, &p.a, PU_MS(1000)));
	pair_stop(&p);
}

static void what_is_not_heard_is_noticed_by_the_speaker(void **state)
{
	one_way_black_hole_is_noticed_by_the_side_that(state, true);
}

static void what_is_not_acknowledged_is_noticed_by_the_speaker(void **state)
{
	one_way_black_hole_is_noticed_by_the_side_that(state, false);
}

/* A stream over TCP, with and without a system that tells what arrived. */
static void dead_tcp_is_noticed(bool hidden, const struct pu_sim_link *ab, const struct pu_sim_link *ba)
{
	struct test_dial d = { .ev = &test_sink_events };
	struct pair p;

	pair_start(&p);
	if (hidden)
		pu_sim_hide_tcp_progress(p.sim);
	connect_over(&p, "/ip4/" IP_B "/tcp/4001");
	d.arg = &p.sink_a;
	test_open(&p.a, &p.b, echo, &d, PU_SEC(5));
	write_now_and_then(&p.talk_a, &p.a, d.st, 10, PU_MS(100));
	pu_sim_run(p.sim, PU_SEC(30));
	assert_int_equal(p.a.suspected + p.b.suspected, 0);
	pu_sim_link_one_way(p.a.node, p.b.node, ab);
	pu_sim_link_one_way(p.b.node, p.a.node, ba);
	/* Half a second, at most, until a ping asks. */
	assert_true(pu_sim_run_until(p.sim, suspects, &p.a, PU_MS(4000)));
	p.talk_a.st = NULL;
	pair_stop(&p);
}

static void dead_tcp_is_noticed_by_the_system_and_by_pings(void **state)
{
	for (int hidden = 0; hidden <= 1; hidden++) {
		dead_tcp_is_noticed(hidden, &down, &down);
		dead_tcp_is_noticed(hidden, &down, &good);
		dead_tcp_is_noticed(hidden, &good, &down);
	}
}

static void ignore(void *arg, int err, struct pu_conn *c)
{
}

/* Both sides dialled and kept both connections: they share a wire. */
static void connections_of_one_wire_are_left_together(void **state)
{
	struct pu_conn *quic, *tcp;
	struct pair p;
	pu_time t;

	pair_start(&p);
	tcp = connect_both(&p, &quic);
	learn(&p.b, &p.a, "/ip4/" IP_A "/udp/4001/quic-v1");
	assert_int_equal(pu_host_connect_better(p.b.h, &p.a.key.peer, PU_HOST_REPLACE, ignore, NULL,
						NULL), 0);
	pu_sim_run(p.sim, PU_SEC(2));
	assert_ptr_not_equal(conn_of(&p.a, &p.b), quic);
	chat(&p.talk_a, &p.a, conn_of(&p.a, &p.b));
	pu_sim_run(p.sim, PU_SEC(2));
	pu_sim_link(p.a.node, p.b.node, &no_udp);
	t = pu_sim_now(p.sim);
	assert_true(pu_sim_run_until(p.sim, moved, &p, PU_SEC(10)));
	assert_in_range((pu_sim_now(p.sim) - t) / 1000000, PU_HEALTH_SUSPECT_MIN_MS, 3500);
	assert_int_equal(p.a.suspected, 2);
	assert_ptr_equal(conn_of(&p.a, &p.b), tcp);
	pair_stop(&p);
}

/* B turned to another connection: A, which has nothing to say, asks about its own. */
static void the_peers_doubt_is_taken_seriously(void **state)
{
	struct pu_conn *quic;
	struct pair p;

	pair_start(&p);
	connect_both(&p, &quic);
	pu_sim_run(p.sim, PU_SEC(1));
	pu_sim_link(p.a.node, p.b.node, &no_udp);
	pu_sim_run(p.sim, PU_SEC(3));
	assert_int_equal(p.a.suspected, 0);
	pu_host_doubt(p.a.h, &p.b.key.peer);
	assert_true(pu_sim_run_until(p.sim, moved, &p, PU_MS(1500)));
	pu_sim_link(p.a.node, p.b.node, &good);
	pu_sim_run(p.sim, PU_SEC(10));
	assert_ptr_equal(conn_of(&p.a, &p.b), quic);
	/* Unfounded doubt costs nothing. */
	pu_host_doubt(p.a.h, &p.b.key.peer);
	pu_sim_run(p.sim, PU_SEC(10));
	assert_int_equal(p.a.suspected, 1);
	pair_stop(&p);
}

/* Living ones. */

static void idle_path_costs_little_and_is_not_suspected(void **state)
{
	struct pu_sim_counters before, after;
	struct pu_conn *quic;
	uint64_t bytes;
	struct pair p;

	pair_start(&p);
	connect_both(&p, &quic); /* one in use, one to spare */
	pu_sim_run(p.sim, PU_SEC(60));
	before = pu_sim_counters(p.a.node, p.b.node);
	pu_sim_run(p.sim, PU_SEC(600));
	after = pu_sim_counters(p.a.node, p.b.node);
	bytes = after.bytes_delivered - before.bytes_delivered +
		(after.udp_delivered - before.udp_delivered) * 28;
	assert_in_range(bytes / 600, 1, 10); /* in each direction */
	assert_int_equal(p.a.suspected + p.b.suspected, 0);
	assert_int_equal(p.a.disconnected, 0);
	pair_stop(&p);
}

static void slow_path_is_not_suspected(bool tcp, bool hidden, const struct pu_sim_link *slow,
				       size_t len, pu_time every)
{
	struct test_dial d = { .ev = &test_sink_events };
	struct pu_sim_link first = *slow;
	struct pair p;

	first.loss = 0;
	pair_start(&p);
	if (hidden)
		pu_sim_hide_tcp_progress(p.sim);
	connect_over(&p, tcp ? "/ip4/" IP_B "/tcp/4001" : "/ip4/" IP_B "/udp/4001/quic-v1");
	p.sink_b.echo = false;
	d.arg = &p.sink_a;
	test_open(&p.a, &p.b, echo, &d, PU_SEC(5));
	write_now_and_then(&p.talk_a, &p.a, d.st, len, every);
	pu_sim_run(p.sim, PU_SEC(2));
	/* Not lossy in the very moment in which it becomes slow. */
	pu_sim_link(p.a.node, p.b.node, &first);
	pu_sim_run(p.sim, PU_SEC(12));
	pu_sim_link(p.a.node, p.b.node, slow);
	pu_sim_run(p.sim, PU_SEC(60));
	assert_int_equal(p.a.suspected + p.b.suspected, 0);
	assert_int_equal(p.a.disconnected, 0);
	p.talk_a.st = NULL;
	pair_stop(&p);
}

static void everywhere_slow_path_is_not_suspected(const struct pu_sim_link *slow, size_t len,
						  pu_time every)
{
	slow_path_is_not_suspected(false, false, slow, len, every);
	slow_path_is_not_suspected(true, false, slow, len, every);
	slow_path_is_not_suspected(true, true, slow, len, every);
}

static void full_queue_of_two_seconds_is_not_suspected(void **state)
{
	/* 1 Mbit/s, filled by ourselves. */
	const struct pu_sim_link bloat = { .delay = PU_MS(20), .rate = 1000000, .queue = 250000,
					   .loss = 50000 };

	everywhere_slow_path_is_not_suspected(&bloat, 16384, PU_MS(50));
}

static void sudden_delay_of_two_seconds_is_not_suspected(void **state)
{
	/* Somebody else fills the queue while we say a word now and then. */
	const struct pu_sim_link late = { .delay = PU_MS(1000), .jitter = PU_MS(100),
					  .loss = 50000 };

	everywhere_slow_path_is_not_suspected(&late, 20, PU_MS(700));
	everywhere_slow_path_is_not_suspected(&late, 20, PU_SEC(8));
}

static void lost_packets_are_not_suspected(void **state)
{
	const struct pu_sim_link lossy = { .delay = PU_MS(50), .jitter = PU_MS(50), .loss = 80000 };
	struct pair p;

	pair_start(&p);
	chat(&p.talk_a, &p.a, connect_over(&p, "/ip4/" IP_B "/udp/4001/quic-v1"));
	p.talk_a.every = PU_MS(333);
	pu_sim_link(p.a.node, p.b.node, &lossy);
	pu_sim_run(p.sim, PU_SEC(120));
	assert_int_equal(p.a.suspected + p.b.suspected, 0);
	pair_stop(&p);
}

static void strangers_are_not_watched(void **state)
{
	struct pair p;

	pair_start(&p);
	pu_host_protect(p.a.h, &p.b.key.peer, false);
	chat(&p.talk_a, &p.a, connect_over(&p, "/ip4/" IP_B "/udp/4001/quic-v1"));
	pu_sim_link(p.a.node, p.b.node, &down);
	pu_sim_run(p.sim, PU_SEC(10));
	assert_int_equal(p.a.suspected, 0);
	pair_stop(&p);
}

/* ngtcp2 insists that its time does not run backwards, and a probe borrows from it. */
static void what_follows_a_probe_at_the_same_moment_does_no_harm(void **state)
{
	struct iovec iov = { (void *)"word", 4 };
	struct pu_conn *c;
	struct pair p;

	pair_start(&p);
	c = connect_over(&p, "/ip4/" IP_B "/udp/4001/quic-v1");
	for (int i = 0; i < 20; i++) {
		pu_conn_probe(c);
		pu_sim_run(p.sim, 0);
		assert_int_equal(pu_conn_send_datagram(c, &iov, 1), 0);
		pu_conn_probe(c);
		pu_sim_run(p.sim, 0);
		assert_int_equal(pu_conn_send_datagram(c, &iov, 1), 0);
		pu_sim_run(p.sim, PU_MS(7));
	}
	pu_sim_run(p.sim, PU_SEC(1));
	assert_int_equal(pu_conn_unanswered(c), 0);
	pair_stop(&p);
}

/* Back and forth. */

static void path_that_answers_again_is_used_again_after_a_while(void **state)
{
	struct pu_conn *quic, *tcp;
	struct pair p;

	pair_start(&p);
	tcp = connect_both(&p, &quic);
	chat(&p.talk_a, &p.a, quic);
	pu_sim_link(p.a.node, p.b.node, &no_udp);
	assert_true(pu_sim_run_until(p.sim, moved, &p, PU_SEC(10)));
	pu_sim_run(p.sim, PU_SEC(2));
	pu_sim_link(p.a.node, p.b.node, &good);
	pu_sim_run(p.sim, PU_SEC(4));
	assert_ptr_equal(conn_of(&p.a, &p.b), tcp); /* not yet trusted */
	pu_sim_run(p.sim, PU_SEC(4));
	assert_ptr_equal(conn_of(&p.a, &p.b), quic);
	assert_int_equal(p.a.recovered, 1);
	pair_stop(&p);
}

static void path_that_flaps_is_trusted_less_every_time(void **state)
{
	struct pu_conn *quic;
	struct pair p;
	unsigned bests;

	pair_start(&p);
	connect_both(&p, &quic);
	chat(&p.talk_a, &p.a, quic);
	bests = p.a.bests;
	for (int i = 0; i < 60; i++) { /* ten minutes */
		pu_sim_link(p.a.node, p.b.node, &no_udp);
		pu_sim_run(p.sim, PU_SEC(4));
		pu_sim_link(p.a.node, p.b.node, &good);
		pu_sim_run(p.sim, PU_SEC(6));
	}
	assert_in_range(p.a.bests - bests, 1, 3);
	assert_int_equal(p.a.disconnected, 0);
	pair_stop(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocked_udp_is_left_in_seconds_and_its_connection_closed_later),
		cmocka_unit_test(silent_connection_is_kept_while_there_is_no_other),
		cmocka_unit_test(what_is_not_heard_is_noticed_by_the_speaker),
		cmocka_unit_test(what_is_not_acknowledged_is_noticed_by_the_speaker),
		cmocka_unit_test(dead_tcp_is_noticed_by_the_system_and_by_pings),
		cmocka_unit_test(connections_of_one_wire_are_left_together),
		cmocka_unit_test(the_peers_doubt_is_taken_seriously),
		cmocka_unit_test(idle_path_costs_little_and_is_not_suspected),
		cmocka_unit_test(full_queue_of_two_seconds_is_not_suspected),
		cmocka_unit_test(sudden_delay_of_two_seconds_is_not_suspected),
		cmocka_unit_test(lost_packets_are_not_suspected),
		cmocka_unit_test(strangers_are_not_watched),
		cmocka_unit_test(what_follows_a_probe_at_the_same_moment_does_no_harm),
		cmocka_unit_test(path_that_answers_again_is_used_again_after_a_while),
		cmocka_unit_test(path_that_flaps_is_trusted_less_every_time),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
