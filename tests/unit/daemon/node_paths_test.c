/* Whole nodes that reach each other through relays, NATs and the hash table, in virtual
 * time.
 *
 *   a ── box 11.0.1.1 ──┐        ┌── relay 11.0.0.101
 *                       ├── all ─┤
 *   b ── box 11.0.2.1 ──┘        └── relay 11.0.0.102
 *
 * A third node c has 11.0.3.1 itself, when it is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "support/node_lab.h"

static struct pu_lab lab;
static struct pu_lab_node *const a = &lab.node[0], *const b = &lab.node[1], *const c = &lab.node[2];
static struct pu_lab_relay *const r0 = &lab.relay[0], *const r1 = &lab.relay[1];

static const struct pu_sim_link cut = { .down = true }, whole = { .delay = PU_MS(1) };

static void put(struct pu_lab_node *n, const struct pu_sim_nat_config *nat, const char *ip)
{
	if (nat)
		pu_lab_behind(n, nat, ip);
	else
		pu_lab_place(n, ip);
}

/* a and b know of each other nothing but the ID. */
static void strange_places(unsigned n, unsigned relays, const struct pu_sim_nat_config *nat_a,
			   const struct pu_sim_nat_config *nat_b)
{
	pu_lab_init(&lab, n);
	pu_sim_default_link(lab.sim, &whole);
	pu_lab_relays_init(&lab, relays);
	put(a, nat_a, "11.0.1.1");
	put(b, nat_b, "11.0.2.1");
	if (n > 2)
		put(c, NULL, "11.0.3.1");
	pu_lab_authorize(a, b, "");
	pu_lab_authorize(b, a, "");
}

static void everything_up(void)
{
	for (unsigned i = 0; i < lab.n_relays; i++)
		pu_lab_relay_up(&lab.relay[i]);
	for (unsigned i = 0; i < lab.n; i++)
		pu_lab_up(&lab.node[i]);
}

/* --- what to wait for -------------------------------------------------------------- */

static const struct pu_conn *best(const struct pu_lab_node *from, const struct pu_lab_node *to)
{
	return pu_host_conn(from->node->host, &to->id);
}

static bool both_connected(void *arg)
{
	return best(a, b) && best(b, a);
}

static bool direct(const struct pu_lab_node *from, const struct pu_lab_node *to)
{
	const struct pu_conn *conn = best(from, to);

	return conn && !conn->limited;
}

static bool both_direct(void *arg)
{
	return direct(a, b) && direct(b, a);
}

static bool through(const struct pu_lab_node *from, const struct pu_lab_node *to,
		    const struct pu_lab_relay *r)
{
	const struct pu_conn *conn = best(from, to);
	char text[PU_MULTIADDR_TEXT_MAX];

	return conn && conn->limited && strstr(pu_multiaddr_text(&conn->remote, text), r->id_text);
}

static bool both_through(void *arg)
{
	return through(a, b, arg) && through(b, a, arg);
}

static bool none_connected(void *arg)
{
	return !best(a, b) && !best(b, a);
}

static bool both_reserved(void *arg)
{
	return pu_lab_reserved(a, arg) && pu_lab_reserved(b, arg);
}

static bool within(bool (*cond)(void *arg), void *arg, pu_time limit)
{
	return pu_sim_run_until(lab.sim, cond, arg, limit);
}

static bool packet_came(void *arg)
{
	struct pu_lab_node *n = arg;

	return n->n_packets > 0;
}

/* A packet from one to the other arrives within the limit, however often it takes. */
static bool packet_passes(struct pu_lab_node *from, struct pu_lab_node *to, pu_time limit)
{
	pu_time end = pu_sim_now(lab.sim) + limit;

	to->n_packets = 0;
	do {
		pu_lab_send(from, to, 900, 0);
		if (within(packet_came, to, PU_SEC(1))) {
			pu_lab_check_packet(to, 900, 0);
			return true;
		}
	} while (pu_sim_now(lab.sim) < end);
	return false;
}

static bool packets_pass(pu_time limit)
{
	return packet_passes(a, b, limit) && packet_passes(b, a, limit);
}

static struct pu_hop_stats hop_stats(const struct pu_lab_relay *r)
{
	struct pu_hop_stats s;

	pu_hop_stats(r->server->hop, &s);
	return s;
}

struct counter {
	const char *name;
	uint64_t value;
};

static void look(void *arg, const char *name, uint64_t value)
{
	struct counter *k = arg;

	if (strcmp(name, k->name) == 0)
		k->value = value;
}

static uint64_t counter(const struct pu_lab_node *n, const char *name)
{
	struct counter k = { name, UINT64_MAX };

	pu_reachability_each_counter(n->node->reachability, look, &k);
	return k.value;
}

/* --- NATs --------------------------------------------------------------------------- */

/* Both list one relay; nothing else is configured. */
static void meet(const struct pu_sim_nat_config *nat_a, const struct pu_sim_nat_config *nat_b)
{
	strange_places(2, 1, nat_a, nat_b);
	pu_lab_use_relay(a, r0);
	pu_lab_use_relay(b, r0);
	everything_up();
	assert_true(within(both_connected, NULL, PU_SEC(10)));
}

static void peers_behind_nats_find_each_other_by_id_and_become_direct_where_possible(void **state)
{
	static const struct {
		const struct pu_sim_nat_config *a, *b;
		bool direct;
	} cases[] = {
		{ &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted, true },
		{ &pu_sim_nat_port_restricted, &pu_sim_nat_symmetric, false },
		{ &pu_sim_nat_symmetric, &pu_sim_nat_port_restricted, false },
		{ &pu_sim_nat_symmetric, &pu_sim_nat_symmetric, false },
		{ &pu_sim_nat_symmetric, &pu_sim_nat_address_restricted, true },
		{ &pu_sim_nat_symmetric, NULL, true },
		{ NULL, &pu_sim_nat_port_restricted, true },
	};

	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		meet(cases[i].a, cases[i].b);
		assert_true(packets_pass(PU_SEC(5)));
		assert_int_equal(within(both_direct, NULL, PU_SEC(60)), cases[i].direct);
		assert_true(packets_pass(PU_SEC(2)));
		pu_lab_deinit(&lab);
	}
}

static void a_dead_direct_path_is_replaced_by_the_relayed_one_and_comes_back(void **state)
{
	meet(&pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	assert_true(within(both_direct, NULL, PU_SEC(60)));
	assert_true(packets_pass(PU_SEC(2)));
	pu_lab_run(&lab, PU_SEC(120));
	pu_sim_link(a->sim, b->sim, &cut);
	assert_true(packets_pass(PU_SEC(15)));
	assert_true(within(both_through, r0, PU_SEC(30)));
	pu_sim_link(a->sim, b->sim, &whole);
	assert_true(within(both_direct, NULL, PU_SEC(300)));
	assert_true(packets_pass(PU_SEC(2)));
	pu_lab_deinit(&lab);
}

/* --- relays that come and go ---------------------------------------------------------- */

static void relayed_peers_survive_a_restart_of_their_relay(void **state)
{
	meet(&pu_sim_nat_symmetric, &pu_sim_nat_symmetric);
	assert_true(packets_pass(PU_SEC(5)));
	pu_lab_relay_down(r0);
	pu_lab_run(&lab, PU_SEC(20));
	assert_true(none_connected(NULL));
	pu_lab_relay_up(r0);
	assert_true(within(both_reserved, r0, PU_SEC(60)));
	assert_true(within(both_through, r0, PU_SEC(60)));
	assert_true(packets_pass(PU_SEC(5)));
	pu_lab_deinit(&lab);
}

static void direct_peers_do_not_notice_that_the_relay_restarts(void **state)
{
	const struct pu_conn *before;

	meet(&pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	assert_true(within(both_direct, NULL, PU_SEC(60)));
	pu_lab_run(&lab, PU_SEC(30));
	before = best(a, b);
	pu_lab_relay_down(r0);
	pu_lab_run(&lab, PU_SEC(60));
	assert_true(packets_pass(PU_SEC(1)));
	pu_lab_relay_up(r0);
	assert_true(within(both_reserved, r0, PU_SEC(90)));
	assert_ptr_equal(best(a, b), before);
	pu_lab_deinit(&lab);
}

static void a_relay_that_vanishes_is_replaced_by_the_other(void **state)
{
	struct pu_lab_relay *gone, *left;

	strange_places(2, 2, &pu_sim_nat_symmetric, &pu_sim_nat_symmetric);
	for (unsigned i = 0; i < 2; i++) {
		pu_lab_use_relay(a, &lab.relay[i]);
		pu_lab_use_relay(b, &lab.relay[i]);
	}
	everything_up();
	assert_true(within(both_connected, NULL, PU_SEC(10)));
	pu_lab_run(&lab, PU_SEC(10));
	gone = through(a, b, r0) ? r0 : r1;
	left = gone == r0 ? r1 : r0;
	pu_sim_link(a->sim, gone->sim, &cut);
	pu_sim_link(b->sim, gone->sim, &cut);
	assert_true(packets_pass(PU_SEC(20)));
	assert_true(within(both_through, left, PU_SEC(30)));
	pu_lab_deinit(&lab);
}

/* --- rights --------------------------------------------------------------------------- */

static void who_is_removed_from_the_relay_loses_reservation_and_circuits(void **state)
{
	meet(&pu_sim_nat_symmetric, &pu_sim_nat_symmetric);
	assert_true(within(both_reserved, r0, PU_SEC(10)));
	assert_int_equal(hop_stats(r0).reservations, 2);
	assert_true(hop_stats(r0).circuits > 0);
	r0->members[0] = '\0';
	pu_lab_relay_authorize(r0, a);
	pu_lab_relay_reload(r0);
	pu_lab_run(&lab, PU_SEC(10));
	assert_true(none_connected(NULL));
	assert_int_equal(hop_stats(r0).reservations, 1);
	assert_int_equal(hop_stats(r0).circuits, 0);
	assert_true(pu_lab_reserved(a, r0));
	assert_false(pu_lab_reserved(b, r0));
	pu_lab_relay_authorize(r0, b);
	pu_lab_relay_reload(r0);
	assert_true(within(both_through, r0, PU_SEC(180)));
	pu_lab_deinit(&lab);
}

/* c relays for its friends a and b until b is none any more. */
static void a_friend_relays_until_one_is_no_friend_any_more(void **state)
{
	struct pu_reachability_info info;

	strange_places(3, 0, &pu_sim_nat_symmetric, &pu_sim_nat_symmetric);
	pu_lab_authorize(c, a, "");
	pu_lab_authorize(c, b, "");
	pu_lab_list_relay(a, c->ip, 4001, c->id_text);
	pu_lab_list_relay(b, c->ip, 4001, c->id_text);
	everything_up();
	assert_true(within(both_connected, NULL, PU_SEC(10)));
	assert_true(packets_pass(PU_SEC(5)));
	pu_reachability_info(c->node->reachability, &info);
	assert_true(info.relaying);
	assert_in_range(counter(a, "circuit_open"), 1, 2);
	c->members[0] = '\0';
	pu_lab_authorize(c, a, "");
	pu_lab_reload(c);
	pu_lab_run(&lab, PU_SEC(5));
	assert_true(none_connected(NULL));
	assert_false(pu_lab_connected(c, b));
	assert_true(pu_lab_connected(c, a));
	assert_int_equal(counter(c, "relay_reservations"), 1);
	assert_int_equal(counter(c, "relay_circuits"), 0);
	assert_int_equal(counter(a, "circuit_open"), 0);
	pu_lab_deinit(&lab);
}

static void a_stranger_is_refused_through_the_relay_too(void **state)
{
	strange_places(3, 1, &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	pu_lab_use_relay(a, r0);
	pu_lab_use_relay(b, r0);
	pu_lab_use_relay(c, r0);
	pu_lab_authorize(c, b, ""); /* not the other way round */
	everything_up();
	assert_true(within(both_direct, NULL, PU_SEC(60)));
	pu_lab_run(&lab, PU_SEC(60));
	assert_false(pu_lab_connected(b, c));
	assert_null(pu_lab_peer(b, c));
	assert_true(b->node->gated > 0);
	assert_true(both_direct(NULL));
	/* He backs off: a minute later at most once a minute. */
	b->node->gated = 0;
	pu_lab_run(&lab, PU_SEC(600));
	assert_in_range(b->node->gated, 1, 30);
	pu_lab_deinit(&lab);
}

/* --- bounded work ----------------------------------------------------------------------- */

static bool a_connected(void *arg)
{
	return best(a, b) != NULL;
}

static void a_flapping_peer_causes_bounded_work(void **state)
{
	struct pu_host_stats before, after;
	pu_time since;
	unsigned minutes;

	meet(&pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	assert_true(within(both_direct, NULL, PU_SEC(60)));
	since = pu_sim_now(lab.sim);
	pu_host_stats(a->node->host, &before);
	for (unsigned i = 0; i < 100; i++) {
		pu_host_disconnect(b->node->host, &a->id, 0);
		pu_lab_run(&lab, PU_MS(50));
		assert_true(within(a_connected, NULL, PU_SEC(90)));
	}
	minutes = (unsigned)((pu_sim_now(lab.sim) - since) / PU_SEC(60)) + 1;
	pu_host_stats(a->node->host, &after);
	assert_in_range(after.dials - before.dials, 1, 100 * 8);
	assert_in_range(after.n_conns, 1, 6);
	assert_in_range(minutes, 2, 120); /* it has to wait a little longer each time */
	pu_lab_run(&lab, PU_SEC(120));
	assert_true(both_direct(NULL));
	assert_true(packets_pass(PU_SEC(2)));
	pu_lab_deinit(&lab);
}

/* Payload of all datagrams between two nodes, both ways. */
static uint64_t traffic(const struct pu_sim_node *x, const struct pu_sim_node *y)
{
	return pu_sim_counters(x, y).bytes_delivered + pu_sim_counters(y, x).bytes_delivered;
}

/* A direct path, a relayed one as a spare, and the reservation. */
static void idle_peers_cost_next_to_nothing(void **state)
{
	const unsigned seconds = 3600;
	uint64_t peer, relay;

	meet(&pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	assert_true(within(both_direct, NULL, PU_SEC(60)));
	pu_lab_run(&lab, PU_SEC(300));
	peer = traffic(a->sim, b->sim);
	relay = traffic(a->sim, r0->sim);
	pu_lab_run(&lab, PU_SEC(seconds));
	assert_true(both_direct(NULL));
	assert_in_range((traffic(a->sim, b->sim) - peer) / seconds, 1, 15);
	assert_in_range((traffic(a->sim, r0->sim) - relay) / seconds, 1, 35);
	pu_lab_deinit(&lab);
}

/* --- another list of relays ------------------------------------------------------------- */

static void another_relay_after_a_reload(void **state)
{
	struct pu_multiaddr addrs[PU_HOST_ADDRS_PER_PEER];
	struct pu_relay_info info[PU_RELAYS_MAX];
	char text[PU_MULTIADDR_TEXT_MAX];
	size_t n;

	strange_places(2, 2, &pu_sim_nat_symmetric, &pu_sim_nat_symmetric);
	pu_lab_use_relay(a, r0);
	pu_lab_use_relay(b, r0);
	everything_up();
	assert_true(within(both_through, r0, PU_SEC(10)));
	a->relays[0] = b->relays[0] = '\0';
	pu_lab_use_relay(a, r1);
	pu_lab_use_relay(b, r1);
	pu_lab_relay_reload(r1);
	pu_lab_reload(a);
	pu_lab_reload(b);
	assert_true(within(both_reserved, r1, PU_SEC(10)));
	/* What flows is left alone; the next circuit goes the new way. */
	assert_true(packets_pass(PU_SEC(2)));
	pu_lab_relay_down(r0);
	assert_true(within(both_through, r1, PU_SEC(20)));
	assert_true(packets_pass(PU_SEC(5)));
	assert_int_equal(pu_reachability_relays(a->node->reachability, info, PU_RELAYS_MAX), 1);
	n = pu_host_addrs(a->node->host, addrs, PU_ARRAY_LEN(addrs));
	for (size_t i = 0; i < n; i++)
		assert_null(strstr(pu_multiaddr_text(&addrs[i], text), r0->id_text));
	pu_lab_deinit(&lab);
}

/* --- the hash table ---------------------------------------------------------------------- */

/* The relays are different ones, so that neither can guess. */
static void a_peer_behind_an_unknown_relay_is_found_in_the_hash_table(void **state)
{
	strange_places(3, 2, &pu_sim_nat_symmetric, &pu_sim_nat_symmetric);
	pu_lab_use_relay(a, r0);
	pu_lab_use_relay(b, r1);
	pu_lab_relay_authorize(r0, b);
	pu_lab_relay_authorize(r1, a);
	pu_lab_authorize(c, a, "");
	pu_lab_authorize(c, b, "");
	pu_lab_list_bootstrap(a, c->ip, 4001, c->id_text);
	pu_lab_list_bootstrap(b, c->ip, 4001, c->id_text);
	everything_up();
	assert_true(within(both_connected, NULL, PU_SEC(60)));
	assert_true(packets_pass(PU_SEC(5)));
	pu_lab_deinit(&lab);
}

static void a_peer_is_found_in_the_hash_table_without_any_relay(void **state)
{
	strange_places(3, 0, NULL, NULL);
	pu_lab_authorize(c, a, "");
	pu_lab_authorize(c, b, "");
	pu_lab_list_bootstrap(a, c->ip, 4001, c->id_text);
	pu_lab_list_bootstrap(b, c->ip, 4001, c->id_text);
	everything_up();
	assert_true(within(both_direct, NULL, PU_SEC(60)));
	assert_true(packets_pass(PU_SEC(2)));
	pu_lab_deinit(&lab);
}

/* b waits at c, which alone knows that. */
static void a_friend_that_relays_tells_where_its_guests_are(void **state)
{
	strange_places(3, 0, &pu_sim_nat_symmetric, &pu_sim_nat_symmetric);
	pu_lab_authorize(c, a, "");
	pu_lab_authorize(c, b, "");
	pu_lab_list_bootstrap(a, c->ip, 4001, c->id_text);
	pu_lab_list_relay(b, c->ip, 4001, c->id_text);
	everything_up();
	assert_true(within(both_connected, NULL, PU_SEC(60)));
	assert_true(packets_pass(PU_SEC(5)));
	pu_lab_deinit(&lab);
}

static int quiet(void **state)
{
	pu_log_set_level(getenv("PU_TEST_LOG") ? PU_LOG_DEBUG : PU_LOG_OFF);
	return pu_crypto_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			peers_behind_nats_find_each_other_by_id_and_become_direct_where_possible),
		cmocka_unit_test(
			a_dead_direct_path_is_replaced_by_the_relayed_one_and_comes_back),
		cmocka_unit_test(relayed_peers_survive_a_restart_of_their_relay),
		cmocka_unit_test(direct_peers_do_not_notice_that_the_relay_restarts),
		cmocka_unit_test(a_relay_that_vanishes_is_replaced_by_the_other),
		cmocka_unit_test(who_is_removed_from_the_relay_loses_reservation_and_circuits),
		cmocka_unit_test(a_friend_relays_until_one_is_no_friend_any_more),
		cmocka_unit_test(a_stranger_is_refused_through_the_relay_too),
		cmocka_unit_test(a_flapping_peer_causes_bounded_work),
		cmocka_unit_test(idle_peers_cost_next_to_nothing),
		cmocka_unit_test(another_relay_after_a_reload),
		cmocka_unit_test(a_peer_behind_an_unknown_relay_is_found_in_the_hash_table),
		cmocka_unit_test(a_peer_is_found_in_the_hash_table_without_any_relay),
		cmocka_unit_test(a_friend_that_relays_tells_where_its_guests_are),
	};

	return cmocka_run_group_tests(tests, quiet, NULL);
}
