/* What flows through a relay, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/relay_lab.h"

struct fixture {
	struct relay_lab *lab;
	struct lab_peer *a, *b;
	struct lab_stream s, s2;
};

static struct fixture *fixture_new(bool quic)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->lab = relay_lab_new(quic);
	return f;
}

static int setup(void **state)
{
	*state = fixture_new(false);
	return 0;
}

static int setup_quic(void **state)
{
	*state = fixture_new(true);
	return 0;
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

/* A circuit from a (f->s) to b (f->b->called). */
static void start(struct fixture *f)
{
	relay_lab_start(f->lab);
	f->a = relay_lab_add(f->lab, NULL, NULL);
	f->b = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(lab_reserve(f->lab, f->b, &f->s), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, f->b, &f->s), PU_CIRCUIT_OK);
}

static void run(struct fixture *f, pu_time t)
{
	pu_sim_run(f->lab->sim, t);
}

static void bytes_arrive_both_ways_and_in_order(void **state)
{
	enum { N = 8 << 20 };
	struct fixture *f = *state;
	struct lab_stream *a, *b;

	start(f);
	a = &f->s;
	b = &f->b->called;
	lab_send(a, N);
	lab_send(b, N / 2 + 1);
	run(f, PU_SEC(60));
	assert_int_equal(b->got, N);
	assert_int_equal(a->got, N / 2 + 1);
	assert_false(a->wrong || b->wrong);
	assert_int_equal(lab_stats(f->lab).bytes, N + N / 2 + 1);
	assert_int_equal(lab_stats(f->lab).circuits, 1);
}

static void what_follows_the_status_at_once_is_not_lost(void **state)
{
	struct fixture *f = *state;

	relay_lab_start(f->lab);
	f->a = relay_lab_add(f->lab, NULL, NULL);
	f->b = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(lab_reserve(f->lab, f->b, &f->s), PU_CIRCUIT_OK);
	assert_true(lab_open(f->lab, f->a, &f->s));
	/* The caller does not wait for the answer. */
	lab_say(&f->s, PU_CIRCUIT_CONNECT, f->b);
	lab_send(&f->s, 100000);
	assert_int_equal(lab_wait(f->lab, &f->s, PU_SEC(5)), PU_CIRCUIT_OK);
	lab_send(&f->b->called, 1000);
	run(f, PU_SEC(5));
	assert_int_equal(f->b->called.got, 100000);
	assert_int_equal(f->s.got, 1000);
	assert_false(f->s.wrong || f->b->called.wrong);
}

static void a_half_close_is_passed_on_and_two_end_the_circuit(void **state)
{
	struct fixture *f = *state;

	start(f);
	lab_send(&f->s, 5000);
	pu_stream_shutdown(f->s.st);
	run(f, PU_SEC(1));
	assert_int_equal(f->b->called.got, 5000);
	assert_true(f->b->called.eof);
	assert_false(f->s.eof);
	lab_send(&f->b->called, 70000);
	run(f, PU_SEC(1));
	assert_int_equal(f->s.got, 70000);
	assert_int_equal(lab_stats(f->lab).circuits, 1);
	pu_stream_shutdown(f->b->called.st);
	run(f, PU_SEC(1));
	assert_true(f->s.eof);
	assert_int_equal(lab_stats(f->lab).circuits, 0);
	assert_false(f->s.closed || f->b->called.closed);
}

static void a_half_close_before_the_answer_is_passed_on(void **state)
{
	struct fixture *f = *state;

	relay_lab_start(f->lab);
	f->a = relay_lab_add(f->lab, NULL, NULL);
	f->b = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(lab_reserve(f->lab, f->b, &f->s), PU_CIRCUIT_OK);
	assert_true(lab_open(f->lab, f->a, &f->s));
	lab_say(&f->s, PU_CIRCUIT_CONNECT, f->b);
	pu_stream_shutdown(f->s.st);
	f->s.eof = false;
	run(f, PU_SEC(1));
	assert_int_equal(f->s.m.status, PU_CIRCUIT_OK);
	assert_true(f->b->called.eof);
	lab_send(&f->b->called, 10);
	run(f, PU_SEC(1));
	assert_int_equal(f->s.got, 10);
}

static void a_reset_is_passed_on_with_its_code(void **state)
{
	struct fixture *f = *state;

	start(f);
	lab_send(&f->s, 100);
	lab_reset(&f->b->called, 0x1234);
	run(f, PU_SEC(1));
	assert_true(f->s.closed);
	assert_int_equal(f->s.err, PU_ERESET);
	assert_int_equal(f->s.code, 0x1234);
	assert_int_equal(lab_stats(f->lab).circuits, 0);
}

static void a_peer_that_vanishes_ends_its_circuits_only(void **state)
{
	struct fixture *f = *state;
	struct lab_peer *c;

	start(f);
	c = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(lab_reserve(f->lab, c, &f->s2), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, c, &f->s2), PU_CIRCUIT_OK);
	lab_send(&f->s, 1 << 20);
	run(f, PU_MS(20));
	pu_host_disconnect(f->b->t.h, &f->lab->relay.key.peer, 0);
	run(f, PU_SEC(2));
	assert_true(f->s.closed);
	assert_false(f->s2.closed);
	assert_int_equal(lab_stats(f->lab).circuits, 1);
	lab_send(&f->s2, 1000);
	run(f, PU_SEC(1));
	assert_int_equal(c->called.got, 1000);
}

static void the_data_limit_ends_one_direction(void **state)
{
	enum { LIMIT = 100000 };
	struct fixture *f = *state;

	f->lab->opt.limits.data = LIMIT;
	start(f);
	assert_int_equal(f->s.m.limit.data, LIMIT);
	lab_send(&f->s, LIMIT - 1);
	run(f, PU_SEC(1));
	assert_int_equal(f->b->called.got, LIMIT - 1);
	assert_false(f->b->called.eof);
	lab_send(&f->s, 50000);
	run(f, PU_SEC(1));
	assert_int_equal(f->b->called.got, LIMIT);
	assert_true(f->b->called.eof);
	assert_int_equal(lab_stats(f->lab).ended_by_data, 1);
	/* The other direction has its own account. */
	lab_send(&f->b->called, LIMIT - 1);
	run(f, PU_SEC(1));
	assert_int_equal(f->s.got, LIMIT - 1);
	assert_false(f->s.eof || f->s.wrong || f->b->called.wrong);
	lab_send(&f->b->called, 1);
	run(f, PU_SEC(1));
	assert_true(f->s.eof);
	assert_int_equal(lab_stats(f->lab).circuits, 0);
	assert_int_equal(lab_stats(f->lab).bytes, 2 * LIMIT);
}

static void the_duration_limit_resets_both(void **state)
{
	struct fixture *f = *state;

	f->lab->opt.limits.duration = PU_SEC(30);
	start(f);
	run(f, PU_SEC(29));
	assert_false(f->s.closed || f->b->called.closed);
	run(f, PU_SEC(2));
	assert_true(f->s.closed && f->b->called.closed);
	assert_int_equal(f->s.err, PU_ERESET);
	assert_int_equal(lab_stats(f->lab).ended_by_duration, 1);
	assert_int_equal(lab_stats(f->lab).circuits, 0);
}

static void without_limits_a_circuit_goes_on(void **state)
{
	enum { N = 70 << 20 };
	struct fixture *f = *state;

	f->lab->opt.limits.duration = 0;
	f->lab->opt.limits.data = 0;
	start(f);
	run(f, PU_SEC(7200)); /* the reservation has expired meanwhile, too */
	lab_send(&f->s, N);
	run(f, PU_SEC(600));
	assert_int_equal(f->b->called.got, N);
	assert_false(f->s.closed);
}

static void add_received(void *arg, struct pu_conn *c)
{
	*(uint64_t *)arg += c->rx_bytes;
}

/* What came in and did not go out is what the relay holds. */
static void held(struct fixture *f, size_t stuck, size_t memory)
{
	uint64_t relay = 0, reader = 0;

	pu_host_each_conn(f->lab->relay.h, add_received, &relay);
	pu_host_each_conn(f->b->t.h, add_received, &reader);
	/* Received and not forwarded: at most the window. */
	assert_in_range(relay, stuck, stuck + memory + 4096);
	/* Forwarded and not with the reader: at most the queue. */
	assert_in_range(stuck, 1, reader + memory);
}

/* A reader that stops reading stops the writer, not the others. */
static void a_slow_reader_is_not_buffered_for(void **state)
{
	enum { MEMORY = 512 << 10 };
	struct fixture *f = *state;
	struct lab_peer *c;
	size_t sent, stuck;

	f->lab->opt.limits.data = 0;
	f->lab->relay.cfg.stream_memory = MEMORY;
	start(f);
	c = relay_lab_add(f->lab, NULL, NULL);
	assert_int_equal(lab_reserve(f->lab, c, &f->s2), PU_CIRCUIT_OK);
	assert_int_equal(lab_connect(f->lab, f->a, c, &f->s2), PU_CIRCUIT_OK);
	f->b->called.hold = true;
	lab_send(&f->s, 64 << 20);
	run(f, PU_SEC(60));
	sent = f->s.sent;
	/* What has left us is in the reader's own window. */
	stuck = lab_stats(f->lab).bytes;
	run(f, PU_SEC(60));
	assert_int_equal(f->s.sent, sent);
	assert_int_equal(lab_stats(f->lab).bytes, stuck);
	held(f, stuck, MEMORY);
	/* The same writer, another reader. */
	lab_send(&f->s2, 4 << 20);
	run(f, PU_SEC(60));
	assert_int_equal(c->called.got, 4 << 20);
	/* And it goes on where it stood. */
	lab_unhold(&f->b->called);
	run(f, PU_SEC(300));
	assert_int_equal(f->b->called.got, 64 << 20);
	assert_false(f->b->called.wrong);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define Q(f) { #f " (quic)", f, setup_quic, teardown, NULL }
	const struct CMUnitTest tests[] = {
		T(bytes_arrive_both_ways_and_in_order),
		Q(bytes_arrive_both_ways_and_in_order),
		T(what_follows_the_status_at_once_is_not_lost),
		Q(what_follows_the_status_at_once_is_not_lost),
		T(a_half_close_is_passed_on_and_two_end_the_circuit),
		Q(a_half_close_is_passed_on_and_two_end_the_circuit),
		T(a_half_close_before_the_answer_is_passed_on),
		Q(a_half_close_before_the_answer_is_passed_on),
		T(a_reset_is_passed_on_with_its_code),
		Q(a_reset_is_passed_on_with_its_code),
		T(a_peer_that_vanishes_ends_its_circuits_only),
		Q(a_peer_that_vanishes_ends_its_circuits_only),
		T(the_data_limit_ends_one_direction),
		Q(the_data_limit_ends_one_direction),
		T(the_duration_limit_resets_both),
		Q(the_duration_limit_resets_both),
		T(without_limits_a_circuit_goes_on),
		T(a_slow_reader_is_not_buffered_for),
		Q(a_slow_reader_is_not_buffered_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
