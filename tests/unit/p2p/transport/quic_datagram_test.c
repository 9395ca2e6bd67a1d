/* DATAGRAM frames, fairness with streams, path MTU, moving peers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/quic_pair.h"

static const struct pu_sim_link lan = { .delay = PU_MS(1) };
static struct qp_pair pair;
static uint8_t data[2000];

static int teardown(void **state)
{
	if (pair.sim)
		qp_deinit(&pair);
	memset(&pair, 0, sizeof pair);
	return 0;
}

static void start(const struct pu_sim_link *l)
{
	qp_init(&pair, l);
	qp_connect(&pair);
}

static int put(struct qp_side *s, size_t len)
{
	struct iovec iov = { data, len };

	return pu_conn_send_datagram(s->c, &iov, 1);
}

static void datagrams_arrive_whole(void **state)
{
	struct iovec iov[2] = { { data, 10 }, { data + 10, 990 } };

	start(&lan);
	for (int i = 0; i < 8; i++)
		assert_int_equal(pu_conn_send_datagram(pair.a.c, iov, 2), 0);
	pu_sim_run(pair.sim, PU_MS(20));
	assert_int_equal(pair.b.dgrams, 8);
	assert_int_equal(pair.b.dgram_bytes, 8000);
	assert_in_range(pair.b.dgram_ends, 1, 8);
	/* An empty one is a message too. */
	assert_int_equal(pu_conn_send_datagram(pair.a.c, iov, 0), 0);
	iov[0].iov_len = iov[1].iov_len = 0;
	assert_int_equal(pu_conn_send_datagram(pair.a.c, iov, 2), 0);
	pu_sim_run(pair.sim, PU_MS(20));
	assert_int_equal(pair.b.dgrams, 10);
}

static void size_follows_the_path(void **state)
{
	size_t max;

	start(&lan);
	/* From the 1200 bytes that every path has upwards. */
	max = pu_conn_max_datagram(pair.a.c);
	assert_in_range(max, 1168, 1412);
	assert_int_equal(put(&pair.a, max), 0);
	assert_int_equal(put(&pair.a, max + 1), PU_E2BIG);
	pu_sim_run(pair.sim, PU_SEC(2));
	assert_int_equal(pair.b.dgrams, 1);
	assert_true(pair.a.paths > 0); /* told */
	assert_int_equal(pu_conn_max_datagram(pair.a.c), 1412);
	assert_int_equal(put(&pair.a, 1412), 0);
	assert_int_equal(put(&pair.a, 1413), PU_E2BIG);
	pu_sim_run(pair.sim, PU_MS(20));
	assert_int_equal(pair.b.dgrams, 2);
	assert_int_equal(pair.b.dgram_bytes, max + 1412);
}

static void size_stays_on_a_good_path(void **state)
{
	struct pu_quic_stats st;

	/* Idle, then some small and some large ones, then idle again. */
	start(&lan);
	pu_sim_run(pair.sim, PU_SEC(100));
	for (int i = 0; i < 50; i++) {
		assert_int_equal(put(&pair.a, 1100 + (size_t)i * 6), 0);
		pu_sim_run(pair.sim, PU_MS(700));
	}
	qp_open(&pair.b, 300000, true);
	pu_sim_run(pair.sim, PU_SEC(100));
	assert_int_equal(pu_conn_max_datagram(pair.a.c), 1412);
	assert_int_equal(pu_conn_max_datagram(pair.b.c), 1412);
	pu_quic_transport_stats(pair.a.t, &st);
	assert_int_equal(st.black_holes, 0);
	pu_quic_transport_stats(pair.b.t, &st);
	assert_int_equal(st.black_holes, 0);
}

static void narrow_path_keeps_small_packets(void **state)
{
	const struct pu_sim_link narrow = { .delay = PU_MS(1), .mtu = 1300 };

	start(&narrow);
	pu_sim_run(pair.sim, PU_SEC(5));
	/* Of the sizes probed, 1232 is what fits 1300. */
	assert_int_equal(pu_conn_max_datagram(pair.a.c), 1200);
	assert_int_equal(put(&pair.a, 1200), 0);
	pu_sim_run(pair.sim, PU_MS(20));
	assert_int_equal(pair.b.dgrams, 1);
}

static bool b_got_one(void *arg)
{
	return pair.b.dgrams > 0;
}

static void put_big_forever(struct qp_side *s)
{
	while (put(s, pu_conn_max_datagram(s->c)) == 0)
		;
}

static void black_hole_shrinks_packets_and_heals(void **state)
{
	const struct pu_sim_link shrunk = { .delay = PU_MS(10), .mtu = 1280 };
	const struct pu_sim_link wide = { .delay = PU_MS(10) };
	struct pu_quic_stats st;
	struct qp_stream *q;

	start(&wide);
	pair.b.echo = true;
	pu_sim_run(pair.sim, PU_SEC(3));
	assert_int_equal(pu_conn_max_datagram(pair.a.c), 1412);
	pu_sim_link(pair.a.node, pair.b.node, &shrunk);
	q = qp_open(&pair.a, 300000, true);
	pu_sim_run(pair.sim, PU_SEC(10));
	assert_true(q->eof);
	assert_int_equal(q->got, 300000);
	assert_int_equal(pu_conn_max_datagram(pair.a.c), 1168);
	pu_quic_transport_stats(pair.a.t, &st);
	assert_int_equal(st.black_holes, 1);
	/* Wide again: found out within some minutes. */
	pu_sim_link(pair.a.node, pair.b.node, &wide);
	pu_sim_run(pair.sim, PU_SEC(120));
	assert_int_equal(pu_conn_max_datagram(pair.a.c), 1412);
}

static void black_hole_is_found_with_datagrams_alone(void **state)
{
	const struct pu_sim_link shrunk = { .delay = PU_MS(10), .mtu = 1280 };
	const struct pu_sim_link wide = { .delay = PU_MS(10) };

	start(&wide);
	pu_sim_run(pair.sim, PU_SEC(3));
	pu_sim_link(pair.a.node, pair.b.node, &shrunk);
	for (int i = 0; i < 100 && pair.b.dgrams == 0; i++) {
		put(&pair.a, pu_conn_max_datagram(pair.a.c));
		/* Small ones pass and are answered all the time. */
		pu_sim_run(pair.sim, PU_MS(50));
		put(&pair.b, 100);
		pu_sim_run(pair.sim, PU_MS(50));
	}
	assert_true(b_got_one(NULL));
	assert_int_equal(pu_conn_max_datagram(pair.a.c), 1168);
}

static void congestion_says_again_and_then_room(void **state)
{
	const struct pu_sim_link slow = { .delay = PU_MS(20), .rate = 20000000, .queue = 200000 };
	uint64_t got;

	start(&slow);
	pair.a.on_room = put_big_forever;
	put_big_forever(&pair.a);
	assert_int_equal(put(&pair.a, 100), PU_EAGAIN);
	pu_sim_run(pair.sim, PU_SEC(10));
	assert_true(pair.a.dgram_room > 10);
	got = pair.b.dgram_bytes;
	/* Most of the link, which carries 25 MB in 10 s with headers. */
	assert_in_range(got, 20000000, 25000000);
	/* And little was lost on the way. */
	assert_true(pu_sim_counters(pair.a.node, pair.b.node).udp_lost * 25 <
		    pu_sim_counters(pair.a.node, pair.b.node).udp_sent);
}

static void streams_and_datagrams_share_fairly(void **state)
{
	const struct pu_sim_link slow = { .delay = PU_MS(20), .rate = 20000000, .queue = 200000 };
	uint64_t stream, dgram;

	start(&slow);
	pair.a.on_room = put_big_forever;
	qp_open(&pair.a, 100000000, false);
	put_big_forever(&pair.a);
	pu_sim_run(pair.sim, PU_SEC(10));
	stream = pair.b.streams[0].got;
	dgram = pair.b.dgram_bytes;
	assert_true(stream + dgram > 20000000);
	assert_true(stream > (stream + dgram) / 5 * 2);
	assert_true(dgram > (stream + dgram) / 5 * 2);
}

static void datagrams_flow_again_after_an_outage(void **state)
{
	const struct pu_sim_link link = { .delay = PU_MS(10), .rate = 50000000, .queue = 100000 };
	const struct pu_sim_link down = { .down = true };
	uint64_t got;

	/* Everything under way is lost, and nothing but datagrams was. */
	start(&link);
	pair.a.on_room = put_big_forever;
	put_big_forever(&pair.a);
	pu_sim_run(pair.sim, PU_SEC(3));
	pu_sim_link(pair.a.node, pair.b.node, &down);
	pu_sim_run(pair.sim, PU_MS(500));
	got = pair.b.dgrams;
	pu_sim_link(pair.a.node, pair.b.node, &link);
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_true(pair.b.dgrams > got + 100);
}

static void answer_inside(struct qp_side *s, const uint8_t *p, size_t len)
{
	/* Not from inside of ngtcp2, says the contract; and room comes in this turn. */
	assert_int_equal(put(s, 500), PU_EAGAIN);
}

static void answer_room(struct qp_side *s)
{
	assert_int_equal(put(s, 500), 0);
}

static void answer_to_a_datagram_leaves_in_the_same_turn(void **state)
{
	pu_time before;

	start(&lan);
	pu_sim_run(pair.sim, PU_SEC(1));
	pair.b.on_datagram = answer_inside;
	pair.b.on_room = answer_room;
	before = pu_sim_now(pair.sim);
	assert_int_equal(put(&pair.a, 100), 0);
	while (pair.a.dgrams == 0 && pu_sim_now(pair.sim) - before < PU_SEC(1))
		pu_sim_run(pair.sim, PU_US(100));
	assert_in_range(pu_sim_now(pair.sim) - before, PU_MS(2), PU_US(2300));
}

static void peer_may_move_to_another_address(void **state)
{
	struct pu_multiaddr old;

	start(&lan);
	pair.b.echo = true;
	pu_sim_run(pair.sim, PU_SEC(1));
	old = pair.b.c->remote;
	/* The kernel of a chooses another source, as after a change of network. */
	pu_sim_node_add_ip(pair.a.node, "10.0.0.9");
	pu_sim_node_remove_ip(pair.a.node, "10.0.0.1");
	qp_open(&pair.a, 1000, true);
	pu_sim_run(pair.sim, PU_SEC(2));
	assert_int_equal(pair.a.streams[0].got, 1000);
	assert_false(pu_multiaddr_eq(&pair.b.c->remote, &old));
	assert_true(pair.b.paths > 0);
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(datagrams_arrive_whole),
		T(size_follows_the_path),
		T(size_stays_on_a_good_path),
		T(narrow_path_keeps_small_packets),
		T(black_hole_shrinks_packets_and_heals),
		T(black_hole_is_found_with_datagrams_alone),
		T(congestion_says_again_and_then_room),
		T(streams_and_datagrams_share_fairly),
		T(datagrams_flow_again_after_an_outage),
		T(answer_to_a_datagram_leaves_in_the_same_turn),
		T(peer_may_move_to_another_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
