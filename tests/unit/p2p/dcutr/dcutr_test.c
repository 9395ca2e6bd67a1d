/* Hole punching: who leads, when, how often, and what happens when it goes wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/dcutr/message.h"
#include "support/punch_lab.h"

static const char *const dcutr[] = { PU_DCUTR_PROTOCOL, NULL };

static void start(struct punch_lab *l, enum pu_ma_kind transport, enum punch_lab_nat a,
		  enum punch_lab_nat b)
{
	punch_lab_init(l, transport, a, b);
	punch_lab_start(l);
}

static void assert_outcome(const struct punch_lab_side *s, enum pu_dcutr_outcome o)
{
	struct pu_dcutr_stats st;

	pu_dcutr_stats(s->d, &st);
	assert_int_equal(s->results, 1);
	assert_int_equal(s->last.outcome, o);
	assert_int_equal(st.outcomes[o], 1);
}

static void both_sides_hear_how_it_went(void **state)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	struct punch_lab l;

	start(&l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(5)));
	assert_outcome(&l.a, PU_DCUTR_DIRECT);
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	assert_true(l.b.last.leader && !l.a.last.leader);
	assert_int_equal(l.b.last.tries, 1);
	assert_int_equal(l.b.last.rtt / PU_MS(1), 40); /* through the relay and back */
	assert_string_equal(pu_multiaddr_text(&l.a.last.addr, text),
			    "/ip4/11.0.2.1/udp/4001/quic-v1");
	assert_memory_equal(&l.a.last.peer, &l.c.b.t.key.peer, sizeof l.a.last.peer);
	punch_lab_stop(&l);
}

/* One link is slow: the clocks of the two still meet, without a packet repeated. */
static void uneven_ways_do_not_matter(void **state)
{
	struct pu_sim_link slow = { .delay = PU_MS(150) };
	struct punch_lab l;

	punch_lab_init(&l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	pu_sim_link(l.c.a.t.node, l.c.relay[0].node, &slow);
	punch_lab_start(&l);
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(5)));
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	assert_int_equal(l.b.last.tries, 1);
	assert_true(l.b.last.took < PU_MS(1000));
	punch_lab_stop(&l);
}

static void quic_wins_where_both_are_possible(void **state)
{
	struct punch_lab l;

	start(&l, PU_MA_KIND_OTHER, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(5)));
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	assert_int_equal(pu_multiaddr_kind(&l.b.last.addr), PU_MA_KIND_QUIC);
	pu_sim_run(l.c.sim, PU_SEC(10));
	assert_true(punch_lab_direct(&l.a, &l.b) && punch_lab_direct(&l.b, &l.a));
	punch_lab_stop(&l);
}

/* The relay is reached by QUIC only, so nobody has seen the TCP port. */
static void an_unseen_port_is_guessed(void **state)
{
	struct pu_sim_nat_config cfg = pu_sim_nat_port_restricted;
	struct pu_sim_link no_udp = { .no_udp = true, .delay = PU_MS(10) };
	struct punch_lab l;

	start(&l, PU_MA_KIND_OTHER, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	pu_sim_nat_set(l.a.nat, &cfg);
	pu_sim_link(l.c.a.t.node, l.c.b.t.node, &no_udp);
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(5)));
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	assert_int_equal(pu_multiaddr_kind(&l.b.last.addr), PU_MA_KIND_TCP);
	punch_lab_stop(&l);
}

static void failure_takes_three_tries_and_keeps_the_relay(void **state)
{
	static const char *const ping[] = { "/ipfs/ping/1.0.0", NULL };
	struct test_sink sink = { .len = 0 };
	struct test_dial d = { .ev = &test_sink_events, .arg = &sink };
	uint8_t payload[32] = { 7 };
	struct punch_lab l;

	start(&l, PU_MA_KIND_OTHER, PUNCH_LAB_SYMMETRIC, PUNCH_LAB_SYMMETRIC);
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(30)));
	assert_outcome(&l.a, PU_DCUTR_TIMEOUT);
	assert_outcome(&l.b, PU_DCUTR_TIMEOUT);
	assert_int_equal(l.a.last.tries, 3);
	assert_int_equal(l.b.last.tries, 3);
	assert_false(punch_lab_direct(&l.a, &l.b));
	test_open(&l.c.a.t, &l.c.b.t, ping, &d, PU_SEC(5));
	assert_int_equal(d.err, 0);
	pu_stream_write(d.st, payload, sizeof payload);
	pu_sim_run(l.c.sim, PU_SEC(1));
	assert_int_equal(sink.len, sizeof payload);
	pu_stream_reset(d.st, 0);
	/* Once is enough by itself: more is up to pu_dcutr_try(). */
	pu_sim_run(l.c.sim, PU_SEC(100));
	assert_int_equal(l.b.results, 1);
	punch_lab_stop(&l);
}

static void it_can_be_tried_again_by_the_leader_only(void **state)
{
	struct pu_peerid nobody = { .len = 34 };
	struct punch_lab l;

	start(&l, PU_MA_KIND_QUIC, PUNCH_LAB_SYMMETRIC, PUNCH_LAB_PORT_RESTRICTED);
	assert_int_equal(pu_dcutr_try(l.b.d, &nobody), PU_EUNREACH);
	punch_lab_dial(&l, &l.a, &l.b);
	pu_sim_run(l.c.sim, PU_SEC(1));
	assert_int_equal(pu_dcutr_try(l.b.d, &l.c.a.t.key.peer), PU_EEXIST);
	assert_true(punch_lab_results(&l, 1, PU_SEC(30)));
	assert_outcome(&l.b, PU_DCUTR_TIMEOUT);
	assert_int_equal(pu_dcutr_try(l.a.d, &l.c.b.t.key.peer), PU_ENOTSUP);
	/* Now the NAT is a better one. */
	pu_sim_nat_set(l.a.nat, &pu_sim_nat_full_cone);
	pu_sim_nat_forget(l.a.nat);
	pu_sim_run(l.c.sim, PU_SEC(70)); /* the follower's patience with us, too */
	assert_int_equal(pu_dcutr_try(l.b.d, &l.c.a.t.key.peer), 0);
	assert_true(punch_lab_results(&l, 2, PU_SEC(30)));
	assert_int_equal(l.b.last.outcome, PU_DCUTR_DIRECT);
	assert_int_equal(pu_dcutr_try(l.b.d, &l.c.a.t.key.peer), PU_EEXIST);
	punch_lab_stop(&l);
}

/* A NAT that was restarted, or lost its address, has other ports now: the first try fails,
 * then the relay is asked again. */
static void moved_ports_are_found_by_the_second_try(void **state)
{
	struct pu_sim_nat_config random = pu_sim_nat_port_restricted;
	struct punch_lab l;

	punch_lab_init(&l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	random.random_ports = true;
	pu_sim_nat_set(l.b.nat, &random);
	punch_lab_start(&l);
	pu_sim_nat_forget(l.b.nat);
	pu_sim_run(l.c.sim, PU_SEC(40)); /* the connection to the relay follows */
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(30)));
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	assert_int_equal(l.b.last.tries, 2);
	punch_lab_stop(&l);
}

/* The relay said how it sees us once, days ago. */
static void one_relay_is_enough_for_days(void **state)
{
	struct punch_lab l;

	start(&l, PU_MA_KIND_TCP, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	pu_sim_run(l.c.sim, PU_SEC(50 * 3600));
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(30)));
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	punch_lab_stop(&l);
}

static void lost_packets_do_not_matter(void **state)
{
	struct pu_sim_link lossy = { .delay = PU_MS(10), .loss = 300000 };
	struct punch_lab l;

	start(&l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_CGNAT);
	pu_sim_link(l.c.a.t.node, l.c.b.t.node, &lossy);
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(30)));
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	punch_lab_stop(&l);
}

/* Each dials the other through the relay at the same moment: both would lead. */
static void two_leaders_become_one(void **state)
{
	struct test_dial da = { 0 }, db = { 0 };
	struct punch_lab l;

	start(&l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	circuit_lab_introduce(&l.c, l.a.e, l.b.e, 0);
	circuit_lab_introduce(&l.c, l.b.e, l.a.e, 0);
	da.sim = db.sim = l.c.sim;
	test_connect(&l.c.a.t, &l.c.b.t, &da, 0);
	test_connect(&l.c.b.t, &l.c.a.t, &db, PU_SEC(5));
	assert_true(punch_lab_results(&l, 1, PU_SEC(30)));
	assert_outcome(&l.a, PU_DCUTR_DIRECT);
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	pu_sim_run(l.c.sim, PU_SEC(30));
	assert_true(punch_lab_direct(&l.a, &l.b));
	punch_lab_stop(&l);
}

/* A peer with strange manners: b as far as the transport goes, its protocol by hand. */

struct stranger {
	struct punch_lab l;
	struct test_sink sink;
	struct test_dial d;
};

static void stranger_leads(struct stranger *s)
{
	struct pu_conn *c = NULL;

	memset(s, 0, sizeof *s);
	start(&s->l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	pu_dcutr_free(s->l.b.d);
	s->l.b.d = NULL;
	punch_lab_dial(&s->l, &s->l.a, &s->l.b);
	pu_sim_run(s->l.c.sim, PU_SEC(1));
	c = pu_host_conn(s->l.c.b.t.h, &s->l.c.a.t.key.peer);
	assert_true(c && c->limited && c->inbound);
	s->d.ev = &test_sink_events;
	s->d.arg = &s->sink;
}

static void stranger_opens(struct stranger *s)
{
	memset(&s->sink, 0, sizeof s->sink);
	test_open(&s->l.c.b.t, &s->l.c.a.t, dcutr, &s->d, PU_SEC(5));
	assert_int_equal(s->d.err, 0);
}

static void say(struct stranger *s, const void *p, size_t len)
{
	assert_int_equal(pu_stream_write(s->d.st, p, len), len);
	pu_sim_run(s->l.c.sim, PU_SEC(1));
}

static void say_connect(struct stranger *s, const char *addr)
{
	struct pu_dcutr_message m = { .type = PU_DCUTR_CONNECT, .n_addrs = 1 };
	struct pu_buf out;

	pu_buf_init(&out, 4096);
	assert_int_equal(pu_multiaddr_from_text(&m.addrs[0], addr), 0);
	assert_int_equal(pu_dcutr_message_encode(&m, &out), 0);
	say(s, pu_buf_bytes(&out).p, out.len);
	pu_buf_deinit(&out);
}

static void nonsense_ends_it(void **state)
{
	struct stranger s;

	stranger_leads(&s);
	stranger_opens(&s);
	say(&s, "\x03\x08\xac\x02", 4); /* SYNC comes last */
	assert_true(s.sink.closed);
	assert_outcome(&s.l.a, PU_DCUTR_NONSENSE);
	punch_lab_stop(&s.l);
}

static void silence_ends_it(void **state)
{
	struct stranger s;

	stranger_leads(&s);
	stranger_opens(&s);
	pu_sim_run(s.l.c.sim, PU_SEC(11));
	assert_true(s.sink.closed);
	assert_outcome(&s.l.a, PU_DCUTR_STREAM_FAILED);
	punch_lab_stop(&s.l);
}

/* Addresses inside our network are not for others to have us knock at. */
static void private_targets_are_left_alone(void **state)
{
	struct pu_host_stats before, after;
	struct stranger s;

	stranger_leads(&s);
	stranger_opens(&s);
	pu_host_stats(s.l.c.a.t.h, &before);
	say_connect(&s, "/ip4/192.168.1.1/udp/53/quic-v1");
	assert_true(s.sink.len > 10); /* it answers all the same, and waits for us to come */
	say(&s, "\x03\x08\xac\x02", 4);
	pu_sim_run(s.l.c.sim, PU_SEC(6));
	pu_host_stats(s.l.c.a.t.h, &after);
	assert_int_equal(after.dials, before.dials);
	assert_outcome(&s.l.a, PU_DCUTR_NO_ADDRESSES);
	punch_lab_stop(&s.l);
}

static unsigned warnings;

static void count_line(void *arg, const char *line, size_t len)
{
	(void)arg;
	warnings += strstr(line, "too many hole punches") != NULL;
}

static void floods_are_refused_and_told_once(void **state)
{
	struct pu_dcutr_stats st;
	struct stranger s;

	stranger_leads(&s);
	warnings = 0;
	pu_log_set_sink(count_line, NULL);
	for (unsigned i = 0; i < 50; i++) {
		stranger_opens(&s);
		if (s.sink.st)
			pu_stream_reset(s.d.st, 0);
	}
	pu_sim_run(s.l.c.sim, PU_SEC(1));
	pu_log_set_sink(NULL, NULL);
	pu_dcutr_stats(s.l.a.d, &st);
	assert_in_range(st.refused, 30, 44);
	assert_int_equal(warnings, 1);
	/* In a minute it may ask again. */
	pu_sim_run(s.l.c.sim, PU_SEC(61));
	stranger_opens(&s);
	say_connect(&s, "/ip4/11.0.2.1/udp/4001/quic-v1");
	assert_true(s.sink.len > 10);
	pu_stream_reset(s.d.st, 0);
	punch_lab_stop(&s.l);
}

static void who_dialed_must_not_lead(void **state)
{
	struct stranger s;
	struct test_dial d = { .ev = &test_sink_events, .arg = &s.sink };

	memset(&s, 0, sizeof s);
	start(&s.l, PU_MA_KIND_QUIC, PUNCH_LAB_SYMMETRIC, PUNCH_LAB_SYMMETRIC);
	punch_lab_dial(&s.l, &s.l.a, &s.l.b);
	assert_true(punch_lab_results(&s.l, 1, PU_SEC(30)));
	test_open(&s.l.c.a.t, &s.l.c.b.t, dcutr, &d, PU_SEC(5));
	pu_sim_run(s.l.c.sim, PU_SEC(1));
	assert_true(s.sink.closed);
	assert_int_equal(s.l.b.results, 1);
	punch_lab_stop(&s.l);
}

static void peers_that_do_not_speak_it_are_not_asked(void **state)
{
	struct punch_lab l;

	start(&l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	pu_dcutr_free(l.a.d);
	l.a.d = NULL;
	punch_lab_dial(&l, &l.a, &l.b);
	pu_sim_run(l.c.sim, PU_SEC(10));
	assert_int_equal(l.b.results, 0);
	assert_int_equal(pu_dcutr_try(l.b.d, &l.c.a.t.key.peer), 0);
	pu_sim_run(l.c.sim, PU_SEC(10));
	assert_outcome(&l.b, PU_DCUTR_UNSUPPORTED);
	punch_lab_stop(&l);
}

static void nodes_without_public_addresses_say_so(void **state)
{
	struct punch_lab l;

	punch_lab_init(&l, PU_MA_KIND_QUIC, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_PORT_RESTRICTED);
	/* A relay on the LAN side sees only private addresses. */
	pu_sim_node_remove_ip(l.c.b.t.node, "192.168.1.2");
	pu_sim_node_behind(l.c.b.t.node, NULL);
	pu_sim_node_add_ip(l.c.b.t.node, "10.0.0.2");
	punch_lab_start(&l);
	punch_lab_dial(&l, &l.a, &l.b);
	pu_sim_run(l.c.sim, PU_SEC(5));
	assert_outcome(&l.b, PU_DCUTR_NO_ADDRESSES);
	assert_int_equal(l.b.last.tries, 0);
	punch_lab_stop(&l);
}

static void a_switch_for_tests_allows_private_addresses(void **state)
{
	struct punch_lab l;

	punch_lab_init(&l, PU_MA_KIND_TCP, PUNCH_LAB_NONE, PUNCH_LAB_NONE);
	pu_sim_node_remove_ip(l.c.a.t.node, "11.0.0.1");
	pu_sim_node_remove_ip(l.c.b.t.node, "11.0.0.2");
	pu_sim_node_add_ip(l.c.a.t.node, "10.0.0.1");
	pu_sim_node_add_ip(l.c.b.t.node, "10.0.0.2");
	l.opt.private_addrs = true;
	punch_lab_start(&l);
	punch_lab_dial(&l, &l.a, &l.b);
	assert_true(punch_lab_results(&l, 1, PU_SEC(10)));
	assert_outcome(&l.b, PU_DCUTR_DIRECT);
	punch_lab_stop(&l);
}

static void losing_the_relay_ends_it(void **state)
{
	struct punch_lab l;

	start(&l, PU_MA_KIND_QUIC, PUNCH_LAB_SYMMETRIC, PUNCH_LAB_SYMMETRIC);
	punch_lab_dial(&l, &l.a, &l.b);
	pu_sim_run(l.c.sim, PU_SEC(2));
	circuit_lab_stop_relay(&l.c, 0);
	assert_true(punch_lab_results(&l, 1, PU_SEC(60)));
	assert_outcome(&l.b, PU_DCUTR_STREAM_FAILED);
	punch_lab_stop(&l);
}

static void freeing_it_at_any_moment_is_safe(void **state)
{
	for (unsigned ms = 0; ms < 400; ms += 7) {
		struct punch_lab l;

		start(&l, PU_MA_KIND_OTHER, PUNCH_LAB_PORT_RESTRICTED, PUNCH_LAB_SYMMETRIC);
		punch_lab_dial(&l, &l.a, &l.b);
		pu_sim_run(l.c.sim, PU_MS(ms));
		pu_dcutr_free(ms % 2 ? l.a.d : l.b.d);
		if (ms % 2)
			l.a.d = NULL;
		else
			l.b.d = NULL;
		pu_sim_run(l.c.sim, PU_MS(50));
		punch_lab_stop(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_hear_how_it_went),
		cmocka_unit_test(uneven_ways_do_not_matter),
		cmocka_unit_test(quic_wins_where_both_are_possible),
		cmocka_unit_test(an_unseen_port_is_guessed),
		cmocka_unit_test(failure_takes_three_tries_and_keeps_the_relay),
		cmocka_unit_test(it_can_be_tried_again_by_the_leader_only),
		cmocka_unit_test(moved_ports_are_found_by_the_second_try),
		cmocka_unit_test(one_relay_is_enough_for_days),
		cmocka_unit_test(lost_packets_do_not_matter),
		cmocka_unit_test(two_leaders_become_one),
		cmocka_unit_test(nonsense_ends_it),
		cmocka_unit_test(silence_ends_it),
		cmocka_unit_test(private_targets_are_left_alone),
		cmocka_unit_test(floods_are_refused_and_told_once),
		cmocka_unit_test(who_dialed_must_not_lead),
		cmocka_unit_test(peers_that_do_not_speak_it_are_not_asked),
		cmocka_unit_test(nodes_without_public_addresses_say_so),
		cmocka_unit_test(a_switch_for_tests_allows_private_addresses),
		cmocka_unit_test(losing_the_relay_ends_it),
		cmocka_unit_test(freeing_it_at_any_moment_is_safe),
	};

	pu_log_set_level(PU_LOG_WARN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
