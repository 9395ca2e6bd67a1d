/* Hole punches through NATs, without the protocol that agrees on them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "support/hosts.h"
#include "support/simnet_nat.h"

struct punch {
	bool done;
	int err;
	struct pu_conn *c;
	struct pu_host_request *req;
};

struct pair {
	struct pu_sim *sim;
	struct pu_sim_nat *na, *nb;
	struct test_host a, b;
	struct punch pa, pb;
};

static const char *const listen4[] = { "/ip4/0.0.0.0/udp/4001/quic-v1", "/ip4/0.0.0.0/tcp/4001",
				       NULL };
static const char *const listen6[] = { "/ip6/::/udp/4001/quic-v1", "/ip6/::/tcp/4001", NULL };

static void setup(struct pair *p, const struct pu_sim_nat_config *a,
		  const struct pu_sim_nat_config *b)
{
	const struct pu_sim_link link = { .delay = PU_MS(20) };

	memset(p, 0, sizeof *p);
	p->sim = pu_sim_new(pu_sim_seed());
	pu_sim_default_link(p->sim, &link);
	p->na = pu_sim_nat_new(p->sim, a, "11.0.1.1");
	p->nb = pu_sim_nat_new(p->sim, b, "11.0.2.1");
	test_host_init(&p->a, p->sim, 1, "192.168.1.2", NULL);
	test_host_init(&p->b, p->sim, 2, "192.168.1.2", NULL);
	pu_sim_node_behind(p->a.node, p->na);
	pu_sim_node_behind(p->b.node, p->nb);
	test_host_start(&p->a, listen4);
	test_host_start(&p->b, listen4);
}

static void teardown(struct pair *p)
{
	test_host_stop(&p->a);
	test_host_stop(&p->b);
	pu_sim_free(p->sim);
}

static void on_done(void *arg, int err, struct pu_conn *c)
{
	struct punch *pu = arg;

	assert_false(pu->done);
	pu->done = true;
	pu->err = err;
	pu->c = c;
	pu->req = NULL;
}

static void start(struct test_host *t, const struct test_host *peer, const char *addr,
		  bool initiator, struct punch *pu)
{
	struct pu_multiaddr ma;

	memset(pu, 0, sizeof *pu);
	assert_int_equal(pu_multiaddr_from_text(&ma, addr), 0);
	assert_int_equal(pu_host_punch(t->h, &peer->key.peer, &ma, initiator, PU_SEC(5), on_done,
				       pu, &pu->req), 0);
	assert_false(pu->done);
}

static bool both_done(void *arg)
{
	struct pair *p = arg;

	return p->pa.done && p->pb.done;
}

static void assert_works(struct pair *p)
{
	static const char *const ping[] = { "/ipfs/ping/1.0.0", NULL };
	struct test_sink sink = { .len = 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };
	uint8_t payload[32] = { 7 };

	assert_int_equal(p->pa.err, 0);
	assert_int_equal(p->pb.err, 0);
	test_open(&p->a, &p->b, ping, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_stream_write(d.st, payload, sizeof payload);
	pu_sim_run(p->sim, PU_SEC(1));
	assert_int_equal(sink.len, sizeof payload);
	assert_memory_equal(sink.data, payload, sizeof payload);
	pu_stream_reset(d.st, 0);
}

static void two_port_restricted_nats(const char *to_a, const char *to_b)
{
	struct pair p;

	setup(&p, &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	start(&p.a, &p.b, to_b, true, &p.pa);
	start(&p.b, &p.a, to_a, false, &p.pb);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(2)));
	assert_false(p.pa.c->inbound);
	assert_true(p.pb.c->inbound);
	assert_works(&p);
	assert_int_equal(p.a.connected, 1);
	assert_int_equal(p.b.connected, 1);
	teardown(&p);
}

static void quic_goes_through_two_port_restricted_nats(void **state)
{
	two_port_restricted_nats("/ip4/11.0.1.1/udp/4001/quic-v1",
				 "/ip4/11.0.2.1/udp/4001/quic-v1");
}

static void tcp_goes_through_two_port_restricted_nats(void **state)
{
	two_port_restricted_nats("/ip4/11.0.1.1/tcp/4001", "/ip4/11.0.2.1/tcp/4001");
}

static void behind_firewalls6(const char *to_a, const char *to_b)
{
	struct pu_sim_nat_config fw = pu_sim_nat_port_restricted;
	struct pair p;

	memset(&p, 0, sizeof p);
	fw.route_ip6 = true;
	p.sim = pu_sim_new(pu_sim_seed());
	p.na = pu_sim_nat_new(p.sim, &fw, NULL);
	p.nb = pu_sim_nat_new(p.sim, &fw, NULL);
	test_host_init(&p.a, p.sim, 1, NULL, "2a00:1::2");
	test_host_init(&p.b, p.sim, 2, NULL, "2a00:2::2");
	pu_sim_node_behind(p.a.node, p.na);
	pu_sim_node_behind(p.b.node, p.nb);
	test_host_start(&p.a, listen6);
	test_host_start(&p.b, listen6);
	start(&p.a, &p.b, to_b, true, &p.pa);
	start(&p.b, &p.a, to_a, false, &p.pb);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(2)));
	assert_works(&p);
	teardown(&p);
}

static void quic_goes_through_ip6_firewalls(void **state)
{
	behind_firewalls6("/ip6/2a00:1::2/udp/4001/quic-v1", "/ip6/2a00:2::2/udp/4001/quic-v1");
}

static void tcp_goes_through_ip6_firewalls(void **state)
{
	behind_firewalls6("/ip6/2a00:1::2/tcp/4001", "/ip6/2a00:2::2/tcp/4001");
}

/* The clock of one side is wrong by up to a second: the window is wide enough. */
static void late(const char *to_a, const char *to_b, bool leader_late)
{
	struct pair p;

	setup(&p, &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	if (leader_late)
		start(&p.a, &p.b, to_b, true, &p.pa);
	else
		start(&p.b, &p.a, to_a, false, &p.pb);
	pu_sim_run(p.sim, PU_MS(900));
	if (leader_late)
		start(&p.b, &p.a, to_a, false, &p.pb);
	else
		start(&p.a, &p.b, to_b, true, &p.pa);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(4)));
	assert_works(&p);
	teardown(&p);
}

static void unpunctual_peers_meet(void **state)
{
	late("/ip4/11.0.1.1/tcp/4001", "/ip4/11.0.2.1/tcp/4001", true);
	late("/ip4/11.0.1.1/tcp/4001", "/ip4/11.0.2.1/tcp/4001", false);
	late("/ip4/11.0.1.1/udp/4001/quic-v1", "/ip4/11.0.2.1/udp/4001/quic-v1", true);
	late("/ip4/11.0.1.1/udp/4001/quic-v1", "/ip4/11.0.2.1/udp/4001/quic-v1", false);
}

/* One side's NAT lets everyone in: a listener accepts what was to be simultaneous. */
static void accepted(const struct pu_sim_nat_config *a, const struct pu_sim_nat_config *b,
		     pu_time a_first)
{
	struct pair p;

	setup(&p, a, b);
	pu_sim_nat_forward(p.na, true, 4001, "192.168.1.2", 4001);
	pu_sim_nat_forward(p.nb, true, 4001, "192.168.1.2", 4001);
	if (a_first)
		start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	else
		start(&p.b, &p.a, "/ip4/11.0.1.1/tcp/4001", false, &p.pb);
	pu_sim_run(p.sim, PU_MS(30)); /* the SYN is there */
	if (a_first)
		start(&p.b, &p.a, "/ip4/11.0.1.1/tcp/4001", false, &p.pb);
	else
		start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(4)));
	assert_works(&p);
	teardown(&p);
}

static void accepted_socket_belongs_to_the_punch(void **state)
{
	accepted(&pu_sim_nat_full_cone, &pu_sim_nat_full_cone, true);
	accepted(&pu_sim_nat_full_cone, &pu_sim_nat_full_cone, false);
}

/* Its NAT gives the server a port that nobody could know; ours filters by address. */
static void silent_socket_from_an_unknown_port_is_served_as_client(void **state)
{
	struct pair p;

	setup(&p, &pu_sim_nat_address_restricted, &pu_sim_nat_symmetric);
	start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	start(&p.b, &p.a, "/ip4/11.0.1.1/tcp/4001", false, &p.pb);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(4)));
	assert_works(&p);
	teardown(&p);
}

/* Somebody tries all known addresses meanwhile, from the same port. */
static void a_dial_to_the_same_address_makes_way(void **state)
{
	struct test_dial d = { 0 };
	struct pu_multiaddr ma;
	struct pair p;

	setup(&p, &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/11.0.1.1/tcp/4001"), 0);
	assert_int_equal(pu_host_add_addr(p.b.h, &p.a.key.peer, &ma, true), 0);
	test_connect(&p.b, &p.a, &d, PU_MS(500));
	assert_false(d.done);
	start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	start(&p.b, &p.a, "/ip4/11.0.1.1/tcp/4001", false, &p.pb);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(4)));
	assert_works(&p);
	assert_true(d.done);
	assert_int_equal(d.err, 0);
	assert_int_equal(p.a.connected, 1);
	teardown(&p);
}

static void symmetric_nats_cannot_be_passed(void **state)
{
	struct pair p;

	setup(&p, &pu_sim_nat_symmetric, &pu_sim_nat_port_restricted);
	start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	start(&p.b, &p.a, "/ip4/11.0.1.1/tcp/4001", false, &p.pb);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(6)));
	assert_int_equal(p.pa.err, PU_ETIMEDOUT);
	assert_int_equal(p.pb.err, PU_ETIMEDOUT);
	start(&p.a, &p.b, "/ip4/11.0.2.1/udp/4001/quic-v1", true, &p.pa);
	start(&p.b, &p.a, "/ip4/11.0.1.1/udp/4001/quic-v1", false, &p.pb);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(6)));
	assert_int_equal(p.pa.err, PU_ETIMEDOUT);
	assert_int_equal(p.pb.err, PU_ETIMEDOUT);
	teardown(&p);
}

static void an_ordinary_dial_of_the_peer_ends_the_punch(void **state)
{
	struct test_dial d = { 0 };
	struct pu_multiaddr ma;
	struct pair p;

	setup(&p, &pu_sim_nat_full_cone, &pu_sim_nat_full_cone);
	pu_sim_nat_forward(p.na, true, 4001, "192.168.1.2", 4001);
	start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/11.0.1.1/tcp/4001"), 0);
	assert_int_equal(pu_host_add_addr(p.b.h, &p.a.key.peer, &ma, true), 0);
	test_connect(&p.b, &p.a, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_sim_run(p.sim, PU_MS(100));
	assert_true(p.pa.done);
	assert_int_equal(p.pa.err, 0);
	teardown(&p);
}

static void a_direct_connection_that_stands_is_the_result(void **state)
{
	struct pair p;

	setup(&p, &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	start(&p.b, &p.a, "/ip4/11.0.1.1/tcp/4001", false, &p.pb);
	assert_true(pu_sim_run_until(p.sim, both_done, &p, PU_SEC(2)));
	start(&p.a, &p.b, "/ip4/11.0.2.1/udp/4001/quic-v1", true, &p.pa);
	pu_sim_run(p.sim, PU_MS(1));
	assert_true(p.pa.done);
	assert_int_equal(p.pa.err, 0);
	teardown(&p);
}

static void canceled_punches_leave_nothing_behind(void **state)
{
	struct pair p;

	setup(&p, &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	pu_sim_run(p.sim, PU_MS(100));
	pu_host_cancel(p.a.h, p.pa.req);
	start(&p.a, &p.b, "/ip4/11.0.2.1/udp/4001/quic-v1", true, &p.pa);
	start(&p.b, &p.a, "/ip4/11.0.1.1/udp/4001/quic-v1", false, &p.pb);
	pu_host_cancel(p.a.h, p.pa.req);
	pu_host_cancel(p.b.h, p.pb.req);
	pu_sim_run(p.sim, PU_SEC(10));
	assert_false(p.pa.done || p.pb.done);
	assert_int_equal(p.a.connected, 0);
	teardown(&p); /* counts sockets */
}

static void stopping_ends_punches(void **state)
{
	struct pair p;

	setup(&p, &pu_sim_nat_port_restricted, &pu_sim_nat_port_restricted);
	start(&p.a, &p.b, "/ip4/11.0.2.1/tcp/4001", true, &p.pa);
	start(&p.b, &p.a, "/ip4/11.0.1.1/udp/4001/quic-v1", false, &p.pb);
	pu_sim_run(p.sim, PU_MS(100));
	teardown(&p);
	assert_int_equal(p.pa.err, PU_ECANCELED);
	assert_int_equal(p.pb.err, PU_ECANCELED);
}

/* A third peer keeps dialling in meanwhile: it is nobody's punch. */
static void strangers_still_get_in_during_a_punch(void **state)
{
	struct test_dial d = { 0 };
	struct pu_multiaddr ma;
	struct test_host s;
	struct pair p;

	setup(&p, &pu_sim_nat_full_cone, &pu_sim_nat_full_cone);
	pu_sim_nat_forward(p.na, true, 4001, "192.168.1.2", 4001);
	test_host_init(&s, p.sim, 3, "11.0.0.3", NULL);
	test_host_start(&s, NULL);
	start(&p.a, &p.b, "/ip4/11.0.9.9/tcp/4001", true, &p.pa);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/11.0.1.1/tcp/4001"), 0);
	assert_int_equal(pu_host_add_addr(s.h, &p.a.key.peer, &ma, true), 0);
	test_connect(&s, &p.a, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	assert_true(d.took < PU_MS(400));
	pu_sim_run(p.sim, PU_SEC(6));
	assert_int_equal(p.pa.err, PU_ETIMEDOUT);
	test_host_stop(&s);
	teardown(&p);
}

static void addresses_that_cannot_be_punched_are_refused(void **state)
{
	struct pu_multiaddr ma;
	struct pair p;

	setup(&p, &pu_sim_nat_full_cone, &pu_sim_nat_full_cone);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/11.0.2.1/tcp/443/ws"), 0);
	assert_int_equal(pu_host_punch(p.a.h, &p.b.key.peer, &ma, true, PU_SEC(5), on_done, &p.pa,
				       &p.pa.req), PU_ENOTSUP);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip6/2a00::1/tcp/4001"), 0);
	assert_int_equal(pu_host_punch(p.a.h, &p.b.key.peer, &ma, true, PU_SEC(5), on_done, &p.pa,
				       &p.pa.req), PU_ENOTSUP);
	assert_int_equal(pu_multiaddr_from_text(&ma, "/ip4/192.168.1.2/tcp/4001"), 0);
	assert_int_equal(pu_host_punch(p.a.h, &p.b.key.peer, &ma, true, PU_SEC(5), on_done, &p.pa,
				       &p.pa.req), PU_EINVAL);
	pu_sim_run(p.sim, PU_SEC(1));
	assert_false(p.pa.done);
	teardown(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quic_goes_through_two_port_restricted_nats),
		cmocka_unit_test(tcp_goes_through_two_port_restricted_nats),
		cmocka_unit_test(quic_goes_through_ip6_firewalls),
		cmocka_unit_test(tcp_goes_through_ip6_firewalls),
		cmocka_unit_test(unpunctual_peers_meet),
		cmocka_unit_test(accepted_socket_belongs_to_the_punch),
		cmocka_unit_test(silent_socket_from_an_unknown_port_is_served_as_client),
		cmocka_unit_test(a_dial_to_the_same_address_makes_way),
		cmocka_unit_test(symmetric_nats_cannot_be_passed),
		cmocka_unit_test(an_ordinary_dial_of_the_peer_ends_the_punch),
		cmocka_unit_test(a_direct_connection_that_stands_is_the_result),
		cmocka_unit_test(canceled_punches_leave_nothing_behind),
		cmocka_unit_test(stopping_ends_punches),
		cmocka_unit_test(strangers_still_get_in_during_a_punch),
		cmocka_unit_test(addresses_that_cannot_be_punched_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
