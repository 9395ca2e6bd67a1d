/* Circuits that their relay limits, and what becomes of them. */
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
#include "support/circuit_lab.h"

struct end {
	struct circuit_end *e;
	struct pu_reach *reach;
	struct pu_path *path;
	struct pu_sessions *sessions;
	unsigned n_packets;
	pu_time last_packet, longest_gap;
};

struct lab {
	struct circuit_lab l;
	struct end a, b;
	struct pu_timer talk;
};

static bool allowed(void *arg, const struct pu_peerid *peer)
{
	return true;
}

static void on_packet(void *arg, const struct pu_peerid *peer, const uint8_t *p, size_t len,
		      unsigned flags)
{
	struct end *s = arg;
	pu_time now = pu_sim_now(s->e->t.sim);

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
}

static const struct pu_session_events session_events = { allowed, on_packet, on_batch_end,
							 on_undeliverable };

static bool limit(void *arg, const struct pu_conn *c, struct pu_circuit_limit *out)
{
	return pu_circuit_limit_of(((struct end *)arg)->e->circuit, c, out);
}

static void end_start(struct end *s, struct circuit_end *e)
{
	const struct pu_path_options opt = { .limit = limit, .arg = s };

	s->e = e;
	assert_int_equal(pu_sessions_new(e->t.h, &session_events, s, &s->sessions), 0);
	assert_int_equal(pu_reach_new(e->t.h, &s->reach), 0);
	assert_int_equal(pu_path_new(e->t.h, &opt, &s->path), 0);
}

static void end_stop(struct end *s)
{
	pu_path_free(s->path);
	pu_reach_free(s->reach);
	pu_sessions_free(s->sessions);
}

static const struct pu_peerid *id(const struct end *s)
{
	return &s->e->t.key.peer;
}

static void talk(void *arg)
{
	static const uint8_t bytes[100];
	const struct pu_pkt pkt = { .head = { bytes, sizeof bytes } };
	struct lab *l = arg;

	pu_sessions_send(l->a.sessions, id(&l->b), &pkt, 1);
	pu_timer_set(&l->talk, pu_loop_now(l->talk.loop) + PU_MS(20));
}

static void want(struct end *s, const struct end *peer)
{
	assert_int_equal(pu_reach_want(s->reach, id(peer)), 0);
	assert_int_equal(pu_path_want(s->path, id(peer)), 0);
}

/* b has a reservation on n relays, a knows so and talks to it. */
static void lab_start(struct lab *l, unsigned n_relays, bool both)
{
	circuit_lab_start(&l->l);
	circuit_lab_use_relays(&l->l, &l->l.b, n_relays);
	for (unsigned i = 0; i < n_relays; i++)
		assert_true(circuit_lab_reserved(&l->l, &l->l.b, i, PU_SEC(5)));
	end_start(&l->a, &l->l.a);
	end_start(&l->b, &l->l.b);
	for (unsigned i = 0; i < n_relays; i++)
		circuit_lab_introduce(&l->l, &l->l.a, &l->l.b, i);
	want(&l->a, &l->b);
	if (both)
		want(&l->b, &l->a);
	pu_timer_init(&l->talk, pu_sim_loop(l->l.a.t.node), talk, l);
	pu_sim_run(l->l.sim, PU_SEC(1));
	talk(l);
}

static void lab_stop(struct lab *l)
{
	pu_timer_stop(&l->talk);
	end_stop(&l->a);
	end_stop(&l->b);
	circuit_lab_stop(&l->l);
}

static struct pu_path_info info(const struct end *s, const struct end *peer)
{
	struct pu_path_info i;

	assert_true(pu_path_info(s->path, id(peer), &i));
	return i;
}

static unsigned n_conns_to(const struct end *s, const struct end *peer)
{
	struct pu_host_path v[8];

	return (unsigned)pu_host_paths(s->e->t.h, id(peer), v, PU_ARRAY_LEN(v));
}

static void circuits_follow_each_other_before_their_time_is_over(void **state)
{
	struct lab l = { 0 };

	circuit_lab_init(&l.l);
	l.l.opt.limits.duration = PU_SEC(60);
	lab_start(&l, 1, true);
	pu_sim_run(l.l.sim, PU_SEC(600));
	assert_in_range(info(&l.a, &l.b).renewed + info(&l.b, &l.a).renewed, 10, 14);
	assert_in_range(l.b.longest_gap / 1000000, 10, 100);
	assert_in_range(n_conns_to(&l.a, &l.b), 1, 2);
	lab_stop(&l);
}

static void circuits_follow_each_other_before_their_bytes_are_spent(void **state)
{
	struct lab l = { 0 };

	circuit_lab_init(&l.l);
	l.l.opt.limits.data = 200000; /* about 30 s of talk */
	lab_start(&l, 1, true);
	pu_sim_run(l.l.sim, PU_SEC(600));
	assert_in_range(info(&l.a, &l.b).renewed, 15, 60);
	assert_in_range(l.b.longest_gap / 1000000, 10, 100);
	/* Every half minute a new one; what is left behind ends when its streams have. */
	assert_in_range(n_conns_to(&l.a, &l.b), 1, 3);
	lab_stop(&l);
}

static void unlimited_circuits_are_left_alone(void **state)
{
	struct lab l = { 0 };

	circuit_lab_init(&l.l);
	l.l.opt.limits.duration = 0;
	l.l.opt.limits.data = 0;
	lab_start(&l, 1, true);
	pu_sim_run(l.l.sim, PU_SEC(600));
	assert_int_equal(info(&l.a, &l.b).renewed, 0);
	assert_int_equal(n_conns_to(&l.a, &l.b), 1);
	lab_stop(&l);
}

/* Limits that allow for nothing: backing off, as from a peer that drops us. */
static void stingy_relay_is_not_followed_around(void **state)
{
	for (int by_data = 0; by_data <= 1; by_data++) {
		struct lab l = { 0 };

		circuit_lab_init(&l.l);
		if (by_data)
			l.l.opt.limits.data = 4000;
		else
			l.l.opt.limits.duration = PU_SEC(2);
		lab_start(&l, 1, false);
		pu_timer_stop(&l.talk); /* packets would ask for connections themselves */
		pu_sim_run(l.l.sim, PU_SEC(600));
		/* An idle circuit may well live long on few bytes. */
		assert_in_range(info(&l.a, &l.b).renewed, 0, by_data ? 20 : 0);
		assert_in_range(l.l.a.t.connected, 2, 40);
		lab_stop(&l);
	}
}

/* The relay is gone without a word: another one carries on. */
static void lost_relay_is_left_for_another(void **state)
{
	const struct pu_sim_link down = { .down = true };
	struct lab l = { 0 };
	unsigned i;

	circuit_lab_init(&l.l);
	lab_start(&l, 2, false);
	pu_sim_run(l.l.sim, PU_SEC(20));
	for (i = 0; i < 2; i++) {
		struct pu_hop_stats st;

		pu_hop_stats(l.l.hop[i], &st);
		if (st.circuits > 0)
			break;
	}
	pu_sim_link(l.l.a.t.node, l.l.relay[i].node, &down);
	pu_sim_link(l.l.b.t.node, l.l.relay[i].node, &down);
	pu_sim_run(l.l.sim, PU_SEC(60));
	assert_in_range(l.b.longest_gap / 1000000, 1000, 8000);
	assert_true(l.b.last_packet > pu_sim_now(l.l.sim) - PU_SEC(1));
	lab_stop(&l);
}

/* The wall between them falls: packets never stop. */
static void direct_path_takes_over_without_a_gap(void **state)
{
	struct lab l = { 0 };

	circuit_lab_init(&l.l);
	lab_start(&l, 1, true);
	pu_sim_run(l.l.sim, PU_SEC(20));
	pu_sim_link(l.l.a.t.node, l.l.b.t.node, &l.l.link);
	pu_path_network_changed(l.a.path);
	pu_sim_run(l.l.sim, PU_SEC(30));
	assert_true(pu_host_conn(l.l.a.t.h, id(&l.b))->datagrams);
	assert_in_range(l.b.longest_gap / 1000000, 10, 100);
	/* The relayed one remains as a spare, but not for ever more. */
	pu_sim_run(l.l.sim, PU_SEC(700));
	assert_in_range(n_conns_to(&l.a, &l.b), 1, 2);
	lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(circuits_follow_each_other_before_their_time_is_over),
		cmocka_unit_test(circuits_follow_each_other_before_their_bytes_are_spent),
		cmocka_unit_test(unlimited_circuits_are_left_alone),
		cmocka_unit_test(stingy_relay_is_not_followed_around),
		cmocka_unit_test(lost_relay_is_left_for_another),
		cmocka_unit_test(direct_path_takes_over_without_a_gap),
	};

	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
