/* Reservations and calls: every status, every limit, every deadline. */
#include "p2p/circuit/hop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "p2p/circuit/voucher.h"
#include "support/relay_lab.h"

/* A relay, two clients and the streams of a test. */
struct fixture {
	struct relay_lab *lab;
	struct lab_peer *a, *b;
	struct lab_stream s, s2;
	unsigned denied;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->lab = relay_lab_new(false);
	*state = f;
	return 0;
}

static void start(struct fixture *f)
{
	relay_lab_start(f->lab);
	f->a = relay_lab_add(f->lab, NULL, NULL);
	f->b = relay_lab_add(f->lab, NULL, NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	lab_reset(&f->s, 0);
	lab_reset(&f->s2, 0);
	relay_lab_free(f->lab);
	free(f);
	return 0;
}

static void run(struct fixture *f, pu_time t)
{
	pu_sim_run(f->lab->sim, t);
}

static unsigned reserve(struct fixture *f, struct lab_peer *p)
{
	return lab_reserve(f->lab, p, &f->s);
}

/* Reservations. */

static void a_reservation_tells_time_address_voucher_and_limit(void **state)
{
	struct fixture *f = *state;
	const struct pu_circuit_reservation *rv = &f->s.m.reservation;
	char want[PU_MULTIADDR_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX], id[PU_PEERID_TEXT_MAX];
	int64_t now, expires;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(f->s.m.type, PU_CIRCUIT_STATUS);
	assert_true(f->s.m.has_reservation && f->s.m.has_limit);
	now = pu_loop_unix(pu_sim_loop(f->b->t.node));
	assert_in_range(rv->expires - now, 3598, 3600);
	assert_int_equal(rv->n_addrs, 1); /* the ULA is nobody else's business */
	snprintf(want, sizeof want, "/ip4/11.0.0.1/tcp/7777/p2p/%s",
		 pu_peerid_text(&f->lab->relay.key.peer, id));
	assert_string_equal(pu_multiaddr_text(&rv->addrs[0], text), want);
	assert_int_equal(pu_circuit_voucher_check(pu_bytes(rv->voucher, rv->voucher_len),
						  &f->lab->relay.key.peer, &f->b->t.key.peer, now,
						  &expires),
			 0);
	assert_int_equal(expires, rv->expires);
	assert_int_equal(f->s.m.limit.duration, 600);
	assert_int_equal(f->s.m.limit.data, 64 << 20);
	assert_true(pu_hop_has_reservation(f->lab->hop, &f->b->t.key.peer));
	assert_false(pu_hop_has_reservation(f->lab->hop, &f->a->t.key.peer));
}

static void private_addresses_are_told_when_wanted(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.private_addrs = true;
	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(f->s.m.reservation.n_addrs, 2);
}

static void a_relay_without_public_address_tells_the_one_that_was_used(void **state)
{
	struct fixture *f = *state;
	struct lab_peer *p;
	char text[PU_MULTIADDR_TEXT_MAX];

	pu_sim_node_remove_ip(f->lab->relay.node, "11.0.0.1");
	relay_lab_start(f->lab);
	p = relay_lab_add(f->lab, NULL, "fd01::2");
	assert_int_equal(reserve(f, p), PU_CIRCUIT_OK);
	assert_int_equal(f->s.m.reservation.n_addrs, 1);
	assert_non_null(strstr(pu_multiaddr_text(&f->s.m.reservation.addrs[0], text),
			       "/ip6/fd01::1/tcp/7777/p2p/"));
}

static void no_limit_is_told_as_zero(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.limits.duration = 0;
	f->lab->opt.limits.data = 0;
	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_true(f->s.m.has_limit);
	assert_int_equal(f->s.m.limit.duration, 0);
	assert_int_equal(f->s.m.limit.data, 0);
}

static void a_reservation_ends_with_its_time_and_is_renewed_before(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.limits.reservation_ttl = PU_SEC(100);
	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	run(f, PU_SEC(60));
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(lab_stats(f->lab).reservations, 1);
	assert_int_equal(lab_stats(f->lab).reserved, 1);
	run(f, PU_SEC(60));
	assert_int_equal(lab_stats(f->lab).reservations, 1);
	run(f, PU_SEC(41));
	assert_int_equal(lab_stats(f->lab).reservations, 0);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_NO_RESERVATION);
	assert_int_equal(lab_stats(f->lab).refused_no_reservation, 1);
}

static void a_reservation_ends_with_the_connection(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	pu_host_disconnect(f->b->t.h, &f->lab->relay.key.peer, 0);
	run(f, PU_SEC(1));
	assert_int_equal(lab_stats(f->lab).reservations, 0);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(lab_stats(f->lab).reserved, 2);
}

static void a_connection_with_a_reservation_is_not_idle(void **state)
{
	struct fixture *f = *state;

	f->lab->relay.cfg.idle_timeout = PU_SEC(30);
	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	run(f, PU_SEC(600));
	assert_true(pu_hop_has_reservation(f->lab->hop, &f->b->t.key.peer));
}

static bool deny(void *arg, const struct pu_peerid *peer)
{
	((struct fixture *)arg)->denied++;
	return false;
}

static void who_may_not_reserve_is_told_so(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.may_reserve = deny;
	f->lab->opt.arg = f;
	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_PERMISSION_DENIED);
	assert_false(f->s.m.has_reservation);
	assert_int_equal(f->denied, 1);
	assert_int_equal(lab_stats(f->lab).refused_permission, 1);
	assert_int_equal(lab_stats(f->lab).reservations, 0);
}

static void reservations_are_limited_in_all(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.limits.max_reservations = 1;
	start(f);
	assert_int_equal(reserve(f, f->a), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_RESERVATION_REFUSED);
	assert_int_equal(reserve(f, f->a), PU_CIRCUIT_OK); /* a refresh needs no room */
	assert_int_equal(lab_stats(f->lab).refused_reservation, 1);
	pu_host_disconnect(f->a->t.h, &f->lab->relay.key.peer, 0);
	run(f, PU_SEC(1));
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
}

static void reservations_are_limited_per_ip4_address(void **state)
{
	struct fixture *f = *state;
	struct lab_peer *p[3];

	f->lab->opt.limits.max_reservations_per_ip = 2;
	relay_lab_start(f->lab);
	for (unsigned i = 0; i < 3; i++)
		p[i] = relay_lab_add(f->lab, "11.0.2.1", NULL);
	assert_int_equal(reserve(f, p[0]), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, p[1]), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, p[2]), PU_CIRCUIT_RESERVATION_REFUSED);
	assert_int_equal(reserve(f, p[1]), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, relay_lab_add(f->lab, "11.0.2.2", NULL)), PU_CIRCUIT_OK);
	pu_hop_expel(f->lab->hop, &p[0]->t.key.peer);
	assert_int_equal(reserve(f, p[2]), PU_CIRCUIT_OK);
}

static void reservations_are_limited_per_ip6_customer_and_provider(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.limits.max_reservations_per_ip = 1;
	f->lab->opt.limits.max_reservations_per_asn = 2;
	relay_lab_start(f->lab);
	assert_int_equal(reserve(f, relay_lab_add(f->lab, NULL, "2a02:1:0:1::1")), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, relay_lab_add(f->lab, NULL, "2a02:1:0:1::2")),
			 PU_CIRCUIT_RESERVATION_REFUSED);
	assert_int_equal(reserve(f, relay_lab_add(f->lab, NULL, "2a02:1:0:2::1")), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, relay_lab_add(f->lab, NULL, "2a02:1:0:3::1")),
			 PU_CIRCUIT_RESERVATION_REFUSED);
	assert_int_equal(reserve(f, relay_lab_add(f->lab, NULL, "2a02:2:0:3::1")), PU_CIRCUIT_OK);
	assert_int_equal(lab_stats(f->lab).reservations, 3);
}

/* Calls. */

static void a_call_goes_through(void **state)
{
	struct fixture *f = *state;
	struct pu_hop_stats st;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
	assert_true(f->s.m.has_limit);
	assert_int_equal(f->s.m.limit.duration, 600);
	assert_int_equal(f->b->called.m.type, PU_CIRCUIT_CONNECT);
	assert_true(pu_peerid_eq(&f->b->called.m.peer, &f->a->t.key.peer));
	assert_true(f->b->called.m.has_limit);
	assert_int_equal(f->b->called.m.limit.data, 64 << 20);
	st = lab_stats(f->lab);
	assert_int_equal(st.circuits, 1);
	assert_int_equal(st.circuits_made, 1);
}

static bool never(void *arg, const struct pu_peerid *from, const struct pu_peerid *to)
{
	return false;
}

static void a_call_may_be_forbidden(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.may_connect = never;
	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_PERMISSION_DENIED);
	assert_int_equal(f->b->n_called, 0);
}

static void a_target_that_does_not_take_the_call_is_unreachable(void **state)
{
	static const enum lab_answer answers[] = { LAB_REFUSE, LAB_HANG_UP, LAB_NONSENSE };
	struct fixture *f = *state;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	for (size_t i = 0; i < PU_ARRAY_LEN(answers); i++) {
		f->b->answer = answers[i];
		assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_CONNECTION_FAILED);
		assert_int_equal(lab_stats(f->lab).refused_unreachable, i + 1);
		assert_int_equal(lab_stats(f->lab).circuits, 0);
		lab_close(&f->s);
	}
	pu_host_unhandle(f->b->t.h, PU_STOP_PROTOCOL);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_CONNECTION_FAILED);
}

static void a_silent_target_is_given_up_after_a_minute(void **state)
{
	struct fixture *f = *state;
	pu_time t;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	f->b->answer = LAB_SILENT;
	t = pu_sim_now(f->lab->sim);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_CONNECTION_FAILED);
	assert_in_range(pu_sim_now(f->lab->sim) - t, PU_SEC(60), PU_SEC(61));
	run(f, PU_SEC(1));
	assert_true(f->b->called.closed);
}

static void a_caller_who_leaves_takes_his_call_with_him(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.limits.max_circuits_per_peer = 1;
	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	f->b->answer = LAB_SILENT;
	assert_true(lab_open(f->lab, f->a, &f->s));
	lab_say(&f->s, PU_CIRCUIT_CONNECT, f->b);
	run(f, PU_SEC(1));
	assert_int_equal(f->b->n_called, 1);
	lab_reset(&f->s, 7);
	run(f, PU_SEC(1));
	assert_true(f->b->called.closed);
	f->b->answer = LAB_ACCEPT;
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
}

static void circuits_are_limited_per_peer_at_both_ends(void **state)
{
	struct fixture *f = *state;
	struct lab_peer *c;
	struct lab_stream *s3 = calloc(1, sizeof *s3);

	f->lab->opt.limits.max_circuits_per_peer = 1;
	start(f);
	c = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, c), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, c, &f->s2), PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED);
	lab_close(&f->s2);
	assert_int_equal(lab_connect(f->lab, c, f->b, &f->s2), PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED);
	lab_close(&f->s2);
	assert_int_equal(lab_stats(f->lab).refused_limit, 2);
	lab_reset(&f->s, 0);
	run(f, PU_SEC(1));
	assert_int_equal(lab_connect(f->lab, c, f->b, s3), PU_CIRCUIT_OK);
	lab_reset(s3, 0);
	free(s3);
}

static void circuits_are_limited_in_all(void **state)
{
	struct fixture *f = *state;
	struct lab_peer *c;

	f->lab->opt.limits.max_circuits = 1;
	start(f);
	c = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, c), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->b, c, &f->s2), PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED);
}

static void relayed_connections_get_neither(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_true(lab_open(f->lab, f->a, &f->s));
	pu_host_conn(f->lab->relay.h, &f->a->t.key.peer)->limited = true;
	lab_say(&f->s, PU_CIRCUIT_RESERVE, NULL);
	assert_int_equal(lab_wait(f->lab, &f->s, PU_SEC(5)), PU_CIRCUIT_PERMISSION_DENIED);
	lab_close(&f->s);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_PERMISSION_DENIED);
	assert_int_equal(lab_stats(f->lab).refused_permission, 2);
	assert_int_equal(f->b->n_called, 0);
}

/* Bad input. */

static void broken_and_unexpected_requests_are_told_apart(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned want;
	} cases[] = {
		{ "\x02\x08\x07", 3, PU_CIRCUIT_MALFORMED_MESSAGE },       /* no such type */
		{ "\x02\x08\x01", 3, PU_CIRCUIT_MALFORMED_MESSAGE },       /* CONNECT to nobody */
		{ "\x02\x08\x02", 3, PU_CIRCUIT_UNEXPECTED_MESSAGE },      /* STATUS */
		{ "\x81\x20", 2, PU_CIRCUIT_MALFORMED_MESSAGE },           /* 4097 bytes */
		{ "\x03\x08\x01\x12", 4, PU_CIRCUIT_MALFORMED_MESSAGE },   /* cut off inside */
	};
	struct fixture *f = *state;

	start(f);
	for (size_t i = 0; i < PU_ARRAY_LEN(cases); i++) {
		assert_true(lab_open(f->lab, f->a, &f->s));
		pu_stream_write(f->s.st, cases[i].bytes, cases[i].len);
		assert_int_equal(lab_wait(f->lab, &f->s, PU_SEC(5)), cases[i].want);
		lab_close(&f->s);
	}
	assert_int_equal(lab_stats(f->lab).malformed, PU_ARRAY_LEN(cases));
	assert_true(lab_open(f->lab, f->a, &f->s));
	pu_stream_write(f->s.st, "\x02", 1);
	pu_stream_shutdown(f->s.st);
	assert_int_equal(lab_wait(f->lab, &f->s, PU_SEC(5)), PU_CIRCUIT_MALFORMED_MESSAGE);
}

static void who_says_nothing_is_reset_after_a_minute(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_true(lab_open(f->lab, f->a, &f->s));
	for (unsigned i = 0; i < 59; i++) {
		pu_stream_write(f->s.st, i == 0 ? "\x80\x20" : "x", i == 0 ? 2 : 1);
		run(f, PU_SEC(1));
		assert_false(f->s.closed);
	}
	run(f, PU_SEC(2));
	assert_true(f->s.closed);
	assert_int_equal(f->s.err, PU_ERESET);
}

static void silent_streams_of_one_peer_are_bounded(void **state)
{
	enum { N = PU_HOP_REQUESTS_PER_PEER + 2 };
	struct fixture *f = *state;
	struct lab_stream *s = calloc(N, sizeof *s);
	unsigned closed = 0;

	start(f);
	for (unsigned i = 0; i < N; i++)
		assert_true(lab_open(f->lab, f->a, &s[i]));
	run(f, PU_SEC(1));
	for (unsigned i = 0; i < N; i++)
		closed += s[i].closed;
	assert_int_equal(closed, 2);
	assert_int_equal(lab_stats(f->lab).refused_limit, 2);
	/* Nobody else notices. */
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	for (unsigned i = 0; i < N; i++)
		lab_reset(&s[i], 0);
	free(s);
}

static void who_asks_without_end_is_slowed_down(void **state)
{
	struct fixture *f = *state;
	unsigned ok = 0;

	start(f);
	for (unsigned i = 0; i < 2 * PU_HOP_BURST; i++)
		ok += reserve(f, f->a) == PU_CIRCUIT_OK;
	/* It took a second or two, which brings one more each. */
	assert_in_range(ok, PU_HOP_BURST, PU_HOP_BURST + 4);
	assert_true(pu_hop_has_reservation(f->lab->hop, &f->a->t.key.peer));
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	run(f, PU_SEC(3));
	assert_int_equal(reserve(f, f->a), PU_CIRCUIT_OK);
}

/* Taking it back. */

static void an_expelled_peer_loses_everything(void **state)
{
	struct fixture *f = *state;
	struct lab_peer *c;

	start(f);
	c = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, c), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, c, &f->s2), PU_CIRCUIT_OK);
	pu_hop_expel(f->lab->hop, &f->b->t.key.peer);
	run(f, PU_SEC(1));
	assert_true(f->s.closed && f->b->called.closed);
	assert_int_equal(f->s.code, PU_STREAM_CODE_GATED);
	assert_false(f->s2.closed);
	assert_false(pu_hop_has_reservation(f->lab->hop, &f->b->t.key.peer));
	assert_int_equal(lab_stats(f->lab).circuits, 1);
	assert_int_equal(lab_stats(f->lab).reservations, 1);
}

static void a_target_that_is_expelled_while_it_is_called_ends_the_call(void **state)
{
	struct fixture *f = *state;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	f->b->answer = LAB_SILENT;
	assert_true(lab_open(f->lab, f->a, &f->s));
	lab_say(&f->s, PU_CIRCUIT_CONNECT, f->b);
	run(f, PU_SEC(1));
	pu_hop_expel(f->lab->hop, &f->b->t.key.peer);
	run(f, PU_SEC(1));
	assert_true(f->s.closed && f->b->called.closed);
}

static void new_limits_hold_for_what_comes_next(void **state)
{
	struct pu_hop_limits limits = pu_hop_limits_default;
	struct fixture *f = *state;

	start(f);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	limits.max_reservations = 1;
	limits.duration = PU_SEC(30);
	pu_hop_set_limits(f->lab->hop, &limits);
	assert_int_equal(reserve(f, f->a), PU_CIRCUIT_RESERVATION_REFUSED);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
	assert_int_equal(f->s.m.limit.duration, 30);
}

static void a_relay_ends_with_everything_in_flight(void **state)
{
	struct fixture *f = *state;
	struct lab_peer *c;

	start(f);
	c = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(reserve(f, f->b), PU_CIRCUIT_OK);
	assert_int_equal(reserve(f, c), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
	c->answer = LAB_SILENT;
	assert_true(lab_open(f->lab, f->a, &f->s2));
	lab_say(&f->s2, PU_CIRCUIT_CONNECT, c);
	run(f, PU_SEC(1));
	assert_int_equal(c->n_called, 1);
	pu_hop_free(f->lab->hop);
	f->lab->hop = NULL;
	run(f, PU_SEC(1));
	assert_true(f->s.closed && f->s2.closed && f->b->called.closed && c->called.closed);
	assert_int_equal(f->s.code, PU_STREAM_CODE_SHUTDOWN);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_reservation_tells_time_address_voucher_and_limit),
		T(private_addresses_are_told_when_wanted),
		T(a_relay_without_public_address_tells_the_one_that_was_used),
		T(no_limit_is_told_as_zero),
		T(a_reservation_ends_with_its_time_and_is_renewed_before),
		T(a_reservation_ends_with_the_connection),
		T(a_connection_with_a_reservation_is_not_idle),
		T(who_may_not_reserve_is_told_so),
		T(reservations_are_limited_in_all),
		T(reservations_are_limited_per_ip4_address),
		T(reservations_are_limited_per_ip6_customer_and_provider),
		T(a_call_goes_through),
		T(a_call_may_be_forbidden),
		T(a_target_that_does_not_take_the_call_is_unreachable),
		T(a_silent_target_is_given_up_after_a_minute),
		T(a_caller_who_leaves_takes_his_call_with_him),
		T(circuits_are_limited_per_peer_at_both_ends),
		T(circuits_are_limited_in_all),
		T(relayed_connections_get_neither),
		T(broken_and_unexpected_requests_are_told_apart),
		T(who_says_nothing_is_reset_after_a_minute),
		T(silent_streams_of_one_peer_are_bounded),
		T(who_asks_without_end_is_slowed_down),
		T(an_expelled_peer_loses_everything),
		T(a_target_that_is_expelled_while_it_is_called_ends_the_call),
		T(new_limits_hold_for_what_comes_next),
		T(a_relay_ends_with_everything_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
