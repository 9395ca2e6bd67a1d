/* Reservations over hours, restarts and changes of the network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/addr.h"
#include "p2p/circuit/message.h"
#include "support/circuit_lab.h"

static void start(struct circuit_lab *l, unsigned relays)
{
	circuit_lab_init(l);
	circuit_lab_start(l);
	circuit_lab_use_relays(l, &l->b, relays);
	for (unsigned i = 0; i < relays; i++)
		assert_true(circuit_lab_reserved(l, &l->b, i, PU_SEC(5)));
}

static struct pu_relay_info info_of(const struct circuit_end *e, unsigned i)
{
	struct pu_relay_info info[PU_RELAYS_MAX];

	assert_true(i < pu_relays_list(e->relays, info, PU_RELAYS_MAX));
	return info[i];
}

/* How many of its addresses are circuits. */
static size_t circuits_of(const struct test_host *t, struct pu_multiaddr *out, size_t cap)
{
	struct pu_multiaddr all[64];
	size_t n_all = pu_host_addrs(t->h, all, PU_ARRAY_LEN(all)), n = 0;

	for (size_t i = 0; i < n_all; i++)
		if (pu_multiaddr_kind(&all[i]) == PU_MA_KIND_CIRCUIT && n < cap)
			out[n++] = all[i];
	return n;
}

static bool reaches(struct circuit_lab *l)
{
	struct test_dial d = { 0 };

	test_connect(&l->a.t, &l->b.t, &d, PU_SEC(30));
	return d.done && d.err == 0;
}

static void a_reservation_is_described_and_advertised(void **state)
{
	struct pu_multiaddr ma, out[16];
	struct pu_relay_info info;
	struct circuit_lab l;
	size_t n;

	start(&l, 1);
	info = info_of(&l.b, 0);
	assert_int_equal(info.state, PU_RELAY_RESERVED);
	assert_true(info.voucher);
	assert_true(info.limit.told);
	assert_int_equal(info.limit.data, pu_hop_limits_default.data);
	assert_int_equal(info.expires - pu_loop_unix(pu_sim_loop(l.b.t.node)),
			 (int64_t)(pu_hop_limits_default.reservation_ttl / PU_SEC(1)));
	assert_int_equal(info.status, PU_CIRCUIT_OK);
	assert_int_equal(info.err, 0);
	assert_true(pu_hop_has_reservation(l.hop[0], &l.b.t.key.peer));
	assert_int_equal(l.b.changes, 1);

	/* TCP and QUIC of the relay; the configured address is one of them. */
	n = circuits_of(&l.b.t, out, PU_ARRAY_LEN(out));
	assert_int_equal(n, 2);
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_true(pu_multiaddr_eq(&out[0], &ma) || pu_multiaddr_eq(&out[1], &ma));
	circuit_lab_stop(&l);
}

/* Somebody who was connected before hears of it by identify/push. */
static void peers_are_told_about_new_circuit_addresses(void **state)
{
	struct pu_multiaddr out[PU_HOST_ADDRS_PER_PEER];
	struct test_dial d = { 0 };
	struct circuit_lab l;
	unsigned circuits = 0;
	size_t n;

	circuit_lab_init(&l);
	circuit_lab_start(&l);
	test_host_introduce(&l.b.t, &l.relay[1]);
	test_connect(&l.b.t, &l.relay[1], &d, PU_SEC(5));
	pu_sim_run(l.sim, PU_SEC(2));
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	pu_sim_run(l.sim, PU_SEC(10));
	n = pu_host_peer_addrs(l.relay[1].h, &l.b.t.key.peer, out, PU_ARRAY_LEN(out));
	for (size_t i = 0; i < n; i++)
		circuits += pu_multiaddr_kind(&out[i]) == PU_MA_KIND_CIRCUIT;
	assert_int_equal(circuits, 2);
	circuit_lab_stop(&l);
}

static void reservations_are_renewed_in_time_for_days(void **state)
{
	struct circuit_lab l;

	start(&l, 1);
	for (int hour = 0; hour < 48; hour++) {
		pu_sim_run(l.sim, PU_SEC(3600));
		assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_RESERVED);
		assert_true(pu_hop_has_reservation(l.hop[0], &l.b.t.key.peer));
		assert_true(info_of(&l.b, 0).expires > pu_loop_unix(pu_sim_loop(l.b.t.node)));
	}
	/* One hour to live, renewed after 45 minutes: 64 times, not thousands. */
	assert_in_range(l.b.changes, 60, 70);
	circuit_lab_introduce(&l, &l.a, &l.b, 0);
	assert_true(reaches(&l));
	circuit_lab_stop(&l);
}

static void short_reservations_are_renewed_before_they_end(void **state)
{
	static const unsigned ttl[] = { 10, 60, 301, 360, 600 };

	for (size_t i = 0; i < PU_ARRAY_LEN(ttl); i++) {
		struct circuit_lab l;
		unsigned most = 40 * 2 + 3;

		circuit_lab_init(&l);
		l.opt.limits.reservation_ttl = PU_SEC(ttl[i]);
		circuit_lab_start(&l);
		circuit_lab_use_relays(&l, &l.b, 1);
		assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
		for (int k = 0; k < 80; k++) {
			pu_sim_run(l.sim, PU_SEC(ttl[i]) / 2);
			assert_true(pu_hop_has_reservation(l.hop[0], &l.b.t.key.peer));
		}
		assert_in_range(l.b.changes, 40, most);
		circuit_lab_stop(&l);
	}
}

static void the_interval_of_the_user_is_kept(void **state)
{
	struct circuit_lab l;

	circuit_lab_init(&l);
	circuit_lab_start(&l);
	pu_relays_free(l.b.relays);
	assert_int_equal(pu_relays_new(l.b.t.h, PU_SEC(120), NULL, NULL, &l.b.relays), 0);
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	for (int k = 0; k < 10; k++) {
		struct pu_relay_info info;

		pu_sim_run(l.sim, PU_SEC(100));
		info = info_of(&l.b, 0);
		assert_true(pu_sim_now(l.sim) - info.reserved_at <= PU_SEC(121));
	}
	circuit_lab_stop(&l);
}

static bool is_lost(void *arg)
{
	return circuit_lab_state(arg, 0) != PU_RELAY_RESERVED;
}

/* Down for a second or for ten minutes. */
static void after_a_relay_restart_the_reservation_is_back_within_seconds(void **state)
{
	static const struct { unsigned down, back; } cases[] = { { 1, 4 }, { 30, 20 }, { 600, 80 } };

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		struct circuit_lab l;
		struct pu_multiaddr out[4];

		start(&l, 1);
		circuit_lab_introduce(&l, &l.a, &l.b, 0);
		circuit_lab_stop_relay(&l, 0);
		assert_true(pu_sim_run_until(l.sim, is_lost, &l.b, PU_SEC(5)));
		assert_int_equal(circuits_of(&l.b.t, out, 4), 0);
		pu_sim_run(l.sim, PU_SEC(cases[i].down));
		circuit_lab_start_relay(&l, 0);
		assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(cases[i].back)));
		assert_int_equal(circuits_of(&l.b.t, out, 4), 2);
		assert_true(reaches(&l));
		circuit_lab_stop(&l);
	}
}

/* The relay reboots without a word: its old connections answer nothing. */
static void a_silent_relay_is_noticed(void **state)
{
	struct pu_sim_link dead = { .down = true };
	struct circuit_lab l;

	start(&l, 1);
	pu_sim_link(l.b.t.node, l.relay[0].node, &dead);
	assert_true(pu_sim_run_until(l.sim, is_lost, &l.b, PU_SEC(90)));
	pu_sim_link(l.b.t.node, l.relay[0].node, &l.link);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(80)));
	circuit_lab_stop(&l);
}

static void the_other_relay_serves_while_one_is_down(void **state)
{
	struct pu_multiaddr out[8];
	struct circuit_lab l;

	start(&l, 2);
	assert_int_equal(circuits_of(&l.b.t, out, 8), 4);
	circuit_lab_introduce(&l, &l.a, &l.b, 0);
	circuit_lab_introduce(&l, &l.a, &l.b, 1);
	circuit_lab_stop_relay(&l, 0);
	assert_true(reaches(&l));
	pu_sim_run(l.sim, PU_SEC(3600));
	assert_int_equal(circuits_of(&l.b.t, out, 8), 2);
	assert_int_equal(circuit_lab_state(&l.b, 1), PU_RELAY_RESERVED);
	circuit_lab_start_relay(&l, 0);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(80)));
	assert_int_equal(circuits_of(&l.b.t, out, 8), 4);
	circuit_lab_stop(&l);
}

/* The address of the host is another one now: what was is dead, without a word. */
static void a_change_of_network_is_survived_in_seconds(void **state)
{
	struct pu_multiaddr ma[4];
	struct circuit_lab l;
	size_t n;

	start(&l, 1);
	circuit_lab_introduce(&l, &l.a, &l.b, 0);
	pu_sim_node_remove_ip(l.b.t.node, "11.0.0.2");
	pu_sim_node_add_ip(l.b.t.node, "11.0.1.2");
	n = pu_sim_node_ips(l.b.t.node, ma, 4);
	pu_host_set_interface_addrs(l.b.t.h, ma, n);
	pu_relays_network_changed(l.b.relays);
	pu_sim_run(l.sim, PU_SEC(12));
	assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_RESERVED);
	assert_true(reaches(&l));
	circuit_lab_stop(&l);
}

static void a_change_of_network_renews_what_still_works(void **state)
{
	struct pu_relay_info before, after;
	struct circuit_lab l;

	start(&l, 1);
	before = info_of(&l.b, 0);
	pu_sim_run(l.sim, PU_SEC(60));
	pu_relays_network_changed(l.b.relays);
	pu_sim_run(l.sim, PU_SEC(2));
	after = info_of(&l.b, 0);
	assert_int_equal(after.state, PU_RELAY_RESERVED);
	assert_true(after.reserved_at > before.reserved_at + PU_SEC(59));
	assert_int_equal(l.b.t.disconnected, 0);
	circuit_lab_stop(&l);
}

static void a_change_of_network_ends_the_waiting(void **state)
{
	struct circuit_lab l;

	circuit_lab_init(&l);
	circuit_lab_start(&l);
	circuit_lab_stop_relay(&l, 0);
	circuit_lab_use_relays(&l, &l.b, 1);
	pu_sim_run(l.sim, PU_SEC(300)); /* the backoff is at its maximum */
	assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_WAITING);
	assert_true(info_of(&l.b, 0).next_at > pu_sim_now(l.sim));
	circuit_lab_start_relay(&l, 0);
	pu_relays_network_changed(l.b.relays);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(2)));
	circuit_lab_stop(&l);
}

static bool never(void *arg, const struct pu_peerid *peer)
{
	++*(unsigned *)arg;
	return false;
}

static bool always(void *arg, const struct pu_peerid *from, const struct pu_peerid *to)
{
	return true;
}

static void a_refusal_is_reported_and_not_hammered(void **state)
{
	struct pu_relay_info info;
	struct circuit_lab l;
	unsigned asked = 0;

	circuit_lab_init(&l);
	l.opt.may_reserve = never;
	l.opt.may_connect = always;
	l.opt.arg = &asked;
	circuit_lab_start(&l);
	circuit_lab_use_relays(&l, &l.b, 1);
	pu_sim_run(l.sim, PU_SEC(600));
	info = info_of(&l.b, 0);
	assert_int_equal(info.state, PU_RELAY_WAITING);
	assert_int_equal(info.status, PU_CIRCUIT_PERMISSION_DENIED);
	assert_int_equal(info.err, PU_EDENIED);
	assert_in_range(asked, 8, 20);
	circuit_lab_stop(&l);
}

static bool is_reserved(void *arg)
{
	return circuit_lab_state(arg, 0) == PU_RELAY_RESERVED;
}

static void a_relay_that_grants_and_hangs_up_is_not_hammered(void **state)
{
	struct circuit_lab l;
	unsigned granted = 1;
	pu_time end;

	start(&l, 1);
	end = pu_loop_now(pu_sim_loop(l.b.t.node)) + PU_SEC(600);
	while (pu_loop_now(pu_sim_loop(l.b.t.node)) < end) {
		pu_conn_close(pu_host_conn(l.relay[0].h, &l.b.t.key.peer), PU_CONN_CODE_NORMAL);
		assert_true(pu_sim_run_until(l.sim, is_lost, &l.b, PU_SEC(5)));
		assert_true(pu_sim_run_until(l.sim, is_reserved, &l.b, PU_SEC(90)));
		granted++;
	}
	assert_in_range(granted, 10, 25);
	/* Once it behaves, all is forgiven. */
	pu_sim_run(l.sim, PU_SEC(60));
	pu_conn_close(pu_host_conn(l.relay[0].h, &l.b.t.key.peer), PU_CONN_CODE_NORMAL);
	assert_true(pu_sim_run_until(l.sim, is_lost, &l.b, PU_SEC(5)));
	assert_true(pu_sim_run_until(l.sim, is_reserved, &l.b, PU_SEC(1)));
	circuit_lab_stop(&l);
}

static void relays_that_are_not_listed_any_more_are_given_up(void **state)
{
	struct pu_multiaddr out[8];
	struct pu_relay_info info[4];
	struct circuit_lab l;

	start(&l, 2);
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_int_equal(pu_relays_list(l.b.relays, info, 4), 1);
	assert_int_equal(circuits_of(&l.b.t, out, 8), 2);
	assert_int_equal(pu_relays_set(l.b.relays, NULL, 0), 0);
	assert_int_equal(pu_relays_list(l.b.relays, info, 4), 0);
	assert_int_equal(circuits_of(&l.b.t, out, 8), 0);
	circuit_lab_use_relays(&l, &l.b, 2);
	assert_true(circuit_lab_reserved(&l, &l.b, 1, PU_SEC(5)));
	circuit_lab_stop(&l);
}

static void lists_that_make_no_sense_change_nothing(void **state)
{
	static const char id[] = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
	char text[PU_MULTIADDR_TEXT_MAX], own[PU_PEERID_TEXT_MAX];
	struct pu_multiaddr bad[4], many[PU_RELAYS_MAX + 1];
	struct pu_relay_info info[4];
	struct circuit_lab l;

	start(&l, 1);
	assert_int_equal(pu_multiaddr_from_text(&bad[0], "/ip4/11.0.0.9/tcp/1"), 0);
	snprintf(text, sizeof text, "/ip4/11.0.0.9/tcp/1/p2p/%s",
		 pu_peerid_text(&l.b.t.key.peer, own));
	assert_int_equal(pu_multiaddr_from_text(&bad[1], text), 0);
	snprintf(text, sizeof text, "/p2p/%s", id);
	assert_int_equal(pu_multiaddr_from_text(&bad[2], text), 0);
	snprintf(text, sizeof text, "/ip4/11.0.0.9/tcp/1/p2p/%s/p2p-circuit/p2p/%s", own, id);
	assert_int_equal(pu_multiaddr_from_text(&bad[3], text), 0);
	for (size_t i = 0; i < PU_ARRAY_LEN(bad); i++)
		assert_int_equal(pu_relays_set(l.b.relays, &bad[i], 1), PU_EINVAL);
	for (unsigned i = 0; i < PU_ARRAY_LEN(many); i++) {
		struct pu_key key;
		uint8_t seed[32] = { (uint8_t)i, 7 };

		assert_int_equal(pu_key_from_seed(&key, seed), 0);
		assert_int_equal(pu_multiaddr_from_text(&many[i], "/ip4/11.0.0.9/tcp/1"), 0);
		assert_int_equal(pu_multiaddr_append(&many[i], PU_MA_P2P,
						     pu_peerid_bytes(&key.peer)), 0);
	}
	assert_int_equal(pu_relays_set(l.b.relays, many, PU_ARRAY_LEN(many)), PU_ELIMIT);
	assert_int_equal(pu_relays_list(l.b.relays, info, 4), 1);
	assert_int_equal(circuit_lab_state(&l.b, 0), PU_RELAY_RESERVED);
	circuit_lab_stop(&l);
}

static void circuits_to_a_peer_are_built_from_the_relays(void **state)
{
	struct pu_multiaddr out[8], ma;
	struct circuit_lab l;

	start(&l, 2);
	circuit_lab_stop_relay(&l, 0);
	assert_true(pu_sim_run_until(l.sim, is_lost, &l.b, PU_SEC(5)));
	assert_int_equal(pu_relays_circuits_to(l.b.relays, &l.a.t.key.peer, out, 8), 2);
	ma = circuit_lab_circuit_addr(&l, 1); /* the one that works comes first */
	assert_true(pu_multiaddr_eq(&out[0], &ma));
	assert_int_equal(pu_relays_circuits_to(l.b.relays, &l.a.t.key.peer, out, 1), 1);
	assert_int_equal(pu_relays_circuits_to(l.b.relays, &l.relay[1].key.peer, out, 8), 1);
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_true(pu_multiaddr_eq(&out[0], &ma));
	circuit_lab_stop(&l);
}

static void the_connection_to_a_relay_is_never_idle(void **state)
{
	struct circuit_lab l;

	circuit_lab_init(&l);
	l.b.t.cfg.idle_timeout = PU_SEC(30);
	circuit_lab_start(&l);
	circuit_lab_use_relays(&l, &l.b, 1);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	pu_sim_run(l.sim, PU_SEC(600));
	assert_int_equal(l.b.t.disconnected, 0);
	circuit_lab_stop(&l);
}

/* Only the relay's name is configured. */
static void a_relay_can_be_configured_by_name(void **state)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr ma, out[8];
	struct circuit_lab l;
	bool named = false;
	size_t n;

	circuit_lab_init(&l);
	circuit_lab_start(&l);
	pu_sim_add_name(l.sim, "relay.test", "11.0.0.101", NULL);
	snprintf(text, sizeof text, "/dns4/relay.test/tcp/4001/p2p/%s",
		 pu_peerid_text(&l.relay[0].key.peer, id));
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_relays_set(l.b.relays, &ma, 1), 0);
	assert_true(circuit_lab_reserved(&l, &l.b, 0, PU_SEC(5)));
	assert_int_equal(pu_circuit_addr_make(&ma, &l.relay[0].key.peer, &ma), 0);
	n = circuits_of(&l.b.t, out, 8);
	for (size_t i = 0; i < n; i++)
		named |= pu_multiaddr_eq(&out[i], &ma);
	assert_true(named);
	/* And dialled by it. */
	assert_int_equal(pu_host_add_addr(l.a.t.h, &l.b.t.key.peer, &ma, true), 0);
	assert_true(reaches(&l));
	circuit_lab_stop(&l);
}

#define C(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(a_reservation_is_described_and_advertised),
		C(peers_are_told_about_new_circuit_addresses),
		C(reservations_are_renewed_in_time_for_days),
		C(short_reservations_are_renewed_before_they_end),
		C(the_interval_of_the_user_is_kept),
		C(after_a_relay_restart_the_reservation_is_back_within_seconds),
		C(a_silent_relay_is_noticed),
		C(the_other_relay_serves_while_one_is_down),
		C(a_change_of_network_is_survived_in_seconds),
		C(a_change_of_network_renews_what_still_works),
		C(a_change_of_network_ends_the_waiting),
		C(a_refusal_is_reported_and_not_hammered),
		C(a_relay_that_grants_and_hangs_up_is_not_hammered),
		C(relays_that_are_not_listed_any_more_are_given_up),
		C(lists_that_make_no_sense_change_nothing),
		C(circuits_to_a_peer_are_built_from_the_relays),
		C(the_connection_to_a_relay_is_never_idle),
		C(a_relay_can_be_configured_by_name),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
