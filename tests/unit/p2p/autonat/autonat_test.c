/* Nodes that ask each other whether they can be reached, in virtual time. */
#include "p2p/autonat/autonat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/autonat/client.h"
#include "p2p/autonat/server.h"
#include "p2p/host/state.h"
#include "p2p/proto/ping.h"
#include "support/hosts.h"
#include "support/simnet_nat.h"

enum { SERVERS_MAX = 4 };

static const char *const both[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001",
				    NULL };
static const char *const only_tcp[] = { "/ip4/0.0.0.0/tcp/4001", NULL };

/* A node that wants to know, servers, and somebody uninvolved. */
struct world {
	struct pu_sim *sim;
	struct test_host node, other, server[SERVERS_MAX];
	unsigned n_servers;
	struct pu_autonat *a, *sa[SERVERS_MAX];
	unsigned told;
	struct pu_autonat_verdict last;
};

static void on_verdict(void *arg, const struct pu_autonat_verdict *v)
{
	struct world *w = arg;

	w->told++;
	w->last = *v;
}

/* Only the servers may come in. */
static bool gate(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	const struct world *w = arg;

	for (unsigned i = 0; i < w->n_servers; i++)
		if (pu_peerid_eq(peer, &w->server[i].key.peer))
			return true;
	return false;
}

static void init(struct world *w, unsigned n_servers)
{
	static const char *const ip[SERVERS_MAX] = { "11.0.1.1", "11.0.2.1", "11.0.3.1",
						     "11.0.4.1" };

	memset(w, 0, sizeof *w);
	w->sim = pu_sim_new(pu_sim_seed());
	w->n_servers = n_servers;
	test_host_init(&w->node, w->sim, 1, "11.0.0.1", NULL);
	test_host_init(&w->other, w->sim, 2, "11.0.0.2", NULL);
	for (unsigned i = 0; i < n_servers; i++)
		test_host_init(&w->server[i], w->sim, 10 + i, ip[i], NULL);
}

static void connect_to(struct world *w, unsigned i)
{
	struct test_dial d = { 0 };

	test_host_introduce(&w->node, &w->server[i]);
	test_connect(&w->node, &w->server[i], &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
}

static void start(struct world *w, const char *const *listen)
{
	struct pu_autonat_options serve = { .serve = true };
	struct pu_autonat_options ask = { .on_verdict = on_verdict, .arg = w };

	test_host_start(&w->node, listen);
	test_host_start(&w->other, listen);
	for (unsigned i = 0; i < w->n_servers; i++) {
		test_host_start(&w->server[i], listen);
		assert_int_equal(pu_autonat_new(w->server[i].h, &serve, &w->sa[i]), 0);
	}
	assert_int_equal(pu_autonat_new(w->node.h, &ask, &w->a), 0);
	for (unsigned i = 0; i < w->n_servers; i++)
		connect_to(w, i);
}

static void stop(struct world *w)
{
	pu_autonat_free(w->a);
	for (unsigned i = 0; i < w->n_servers; i++)
		pu_autonat_free(w->sa[i]);
	test_host_stop(&w->node);
	test_host_stop(&w->other);
	for (unsigned i = 0; i < w->n_servers; i++)
		test_host_stop(&w->server[i]);
	pu_sim_free(w->sim);
}

static enum pu_reachable verdict_on(const struct world *w, const char *text)
{
	struct pu_autonat_verdict v[PU_AUTONAT_CANDIDATES_MAX];
	size_t n = pu_autonat_verdicts(w->a, v, PU_ARRAY_LEN(v));
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&v[i].addr, &ma))
			return v[i].reachable;
	fail_msg("%s is no candidate", text);
	return PU_REACHABLE_UNKNOWN;
}

static struct pu_autonat_stats stats_of(const struct pu_autonat *a)
{
	struct pu_autonat_stats st;

	pu_autonat_stats(a, &st);
	return st;
}

static struct pu_host_stats host_stats(const struct test_host *t)
{
	struct pu_host_stats st;

	pu_host_stats(t->h, &st);
	return st;
}

static void a_reachable_node_learns_it(void **state)
{
	struct world w;

	init(&w, 1);
	start(&w, both);
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_UNKNOWN);
	pu_sim_run(w.sim, PU_SEC(20));
	assert_int_equal(verdict_on(&w, "/ip4/11.0.0.1/udp/4001/quic-v1"), PU_REACHABLE_YES);
	assert_int_equal(verdict_on(&w, "/ip4/11.0.0.1/tcp/4001"), PU_REACHABLE_YES);
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_YES);
	assert_int_equal(w.told, 2);
	assert_int_equal(w.last.reachable, PU_REACHABLE_YES);
	assert_int_equal(w.last.yes, 1);
	assert_int_equal(stats_of(w.a).answered_yes, 2);
	assert_int_equal(stats_of(w.sa[0]).dialed, 2);
	assert_int_equal(stats_of(w.sa[0]).dial_data, 0);
	/* The dials came from elsewhere and left nothing. */
	assert_int_equal(host_stats(&w.server[0]).dials, 0);
	assert_int_equal(host_stats(&w.server[0]).n_conns, 1);
	assert_int_equal(host_stats(&w.node).n_conns, 1);
	stop(&w);
}

static void a_gated_node_learns_it_and_lets_nobody_else_in(void **state)
{
	struct world w;

	init(&w, 1);
	w.node.cfg.gate = gate;
	w.node.cfg.gate_arg = &w;
	start(&w, both);
	pu_sim_run(w.sim, PU_SEC(20));
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_YES);
	assert_int_equal(host_stats(&w.node).inbound_gated, 2);
	assert_int_equal(host_stats(&w.node).inbound_probation, 2);
	/* The overlay has never heard of them. */
	assert_int_equal(w.node.connected, 1);
	assert_int_equal(host_stats(&w.node).n_conns, 1);
	assert_false(pu_host_on_probation(w.node.h));
	stop(&w);
}

static void an_unreachable_node_learns_it(void **state)
{
	struct pu_sim_link closed = { .delay = PU_MS(5), .no_tcp = true };
	struct pu_autonat_verdict v;
	struct world w;

	init(&w, 2);
	start(&w, only_tcp);
	pu_sim_link_one_way(w.server[0].node, w.node.node, &closed);
	pu_sim_link_one_way(w.server[1].node, w.node.node, &closed);
	pu_sim_run(w.sim, PU_SEC(60));
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_NO);
	assert_int_equal(pu_autonat_verdicts(w.a, &v, 1), 1);
	assert_int_equal(v.no, 2);
	assert_int_equal(v.yes, 0);
	assert_int_equal(w.told, 1);
	assert_int_equal(stats_of(w.a).answered_no, 2);
	stop(&w);
}

static void changes_are_noticed(void **state)
{
	struct pu_sim_link closed = { .delay = PU_MS(5), .no_tcp = true }, open = { .delay = 1 };
	struct world w;

	init(&w, 1);
	start(&w, only_tcp);
	pu_sim_run(w.sim, PU_SEC(20));
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_YES);
	pu_sim_link_one_way(w.server[0].node, w.node.node, &closed);
	pu_autonat_network_changed(w.a);
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_YES); /* until known better */
	pu_sim_run(w.sim, PU_SEC(20));
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_NO);
	/* Without a hint it takes until the next round. */
	pu_sim_link_one_way(w.server[0].node, w.node.node, &open);
	pu_sim_run(w.sim, PU_SEC(11 * 60));
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_YES);
	stop(&w);
}

static void who_knows_asks_seldom(void **state)
{
	struct world w;
	uint64_t asked;

	init(&w, 3);
	start(&w, both);
	pu_sim_run(w.sim, PU_SEC(3 * 3600));
	asked = stats_of(w.a).asked;
	assert_true(asked >= 12 && asked <= 48);
	pu_sim_run(w.sim, PU_SEC(5 * 3600));
	/* Two addresses, three servers, every hour. */
	assert_in_range(stats_of(w.a).asked - asked, 24, 36);
	assert_int_equal(stats_of(w.a).failed, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stats_of(w.sa[i]).rejected, 0);
	stop(&w);
}

/* Its connection comes from one address, the question is about another one. */
static void another_ip_costs_dial_data(void **state)
{
	struct pu_autonat_stats st;
	struct world w;

	init(&w, 1);
	pu_sim_node_add_ip(w.node.node, "11.0.0.77");
	start(&w, only_tcp);
	pu_sim_run(w.sim, PU_SEC(60));
	assert_int_equal(verdict_on(&w, "/ip4/11.0.0.1/tcp/4001"), PU_REACHABLE_YES);
	assert_int_equal(verdict_on(&w, "/ip4/11.0.0.77/tcp/4001"), PU_REACHABLE_YES);
	st = stats_of(w.sa[0]);
	assert_in_range(st.dial_data, PU_AUTONAT_DATA_MIN, PU_AUTONAT_DATA_MAX);
	assert_int_equal(st.dialed, 2);
	stop(&w);
}

static void dial_data_is_paid_once_a_round(void **state)
{
	unsigned paid = 0;
	struct world w;

	init(&w, 3);
	pu_sim_node_add_ip(w.node.node, "11.0.0.77");
	start(&w, only_tcp);
	pu_sim_run(w.sim, PU_SEC(120));
	assert_int_equal(verdict_on(&w, "/ip4/11.0.0.77/tcp/4001"), PU_REACHABLE_YES);
	for (int i = 0; i < 3; i++)
		paid += stats_of(w.sa[i]).dial_data > 0;
	assert_int_equal(paid, 1);
	stop(&w);
}

static void private_addresses_are_not_asked_about_unless_wanted(void **state)
{
	struct pu_autonat_options opt = { .private_addrs = true };
	struct pu_autonat_verdict v[4];
	struct world w;

	init(&w, 1);
	pu_sim_node_add_ip(w.node.node, "10.1.1.1");
	start(&w, only_tcp);
	pu_sim_run(w.sim, PU_SEC(10));
	assert_int_equal(pu_autonat_verdicts(w.a, v, 4), 1);
	pu_autonat_free(w.a);
	assert_int_equal(pu_autonat_new(w.node.h, &opt, &w.a), 0);
	pu_sim_run(w.sim, PU_SEC(60));
	assert_int_equal(pu_autonat_verdicts(w.a, v, 4), 2);
	/* The server would have to want it, too. */
	assert_int_equal(verdict_on(&w, "/ip4/10.1.1.1/tcp/4001"), PU_REACHABLE_UNKNOWN);
	assert_int_equal(stats_of(w.sa[0]).refused, 1);
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_YES);
	stop(&w);
}

static void it_can_be_freed_in_the_middle_of_everything(void **state)
{
	for (unsigned ms = 990; ms < 1100; ms += 3) {
		struct world w;

		init(&w, 1);
		w.node.cfg.gate = gate;
		w.node.cfg.gate_arg = &w;
		start(&w, both);
		pu_sim_run(w.sim, PU_MS(ms));
		if (ms % 2)
			pu_autonat_network_changed(w.a);
		stop(&w);
	}
}

/* Behind NATs. */

static void start_behind(struct world *w, const struct pu_sim_nat_config *kind, bool forward)
{
	static const char *const only_quic[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", NULL };
	struct pu_sim_nat *nat;

	init(w, 1);
	pu_sim_node_remove_ip(w->node.node, "11.0.0.1");
	pu_sim_node_add_ip(w->node.node, "192.168.0.5");
	nat = pu_sim_nat_new(w->sim, kind, "11.7.0.1");
	pu_sim_node_behind(w->node.node, nat);
	if (forward)
		pu_sim_nat_forward(nat, false, 4001, "192.168.0.5", 4001);
	w->node.cfg.gate = gate;
	w->node.cfg.gate_arg = w;
	start(w, only_quic);
	pu_sim_run(w->sim, PU_SEC(60));
}

static bool advertises(const struct world *w, const char *text)
{
	struct pu_multiaddr ma, all[PU_LISTENER_ADDRS_MAX];
	size_t n = pu_host_addrs(w->node.h, all, PU_ARRAY_LEN(all));

	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&all[i], &ma))
			return true;
	return false;
}

#define OUTSIDE "/ip4/11.7.0.1/udp/4001/quic-v1"

static void an_open_nat_is_found_out_and_told(void **state)
{
	struct world w;

	start_behind(&w, &pu_sim_nat_full_cone, false);
	assert_int_equal(verdict_on(&w, OUTSIDE), PU_REACHABLE_YES);
	assert_true(advertises(&w, OUTSIDE));
	/* It stays so for as long as it is confirmed. */
	pu_sim_run(w.sim, PU_SEC(5 * 3600));
	assert_true(advertises(&w, OUTSIDE));
	stop(&w);
}

static void a_forwarded_port_is_found_out(void **state)
{
	struct world w;

	start_behind(&w, &pu_sim_nat_port_restricted, true);
	assert_int_equal(verdict_on(&w, OUTSIDE), PU_REACHABLE_YES);
	assert_true(advertises(&w, OUTSIDE));
	stop(&w);
}

static void a_closed_nat_is_found_out_and_not_told(void **state)
{
	struct world w;

	start_behind(&w, &pu_sim_nat_port_restricted, false);
	assert_int_equal(verdict_on(&w, OUTSIDE), PU_REACHABLE_NO);
	assert_int_equal(pu_autonat_overall(w.a), PU_REACHABLE_NO);
	assert_false(advertises(&w, OUTSIDE));
	stop(&w);
}

/* Probation. */

static void nothing_else_is_spoken_on_probation(void **state)
{
	static const char *const ping[] = { PU_PING_PROTOCOL, NULL };
	static const char *const identify[] = { "/ipfs/id/1.0.0", NULL };
	struct test_sink sink = { 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };
	struct world w;

	init(&w, 0);
	w.node.cfg.gate = gate;
	w.node.cfg.gate_arg = &w;
	start(&w, both);
	test_host_introduce(&w.other, &w.node);
	/* Nobody is awaited: refused. */
	test_open(&w.other, &w.node, ping, &d, PU_SEC(20));
	assert_int_not_equal(d.err, 0);
	pu_sim_run(w.sim, PU_SEC(90));
	pu_host_probation(w.node.h, PU_AUTONAT_BACK_PROTOCOL, false,
			  pu_sim_now(w.sim) + PU_SEC(30));
	test_open(&w.other, &w.node, ping, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_ENOPROTO);
	test_open(&w.other, &w.node, identify, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_ENOPROTO);
	assert_int_equal(w.other.identified, 0);
	assert_null(pu_host_conn(w.node.h, &w.other.key.peer));
	assert_int_equal(w.node.connected, 0);
	/* And it does not last. */
	assert_int_equal(host_stats(&w.other).n_conns, 1);
	pu_sim_run(w.sim, PU_SEC(PU_HOST_PROBATION_SILENT_S + 1));
	assert_int_equal(host_stats(&w.other).n_conns, 0);
	assert_int_equal(host_stats(&w.node).n_conns, 0);
	stop(&w);
}

static void few_strangers_at_a_time_are_on_probation(void **state)
{
	struct test_host crowd[PU_HOST_PROBATION_MAX + 2];
	struct test_dial d[PU_ARRAY_LEN(crowd)];
	unsigned in = 0;
	char ip[16];
	struct world w;

	init(&w, 0);
	w.node.cfg.gate = gate;
	w.node.cfg.gate_arg = &w;
	for (unsigned i = 0; i < PU_ARRAY_LEN(crowd); i++) {
		snprintf(ip, sizeof ip, "11.0.9.%u", 1 + i);
		test_host_init(&crowd[i], w.sim, 100 + i, ip, NULL);
	}
	start(&w, only_tcp);
	pu_host_probation(w.node.h, PU_AUTONAT_BACK_PROTOCOL, false, pu_sim_now(w.sim) + PU_SEC(60));
	memset(d, 0, sizeof d);
	for (unsigned i = 0; i < PU_ARRAY_LEN(crowd); i++) {
		test_host_start(&crowd[i], NULL);
		test_host_introduce(&crowd[i], &w.node);
		test_connect(&crowd[i], &w.node, &d[i], PU_MS(500));
		pu_sim_run(w.sim, PU_MS(100));
		in += host_stats(&crowd[i]).n_conns;
	}
	assert_int_equal(in, PU_HOST_PROBATION_MAX);
	assert_int_equal(host_stats(&w.node).inbound_probation, PU_HOST_PROBATION_MAX);
	/* When the question is over, so is their time. */
	pu_host_probation(w.node.h, PU_AUTONAT_BACK_PROTOCOL, false, 0);
	pu_sim_run(w.sim, PU_SEC(1));
	for (unsigned i = 0; i < PU_ARRAY_LEN(crowd); i++) {
		assert_int_equal(host_stats(&crowd[i]).n_conns, 0);
		test_host_stop(&crowd[i]);
	}
	stop(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reachable_node_learns_it),
		cmocka_unit_test(a_gated_node_learns_it_and_lets_nobody_else_in),
		cmocka_unit_test(an_unreachable_node_learns_it),
		cmocka_unit_test(changes_are_noticed),
		cmocka_unit_test(who_knows_asks_seldom),
		cmocka_unit_test(another_ip_costs_dial_data),
		cmocka_unit_test(dial_data_is_paid_once_a_round),
		cmocka_unit_test(private_addresses_are_not_asked_about_unless_wanted),
		cmocka_unit_test(it_can_be_freed_in_the_middle_of_everything),
		cmocka_unit_test(an_open_nat_is_found_out_and_told),
		cmocka_unit_test(a_forwarded_port_is_found_out),
		cmocka_unit_test(a_closed_nat_is_found_out_and_not_told),
		cmocka_unit_test(nothing_else_is_spoken_on_probation),
		cmocka_unit_test(few_strangers_at_a_time_are_on_probation),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
