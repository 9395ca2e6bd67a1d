/* Handshake, refusal, end: two QUIC transports on a simulated link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/quic_pair.h"

static const struct pu_sim_link lan = { .delay = PU_MS(1) };
static struct qp_pair pair;

static bool dial_over(void *arg)
{
	return ((struct qp_side *)arg)->dial_err <= 0;
}

static bool side_closed(void *arg)
{
	return ((struct qp_side *)arg)->n_closed > 0;
}

static int teardown(void **state)
{
	if (pair.sim)
		qp_deinit(&pair);
	memset(&pair, 0, sizeof pair);
	return 0;
}

static void dials_and_both_know_each_other(void **state)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	pu_time before;

	qp_init(&pair, &lan);
	before = pu_sim_now(pair.sim);
	qp_connect(&pair);
	assert_true(pu_peerid_eq(&pair.a.c->peer, &pair.b.key.peer));
	assert_true(pu_peerid_eq(&pair.b.c->peer, &pair.a.key.peer));
	assert_memory_equal(pair.b.c->remote_key->encoded, pair.a.key.encoded, 36);
	assert_true(pair.b.c->inbound);
	assert_false(pair.a.c->inbound);
	assert_true(pair.a.c->datagrams && pair.b.c->datagrams);
	assert_string_equal(pu_multiaddr_text(&pair.a.c->remote, text),
			    "/ip4/10.0.0.2/udp/4001/quic-v1");
	assert_true(pu_multiaddr_has(&pair.b.c->remote, PU_MA_QUIC_V1));
	assert_non_null(strstr(pu_multiaddr_text(&pair.a.c->local, text), "/ip4/10.0.0.1/"));
	assert_int_equal(pair.a.gate_asked, 1);
	assert_int_equal(pair.b.gate_asked, 1);
	/* Two round trips of 2 ms, and no pacing by the initial guess of the RTT. */
	assert_in_range(pair.a.c->opened_at - before, PU_MS(4), PU_MS(6));
	assert_in_range(pu_conn_rtt(pair.a.c), PU_MS(2), PU_MS(4));
}

static void dials_over_ipv6(void **state)
{
	qp_init(&pair, &lan);
	assert_int_equal(qp_listen(&pair.b, "/ip6/fd00::2/udp/4001/quic-v1"), 0);
	qp_connect(&pair);
	assert_true(pu_multiaddr_has(&pair.b.c->remote, PU_MA_IP6));
}

static void handshake_survives_loss(void **state)
{
	const struct pu_sim_link lossy = { .delay = PU_MS(5), .loss = 100000,
					   .reorder = 50000, .duplicate = 20000 };
	unsigned ok = 0;

	/* Not every attempt must succeed in 10 s at 10 % loss, but nearly all. */
	for (int i = 0; i < 20; i++) {
		char seed[16];

		snprintf(seed, sizeof seed, "%d", 1000 + i);
		setenv("PU_SIM_SEED", seed, 1);
		qp_init(&pair, &lossy);
		assert_int_equal(qp_dial(&pair, NULL, PU_SEC(10)), 0);
		assert_true(qp_run_until(&pair, dial_over, &pair.a, PU_SEC(11)));
		ok += pair.a.dial_err == 0;
		qp_deinit(&pair);
	}
	unsetenv("PU_SIM_SEED");
	assert_in_range(ok, 19, 20);
}

static void dial_to_nobody_times_out(void **state)
{
	const struct pu_sim_link down = { .delay = PU_MS(1), .down = true };
	pu_time before;

	qp_init(&pair, &down);
	before = pu_sim_now(pair.sim);
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(3)), 0);
	assert_true(qp_run_until(&pair, dial_over, &pair.a, PU_SEC(10)));
	assert_int_equal(pair.a.dial_err, PU_ETIMEDOUT);
	assert_in_range(pu_sim_now(pair.sim) - before, PU_SEC(3), PU_MS(3100));
}

static void canceled_dial_is_silent_and_leaves_nothing(void **state)
{
	qp_init(&pair, &lan);
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(3)), 0);
	pu_sim_run(pair.sim, PU_US(1500));
	pair.a.t->ops->dial_cancel(pair.a.t, pair.a.dial);
	pu_sim_run(pair.sim, PU_SEC(20));
	assert_int_equal(pair.a.dial_err, 1);
	assert_int_equal(pair.b.n_conns, 0);
	assert_int_equal(pair.b.n_inbound_failed, 1);
}

static void wrong_peer_is_refused_on_both_sides(void **state)
{
	qp_init(&pair, &lan);
	assert_int_equal(qp_dial(&pair, &pair.a.key.peer, PU_SEC(3)), 0);
	assert_true(qp_run_until(&pair, dial_over, &pair.a, PU_SEC(5)));
	assert_int_equal(pair.a.dial_err, PU_EPEERID);
	pu_sim_run(pair.sim, PU_MS(100));
	/* The alert came: the listener does not wait for its timeout. */
	assert_int_equal(pair.b.n_inbound_failed, 1);
	assert_int_equal(pair.b.failed_err, PU_ECRYPTO);
	assert_int_equal(pair.b.n_conns, 0);
}

static void gate_of_the_listener_refuses_with_a_code(void **state)
{
	qp_init(&pair, &lan);
	pair.b.refuse = true;
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(3)), 0);
	assert_true(qp_run_until(&pair, dial_over, &pair.a, PU_SEC(5)));
	assert_int_equal(pair.a.dial_err, PU_EDENIED);
	assert_int_equal(pair.b.n_conns, 0);
	assert_int_equal(pair.b.failed_err, PU_EDENIED);
	assert_int_equal(pair.a.gate_asked, 0);
}

static void gate_of_the_dialler_refuses(void **state)
{
	qp_init(&pair, &lan);
	pair.a.refuse = true;
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(3)), 0);
	assert_true(qp_run_until(&pair, dial_over, &pair.a, PU_SEC(5)));
	assert_int_equal(pair.a.dial_err, PU_EDENIED);
	pu_sim_run(pair.sim, PU_MS(100));
	assert_int_equal(pair.b.closed_err, PU_ECLOSED);
	assert_int_equal(pair.b.closed_code, PU_CONN_CODE_GATED);
}

static void close_carries_its_code(void **state)
{
	qp_init(&pair, &lan);
	qp_connect(&pair);
	pu_conn_close(pair.a.c, PU_CONN_CODE_SUPPLANTED);
	assert_int_equal(pair.a.n_closed, 0); /* never from inside the call */
	assert_true(qp_run_until(&pair, side_closed, &pair.b, PU_SEC(1)));
	assert_int_equal(pair.b.closed_err, PU_ECLOSED);
	assert_int_equal(pair.b.closed_code, PU_CONN_CODE_SUPPLANTED);
	assert_int_equal(pair.a.n_closed, 1);
	assert_int_equal(pair.a.closed_err, PU_ECLOSED);
}

static void bytes_written_before_close_arrive(void **state)
{
	qp_init(&pair, &lan);
	qp_connect(&pair);
	qp_open(&pair.a, 5000, false);
	pu_conn_close(pair.a.c, PU_CONN_CODE_NORMAL);
	assert_true(qp_run_until(&pair, side_closed, &pair.b, PU_SEC(1)));
	assert_int_equal(pair.b.streams[0].got, 5000);
	assert_int_equal(pair.b.streams[0].err, PU_ECLOSED);
	assert_true(pair.a.streams[0].closed);
}

static void lost_goodbye_is_repeated(void **state)
{
	struct pu_sim_link l = lan;

	qp_init(&pair, &lan);
	qp_connect(&pair);
	pu_sim_run(pair.sim, PU_SEC(1));
	l.down = true;
	pu_sim_link(pair.a.node, pair.b.node, &l);
	pu_conn_close(pair.a.c, PU_CONN_CODE_GC);
	pu_sim_run(pair.sim, PU_MS(3));
	pu_sim_link(pair.a.node, pair.b.node, &lan);
	qp_open(&pair.b, 10, false);
	assert_true(qp_run_until(&pair, side_closed, &pair.b, PU_SEC(1)));
	assert_int_equal(pair.b.closed_code, PU_CONN_CODE_GC);
}

static void silent_peer_times_out(void **state)
{
	struct pu_sim_link l = { .down = true };
	pu_time before;

	qp_init(&pair, &lan);
	qp_connect(&pair);
	pu_sim_link(pair.a.node, pair.b.node, &l);
	before = pu_sim_now(pair.sim);
	assert_true(qp_run_until(&pair, side_closed, &pair.a, PU_SEC(180)));
	assert_int_equal(pair.a.closed_err, PU_ETIMEDOUT);
	assert_in_range(pu_sim_now(pair.sim) - before, PU_SEC(100), PU_SEC(140));
}

static void idle_connection_stays(void **state)
{
	struct pu_sim_counters n, m;

	qp_init(&pair, &lan);
	qp_connect(&pair);
	pu_sim_run(pair.sim, PU_SEC(10));
	n = pu_sim_counters(pair.a.node, pair.b.node);
	pu_sim_run(pair.sim, PU_SEC(300));
	m = pu_sim_counters(pair.a.node, pair.b.node);
	assert_non_null(pair.a.c);
	assert_non_null(pair.b.c);
	/* Less than 20 bytes a second in each direction. */
	assert_in_range(m.bytes_delivered - n.bytes_delivered, 300, 300 * 20);
}

static void restart_listener(void)
{
	/* No goodbye arrives. */
	pu_sim_link(pair.a.node, pair.b.node, &(struct pu_sim_link){ .down = true });
	pair.b.c = NULL;
	pair.b.t->ops->free(pair.b.t);
	pu_sim_run(pair.sim, PU_MS(10));
	qp_transport_new(&pair.b);
	assert_int_equal(qp_listen(&pair.b, "/ip4/10.0.0.2/udp/4001/quic-v1"), 0);
	pu_sim_link(pair.a.node, pair.b.node, &lan);
}

/* Whatever the connection's packets look like: some have the fixed bit, some have not. */
static void restarted_listener_resets_what_it_forgot(void **state)
{
	pu_time before;

	for (unsigned i = 0; i < 12; i++) {
		qp_init(&pair, &lan);
		for (unsigned j = 0; j < i; j++) { /* other random numbers */
			uint8_t b;

			pu_loop_random(pu_sim_loop(pair.a.node), &b, 1);
		}
		qp_connect(&pair);
		pu_sim_run(pair.sim, PU_SEC(1));
		restart_listener();
		before = pu_sim_now(pair.sim);
		/* A keep-alive is enough of an occasion. */
		assert_true(qp_run_until(&pair, side_closed, &pair.a, PU_SEC(20)));
		assert_int_equal(pair.a.closed_err, PU_ERESET);
		assert_in_range(pu_sim_now(pair.sim) - before, 0, PU_MS(15100));
		teardown(NULL);
	}
}

static void many_handshakes_make_it_ask_for_proof(void **state)
{
	struct pu_quic_stats st;

	pair.max_pending = 2; /* one place for everybody, one after Retry */
	qp_init(&pair, &(struct pu_sim_link){ .delay = PU_MS(50) });
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(10)), 0);
	pu_sim_run(pair.sim, PU_MS(60));
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(10)), 0);
	assert_true(qp_run_until(&pair, dial_over, &pair.a, PU_SEC(5)));
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.a.dial_err, 0);
	assert_int_equal(pair.a.n_conns, 2);
	assert_int_equal(pair.b.n_conns, 2);
	pu_quic_transport_stats(pair.b.t, &st);
	assert_int_equal(st.retries, 1);
}

static void listener_refuses_beyond_its_limit(void **state)
{
	struct pu_quic_stats st;

	pair.max_pending = 1;
	qp_init(&pair, &(struct pu_sim_link){ .delay = PU_MS(50) });
	/* With one place, everybody is asked for proof and one is served. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(qp_dial(&pair, NULL, PU_SEC(10)), 0);
	pu_sim_run(pair.sim, PU_SEC(3));
	pu_quic_transport_stats(pair.b.t, &st);
	assert_int_equal(st.retries, 3);
	assert_int_equal(st.refused, 2);
	assert_int_equal(pair.b.n_conns, 1);
	assert_int_equal(pair.a.n_refused, 2);
}

static void stopped_transport_takes_nobody_and_keeps_connections(void **state)
{
	qp_init(&pair, &lan);
	qp_connect(&pair);
	pair.b.t->ops->stop(pair.b.t);
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(2)), 0);
	assert_true(qp_run_until(&pair, dial_over, &pair.a, PU_SEC(5)));
	assert_int_equal(pair.a.dial_err, PU_ETIMEDOUT);
	assert_non_null(pair.b.c);
	pair.b.echo = true;
	qp_open(&pair.b, 100, false);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_int_equal(pair.a.streams[0].got, 100);
}

static void dial_leaves_from_the_listening_socket(void **state)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr bound, b_addr;

	qp_init(&pair, &lan);
	b_addr = pair.b_addr;
	assert_int_equal(qp_listen(&pair.a, "/ip4/0.0.0.0/udp/5001/quic-v1"), 0);
	bound = pair.b_addr;
	pair.b_addr = b_addr;
	assert_string_equal(pu_multiaddr_text(&bound, text), "/ip4/0.0.0.0/udp/5001/quic-v1");
	qp_connect(&pair);
	assert_string_equal(pu_multiaddr_text(&pair.b.c->remote, text),
			    "/ip4/10.0.0.1/udp/5001/quic-v1");
	assert_int_equal(pu_sim_node_sockets(pair.a.node), 1);
}

static void on_punched(void *arg, int err, struct pu_conn *c)
{
	struct qp_side *s = arg;

	s->dial_err = err;
	if (c)
		qp_take(s, c);
}

static void punch(struct qp_side *s, const char *to, const struct pu_peerid *peer, bool initiator)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, to), 0);
	s->dial_err = 1;
	assert_int_equal(s->t->ops->punch(s->t, &ma, peer, initiator, PU_SEC(5), on_punched, s,
					  &s->dial), 0);
}

static void punching_joins_dialler_and_listener(void **state)
{
	struct pu_sim_link closed = lan;

	qp_init(&pair, &lan);
	assert_int_equal(qp_listen(&pair.a, "/ip4/10.0.0.1/udp/5001/quic-v1"), 0);
	/* The first packets find closed NATs. */
	closed.no_udp = true;
	pu_sim_link(pair.a.node, pair.b.node, &closed);
	punch(&pair.a, "/ip4/10.0.0.2/udp/4001/quic-v1", &pair.b.key.peer, true);
	punch(&pair.b, "/ip4/10.0.0.1/udp/5001/quic-v1", &pair.a.key.peer, false);
	pu_sim_run(pair.sim, PU_MS(100));
	pu_sim_link(pair.a.node, pair.b.node, &lan);
	pu_sim_run(pair.sim, PU_SEC(2));
	assert_int_equal(pair.a.dial_err, 0);
	assert_int_equal(pair.b.dial_err, 0);
	assert_int_equal(pair.a.n_conns, 1);
	assert_int_equal(pair.b.n_conns, 1); /* not announced as inbound too */
	assert_true(pair.b.c->inbound);
	assert_true(pair.a.c && !pair.a.c->inbound);
}

static void punch_without_peer_times_out(void **state)
{
	qp_init(&pair, &lan);
	punch(&pair.b, "/ip4/10.0.0.1/udp/5001/quic-v1", &pair.a.key.peer, false);
	pu_sim_run(pair.sim, PU_SEC(4));
	assert_int_equal(pair.b.dial_err, 1);
	assert_true(pu_sim_counters(pair.b.node, pair.a.node).udp_sent > 20);
	pu_sim_run(pair.sim, PU_SEC(2));
	assert_int_equal(pair.b.dial_err, PU_ETIMEDOUT);
}

static void foreign_addresses_are_not_dialled(void **state)
{
	struct pu_multiaddr ma;

	qp_init(&pair, &lan);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/10.0.0.2/tcp/4001"), 0);
	assert_false(pair.a.t->ops->can_dial(pair.a.t, &ma));
	pair.b_addr = ma;
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(1)), PU_ENOTSUP);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/dns4/example.com/udp/4001/quic-v1"), 0);
	pair.b_addr = ma;
	assert_int_equal(qp_dial(&pair, NULL, PU_SEC(1)), PU_EINVAL);
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(dials_and_both_know_each_other),
		T(dials_over_ipv6),
		T(handshake_survives_loss),
		T(dial_to_nobody_times_out),
		T(canceled_dial_is_silent_and_leaves_nothing),
		T(wrong_peer_is_refused_on_both_sides),
		T(gate_of_the_listener_refuses_with_a_code),
		T(gate_of_the_dialler_refuses),
		T(close_carries_its_code),
		T(bytes_written_before_close_arrive),
		T(lost_goodbye_is_repeated),
		T(silent_peer_times_out),
		T(idle_connection_stays),
		T(restarted_listener_resets_what_it_forgot),
		T(many_handshakes_make_it_ask_for_proof),
		T(listener_refuses_beyond_its_limit),
		T(stopped_transport_takes_nobody_and_keeps_connections),
		T(dial_leaves_from_the_listening_socket),
		T(punching_joins_dialler_and_listener),
		T(punch_without_peer_times_out),
		T(foreign_addresses_are_not_dialled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
