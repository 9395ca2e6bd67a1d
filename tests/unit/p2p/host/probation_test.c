/* Strangers at a gated host: what they may do, how long, and how many of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"
#include "p2p/proto/ping.h"
#include "support/circuit_lab.h"

enum { CROWD = PU_HOST_PROBATION_MAX + 2 };

static const char business[] = "/test/business/1.0.0", other[] = "/test/other/1.0.0";

/* A node that lets only members in, and people who come to its door. */
struct world {
	struct pu_sim *sim;
	struct test_host node, guest;
	const struct pu_peerid *member;
	struct test_sink sink;
};

static bool gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	const struct world *w = arg;

	return w->member && pu_peerid_eq(peer, w->member);
}

static void start(struct world *w, const char *listen)
{
	const char *const all[] = { listen, NULL };

	memset(w, 0, sizeof *w);
	w->sim = pu_sim_new(pu_sim_seed());
	test_host_init(&w->node, w->sim, 1, "11.0.0.1", NULL);
	test_host_init(&w->guest, w->sim, 2, "11.0.0.2", NULL);
	w->node.cfg.gate = gate;
	w->node.cfg.gate_arg = w;
	test_host_start(&w->node, all);
	test_host_start(&w->guest, NULL);
	test_host_introduce(&w->guest, &w->node);
	w->sink.echo = true;
	assert_int_equal(pu_host_handle(w->node.h, business, test_sink_accept, &w->sink), 0);
	assert_int_equal(pu_host_handle(w->node.h, other, test_sink_accept, &w->sink), 0);
}

static void stop(struct world *w)
{
	test_host_stop(&w->node);
	test_host_stop(&w->guest);
	pu_sim_free(w->sim);
}

static void allow(struct world *w, const char *protocol, unsigned seconds)
{
	assert_int_equal(pu_host_probation(w->node.h, protocol, true,
					   pu_sim_now(w->sim) + PU_SEC(seconds)), 0);
}

static int speak(struct world *w, struct test_host *who, const char *protocol)
{
	const char *const protocols[] = { protocol, NULL };
	struct test_sink sink = { 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };

	test_open(who, &w->node, protocols, &d, PU_SEC(5));
	assert_true(d.done);
	if (d.err)
		return d.err;
	assert_int_equal(pu_stream_write(d.st, (const uint8_t *)"hello", 5), 5);
	pu_stream_shutdown(d.st);
	pu_sim_run(w->sim, PU_MS(200));
	if (!sink.closed && !sink.eof)
		return PU_EAGAIN;
	if (!sink.closed)
		pu_stream_close(d.st);
	return sink.len == 5 ? 0 : PU_EPROTO;
}

static unsigned conns(const struct test_host *t)
{
	struct pu_host_stats st;

	pu_host_stats(t->h, &st);
	return st.n_conns;
}

static void a_stranger_speaks_what_is_allowed_and_nothing_else(void **state)
{
	struct world w;

	start(&w, "/ip4/0.0.0.0/udp/4001/quic-v1");
	assert_false(pu_host_on_probation(w.node.h));
	allow(&w, business, 60);
	assert_true(pu_host_on_probation(w.node.h));
	assert_int_equal(speak(&w, &w.guest, business), 0);
	assert_int_equal(speak(&w, &w.guest, other), PU_ENOPROTO);
	assert_int_equal(speak(&w, &w.guest, PU_PING_PROTOCOL), PU_ENOPROTO);
	allow(&w, other, 60);
	assert_int_equal(speak(&w, &w.guest, other), 0);
	/* Nobody above hears of it. */
	assert_int_equal(w.node.connected, 0);
	assert_null(pu_host_conn(w.node.h, &w.guest.key.peer));
	assert_int_equal(w.guest.identified, 0);
	stop(&w);
}

static void rules_end_one_by_one(void **state)
{
	struct world w;

	start(&w, "/ip4/0.0.0.0/tcp/4001");
	allow(&w, business, 60);
	allow(&w, other, 60);
	assert_int_equal(speak(&w, &w.guest, business), 0);
	assert_int_equal(pu_host_probation(w.node.h, business, true, 0), 0);
	pu_sim_run(w.sim, PU_MS(100));
	assert_int_equal(conns(&w.guest), 1);
	assert_int_equal(speak(&w, &w.guest, business), PU_ENOPROTO);
	assert_int_equal(speak(&w, &w.guest, other), 0);
	assert_int_equal(pu_host_probation(w.node.h, other, true, 0), 0);
	pu_sim_run(w.sim, PU_MS(100));
	assert_int_equal(conns(&w.guest), 0);
	assert_int_equal(conns(&w.node), 0);
	assert_false(pu_host_on_probation(w.node.h));
	stop(&w);
}

static void there_are_only_so_many_rules(void **state)
{
	char name[PU_HOST_PROBATION_RULES_MAX + 1][32];
	struct world w;

	start(&w, "/ip4/0.0.0.0/tcp/4001");
	for (unsigned i = 0; i < PU_ARRAY_LEN(name); i++)
		snprintf(name[i], sizeof name[i], "/test/%u", i);
	for (unsigned i = 0; i < PU_HOST_PROBATION_RULES_MAX; i++)
		allow(&w, name[i], 1 + i);
	assert_int_equal(pu_host_probation(w.node.h, name[PU_HOST_PROBATION_RULES_MAX], false,
					   pu_sim_now(w.sim) + PU_SEC(60)), PU_ELIMIT);
	assert_int_equal(pu_host_probation(w.node.h, business, false, 0), 0);
	allow(&w, name[0], 20); /* again: the same rule */
	/* Those that are over make room. */
	pu_sim_run(w.sim, PU_SEC(3));
	allow(&w, business, 60);
	assert_int_equal(speak(&w, &w.guest, business), 0);
	stop(&w);
}

static void a_silent_stranger_goes_sooner_than_one_with_business(void **state)
{
	struct test_dial d = { 0 };
	struct world w;

	start(&w, "/ip4/0.0.0.0/tcp/4001");
	allow(&w, business, 600);
	test_connect(&w.guest, &w.node, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_sim_run(w.sim, PU_SEC(PU_HOST_PROBATION_SILENT_S - 1));
	assert_int_equal(conns(&w.guest), 1);
	pu_sim_run(w.sim, PU_SEC(2));
	assert_int_equal(conns(&w.guest), 0);
	assert_int_equal(speak(&w, &w.guest, business), 0);
	pu_sim_run(w.sim, PU_SEC(PU_HOST_PROBATION_S - 2));
	assert_int_equal(conns(&w.guest), 1);
	pu_sim_run(w.sim, PU_SEC(2));
	assert_int_equal(conns(&w.guest), 0);
	assert_int_equal(conns(&w.node), 0);
	stop(&w);
}

static void a_stranger_cannot_ask_for_ever_more(void **state)
{
	struct world w;
	unsigned n = 0;

	start(&w, "/ip4/0.0.0.0/tcp/4001");
	allow(&w, business, 600);
	while (n <= PU_HOST_PROBATION_STREAMS && speak(&w, &w.guest, business) == 0)
		n++;
	/* Identify of the guest was one. */
	assert_in_range(n, PU_HOST_PROBATION_STREAMS - 2, PU_HOST_PROBATION_STREAMS - 1);
	assert_int_equal(conns(&w.guest), 1);
	stop(&w);
}

static unsigned let_in(struct world *w, struct test_host *crowd, unsigned n, const char *ip)
{
	unsigned in = 0;

	for (unsigned i = 0; i < n; i++) {
		struct test_dial d = { 0 };
		char addr[24];

		snprintf(addr, sizeof addr, ip, i + 1);
		test_host_init(&crowd[i], w->sim, 100 + i, addr, NULL);
		test_host_start(&crowd[i], NULL);
		test_host_introduce(&crowd[i], &w->node);
		test_connect(&crowd[i], &w->node, &d, PU_MS(300));
		if (d.req)
			pu_host_cancel(crowd[i].h, d.req);
		pu_sim_run(w->sim, PU_MS(100));
		in += conns(&crowd[i]);
	}
	return in;
}

static void one_network_does_not_take_all_places(void **state)
{
	struct test_host crowd[CROWD];
	struct world w;

	start(&w, "/ip4/0.0.0.0/tcp/4001");
	allow(&w, business, 60);
	assert_int_equal(let_in(&w, crowd, CROWD, "11.0.9.9"), PU_HOST_PROBATION_PER_NET);
	assert_int_equal(speak(&w, &w.guest, business), 0);
	for (unsigned i = 0; i < CROWD; i++)
		test_host_stop(&crowd[i]);
	stop(&w);
}

static void there_are_only_so_many_places(void **state)
{
	struct test_host crowd[CROWD];
	struct world w;

	start(&w, "/ip4/0.0.0.0/tcp/4001");
	allow(&w, business, 60);
	assert_int_equal(let_in(&w, crowd, CROWD, "11.0.9.%u"), PU_HOST_PROBATION_MAX);
	assert_int_not_equal(speak(&w, &w.guest, business), 0);
	/* Members get in all the same. */
	w.member = &w.guest.key.peer;
	pu_host_forget_failures(w.guest.h, &w.node.key.peer);
	assert_int_equal(speak(&w, &w.guest, business), 0);
	/* The silent ones make room in time. */
	pu_sim_run(w.sim, PU_SEC(PU_HOST_PROBATION_SILENT_S));
	assert_int_equal(conns(&w.node), 1);
	for (unsigned i = 0; i < CROWD; i++)
		test_host_stop(&crowd[i]);
	stop(&w);
}

static void who_becomes_a_member_stays(void **state)
{
	struct world w;

	start(&w, "/ip4/0.0.0.0/udp/4001/quic-v1");
	allow(&w, business, 60);
	assert_int_equal(speak(&w, &w.guest, business), 0);
	w.member = &w.guest.key.peer;
	pu_host_promote(w.node.h, &w.guest.key.peer);
	assert_int_equal(w.node.connected, 0); /* not from inside */
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(w.node.connected, 1);
	assert_non_null(pu_host_conn(w.node.h, &w.guest.key.peer));
	assert_false(pu_host_is_guest(pu_host_conn(w.node.h, &w.guest.key.peer)));
	/* Both know each other now, though the guest had asked in vain. */
	assert_int_equal(w.node.identified, 1);
	assert_true(pu_host_peer_supports(w.guest.h, &w.node.key.peer, other));
	assert_int_equal(speak(&w, &w.guest, other), 0);
	assert_int_equal(pu_host_probation(w.node.h, business, true, 0), 0);
	pu_sim_run(w.sim, PU_SEC(2 * PU_HOST_PROBATION_S));
	assert_int_equal(conns(&w.guest), 1);
	stop(&w);
}

static void promoting_somebody_else_changes_nothing(void **state)
{
	struct world w;

	start(&w, "/ip4/0.0.0.0/tcp/4001");
	allow(&w, business, 60);
	assert_int_equal(speak(&w, &w.guest, business), 0);
	pu_host_promote(w.node.h, &w.node.key.peer);
	pu_sim_run(w.sim, PU_SEC(1));
	assert_int_equal(w.node.connected, 0);
	assert_int_equal(speak(&w, &w.guest, other), PU_ENOPROTO);
	/* Nor does it when the host stops before the promotion takes place. */
	pu_host_promote(w.node.h, &w.guest.key.peer);
	stop(&w);
}

/* Through a relay. */

static bool nobody(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	const struct circuit_lab *l = arg;

	return pu_peerid_eq(peer, &l->relay[0].key.peer);
}

static int speak_through(struct circuit_lab *l, const char *protocol)
{
	const char *const protocols[] = { protocol, NULL };
	struct test_sink sink = { 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };

	test_open(&l->a.t, &l->b.t, protocols, &d, PU_SEC(20));
	assert_true(d.done);
	if (d.err == 0)
		pu_stream_reset(d.st, 0);
	pu_sim_run(l->sim, PU_MS(200));
	return d.err;
}

static void who_comes_through_a_relay_needs_a_rule_that_says_so(void **state)
{
	struct test_sink sink = { 0 };
	struct circuit_lab l;
	struct pu_host *h;

	circuit_lab_init(&l);
	l.b.t.cfg.gate = nobody;
	l.b.t.cfg.gate_arg = &l;
	circuit_lab_start(&l);
	h = l.b.t.h;
	assert_int_equal(pu_host_handle(h, business, test_sink_accept, &sink), 0);
	assert_int_equal(pu_host_handle(h, other, test_sink_accept, &sink), 0);
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(10)));
	circuit_lab_introduce(&l, &l.a, &l.b, 0);
	assert_int_equal(pu_host_probation(h, business, false, pu_sim_now(l.sim) + PU_SEC(900)), 0);
	assert_int_not_equal(speak_through(&l, business), 0);
	assert_int_equal(pu_host_probation(h, other, true, pu_sim_now(l.sim) + PU_SEC(900)), 0);
	pu_host_forget_failures(l.a.t.h, &l.b.t.key.peer);
	assert_int_equal(speak_through(&l, other), 0);
	assert_int_equal(speak_through(&l, business), PU_ENOPROTO);
	/* The last rule for those from relays takes them along. */
	assert_non_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	assert_int_equal(pu_host_probation(h, other, true, 0), 0);
	pu_sim_run(l.sim, PU_SEC(1));
	assert_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	circuit_lab_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stranger_speaks_what_is_allowed_and_nothing_else),
		cmocka_unit_test(rules_end_one_by_one),
		cmocka_unit_test(there_are_only_so_many_rules),
		cmocka_unit_test(a_silent_stranger_goes_sooner_than_one_with_business),
		cmocka_unit_test(a_stranger_cannot_ask_for_ever_more),
		cmocka_unit_test(one_network_does_not_take_all_places),
		cmocka_unit_test(there_are_only_so_many_places),
		cmocka_unit_test(who_becomes_a_member_stays),
		cmocka_unit_test(promoting_somebody_else_changes_nothing),
		cmocka_unit_test(who_comes_through_a_relay_needs_a_rule_that_says_so),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
