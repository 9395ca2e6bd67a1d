/* Hosts that move while a stream is busy in both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "overlay/roam.h"
#include "support/hosts.h"

static const struct pu_sim_link wan = { .delay = PU_MS(20), .rate = 20000000, .queue = 100000 };
static const char *const both[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001",
				    "/ip6/::/udp/4001/quic-v1", NULL };
static const char *const bulk[] = { "/bulk", NULL };

/* One end of a stream that always has more to send and checks what it gets. */
struct load {
	struct pu_stream *st;
	uint64_t sent, got;
	bool wrong, closed;
};

/* A node: its host, its roaming, the end of the stream. */
struct node {
	struct test_host t;
	struct pu_roam *roam;
	struct pu_gap_watch gaps;
	struct load load;
};

static struct pu_sim *sim;
static struct node a, b;

static uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 13 + (at >> 10));
}

static void pump(struct load *l)
{
	uint8_t buf[2000];
	size_t n;

	do {
		for (size_t i = 0; i < sizeof buf; i++)
			buf[i] = pattern(l->sent + i);
		n = pu_stream_write(l->st, buf, sizeof buf);
		l->sent += n;
	} while (n == sizeof buf);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct load *l = arg;

	for (size_t i = 0; i < len; i++)
		l->wrong |= p[i] != pattern(l->got + i);
	l->got += len;
	return len;
}

static void on_writable(void *arg, struct pu_stream *st)
{
	pump(arg);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct load *l = arg;

	l->closed = true;
	l->st = NULL;
}

static const struct pu_stream_events load_events = {
	.on_recv = on_recv,
	.on_writable = on_writable,
	.on_closed = on_closed,
};

static void accept_load(void *arg, struct pu_stream *st)
{
	struct load *l = arg;

	l->st = st;
	pu_stream_set_events(st, &load_events, l);
	pump(l);
}

/* --- two nodes ------------------------------------------------------------------- */

static void on_gap(void *arg, pu_time gap)
{
	pu_roam_resumed(((struct node *)arg)->roam);
}

static void node_up(struct node *n, unsigned id, const char *ip4, const char *ip6, bool tcp_only)
{
	test_host_init(&n->t, sim, id, ip4, ip6);
	n->t.cfg.no_quic = tcp_only;
	memset(&n->load, 0, sizeof n->load);
	test_host_start(&n->t, tcp_only ? (const char *const[]){ both[1], NULL } : both);
	assert_int_equal(pu_roam_new(n->t.h, pu_sim_net(n->t.node), &n->roam), 0);
	pu_loop_watch_gaps(pu_sim_loop(n->t.node), &n->gaps, on_gap, n);
	assert_int_equal(pu_host_handle(n->t.h, bulk[0], accept_load, &n->load), 0);
}

/* a dials b. */
static void start(const char *a4, const char *a6, const char *b4, const char *b6, bool tcp_only)
{
	struct test_dial d = { .ev = &load_events, .arg = &a.load };

	sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(sim, &wan);
	node_up(&a, 1, a4, a6, tcp_only);
	node_up(&b, 2, b4, b6, tcp_only);
	test_host_introduce(&a.t, &b.t);
	pu_host_protect(a.t.h, &b.t.key.peer, true);
	pu_host_protect(b.t.h, &a.t.key.peer, true);
	test_open(&a.t, &b.t, bulk, &d, PU_SEC(2));
	assert_int_equal(d.err, 0);
	a.load.st = d.st;
	pump(&a.load);
	pu_sim_run(sim, PU_SEC(3));
	assert_true(a.load.got > 0 && b.load.got > 0);
}

static int teardown(void **state)
{
	struct node *n[] = { &a, &b };

	if (!sim)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		pu_loop_unwatch_gaps(&n[i]->gaps);
		pu_roam_free(n[i]->roam);
		test_host_stop(&n[i]->t);
		pu_key_deinit(&n[i]->t.key);
	}
	pu_sim_free(sim);
	sim = NULL;
	return 0;
}

/* The kernel tells half a second later. */
static void news(struct node *n)
{
	struct pu_multiaddr ma[8];
	size_t n_ma = pu_sim_node_ips(n->t.node, ma, PU_ARRAY_LEN(ma));

	pu_sim_run(sim, PU_MS(500));
	pu_host_set_interface_addrs(n->t.h, ma, n_ma);
	pu_roam_network_changed(n->roam, ma, n_ma);
}

static void move(struct node *n, const char *from, const char *to)
{
	pu_sim_node_remove_ip(n->t.node, from);
	pu_sim_node_add_ip(n->t.node, to);
	news(n);
}

static unsigned n_conns(const struct node *n)
{
	struct pu_host_stats s;

	pu_host_stats(n->t.h, &s);
	return s.n_conns;
}

/* The stream goes on in both directions within that time: the new path, what was lost with
 * the old one, and what the fresh congestion controller loses at first. */
static void assert_goes_on(pu_time within)
{
	uint64_t at_a = a.load.got, at_b = b.load.got;

	pu_sim_run(sim, within);
	at_a = a.load.got - at_a;
	at_b = b.load.got - at_b;
	pu_sim_run(sim, PU_SEC(2));
	assert_false(a.load.closed || b.load.closed);
	assert_false(a.load.wrong || b.load.wrong);
	assert_true(at_a > 0 && at_b > 0);
}

static struct pu_roam_stats stats_of(const struct node *n)
{
	struct pu_roam_stats s;

	pu_roam_stats(n->roam, &s);
	return s;
}

static bool is_at(const struct pu_multiaddr *ma, const char *ip)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	return strstr(pu_multiaddr_text(ma, text), ip) != NULL;
}

/* --- tests ----------------------------------------------------------------------- */

static void client_moves(void **state)
{
	start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
	for (unsigned i = 0; i < 5; i++) {
		move(&a, i % 2 ? "10.0.0.9" : "10.0.0.1", i % 2 ? "10.0.0.1" : "10.0.0.9");
		assert_goes_on(PU_SEC(1));
	}
	assert_int_equal(n_conns(&a), 1);
	assert_int_equal(stats_of(&a).migrated, 5);
	assert_int_equal(a.t.disconnected, 0);
}

static void server_moves_and_is_followed(void **state)
{
	start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
	for (unsigned i = 0; i < 5; i++) {
		move(&b, i % 2 ? "10.0.0.8" : "10.0.0.2", i % 2 ? "10.0.0.2" : "10.0.0.8");
		assert_goes_on(PU_MS(800));
		assert_true(is_at(&a.load.st->conn->remote, i % 2 ? "/10.0.0.2/" : "/10.0.0.8/"));
	}
	assert_int_equal(stats_of(&a).followed, 5);
	/* The connection that b made the first time is enough for all the others. */
	assert_int_equal(b.t.connected, 2);
	assert_int_equal(stats_of(&b).given_up, 0);
}

static void both_move_one_after_the_other(void **state)
{
	start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
	move(&b, "10.0.0.2", "10.0.0.8");
	pu_sim_run(sim, PU_MS(200));
	move(&a, "10.0.0.1", "10.0.0.9");
	assert_goes_on(PU_SEC(2));
}

static void other_way_out_is_taken(void **state)
{
	start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
	/* A second interface comes and takes the route; the first one stays. */
	pu_sim_node_add_ip(a.t.node, "10.0.1.1");
	pu_sim_node_remove_ip(a.t.node, "10.0.0.1");
	pu_sim_node_add_ip(a.t.node, "10.0.0.1");
	news(&a);
	assert_goes_on(PU_SEC(1));
	assert_true(is_at(&a.load.st->conn->local, "/10.0.1.1/"));
	assert_int_equal(stats_of(&a).migrated, 1);
}

static void family_is_lost_and_the_other_serves(void **state)
{
	start("10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2", false);
	assert_true(is_at(&a.load.st->conn->remote, "/fd00::2/"));
	pu_sim_node_remove_ip(a.t.node, "fd00::1");
	news(&a);
	assert_goes_on(PU_SEC(1));
	assert_true(is_at(&a.load.st->conn->remote, "/10.0.0.2/"));
}

static void tcp_gets_a_new_connection_before_it_loses_the_old(void **state)
{
	struct test_dial d;

	start("10.0.0.1", NULL, "10.0.0.2", NULL, true);
	move(&a, "10.0.0.1", "10.0.0.9");
	assert_int_equal(n_conns(&a), 1);
	assert_int_equal(a.t.disconnected, 0);
	pu_sim_run(sim, PU_SEC(1));
	assert_int_equal(a.t.connected, 2);
	assert_int_equal(n_conns(&a), 1);
	test_connect(&a.t, &b.t, &d, PU_SEC(1));
	assert_true(is_at(&d.c->local, "/10.0.0.9/"));
}

static void news_without_a_change_cost_nothing(void **state)
{
	start("10.0.0.1", "fd00::1", "10.0.0.2", "fd00::2", false);
	for (unsigned i = 0; i < 10; i++) {
		news(&a);
		news(&b);
	}
	/* A temporary address takes over from another one, on the server's side too. */
	pu_sim_node_add_ip(a.t.node, "fd00::1:1");
	pu_sim_node_add_ip(b.t.node, "fd00::2:1");
	pu_sim_node_remove_ip(b.t.node, "fd00::2");
	pu_sim_node_add_ip(b.t.node, "fd00::2");
	news(&a);
	news(&b);
	assert_goes_on(PU_SEC(1));
	assert_int_equal(n_conns(&a), 1);
	assert_int_equal(a.t.connected, 1);
	assert_int_equal(stats_of(&a).migrated, 0);
}

static void machine_without_any_network_waits(void **state)
{
	start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
	pu_sim_node_remove_ip(a.t.node, "10.0.0.1");
	news(&a);
	pu_sim_run(sim, PU_SEC(5));
	assert_int_equal(n_conns(&a), 1);
	pu_sim_node_add_ip(a.t.node, "10.0.0.9");
	news(&a);
	assert_goes_on(PU_SEC(1));
	assert_int_equal(a.t.connected, 1);
}

static void naps_of_either_side_only_pause_the_stream(void **state)
{
	static const unsigned nap_s[] = { 3, 10, 40 };
	size_t max;

	for (unsigned i = 0; i < 6; i++) {
		struct node *sleeper = i % 2 ? &a : &b;

		start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
		max = pu_conn_max_datagram(a.load.st->conn);
		pu_sim_node_sleep(sleeper->t.node, PU_SEC(nap_s[i / 2]));
		pu_sim_run(sim, PU_SEC(nap_s[i / 2]));
		assert_goes_on(PU_SEC(2));
		/* Nobody took the silence for a narrow path. */
		assert_int_equal(pu_conn_max_datagram(sleeper->load.st->conn), max);
		assert_int_equal(n_conns(&a), 1);
		teardown(NULL);
	}
}

/* Longer than a connection lasts: it ends at once, and a fresh one works at once. */
static void long_sleep_ends_in_a_fresh_connection(void **state)
{
	struct test_dial d = { .ev = &load_events, .arg = &a.load };

	start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
	pu_sim_node_sleep(a.t.node, PU_SEC(1000));
	pu_sim_run(sim, PU_MS(1000500));
	assert_true(a.load.closed && b.load.closed);
	memset(&a.load, 0, sizeof a.load);
	memset(&b.load, 0, sizeof b.load);
	test_open(&a.t, &b.t, bulk, &d, PU_SEC(1));
	assert_int_equal(d.err, 0);
}

/* The peer is gone with its connections: what was, is replaced, and nothing hangs. */
static void silence_after_a_sleep_means_a_fresh_dial(void **state)
{
	const struct pu_sim_link down = { .down = true };

	start("10.0.0.1", NULL, "10.0.0.2", NULL, false);
	pu_roam_resumed(a.roam);
	assert_goes_on(PU_SEC(2));
	assert_int_equal(a.t.connected, 1); /* it answered */
	pu_sim_link(a.t.node, b.t.node, &down);
	pu_roam_resumed(a.roam);
	pu_sim_run(sim, PU_SEC(2));
	pu_sim_link(a.t.node, b.t.node, &wan);
	pu_sim_run(sim, PU_SEC(4));
	assert_true(a.t.connected >= 2);
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(client_moves),
		T(server_moves_and_is_followed),
		T(both_move_one_after_the_other),
		T(other_way_out_is_taken),
		T(family_is_lost_and_the_other_serves),
		T(tcp_gets_a_new_connection_before_it_loses_the_old),
		T(news_without_a_change_cost_nothing),
		T(machine_without_any_network_waits),
		T(naps_of_either_side_only_pause_the_stream),
		T(long_sleep_ends_in_a_fresh_connection),
		T(silence_after_a_sleep_means_a_fresh_dial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
