/* Circuits through our own relay: what users see of them, and how they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/message.h"
#include "p2p/proto/ping.h"
#include "support/circuit_lab.h"

static const char *const echo[] = { "/test/echo/1.0.0", NULL };

static void start(struct circuit_lab *l)
{
	circuit_lab_start(l);
	circuit_lab_use_relays(l, &l->b, 1);
	assert_true(circuit_lab_reserved(l, &l->b, 0, PU_SEC(5)));
	circuit_lab_introduce(l, &l->a, &l->b, 0);
}

static void init_and_start(struct circuit_lab *l)
{
	circuit_lab_init(l);
	start(l);
}

static void connected(struct circuit_lab *l, struct test_dial *d)
{
	*d = (struct test_dial){ 0 };
	test_connect(&l->a.t, &l->b.t, d, PU_SEC(20));
	assert_true(d->done);
	assert_int_equal(d->err, 0);
}

static void a_circuit_is_a_limited_connection_to_the_peer_behind_it(void **state)
{
	struct circuit_lab l;
	struct test_dial d;
	struct pu_conn *c;
	struct pu_circuit_limit limit;
	struct pu_peerid relay;
	struct pu_multiaddr ma;

	init_and_start(&l);
	connected(&l, &d);
	assert_true(d.c->limited);
	assert_false(d.c->inbound);
	assert_true(pu_peerid_eq(&d.c->peer, &l.b.t.key.peer));
	assert_true(pu_circuit_relay_of(d.c, &relay));
	assert_true(pu_peerid_eq(&relay, &l.relay[0].key.peer));
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_true(pu_multiaddr_eq(&d.c->remote, &ma));
	assert_true(pu_circuit_limit_of(l.a.circuit, d.c, &limit));
	assert_true(limit.told);
	assert_int_equal(limit.data, pu_hop_limits_default.data);
	assert_int_equal(limit.duration, pu_hop_limits_default.duration);

	c = pu_host_conn(l.b.t.h, &l.a.t.key.peer);
	assert_non_null(c);
	assert_true(c->limited);
	assert_true(c->inbound);
	assert_true(pu_circuit_relay_of(c, &relay));
	assert_true(pu_circuit_limit_of(l.b.circuit, c, &limit));
	/* Direct connections have neither. */
	c = pu_host_conn(l.a.t.h, &l.relay[0].key.peer);
	assert_false(pu_circuit_relay_of(c, &relay));
	assert_false(pu_circuit_limit_of(l.a.circuit, c, &limit));
	circuit_lab_stop(&l);
}

struct pinged {
	bool done;
	int err;
	pu_time rtt;
};

static void on_ping(void *arg, int err, pu_time rtt)
{
	*(struct pinged *)arg = (struct pinged){ true, err, rtt };
}

static bool ping_done(void *arg)
{
	return ((struct pinged *)arg)->done;
}

static void pings_and_identify_go_through(void **state)
{
	struct circuit_lab l;
	struct test_dial d;
	struct pinged p = { 0 };

	init_and_start(&l);
	connected(&l, &d);
	assert_int_equal(pu_ping(l.a.t.h, &l.b.t.key.peer, NULL, on_ping, &p, NULL), 0);
	assert_true(pu_sim_run_until(l.sim, ping_done, &p, PU_SEC(5)));
	assert_int_equal(p.err, 0);
	assert_in_range(p.rtt, PU_MS(40), PU_MS(60)); /* two links of 10 ms, there and back */
	assert_true(pu_host_peer_identified(l.a.t.h, &l.b.t.key.peer));
	assert_true(pu_host_peer_identified(l.b.t.h, &l.a.t.key.peer));
	circuit_lab_stop(&l);
}

static bool sink_complete(void *arg)
{
	struct test_sink *s = arg;

	return s->len >= 1024 * 1024 || s->closed;
}

struct pump {
	struct test_sink sink;
	size_t sent;
};

static void write_more(struct pump *p)
{
	static const uint8_t block[4096] = { 1, 2, 3 };

	while (p->sink.st && p->sent < 1024 * 1024) {
		size_t n = pu_stream_write(p->sink.st, block, sizeof block);

		p->sent += n;
		if (n < sizeof block)
			return;
	}
}

static size_t pump_recv(void *arg, struct pu_stream *st, const uint8_t *b, size_t len)
{
	return test_sink_events.on_recv(&((struct pump *)arg)->sink, st, b, len);
}

static void pump_writable(void *arg, struct pu_stream *st)
{
	(void)st;
	write_more(arg);
}

static void pump_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	test_sink_events.on_closed(&((struct pump *)arg)->sink, st, err, code);
}

static const struct pu_stream_events pump_events = { .on_recv = pump_recv,
						     .on_writable = pump_writable,
						     .on_closed = pump_closed };

static void a_mebibyte_comes_back_unharmed_in_length(void **state)
{
	struct circuit_lab l;
	struct test_sink server = { .echo = true };
	struct pump pump = { 0 };
	struct test_dial d = { .ev = &pump_events, .arg = &pump };

	init_and_start(&l);
	assert_int_equal(pu_host_handle(l.b.t.h, echo[0], test_sink_accept, &server), 0);
	test_open(&l.a.t, &l.b.t, echo, &d, PU_SEC(20));
	assert_int_equal(d.err, 0);
	pump.sink.st = d.st;
	write_more(&pump);
	assert_true(pu_sim_run_until(l.sim, sink_complete, &pump.sink, PU_SEC(60)));
	assert_int_equal(pump.sink.len, 1024 * 1024);
	assert_false(pump.sink.closed);
	circuit_lab_stop(&l);
}

/* The relay's answer, and what the user hears. */
static void a_peer_without_reservation_is_unreachable(void **state)
{
	struct pu_circuit_outcome o;
	struct circuit_lab l;
	struct test_dial d = { 0 };

	circuit_lab_init(&l);
	circuit_lab_start(&l);
	circuit_lab_introduce(&l, &l.a, &l.b, 0);
	test_connect(&l.a.t, &l.b.t, &d, PU_SEC(20));
	assert_true(d.done);
	assert_int_equal(d.err, PU_EUNREACH);
	assert_int_equal(pu_circuit_outcomes(l.a.circuit, &l.b.t.key.peer, &o, 1), 1);
	assert_int_equal(o.status, PU_CIRCUIT_NO_RESERVATION);
	assert_int_equal(o.err, PU_EUNREACH);
	assert_true(pu_peerid_eq(&o.relay, &l.relay[0].key.peer));
	circuit_lab_stop(&l);
}

static bool nobody(void *arg, const struct pu_peerid *from, const struct pu_peerid *to)
{
	return false;
}

static void a_relay_that_forbids_the_circuit_is_reported_as_denial(void **state)
{
	struct pu_circuit_outcome o;
	struct circuit_lab l;
	struct test_dial d = { 0 };

	circuit_lab_init(&l);
	l.opt.may_connect = nobody;
	start(&l);
	test_connect(&l.a.t, &l.b.t, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_EDENIED);
	assert_int_equal(pu_circuit_outcomes(l.a.circuit, &l.b.t.key.peer, &o, 1), 1);
	assert_int_equal(o.status, PU_CIRCUIT_PERMISSION_DENIED);
	circuit_lab_stop(&l);
}

static bool refuse_everyone(void *arg, const struct pu_peerid *peer,
			    const struct pu_multiaddr *remote)
{
	struct pu_peerid *seen = arg;

	if (pu_multiaddr_kind(remote) != PU_MA_KIND_CIRCUIT)
		return true;
	*seen = *peer;
	return false;
}

static void the_gate_is_asked_about_the_peer_behind_the_relay(void **state)
{
	struct circuit_lab l;
	struct test_dial d = { 0 };
	struct pu_peerid seen = { 0 };

	circuit_lab_init(&l);
	l.b.t.cfg.gate = refuse_everyone;
	l.b.t.cfg.gate_arg = &seen;
	start(&l);
	test_connect(&l.a.t, &l.b.t, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_EDENIED);
	assert_true(pu_peerid_eq(&seen, &l.a.t.key.peer));
	assert_null(pu_host_conn(l.b.t.h, &l.a.t.key.peer));
	circuit_lab_stop(&l);
}

static bool no_relay(void *arg, const struct pu_peerid *relay)
{
	return false;
}

static void only_chosen_relays_may_bring_circuits(void **state)
{
	struct pu_circuit_stats stats;
	struct circuit_lab l;
	struct test_dial d = { 0 };

	circuit_lab_init(&l);
	l.circuit.accept_from = no_relay;
	start(&l);
	test_connect(&l.a.t, &l.b.t, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_EUNREACH);
	pu_circuit_stats(l.b.circuit, &stats);
	assert_int_equal(stats.refused, 1);
	circuit_lab_stop(&l);
}

/* Addresses that lead nowhere. */
static void a_relay_is_not_dialled_through_itself(void **state)
{
	struct pu_multiaddr ma;
	struct circuit_lab l;
	struct test_dial d = { 0 };

	circuit_lab_init(&l);
	circuit_lab_start(&l);
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_int_equal(pu_host_add_addr(l.a.t.h, &l.relay[0].key.peer, &ma, true), 0);
	test_connect(&l.a.t, &l.relay[0], &d, PU_SEC(20));
	assert_int_equal(d.err, PU_EUNREACH);
	assert_null(pu_host_conn(l.a.t.h, &l.relay[0].key.peer));
	circuit_lab_stop(&l);
}

static void we_are_no_relay_for_ourselves(void **state)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	struct circuit_lab l;
	struct test_dial d = { 0 };
	struct pu_multiaddr ma;

	circuit_lab_init(&l);
	circuit_lab_start(&l);
	snprintf(text, sizeof text, "/ip4/11.0.0.1/tcp/4001/p2p/%s/p2p-circuit",
		 pu_peerid_text(&l.a.t.key.peer, id));
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_false(l.a.circuit->ops->can_dial(l.a.circuit, &ma));
	assert_int_equal(pu_host_add_addr(l.a.t.h, &l.b.t.key.peer, &ma, true), 0);
	test_connect(&l.a.t, &l.b.t, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_EUNREACH);
	circuit_lab_stop(&l);
}

/* relay[1] is known to be behind relay[0] only: no circuit to reach a circuit. */
static void a_relay_is_never_reached_through_another_relay(void **state)
{
	struct pu_multiaddr ma;
	struct circuit_lab l;
	struct test_dial d = { 0 };
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];

	init_and_start(&l);
	ma = circuit_lab_circuit_addr(&l, 0);
	assert_int_equal(pu_host_add_addr(l.a.t.h, &l.relay[1].key.peer, &ma, true), 0);
	snprintf(text, sizeof text, "/p2p/%s/p2p-circuit",
		 pu_peerid_text(&l.relay[1].key.peer, id));
	assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
	assert_int_equal(pu_host_add_addr(l.a.t.h, &l.b.t.key.peer, &ma, true), 0);
	ma = circuit_lab_circuit_addr(&l, 0);
	pu_host_remove_addr(l.a.t.h, &l.b.t.key.peer, &ma);
	test_connect(&l.a.t, &l.b.t, &d, PU_SEC(20));
	assert_int_equal(d.err, PU_EUNREACH);
	assert_null(pu_host_conn(l.a.t.h, &l.relay[0].key.peer));
	circuit_lab_stop(&l);
}

/* Several addresses of one relay are one relay. */
static void one_relay_is_asked_once_whatever_its_addresses(void **state)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	struct pu_hop_stats stats;
	struct circuit_lab l;
	struct test_dial d = { 0 };
	struct pu_multiaddr ma;

	circuit_lab_init(&l);
	l.link.delay = PU_MS(400); /* so that all of them get their turn */
	start(&l);
	pu_peerid_text(&l.relay[0].key.peer, id);
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof text, "/ip4/11.0.0.10%d/%s/p2p/%s/p2p-circuit", i == 2 ? 3 : 1,
			 i == 1 ? "udp/4001/quic-v1" : "tcp/4002", id);
		assert_int_equal(pu_multiaddr_from_text(&ma, text), 0);
		assert_int_equal(pu_host_add_addr(l.a.t.h, &l.b.t.key.peer, &ma, true), 0);
	}
	connected(&l, &d);
	pu_sim_run(l.sim, PU_SEC(5));
	pu_hop_stats(l.hop[0], &stats);
	assert_int_equal(stats.circuits_made, 1);
	assert_int_equal(stats.circuits, 1);
	circuit_lab_stop(&l);
}

static void a_working_relay_is_enough(void **state)
{
	struct circuit_lab l;
	struct test_dial d;
	struct pu_peerid relay;

	init_and_start(&l);
	circuit_lab_use_relays(&l, &l.b, 2);
	assert_true(circuit_lab_reserved(&l, &l.b, 1, PU_SEC(5)));
	circuit_lab_introduce(&l, &l.a, &l.b, 1);
	circuit_lab_stop_relay(&l, 0);
	connected(&l, &d);
	assert_true(pu_circuit_relay_of(d.c, &relay));
	assert_true(pu_peerid_eq(&relay, &l.relay[1].key.peer));
	circuit_lab_stop(&l);
}

static bool gone(void *arg)
{
	struct circuit_end *e = arg;

	return e->t.disconnected > 0;
}

static void the_circuit_ends_with_its_relay(void **state)
{
	struct circuit_lab l;
	struct test_dial d;

	init_and_start(&l);
	connected(&l, &d);
	pu_hop_free(l.hop[0]);
	l.hop[0] = NULL;
	assert_true(pu_sim_run_until(l.sim, gone, &l.a, PU_SEC(5)));
	assert_true(pu_sim_run_until(l.sim, gone, &l.b, PU_SEC(5)));
	assert_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	assert_null(pu_host_conn(l.b.t.h, &l.a.t.key.peer));
	test_host_stop(&l.relay[0]);
	circuit_lab_stop(&l);
}

static void the_time_limit_of_the_relay_ends_the_circuit(void **state)
{
	struct circuit_lab l;
	struct test_dial d;

	circuit_lab_init(&l);
	l.opt.limits.duration = PU_SEC(30);
	start(&l);
	connected(&l, &d);
	pu_sim_run(l.sim, PU_SEC(25));
	assert_non_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	pu_sim_run(l.sim, PU_SEC(10));
	assert_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	assert_null(pu_host_conn(l.b.t.h, &l.a.t.key.peer));
	connected(&l, &d);
	circuit_lab_stop(&l);
}

static void a_circuit_can_be_closed_from_either_side(void **state)
{
	struct circuit_lab l;
	struct pu_hop_stats stats;
	struct test_dial d;

	for (int side = 0; side < 2; side++) {
		init_and_start(&l);
		connected(&l, &d);
		pu_sim_run(l.sim, PU_SEC(1));
		pu_host_disconnect(side ? l.a.t.h : l.b.t.h, side ? &l.b.t.key.peer : &l.a.t.key.peer,
				   PU_CONN_CODE_NORMAL);
		assert_true(pu_sim_run_until(l.sim, gone, &l.a, PU_SEC(5)));
		assert_true(pu_sim_run_until(l.sim, gone, &l.b, PU_SEC(5)));
		pu_sim_run(l.sim, PU_SEC(5));
		pu_hop_stats(l.hop[0], &stats);
		assert_int_equal(stats.circuits, 0);
		circuit_lab_stop(&l);
	}
}

/* At every moment of a dial. */
static void dials_can_be_called_off_at_any_moment(void **state)
{
	for (pu_time at = 0; at <= PU_MS(400); at += PU_MS(5)) {
		struct circuit_lab l;
		struct test_dial d = { 0 };

		init_and_start(&l);
		test_connect(&l.a.t, &l.b.t, &d, at);
		if (!d.done)
			pu_host_cancel(l.a.t.h, d.req);
		circuit_lab_stop(&l);
	}
}

static void the_host_can_stop_at_any_moment(void **state)
{
	for (pu_time at = 0; at <= PU_MS(400); at += PU_MS(7)) {
		struct circuit_lab l;
		struct test_dial d = { 0 };
		bool target = at / PU_MS(7) % 2;

		init_and_start(&l);
		test_connect(&l.a.t, &l.b.t, &d, at);
		circuit_lab_stop_end(target ? &l.b : &l.a);
		pu_sim_run(l.sim, PU_SEC(1));
		circuit_lab_start_end(&l, target ? &l.b : &l.a);
		circuit_lab_stop(&l);
	}
}

static void direct_done(void *arg, int err, struct pu_conn *c)
{
	struct test_dial *d = arg;

	d->done = true;
	d->err = err;
	d->c = c;
}

static bool is_done(void *arg)
{
	return ((struct test_dial *)arg)->done;
}

/* One asks for any connection, the other for a direct one, at the same time. */
static void a_circuit_does_not_satisfy_who_wants_a_direct_connection(void **state)
{
	struct circuit_lab l;
	struct test_dial any = { 0 }, direct = { 0 };

	init_and_start(&l);
	test_host_introduce(&l.a.t, &l.b.t);
	assert_int_equal(pu_host_connect_direct(l.a.t.h, &l.b.t.key.peer, direct_done, &direct, NULL),
			 0);
	test_connect(&l.a.t, &l.b.t, &any, PU_SEC(3));
	assert_true(any.done);
	assert_int_equal(any.err, 0);
	assert_true(any.c->limited);
	assert_false(direct.done);
	assert_true(pu_sim_run_until(l.sim, is_done, &direct, PU_SEC(20)));
	assert_true(direct.err < 0);
	assert_non_null(pu_host_conn(l.a.t.h, &l.b.t.key.peer));
	circuit_lab_stop(&l);
}

static void a_direct_connection_takes_over_from_a_circuit(void **state)
{
	struct pu_sim_link open = { .delay = PU_MS(5) };
	struct circuit_lab l;
	struct test_dial d, direct = { 0 };

	init_and_start(&l);
	connected(&l, &d);
	pu_sim_run(l.sim, PU_SEC(1)); /* identify tells the direct addresses */
	pu_sim_link(l.a.t.node, l.b.t.node, &open);
	assert_int_equal(pu_host_connect_direct(l.a.t.h, &l.b.t.key.peer, direct_done, &direct, NULL),
			 0);
	assert_true(pu_sim_run_until(l.sim, is_done, &direct, PU_SEC(20)));
	assert_int_equal(direct.err, 0);
	assert_false(direct.c->limited);
	assert_ptr_equal(pu_host_conn(l.a.t.h, &l.b.t.key.peer), direct.c);
	/* The circuit is closed when nobody uses it any more. */
	pu_sim_run(l.sim, PU_SEC(400));
	assert_int_equal(l.a.t.disconnected, 1);
	circuit_lab_stop(&l);
}

#define C(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(a_circuit_is_a_limited_connection_to_the_peer_behind_it),
		C(pings_and_identify_go_through),
		C(a_mebibyte_comes_back_unharmed_in_length),
		C(a_peer_without_reservation_is_unreachable),
		C(a_relay_that_forbids_the_circuit_is_reported_as_denial),
		C(the_gate_is_asked_about_the_peer_behind_the_relay),
		C(only_chosen_relays_may_bring_circuits),
		C(a_relay_is_not_dialled_through_itself),
		C(we_are_no_relay_for_ourselves),
		C(a_relay_is_never_reached_through_another_relay),
		C(one_relay_is_asked_once_whatever_its_addresses),
		C(a_working_relay_is_enough),
		C(the_circuit_ends_with_its_relay),
		C(the_time_limit_of_the_relay_ends_the_circuit),
		C(a_circuit_can_be_closed_from_either_side),
		C(dials_can_be_called_off_at_any_moment),
		C(the_host_can_stop_at_any_moment),
		C(a_circuit_does_not_satisfy_who_wants_a_direct_connection),
		C(a_direct_connection_takes_over_from_a_circuit),
	};

	pu_log_set_level(PU_LOG_OFF);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
