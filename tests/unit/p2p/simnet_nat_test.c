/* The NAT boxes of the simulated network must behave like the real ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "support/simnet_nat.h"

enum { PORT = 4001 };

/* A node with a socket, and what came in. */
struct end {
	struct pu_sim_node *node;
	struct pu_net *net;
	struct pu_udp *u;
	unsigned heard;
	union pu_sockaddr from; /* of the last one */
	struct pu_tcp_listener *l;
	struct pu_tcp *dialed, *accepted;
	int connect_err; /* 1: nothing yet */
	union pu_sockaddr accepted_from;
};

/* a behind a box at 11.0.1.1; s, t on the Internet, t with a second socket. */
struct lab {
	struct pu_sim *sim;
	struct pu_sim_nat *nat;
	struct end a, s, t, t2;
};

static void on_recv(void *arg, const struct pu_dgrams *d, size_t n)
{
	struct end *e = arg;

	for (size_t i = 0; i < n; i++)
		e->heard += (unsigned)((d[i].len + d[i].segment - 1) / d[i].segment);
	e->from = d[n - 1].remote;
}

static const struct pu_udp_events udp_events = { .on_recv = on_recv };

static void on_connect(void *arg, int err)
{
	((struct end *)arg)->connect_err = err;
}

static size_t on_data(void *arg, const uint8_t *p, size_t len)
{
	((struct end *)arg)->heard += (unsigned)len;
	return len;
}

static const struct pu_tcp_events tcp_events = { .on_connect = on_connect, .on_recv = on_data };

static void on_accept(void *arg, struct pu_tcp *t)
{
	struct end *e = arg;

	assert_null(e->accepted);
	e->accepted = t;
	e->net->ops->tcp_remote(t, &e->accepted_from);
	e->net->ops->tcp_set_events(t, &tcp_events, e);
}

static void open_end(struct end *e, struct pu_sim *sim, const char *ip, uint16_t port)
{
	bool v6 = strchr(ip, ':') != NULL;
	union pu_sockaddr any = pu_sim_sockaddr(v6 ? "::" : "0.0.0.0", port);

	if (!e->node) {
		e->node = pu_sim_node_new(sim, ip);
		pu_sim_node_add_ip(e->node, ip);
	}
	e->net = pu_sim_net(e->node);
	e->connect_err = 1;
	assert_int_equal(e->net->ops->udp_open(e->net, &any, &udp_events, e, &e->u), 0);
	assert_int_equal(e->net->ops->tcp_listen(e->net, &any, on_accept, e, &e->l), 0);
}

static void close_end(struct end *e)
{
	if (!e->u)
		return;
	e->net->ops->udp_close(e->u);
	e->net->ops->tcp_listener_close(e->l);
	if (e->dialed)
		e->net->ops->tcp_close(e->dialed, true);
	if (e->accepted)
		e->net->ops->tcp_close(e->accepted, true);
}

static void setup(struct lab *l, const struct pu_sim_nat_config *cfg)
{
	memset(l, 0, sizeof *l);
	l->sim = pu_sim_new(pu_sim_seed());
	l->nat = pu_sim_nat_new(l->sim, cfg, "11.0.1.1");
	open_end(&l->a, l->sim, "192.168.1.2", PORT);
	pu_sim_node_behind(l->a.node, l->nat);
	open_end(&l->s, l->sim, "11.0.0.1", PORT);
	open_end(&l->t, l->sim, "11.0.0.2", PORT);
	l->t2.node = l->t.node;
	open_end(&l->t2, l->sim, "11.0.0.2", PORT + 1);
}

static void teardown(struct lab *l)
{
	close_end(&l->a);
	close_end(&l->s);
	close_end(&l->t);
	close_end(&l->t2);
	pu_sim_free(l->sim);
}

static void send_to(struct lab *l, struct end *e, const union pu_sockaddr *to)
{
	struct pu_dgrams d = { .remote = *to, .p = (const uint8_t *)"x", .len = 1, .segment = 1 };

	assert_int_equal(e->net->ops->udp_send(e->u, &d), 0);
	pu_sim_run(l->sim, PU_MS(100));
}

static void send_to_ip(struct lab *l, struct end *e, const char *ip, uint16_t port)
{
	union pu_sockaddr to = pu_sim_sockaddr(ip, port);

	send_to(l, e, &to);
}

static void assert_from(const union pu_sockaddr *got, const char *ip, uint16_t port)
{
	union pu_sockaddr want = pu_sim_sockaddr(ip, port);

	assert_true(pu_sockaddr_eq(got, &want));
}

/* Opens the way to s, then everyone answers to where it came from. */
static void open_to_s(struct lab *l)
{
	send_to_ip(l, &l->a, "11.0.0.1", PORT);
	assert_int_equal(l->s.heard, 1);
	send_to(l, &l->s, &l->s.from);
	assert_int_equal(l->a.heard, 1);
	assert_from(&l->a.from, "11.0.0.1", PORT);
}

static void full_cone_lets_everyone_in(void **state)
{
	struct lab l;

	setup(&l, &pu_sim_nat_full_cone);
	send_to_ip(&l, &l.t, "11.0.1.1", PORT);
	assert_int_equal(l.a.heard, 0);
	open_to_s(&l);
	assert_from(&l.s.from, "11.0.1.1", PORT);
	send_to(&l, &l.t, &l.s.from);
	assert_int_equal(l.a.heard, 2);
	assert_int_equal(pu_sim_nat_stats(l.nat).dropped, 1);
	assert_int_equal(pu_sim_nat_stats(l.nat).mappings, 1);
	teardown(&l);
}

static void address_restricted_lets_in_any_port_of_a_known_address(void **state)
{
	struct lab l;

	setup(&l, &pu_sim_nat_address_restricted);
	open_to_s(&l);
	send_to(&l, &l.t2, &l.s.from);
	assert_int_equal(l.a.heard, 1);
	send_to_ip(&l, &l.a, "11.0.0.2", PORT);
	assert_from(&l.t.from, "11.0.1.1", PORT);
	send_to(&l, &l.t2, &l.s.from);
	assert_int_equal(l.a.heard, 2);
	teardown(&l);
}

static void port_restricted_lets_in_known_ends_only(void **state)
{
	struct lab l;

	setup(&l, &pu_sim_nat_port_restricted);
	open_to_s(&l);
	send_to_ip(&l, &l.a, "11.0.0.2", PORT);
	send_to(&l, &l.t2, &l.s.from);
	assert_int_equal(l.a.heard, 1);
	send_to(&l, &l.t, &l.s.from);
	assert_int_equal(l.a.heard, 2);
	teardown(&l);
}

static void symmetric_has_a_port_for_each_remote(void **state)
{
	struct lab l;

	setup(&l, &pu_sim_nat_symmetric);
	open_to_s(&l);
	send_to_ip(&l, &l.a, "11.0.0.2", PORT);
	assert_int_equal(l.t.heard, 1);
	assert_false(pu_sockaddr_eq(&l.s.from, &l.t.from));
	send_to(&l, &l.t, &l.s.from);
	assert_int_equal(l.a.heard, 1);
	send_to(&l, &l.t, &l.t.from);
	assert_int_equal(l.a.heard, 2);
	assert_int_equal(pu_sim_nat_stats(l.nat).mappings, 2);
	teardown(&l);
}

static void unused_mappings_end(void **state)
{
	struct pu_sim_nat_config cfg = pu_sim_nat_port_restricted;
	struct lab l;

	cfg.timeout = PU_SEC(30);
	setup(&l, &cfg);
	open_to_s(&l);
	pu_sim_run(l.sim, PU_SEC(29));
	send_to(&l, &l.s, &l.s.from); /* also keeps it alive */
	pu_sim_run(l.sim, PU_SEC(29));
	send_to(&l, &l.s, &l.s.from);
	assert_int_equal(l.a.heard, 3);
	pu_sim_run(l.sim, PU_SEC(31));
	send_to(&l, &l.s, &l.s.from);
	assert_int_equal(l.a.heard, 3);
	assert_int_equal(pu_sim_nat_stats(l.nat).mappings, 0);
	teardown(&l);
}

static void restart_forgets_but_forwarded_ports_stay(void **state)
{
	struct lab l;

	setup(&l, &pu_sim_nat_port_restricted);
	pu_sim_nat_forward(l.nat, false, 5000, "192.168.1.2", PORT);
	send_to_ip(&l, &l.t, "11.0.1.1", 5000);
	assert_int_equal(l.a.heard, 1);
	l.a.heard = 0;
	pu_sim_nat_forget(l.nat);
	send_to_ip(&l, &l.t, "11.0.1.1", 5000);
	assert_int_equal(l.a.heard, 1);
	teardown(&l);
}

static void boxes_nest(void **state)
{
	struct pu_sim_nat *home;
	struct lab l;

	setup(&l, &pu_sim_nat_port_restricted);
	home = pu_sim_nat_new(l.sim, &pu_sim_nat_port_restricted, "100.64.0.7");
	pu_sim_nat_behind(home, l.nat);
	pu_sim_node_behind(l.a.node, home);
	open_to_s(&l);
	assert_from(&l.s.from, "11.0.1.1", PORT);
	assert_int_equal(pu_sim_nat_stats(home).mappings, 1);
	send_to(&l, &l.t, &l.s.from);
	assert_int_equal(l.a.heard, 1);
	assert_int_equal(pu_sim_nat_stats(l.nat).dropped, 1);
	assert_int_equal(pu_sim_nat_stats(home).dropped, 0);
	teardown(&l);
}

static void same_addresses_live_behind_different_boxes(void **state)
{
	struct pu_sim_nat *other;
	struct end b = { 0 };
	struct lab l;

	setup(&l, &pu_sim_nat_full_cone);
	other = pu_sim_nat_new(l.sim, &pu_sim_nat_full_cone, "11.0.2.1");
	open_end(&b, l.sim, "192.168.1.2", PORT);
	pu_sim_node_behind(b.node, other);
	open_to_s(&l);
	send_to_ip(&l, &b, "11.0.1.1", PORT);
	assert_int_equal(l.a.heard, 2);
	assert_from(&l.a.from, "11.0.2.1", PORT);
	send_to(&l, &l.a, &l.a.from);
	assert_int_equal(b.heard, 1);
	close_end(&b);
	teardown(&l);
}

static void neighbours_reach_each_other_inside_and_by_hairpin(void **state)
{
	struct pu_sim_nat_config cfg = pu_sim_nat_full_cone;
	struct end b = { 0 };
	struct lab l;

	setup(&l, &cfg);
	open_end(&b, l.sim, "192.168.1.3", PORT + 7);
	pu_sim_node_behind(b.node, l.nat);
	send_to_ip(&l, &b, "192.168.1.2", PORT);
	assert_int_equal(l.a.heard, 1);
	assert_from(&l.a.from, "192.168.1.3", PORT + 7);
	send_to_ip(&l, &l.a, "11.0.0.1", PORT);
	send_to_ip(&l, &b, "11.0.1.1", PORT);
	assert_int_equal(l.a.heard, 1);
	cfg.hairpin = true;
	pu_sim_nat_set(l.nat, &cfg);
	send_to_ip(&l, &b, "11.0.1.1", PORT);
	assert_int_equal(l.a.heard, 2);
	assert_from(&l.a.from, "11.0.1.1", PORT + 7);
	close_end(&b);
	teardown(&l);
}

static void firewall_translates_nothing(void **state)
{
	struct pu_sim_nat_config cfg = pu_sim_nat_port_restricted;
	struct end s6 = { 0 }, a6 = { 0 };
	struct lab l;

	cfg.route_ip6 = true;
	setup(&l, &cfg);
	open_end(&s6, l.sim, "2a00::1", PORT);
	open_end(&a6, l.sim, "2a00:1::2", PORT);
	pu_sim_node_behind(a6.node, l.nat);
	send_to_ip(&l, &s6, "2a00:1::2", PORT);
	assert_int_equal(a6.heard, 0);
	send_to_ip(&l, &a6, "2a00::1", PORT);
	assert_from(&s6.from, "2a00:1::2", PORT);
	send_to(&l, &s6, &s6.from);
	assert_int_equal(a6.heard, 1);
	close_end(&s6);
	close_end(&a6);
	teardown(&l);
}

static void blocked_protocols_do_not_leave(void **state)
{
	struct pu_sim_nat_config cfg = pu_sim_nat_full_cone;
	struct lab l;

	cfg.no_udp = true;
	setup(&l, &cfg);
	send_to_ip(&l, &l.a, "11.0.0.1", PORT);
	assert_int_equal(l.s.heard, 0);
	teardown(&l);
}

/* TCP */

static void dial(struct end *e, const char *ip, uint16_t port)
{
	union pu_sockaddr to = pu_sim_sockaddr(ip, port), from = pu_sim_sockaddr("0.0.0.0", PORT);

	assert_int_equal(e->net->ops->tcp_connect(e->net, &to, &from, &tcp_events, e, &e->dialed),
			 0);
}

static void tcp_goes_out_and_keeps_its_port(void **state)
{
	struct lab l;

	setup(&l, &pu_sim_nat_port_restricted);
	dial(&l.a, "11.0.0.1", PORT);
	pu_sim_run(l.sim, PU_MS(100));
	assert_int_equal(l.a.connect_err, 0);
	assert_non_null(l.s.accepted);
	assert_from(&l.s.accepted_from, "11.0.1.1", PORT);
	teardown(&l);
}

static void uninvited_syns_vanish_without_a_reset(void **state)
{
	struct lab l;

	setup(&l, &pu_sim_nat_port_restricted);
	dial(&l.t, "11.0.1.1", PORT);
	pu_sim_run(l.sim, PU_SEC(20));
	assert_int_equal(l.t.connect_err, 1);
	assert_null(l.a.accepted);
	teardown(&l);
}

static void syns_that_cross_make_one_connection(void **state)
{
	struct iovec hi = { (void *)"hello", 5 };
	struct pu_sim_nat *other;
	struct end b = { 0 };
	struct lab l;

	setup(&l, &pu_sim_nat_port_restricted);
	other = pu_sim_nat_new(l.sim, &pu_sim_nat_port_restricted, "11.0.2.1");
	open_end(&b, l.sim, "192.168.2.2", PORT);
	pu_sim_node_behind(b.node, other);
	dial(&l.a, "11.0.2.1", PORT);
	dial(&b, "11.0.1.1", PORT);
	pu_sim_run(l.sim, PU_MS(100));
	assert_int_equal(l.a.connect_err, 0);
	assert_int_equal(b.connect_err, 0);
	assert_null(l.a.accepted);
	assert_null(b.accepted);
	assert_int_equal(b.net->ops->tcp_write(b.dialed, &hi, 1), 5);
	pu_sim_run(l.sim, PU_MS(100));
	assert_int_equal(l.a.heard, 5);
	close_end(&b);
	teardown(&l);
}

static void late_syn_finds_the_hole_of_an_early_one(void **state)
{
	struct pu_sim_nat *other;
	struct end b = { 0 };
	struct lab l;

	setup(&l, &pu_sim_nat_port_restricted);
	other = pu_sim_nat_new(l.sim, &pu_sim_nat_port_restricted, "11.0.2.1");
	open_end(&b, l.sim, "192.168.2.2", PORT);
	pu_sim_node_behind(b.node, other);
	dial(&l.a, "11.0.2.1", PORT);
	pu_sim_run(l.sim, PU_MS(500));
	l.a.net->ops->tcp_close(l.a.dialed, true); /* the hole is all that is left of it */
	l.a.dialed = NULL;
	dial(&b, "11.0.1.1", PORT);
	pu_sim_run(l.sim, PU_MS(100));
	assert_int_equal(b.connect_err, 0);
	assert_non_null(l.a.accepted);
	assert_from(&l.a.accepted_from, "11.0.2.1", PORT);
	close_end(&b);
	teardown(&l);
}

static void a_taken_pair_of_ends_cannot_be_dialed(void **state)
{
	union pu_sockaddr to = pu_sim_sockaddr("11.0.1.1", PORT);
	union pu_sockaddr from = pu_sim_sockaddr("0.0.0.0", PORT);
	struct lab l;

	setup(&l, &pu_sim_nat_full_cone);
	dial(&l.a, "11.0.0.1", PORT);
	pu_sim_run(l.sim, PU_US(1100)); /* the SYN is there, the ACK is not */
	assert_int_equal(l.s.net->ops->tcp_connect(l.s.net, &to, &from, &tcp_events, &l.s,
						   &l.s.dialed), PU_EADDRINUSE);
	pu_sim_run(l.sim, PU_MS(100));
	assert_non_null(l.s.accepted);
	teardown(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_cone_lets_everyone_in),
		cmocka_unit_test(address_restricted_lets_in_any_port_of_a_known_address),
		cmocka_unit_test(port_restricted_lets_in_known_ends_only),
		cmocka_unit_test(symmetric_has_a_port_for_each_remote),
		cmocka_unit_test(unused_mappings_end),
		cmocka_unit_test(restart_forgets_but_forwarded_ports_stay),
		cmocka_unit_test(boxes_nest),
		cmocka_unit_test(same_addresses_live_behind_different_boxes),
		cmocka_unit_test(neighbours_reach_each_other_inside_and_by_hairpin),
		cmocka_unit_test(firewall_translates_nothing),
		cmocka_unit_test(blocked_protocols_do_not_leave),
		cmocka_unit_test(tcp_goes_out_and_keeps_its_port),
		cmocka_unit_test(uninvited_syns_vanish_without_a_reset),
		cmocka_unit_test(syns_that_cross_make_one_connection),
		cmocka_unit_test(late_syn_finds_the_hole_of_an_early_one),
		cmocka_unit_test(a_taken_pair_of_ends_cannot_be_dialed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
