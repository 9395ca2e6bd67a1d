/* Connections whose ends change their addresses, under load. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/quic_pair.h"

static const struct pu_sim_link wan = { .delay = PU_MS(20), .rate = 50000000, .queue = 200000 };
static struct qp_pair pair;
/* The load: a stream from a to b, and one back if wanted. */
static struct qp_stream *up, *back;

enum { BULK = 6 << 20 };

static int teardown(void **state)
{
	if (pair.sim)
		qp_deinit(&pair);
	memset(&pair, 0, sizeof pair);
	return 0;
}

/* Both sides on all their addresses, b behind a wildcard like a real node. */
static void start(const struct pu_sim_link *link)
{
	back = NULL;
	qp_init(&pair, link);
	assert_int_equal(qp_listen(&pair.b, "/ip4/0.0.0.0/udp/4002/quic-v1"), 0);
	assert_int_equal(pu_multiaddr_from_text(&pair.b_addr, "/ip4/10.0.0.2/udp/4002/quic-v1"), 0);
	qp_connect(&pair);
	pu_sim_run(pair.sim, PU_SEC(2));
}

static void rename_node(struct pu_sim_node *n, const char *from, const char *to)
{
	pu_sim_node_remove_ip(n, from);
	if (to)
		pu_sim_node_add_ip(n, to);
}

static void a_becomes(const char *from, const char *to)
{
	rename_node(pair.a.node, from, to);
}

static bool has_ip(const struct pu_multiaddr *ma, const char *ip)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	return strstr(pu_multiaddr_text(ma, text), ip) != NULL;
}

static void load(bool both)
{
	up = qp_open(&pair.a, BULK, true);
	back = both ? qp_open(&pair.b, BULK, true) : NULL;
}

static bool arrived(void *arg)
{
	return pair.b.streams[back ? 1 : 0].eof && (!back || pair.a.streams[1].eof);
}

static void assert_whole(const struct qp_stream *from, const struct qp_stream *to)
{
	assert_int_equal(to->got, BULK);
	assert_true(to->hash == from->wrote_hash);
}

static void await_load(pu_time limit)
{
	assert_true(qp_run_until(&pair, arrived, NULL, limit));
	assert_whole(up, &pair.b.streams[back ? 1 : 0]);
	if (back)
		assert_whole(back, &pair.a.streams[1]);
	assert_int_equal(pair.a.n_closed + pair.b.n_closed, 0);
}

static void say(struct qp_side *s, size_t len)
{
	static uint8_t zero[1200];
	struct iovec v = { zero, len };

	(void)pu_conn_send_datagram(s->c, &v, 1);
}

/* --- the client moves -------------------------------------------------------------- */

static void client_moves_under_load(void **state)
{
	uint64_t paths;

	start(&wan);
	load(true);
	pu_sim_run(pair.sim, PU_MS(200));
	assert_in_range(pair.b.streams[1].got, 1, BULK / 2);
	paths = pair.a.paths;
	a_becomes("10.0.0.1", "10.0.0.9");
	pu_sim_run(pair.sim, PU_MS(500)); /* until the kernel's news are digested */
	assert_int_equal(pu_conn_migrate(pair.a.c), 0);
	assert_true(pair.a.c->moving);
	pu_sim_run(pair.sim, PU_MS(150)); /* one round trip and full queues */
	assert_false(pair.a.c->moving);
	assert_true(pair.a.paths > paths);
	assert_true(has_ip(&pair.a.c->local, "/ip4/10.0.0.9/"));
	assert_true(has_ip(&pair.b.c->remote, "/ip4/10.0.0.9/"));
	/* 12 MiB at 50 Mbit/s in both directions take 1.1 s. */
	await_load(PU_SEC(3));
}

static void datagrams_go_on_within_two_round_trips(void **state)
{
	uint64_t got;

	start(&wan);
	say(&pair.b, 100);
	pu_sim_run(pair.sim, PU_MS(100));
	assert_int_equal(pair.a.dgrams, 1);
	a_becomes("10.0.0.1", "10.0.0.9");
	assert_int_equal(pu_conn_migrate(pair.a.c), 0);
	/* Nothing is lost on the way there; the way back waits for the news. */
	say(&pair.a, 100);
	pu_sim_run(pair.sim, PU_MS(30));
	assert_int_equal(pair.b.dgrams, 1);
	got = pair.a.dgrams;
	say(&pair.b, 100);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_int_equal(pair.a.dgrams, got + 1);
}

static void packets_grow_again_on_the_new_path(void **state)
{
	size_t max;

	start(&wan);
	max = pu_conn_max_datagram(pair.a.c);
	assert_true(max > 1380);
	a_becomes("10.0.0.1", "10.0.0.9");
	assert_int_equal(pu_conn_migrate(pair.a.c), 0);
	assert_in_range(pu_conn_max_datagram(pair.a.c), 1100, 1200);
	pu_sim_run(pair.sim, PU_MS(500));
	assert_int_equal(pu_conn_max_datagram(pair.a.c), max);
	assert_int_equal(pu_conn_max_datagram(pair.b.c), max);
}

static void new_path_may_be_narrower(void **state)
{
	const struct pu_sim_link narrow = { .delay = PU_MS(20), .mtu = 1300 };

	start(&wan);
	load(false);
	pu_sim_run(pair.sim, PU_MS(100));
	a_becomes("10.0.0.1", "10.0.0.9");
	pu_sim_link(pair.a.node, pair.b.node, &narrow);
	assert_int_equal(pu_conn_migrate(pair.a.c), 0);
	await_load(PU_SEC(4));
	assert_in_range(pu_conn_max_datagram(pair.a.c), 1100, 1272);
}

static void nothing_changed_is_said(void **state)
{
	start(&wan);
	assert_int_equal(pu_conn_migrate(pair.a.c), PU_EEXIST);
	assert_false(pair.a.c->moving);
	a_becomes("10.0.0.1", NULL);
	assert_int_equal(pu_conn_migrate(pair.a.c), PU_EUNREACH);
	pu_sim_node_add_ip(pair.a.node, "10.0.0.1");
	assert_int_equal(pu_conn_migrate(pair.a.c), PU_EEXIST);
}

static void server_cannot_move(void **state)
{
	start(&wan);
	rename_node(pair.b.node, "10.0.0.2", "10.0.0.8");
	assert_int_equal(pu_conn_migrate(pair.b.c), PU_ENOTSUP);
}

static void moves_again_and_again(void **state)
{
	static const char *const ip[] = { "10.0.0.1", "10.0.0.11", "10.0.0.12" };

	start(&wan);
	load(false);
	for (unsigned i = 0; i < 30; i++) {
		a_becomes(ip[i % 3], ip[(i + 1) % 3]);
		assert_int_equal(pu_conn_migrate(pair.a.c), 0);
		/* From leisurely to faster than the proof of the path before. */
		pu_sim_run(pair.sim, PU_MS(i % 2 ? 150 : 45));
	}
	await_load(PU_SEC(10));
	assert_false(pair.a.c->moving);
}

static void without_a_way_there_moving_ends_in_words(void **state)
{
	static const char *const ip[] = { "10.0.0.1", "10.0.0.11" };
	const struct pu_sim_link gone = { .down = true };
	int r = 0;

	start(&wan);
	pu_sim_link(pair.a.node, pair.b.node, &gone);
	for (unsigned i = 0; i < 20 && r == 0; i++) {
		a_becomes(ip[i % 2], ip[(i + 1) % 2]);
		r = pu_conn_migrate(pair.a.c);
		pu_sim_run(pair.sim, PU_MS(200));
	}
	assert_int_equal(r, PU_ENOTSUP);
	assert_true(pair.a.c->moving);
	/* What is left still works when the way is back. */
	pu_sim_link(pair.a.node, pair.b.node, &wan);
	qp_open(&pair.a, 1000, true);
	assert_true(qp_run_until(&pair, arrived, NULL, PU_SEC(10)));
}

static void moves_over_a_bad_link(void **state)
{
	const struct pu_sim_link bad = { .delay = PU_MS(20), .jitter = PU_MS(5), .loss = 30000,
					 .reorder = 20000, .duplicate = 10000, .again = 10000 };

	start(&bad);
	load(true);
	pu_sim_run(pair.sim, PU_MS(100));
	a_becomes("10.0.0.1", "10.0.0.9");
	assert_int_equal(pu_conn_migrate(pair.a.c), 0);
	await_load(PU_SEC(60));
}

static void socket_of_one_address_is_left(void **state)
{
	qp_init(&pair, &wan);
	/* a's listening socket is preferred for dials. */
	assert_int_equal(qp_listen(&pair.a, "/ip4/10.0.0.1/udp/4003/quic-v1"), 0);
	assert_int_equal(pu_multiaddr_from_text(&pair.b_addr, "/ip4/10.0.0.2/udp/4001/quic-v1"), 0);
	qp_connect(&pair);
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_true(has_ip(&pair.a.c->local, "/udp/4003/"));
	load(false);
	pu_sim_run(pair.sim, PU_MS(100));
	a_becomes("10.0.0.1", "10.0.0.9");
	assert_int_equal(pu_conn_migrate(pair.a.c), 0);
	await_load(PU_SEC(4));
	assert_true(has_ip(&pair.a.c->local, "/ip4/10.0.0.9/"));
}

/* --- the server moves, the client follows -------------------------------------------- */

static void follow_to(const char *addr, int expect)
{
	struct pu_multiaddr ma;

	assert_int_equal(pu_multiaddr_from_text(&ma, addr), 0);
	assert_int_equal(pu_conn_follow(pair.a.c, &ma), expect);
}

static void client_follows_its_server(void **state)
{
	start(&wan);
	load(true);
	pu_sim_run(pair.sim, PU_MS(200));
	rename_node(pair.b.node, "10.0.0.2", "10.0.0.8");
	pu_sim_run(pair.sim, PU_MS(700));
	follow_to("/ip4/10.0.0.8/udp/4002/quic-v1", 0);
	pu_sim_run(pair.sim, PU_MS(60));
	assert_false(pair.a.c->moving);
	assert_true(has_ip(&pair.a.c->remote, "/ip4/10.0.0.8/"));
	assert_true(has_ip(&pair.b.c->local, "/ip4/10.0.0.8/"));
	await_load(PU_SEC(3));
}

static void client_follows_to_the_other_family(void **state)
{
	start(&wan);
	assert_int_equal(qp_listen(&pair.b, "/ip6/::/udp/4002/quic-v1"), 0);
	load(false);
	pu_sim_run(pair.sim, PU_MS(200));
	rename_node(pair.b.node, "10.0.0.2", NULL);
	follow_to("/ip6/fd00::2/udp/4002/quic-v1", 0);
	await_load(PU_SEC(3));
	assert_true(has_ip(&pair.a.c->local, "/ip6/fd00::1/"));
}

static void following_needs_a_reason_and_a_way(void **state)
{
	start(&wan);
	follow_to("/ip4/10.0.0.2/udp/4002/quic-v1", PU_EEXIST);
	follow_to("/ip4/10.0.0.2/tcp/4002", PU_ENOTSUP);
	/* Nobody there: that path is never proved, and there is a way back. */
	follow_to("/ip4/10.0.0.77/udp/4002/quic-v1", 0);
	pu_sim_run(pair.sim, PU_SEC(4));
	assert_true(pair.a.c->moving);
	follow_to("/ip4/10.0.0.2/udp/4002/quic-v1", 0);
	pu_sim_run(pair.sim, PU_MS(100));
	assert_false(pair.a.c->moving);
}

/* --- the client is moved by others ------------------------------------------------------ */

static void nat_rebinding_is_followed(void **state)
{
	start(&wan);
	load(true);
	pu_sim_run(pair.sim, PU_MS(200));
	a_becomes("10.0.0.1", "10.0.0.9"); /* and a does not know */
	await_load(PU_SEC(4));
	assert_true(has_ip(&pair.b.c->remote, "/ip4/10.0.0.9/"));
}

static void tremble(unsigned after)
{
	a_becomes("10.0.0.1", "10.0.0.9");
	pu_conn_probe(pair.a.c);
	pu_sim_run(pair.sim, PU_MS(after));
	a_becomes("10.0.0.9", "10.0.0.1");
	for (unsigned i = 0; i < 40; i++) {
		pu_conn_probe(pair.a.c);
		pu_sim_run(pair.sim, PU_MS(5));
	}
	pu_sim_run(pair.sim, PU_SEC(1));
}

/* The first packet from the new address is a small one, so that the server may not answer
 * with a full one, and asks twice; the old address is back before, between or after. */
static void rebinding_that_is_undone_does_no_harm(void **state)
{
	/* Path MTU discovery of such a path never ends with "as large as can be". */
	const struct pu_sim_link narrow = { .delay = PU_MS(20), .mtu = 1400 };

	for (unsigned after = 10; after <= 200; after += 10) {
		start(&narrow);
		tremble(after);
		assert_true(has_ip(&pair.b.c->remote, "/ip4/10.0.0.1/"));
		qp_open(&pair.a, 1000, true);
		assert_true(qp_run_until(&pair, arrived, NULL, PU_SEC(1)));
		teardown(NULL);
	}
}

/* A machine at the edge of two networks. */
static void client_that_returns_is_taken_back_at_once(void **state)
{
	uint64_t got;

	start(&wan);
	load(true);
	for (unsigned i = 0; i < 6; i++) {
		a_becomes(i % 2 ? "10.0.0.9" : "10.0.0.1", i % 2 ? "10.0.0.1" : "10.0.0.9");
		assert_int_equal(pu_conn_migrate(pair.a.c), 0);
		pu_sim_run(pair.sim, PU_MS(150));
		got = pair.a.streams[1].got;
		pu_sim_run(pair.sim, PU_MS(100));
		assert_true(pair.a.streams[1].got > got);
	}
	await_load(PU_SEC(5));
}

/* Both ends go from address to address, said or unsaid, over all kinds of links. */
static const char *const a_ips[] = { "10.0.0.1", "10.0.0.11", "10.0.0.12" };
static const char *const b_ips[] = { "10.0.0.2", "10.0.0.21", "10.0.0.22" };

static void step(unsigned *a_at, unsigned *b_at)
{
	unsigned old = *a_at;
	char addr[64];
	struct pu_multiaddr ma;

	switch (pu_sim_random(pair.sim, 6)) {
	case 0:
	case 1:
		*a_at = (unsigned)pu_sim_random(pair.sim, 3);
		if (*a_at != old)
			a_becomes(a_ips[old], a_ips[*a_at]);
		break;
	case 2:
		(void)pu_conn_migrate(pair.a.c);
		break;
	case 3:
		old = *b_at;
		*b_at = (unsigned)pu_sim_random(pair.sim, 3);
		if (*b_at != old)
			rename_node(pair.b.node, b_ips[old], b_ips[*b_at]);
		break;
	case 4:
		snprintf(addr, sizeof addr, "/ip4/%s/udp/4002/quic-v1", b_ips[*b_at]);
		assert_int_equal(pu_multiaddr_from_text(&ma, addr), 0);
		(void)pu_conn_follow(pair.a.c, &ma);
		break;
	default:
		pu_conn_probe(pu_sim_random(pair.sim, 2) ? pair.a.c : pair.b.c);
	}
	pu_sim_run(pair.sim, PU_MS(1) << pu_sim_random(pair.sim, 11));
}

/* In the end the client learns where the server is. False: it has used up its connection
 * IDs on ways that led nowhere, and would have to dial. */
static bool come_together(unsigned b_at)
{
	char addr[64];
	struct pu_multiaddr ma;
	int r;

	snprintf(addr, sizeof addr, "/ip4/%s/udp/4002/quic-v1", b_ips[b_at]);
	assert_int_equal(pu_multiaddr_from_text(&ma, addr), 0);
	r = pu_conn_follow(pair.a.c, &ma);
	if (r == PU_EEXIST)
		r = pu_conn_migrate(pair.a.c);
	return r != PU_ENOTSUP;
}

static void random_walks_harm_nobody(void **state)
{
	const struct pu_sim_link links[] = {
		wan,
		{ .delay = PU_MS(5), .mtu = 1400 },
		{ .delay = PU_MS(30), .jitter = PU_MS(10), .loss = 50000, .reorder = 50000 },
		{ .delay = PU_MS(100), .mtu = 1350, .loss = 10000 },
	};
	unsigned lived = 0;

	for (unsigned round = 0; round < 24; round++) {
		unsigned a_at = 0, b_at = 0;
		bool movable = true;

		start(&links[round % PU_ARRAY_LEN(links)]);
		for (unsigned i = 0; i < round * 17; i++)
			pu_sim_random(pair.sim, 2);
		if (round % 3)
			load(round % 3 == 2);
		for (unsigned i = 0; i < 40 && pair.a.c && pair.b.c; i++)
			step(&a_at, &b_at);
		for (unsigned i = 0; i < 4 && pair.a.c && pair.b.c; i++) {
			movable = come_together(b_at);
			pu_sim_run(pair.sim, PU_SEC(3));
		}
		/* Not moving: the server has connection IDs left to answer with, too. */
		if (movable && pair.a.c && pair.b.c && !pair.a.c->moving) {
			uint64_t got = pair.b.dgrams;

			lived++;
			for (unsigned i = 0; i < 20 && pair.b.dgrams == got; i++) {
				say(&pair.a, 10);
				pu_sim_run(pair.sim, PU_MS(500));
			}
			assert_true(pair.b.dgrams > got);
		}
		teardown(NULL);
	}
	assert_true(lived >= 18);
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(client_moves_under_load),
		T(datagrams_go_on_within_two_round_trips),
		T(packets_grow_again_on_the_new_path),
		T(new_path_may_be_narrower),
		T(nothing_changed_is_said),
		T(server_cannot_move),
		T(moves_again_and_again),
		T(without_a_way_there_moving_ends_in_words),
		T(moves_over_a_bad_link),
		T(socket_of_one_address_is_left),
		T(client_follows_its_server),
		T(client_follows_to_the_other_family),
		T(following_needs_a_reason_and_a_way),
		T(nat_rebinding_is_followed),
		T(rebinding_that_is_undone_does_no_harm),
		T(client_that_returns_is_taken_back_at_once),
		T(random_walks_harm_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
