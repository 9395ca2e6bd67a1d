/* One session against hand-made frames. */
#include "p2p/yamux/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/yamux/frame.h"
#include "support/sink.h"
#include "support/vectors.h"

enum { OUT_MAX = 64 << 20, WINDOW = PU_YAMUX_WINDOW_INITIAL, SINKS = 8 };

struct world {
	struct pu_loop loop;
	struct pu_conn conn;
	struct pu_yamux *ym;
	struct pu_vectors *v;
	struct pu_buf out;
	struct pu_sink sink[SINKS]; /* consumers of inbound streams, in order */
	unsigned n_inbound, n_output, n_goaway, n_dead;
	uint32_t goaway;
	int dead;
	bool reset_inbound, closed_by_sink;
};

static void weak_random(void *arg, void *p, size_t n)
{
	memset(p, 7, n);
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct world *w = arg;

	if (w->reset_inbound) {
		pu_stream_reset(st, PU_STREAM_CODE_GATED);
		return;
	}
	assert_true(st->inbound);
	assert_ptr_equal(st->conn, &w->conn);
	if (w->n_inbound < SINKS)
		pu_sink_attach(&w->sink[w->n_inbound], st);
	w->n_inbound++;
}

static void on_output(void *arg)
{
	((struct world *)arg)->n_output++;
}

static void on_goaway(void *arg, uint32_t code)
{
	struct world *w = arg;

	w->n_goaway++;
	w->goaway = code;
}

static void on_dead(void *arg, int err)
{
	struct world *w = arg;

	w->n_dead++;
	w->dead = err;
}

static const struct pu_yamux_events events = { on_stream, on_output, on_goaway, on_dead };

static struct world *world_new(const struct pu_yamux_config *cfg)
{
	struct world *w = calloc(1, sizeof *w);
	struct pu_yamux_config c = *cfg;

	pu_loop_init(&w->loop, PU_SEC(1), 0, weak_random, NULL);
	w->v = pu_vectors_load("yamux.txt");
	pu_buf_init(&w->out, OUT_MAX);
	for (int i = 0; i < SINKS; i++)
		pu_sink_init(&w->sink[i], OUT_MAX);
	c.loop = &w->loop;
	c.conn = &w->conn;
	c.ev = &events;
	c.arg = w;
	assert_int_equal(pu_yamux_new(&c, &w->ym), 0);
	return w;
}

static int client(void **state)
{
	*state = world_new(&(struct pu_yamux_config){ .client = true, .no_ping = true });
	return 0;
}

static int server(void **state)
{
	*state = world_new(&(struct pu_yamux_config){ .no_ping = true });
	return 0;
}

static int small_server(void **state)
{
	*state = world_new(&(struct pu_yamux_config){
		.no_ping = true, .max_inbound_streams = 2, .max_memory = 300 * 1024 });
	return 0;
}

static int pinging_client(void **state)
{
	*state = world_new(&(struct pu_yamux_config){ .client = true });
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	pu_yamux_free(w->ym);
	assert_int_equal(w->conn.n_streams, 0);
	pu_loop_deinit(&w->loop);
	for (int i = 0; i < SINKS; i++)
		pu_sink_deinit(&w->sink[i]);
	pu_buf_deinit(&w->out);
	pu_vectors_free(w->v);
	free(w);
	return 0;
}

/* Runs a turn dt later. */
static void turn(struct world *w, pu_time dt)
{
	pu_loop_enter(&w->loop, w->loop.now + dt);
	pu_loop_leave(&w->loop);
}

/* Runs the loop until t later, as its driver would. */
static void run(struct world *w, pu_time dt)
{
	pu_time end = w->loop.now + dt;

	while (pu_loop_next_timeout(&w->loop) <= end)
		turn(w, pu_loop_next_timeout(&w->loop) - w->loop.now);
	turn(w, end - w->loop.now);
}

static int feed(struct world *w, enum pu_yamux_type type, unsigned flags, uint32_t id,
		uint32_t len)
{
	struct pu_yamux_frame f = { type, (uint16_t)flags, id, len };
	uint8_t b[PU_YAMUX_HEADER_LEN];

	pu_yamux_frame_encode(&f, b);
	return pu_yamux_recv(w->ym, b, sizeof b);
}

static int feed_zeros(struct world *w, size_t n)
{
	uint8_t *z = calloc(1, n ? n : 1);
	int r = pu_yamux_recv(w->ym, z, n);

	free(z);
	return r;
}

static int feed_data(struct world *w, unsigned flags, uint32_t id, size_t n)
{
	int r = feed(w, PU_YAMUX_DATA, flags, id, (uint32_t)n);

	return r < 0 ? r : feed_zeros(w, n);
}

static int feed_named(struct world *w, const char *name)
{
	struct pu_bytes b = pu_vectors_hex(w->v, name);

	return pu_yamux_recv(w->ym, b.p, b.len);
}

static void pull(struct world *w)
{
	turn(w, 0);
	pu_yamux_output(w->ym, &w->out, OUT_MAX);
}

static void expect_bytes(struct world *w, struct pu_bytes want)
{
	pull(w);
	assert_true(w->out.len >= want.len);
	assert_memory_equal(pu_buf_bytes(&w->out).p, want.p, want.len);
	pu_buf_consume(&w->out, want.len);
}

static void expect(struct world *w, const char *name)
{
	expect_bytes(w, pu_vectors_hex(w->v, name));
}

static void expect_frame(struct world *w, enum pu_yamux_type type, unsigned flags, uint32_t id,
			 uint32_t len)
{
	struct pu_yamux_frame f = { type, (uint16_t)flags, id, len };
	uint8_t b[PU_YAMUX_HEADER_LEN];

	pu_yamux_frame_encode(&f, b);
	expect_bytes(w, pu_bytes(b, sizeof b));
}

static void expect_silence(struct world *w)
{
	pull(w);
	assert_int_equal(w->out.len, 0);
	assert_false(pu_yamux_has_output(w->ym));
}

static struct pu_stream *open_sink(struct world *w, struct pu_sink *s)
{
	struct pu_stream *st;

	assert_int_equal(pu_yamux_open(w->ym, &st), 0);
	pu_sink_attach(s, st);
	return st;
}

/* --- known frames --- */

static void opener_speaks_the_known_frames(void **state)
{
	struct world *w = *state;
	struct pu_stream *st = open_sink(w, &w->sink[0]);

	expect(w, "open_1");
	assert_int_equal(w->n_output, 1);
	assert_int_equal(pu_stream_write(st, "hello", 5), 5);
	expect(w, "data_1_hello");
	assert_int_equal(feed_named(w, "accept_1"), 0);
	pu_stream_shutdown(st);
	expect(w, "fin_1");
	expect_silence(w);
	assert_int_equal(w->conn.tx_bytes, 5);
	assert_int_equal(w->conn.n_streams, 1);
	pu_stream_reset(st, 0x1001);
	expect(w, "rst_1_1001");
	assert_int_equal(w->conn.n_streams, 0);
	assert_int_equal(w->sink[0].n_closed, 0);
}

static void accepter_speaks_the_known_frames(void **state)
{
	struct world *w = *state;

	assert_int_equal(feed_named(w, "open_1"), 0);
	assert_int_equal(w->n_inbound, 1);
	expect(w, "accept_1");
	assert_int_equal(feed_named(w, "data_1_hello"), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&w->sink[0].got), "hello"));
	assert_int_equal(feed_named(w, "data_syn_3_ff"), 0);
	assert_int_equal(w->n_inbound, 2);
	assert_int_equal(w->sink[1].got.len, 1);
	/* Credit takes a ride on the first frame back. */
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_ACK, 3, 1);
	assert_int_equal(feed_named(w, "fin_1"), 0);
	assert_int_equal(w->sink[0].n_eof, 1);
	assert_int_equal(feed_named(w, "ping_7"), 0);
	expect(w, "pong_7");
	expect_silence(w);
	assert_int_equal(w->conn.rx_bytes, 6);
	pu_yamux_close(w->ym, PU_YAMUX_GOAWAY_NORMAL);
	expect(w, "goaway_normal");
}

static void frames_may_trickle_in(void **state)
{
	struct world *w = *state;
	const char *names[] = { "open_1", "data_1_hello", "data_syn_3_ff", "fin_1", "ping_7" };

	for (size_t i = 0; i < PU_ARRAY_LEN(names); i++) {
		struct pu_bytes b = pu_vectors_hex(w->v, names[i]);

		for (size_t k = 0; k < b.len; k++)
			assert_int_equal(pu_yamux_recv(w->ym, b.p + k, 1), 0);
	}
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&w->sink[0].got), "hello"));
	assert_int_equal(w->sink[1].got.len, 1);
	assert_int_equal(w->sink[0].n_eof, 1);
}

/* --- the peer misbehaves --- */

static void expect_violation(struct world *w, int r)
{
	assert_int_equal(r, PU_EPROTO);
	pull(w);
	assert_true(w->out.len >= PU_YAMUX_HEADER_LEN);
	pu_buf_consume(&w->out, w->out.len - PU_YAMUX_HEADER_LEN);
	expect(w, "goaway_protocol");
	/* Nothing is heard any more. */
	assert_int_equal(feed_named(w, "ping_7"), PU_EPROTO);
	expect_silence(w);
	pu_yamux_abort(w->ym, PU_ECLOSED);
	assert_int_equal(w->n_dead, 0);
}

static void wrong_parity_is_a_violation(void **state)
{
	struct world *w = *state;

	expect_violation(w, feed(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_SYN, 2, 0));
}

static void wrong_parity_is_a_violation_for_the_client(void **state)
{
	struct world *w = *state;

	expect_violation(w, feed(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_SYN, 3, 0));
}

static void a_second_syn_is_a_violation(void **state)
{
	struct world *w = *state;

	assert_int_equal(feed_named(w, "open_1"), 0);
	expect_violation(w, feed_named(w, "open_1"));
	assert_int_equal(w->sink[0].n_closed, 1);
	assert_int_equal(w->sink[0].err, PU_ECLOSED);
}

static void stream_zero_is_a_violation(void **state)
{
	struct world *w = *state;

	expect_violation(w, feed(w, PU_YAMUX_DATA, 0, 0, 0));
}

static void unknown_types_are_violations(void **state)
{
	struct world *w = *state;

	expect_violation(w, feed(w, 4, 0, 0, 0));
}

static void window_overrun_is_a_violation(void **state)
{
	struct world *w = *state;

	w->sink[0].allow = 0;
	assert_int_equal(feed_named(w, "open_1"), 0);
	assert_int_equal(feed_data(w, 0, 1, WINDOW), 0);
	expect_violation(w, feed(w, PU_YAMUX_DATA, 0, 1, 1));
}

static void window_overrun_with_the_first_frame_is_a_violation(void **state)
{
	struct world *w = *state;

	expect_violation(w, feed(w, PU_YAMUX_DATA, PU_YAMUX_SYN, 1, WINDOW + 1));
}

static void absurd_lengths_are_violations_even_for_unknown_streams(void **state)
{
	struct world *w = *state;

	expect_violation(w, feed(w, PU_YAMUX_DATA, 0, 99, PU_YAMUX_WINDOW_MAX + 1));
}

static void a_ping_flood_without_reading_ends_the_session(void **state)
{
	struct world *w = *state;
	int r = 0, n;

	for (n = 0; n < 100000 && r == 0; n++)
		r = feed_named(w, "ping_7");
	assert_int_equal(r, PU_ELIMIT);
	assert_true(n > 1000);
	pull(w);
	assert_true(w->out.len < 128 * 1024);
	assert_int_equal(w->n_dead, 0); /* recv told it */
}

/* --- tolerated --- */

static void late_frames_of_forgotten_streams_are_ignored(void **state)
{
	struct world *w = *state;

	assert_int_equal(feed_named(w, "fin_1"), 0);
	assert_int_equal(feed_named(w, "rst_1_1001"), 0);
	assert_int_equal(feed_named(w, "credit_1_262144"), 0);
	assert_int_equal(feed_data(w, PU_YAMUX_FIN, 77, 1000), 0);
	assert_int_equal(feed_data(w, PU_YAMUX_RST, 77, 3), 0);
	assert_int_equal(feed(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_SYN | PU_YAMUX_RST, 5, 0), 0);
	assert_int_equal(w->n_inbound, 0);
	/* The bodies were skipped exactly. */
	assert_int_equal(feed_named(w, "ping_7"), 0);
	expect(w, "pong_7");
	expect_silence(w);
}

static void reset_streams_drain_the_rest_of_their_body(void **state)
{
	struct world *w = *state;

	assert_int_equal(feed_named(w, "open_1"), 0);
	expect(w, "accept_1");
	assert_int_equal(feed(w, PU_YAMUX_DATA, PU_YAMUX_FIN, 1, 100), 0);
	assert_int_equal(feed_zeros(w, 40), 0);
	pu_stream_reset(w->sink[0].st, 0x1001);
	turn(w, 0);
	assert_int_equal(feed_zeros(w, 60), 0);
	assert_int_equal(w->sink[0].got.len, 40);
	assert_int_equal(w->sink[0].n_eof, 0);
	expect(w, "rst_1_1001");
	assert_int_equal(feed_named(w, "ping_7"), 0);
	expect(w, "pong_7");
}

static void odd_pings_are_ignored(void **state)
{
	struct world *w = *state;

	assert_int_equal(feed_named(w, "pong_7"), 0);
	assert_int_equal(feed(w, PU_YAMUX_PING, 0, 0, 9), 0);
	expect_silence(w);
	assert_int_equal(pu_yamux_rtt(w->ym), 0);
}

static void a_second_ack_is_ignored(void **state)
{
	struct world *w = *state;

	open_sink(w, &w->sink[0]);
	expect(w, "open_1");
	assert_int_equal(feed_named(w, "accept_1"), 0);
	assert_int_equal(feed_named(w, "accept_1"), 0);
	assert_int_equal(w->sink[0].n_closed, 0);
}

/* --- limits --- */

static void streams_over_the_limit_are_reset_with_a_code(void **state)
{
	struct world *w = *state;

	for (uint32_t id = 1; id <= 5; id += 2)
		assert_int_equal(feed_data(w, PU_YAMUX_SYN, id, 10), 0);
	assert_int_equal(w->n_inbound, 2);
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, 5, PU_STREAM_CODE_LIMIT);
	/* A place that became free is used again. */
	pu_stream_reset(w->sink[0].st, 0);
	turn(w, 0);
	assert_int_equal(feed_data(w, PU_YAMUX_SYN, 7, 10), 0);
	assert_int_equal(w->n_inbound, 3);
	assert_int_equal(w->sink[2].got.len, 10);
}

static void memory_over_the_limit_costs_the_stream(void **state)
{
	struct world *w = *state;
	struct pu_yamux_stats stats;

	w->sink[0].allow = w->sink[1].allow = 0;
	assert_int_equal(feed_data(w, PU_YAMUX_SYN, 1, 200 * 1024), 0);
	assert_int_equal(feed_data(w, PU_YAMUX_SYN, 3, 100 * 1024), 0);
	pu_yamux_stats(w->ym, &stats);
	assert_int_equal(stats.buffered, 300 * 1024);
	assert_int_equal(feed_data(w, 0, 3, 1), 0);
	assert_int_equal(w->sink[1].n_closed, 1);
	assert_int_equal(w->sink[1].err, PU_ELIMIT);
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, 3, PU_STREAM_CODE_LIMIT);
	pu_yamux_stats(w->ym, &stats);
	assert_int_equal(stats.buffered, 200 * 1024);
	assert_int_equal(w->sink[0].n_closed, 0);
}

static void unaccepted_opens_are_limited(void **state)
{
	struct world *w = *state;
	struct pu_stream *st;

	for (int i = 0; i < PU_YAMUX_UNACKED_MAX; i++)
		open_sink(w, &w->sink[0]);
	assert_int_equal(pu_yamux_open(w->ym, &st), PU_ELIMIT);
	assert_int_equal(feed_named(w, "accept_1"), 0);
	open_sink(w, &w->sink[0]);
	assert_int_equal(pu_yamux_open(w->ym, &st), PU_ELIMIT);
	pu_yamux_abort(w->ym, PU_ECLOSED);
}

static void many_streams_are_limited_before_rust_objects(void **state)
{
	struct world *w = *state;
	struct pu_stream *st;
	int n;

	for (n = 0; pu_yamux_open(w->ym, &st) == 0; n++) {
		pu_sink_attach(&w->sink[0], st);
		assert_int_equal(feed(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_ACK, (uint32_t)st->id,
				      0), 0);
	}
	assert_int_equal(n, PU_YAMUX_STREAMS_MAX);
	pu_yamux_abort(w->ym, PU_ECLOSED);
}

/* --- sending --- */

static void data_waits_for_credit_and_control_does_not(void **state)
{
	struct world *w = *state;
	uint8_t *big = calloc(1, WINDOW + 1000);
	struct pu_stream *st = open_sink(w, &w->sink[0]);

	assert_int_equal(pu_stream_write(st, big, WINDOW + 1000), WINDOW + 1000);
	pull(w);
	assert_int_equal(w->out.len, 12 + WINDOW + 4 * 12);
	pu_buf_clear(&w->out, SIZE_MAX);
	expect_silence(w);
	pu_stream_shutdown(st);
	expect_silence(w);
	assert_int_equal(feed_named(w, "ping_7"), 0);
	expect(w, "pong_7");
	assert_int_equal(feed(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_ACK, 1, 400), 0);
	expect_frame(w, PU_YAMUX_DATA, 0, 1, 400);
	pu_buf_clear(&w->out, SIZE_MAX);
	assert_int_equal(feed_named(w, "credit_1_262144"), 0);
	expect_frame(w, PU_YAMUX_DATA, 0, 1, 600);
	pu_buf_consume(&w->out, 600);
	expect(w, "fin_1");
	expect_silence(w);
	free(big);
}

static void credit_beyond_32_bits_saturates(void **state)
{
	struct world *w = *state;
	struct pu_stream *st = open_sink(w, &w->sink[0]);

	for (int i = 0; i < 3; i++)
		assert_int_equal(feed(w, PU_YAMUX_WINDOW_UPDATE, 0, 1, UINT32_MAX), 0);
	assert_int_equal(pu_stream_write(st, "hello", 5), 5);
	expect(w, "open_1");
	expect(w, "data_1_hello");
}

static void the_send_buffer_is_bounded_and_tells_when_it_has_room(void **state)
{
	struct world *w = *state;
	uint8_t *big = calloc(1, 2 * PU_YAMUX_SEND_MAX);
	struct pu_stream *st = open_sink(w, &w->sink[0]);

	assert_int_equal(pu_stream_room(st), PU_YAMUX_SEND_MAX);
	assert_int_equal(pu_stream_write(st, big, 2 * PU_YAMUX_SEND_MAX), PU_YAMUX_SEND_MAX);
	assert_int_equal(pu_stream_room(st), 0);
	assert_int_equal(pu_stream_write(st, big, 1), 0);
	pull(w);
	turn(w, 0);
	/* A quarter went out: not worth a wake-up. */
	assert_int_equal(w->sink[0].n_writable, 0);
	feed_named(w, "credit_1_262144");
	pull(w);
	assert_int_equal(w->sink[0].n_writable, 0); /* not from inside of the output */
	turn(w, 0);
	assert_int_equal(w->sink[0].n_writable, 1);
	assert_int_equal(pu_stream_room(st), PU_YAMUX_SEND_MAX / 2);
	feed_named(w, "credit_1_262144");
	pull(w);
	turn(w, 0);
	assert_int_equal(w->sink[0].n_writable, 1); /* no short write since */
	free(big);
}

static void unsent_bytes_of_all_streams_are_bounded(void **state)
{
	enum { N = 40, CREDIT = 16 * 1024 * 1024 };
	struct world *w = *state;
	uint8_t *big = calloc(1, PU_YAMUX_SEND_MAX);
	struct pu_stream *st[N];
	struct pu_yamux_stats stats;
	unsigned heard;

	for (int i = 0; i < N; i++) {
		st[i] = open_sink(w, &w->sink[0]);
		assert_true(pu_stream_write(st[i], big, PU_YAMUX_SEND_MAX) >=
			    PU_YAMUX_UNSENT_SHARE);
		assert_int_equal(pu_stream_write(st[i], big, 1), 0);
	}
	pu_yamux_stats(w->ym, &stats);
	assert_true(stats.unsent <= PU_YAMUX_UNSENT_MAX + N * PU_YAMUX_UNSENT_SHARE);
	assert_true(stats.held >= stats.unsent);
	/* Everybody gets a chance again. */
	for (int i = 0; i < N; i++)
		assert_int_equal(feed(w, PU_YAMUX_WINDOW_UPDATE, 0, (uint32_t)st[i]->id, CREDIT), 0);
	pull(w);
	turn(w, 0);
	heard = w->sink[0].n_writable;
	assert_int_equal(heard, N);
	pu_yamux_stats(w->ym, &stats);
	assert_int_equal(stats.unsent, 0);
	assert_true(stats.held <= PU_YAMUX_UNSENT_MAX);
	assert_int_equal(pu_stream_room(st[N - 1]), PU_YAMUX_SEND_MAX);
	pu_yamux_abort(w->ym, PU_ECLOSED);
	pu_yamux_stats(w->ym, &stats);
	assert_int_equal(stats.held, 0);
	free(big);
}

static void a_stream_that_was_given_up_is_deaf(void **state)
{
	struct world *w = *state;
	struct pu_stream *a = open_sink(w, &w->sink[0]), *b = open_sink(w, &w->sink[1]);

	pull(w);
	pu_buf_clear(&w->out, SIZE_MAX);
	pu_stream_close(a);
	assert_int_equal(pu_stream_write(b, "unsent", 6), 6);
	pu_stream_reset(b, 7);
	/* The rest of a careless callback. */
	for (int i = 0; i < 2; i++) {
		struct pu_stream *st = i ? a : b;

		assert_int_equal(pu_stream_write(st, "x", 1), 0);
		assert_int_equal(pu_stream_room(st), 0);
		pu_stream_shutdown(st);
		pu_stream_resume(st);
		pu_stream_close(st);
		pu_stream_reset(st, 8);
	}
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, 3, 7);
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_FIN, 1, 0);
	expect_silence(w);
	assert_int_equal(w->conn.n_streams, 1);
}

static void streams_take_turns_and_respect_the_limit_of_the_caller(void **state)
{
	struct world *w = *state;
	uint8_t *big = calloc(1, 200000);
	struct pu_stream *a = open_sink(w, &w->sink[0]), *b = open_sink(w, &w->sink[1]);
	uint32_t seen[2] = { 0 };

	pu_stream_write(a, big, 200000);
	pu_stream_write(b, big, 200000);
	assert_int_equal(pu_yamux_output(w->ym, &w->out, 11), 0);
	assert_int_equal(pu_yamux_output(w->ym, &w->out, 30), 24); /* two SYNs */
	pu_buf_clear(&w->out, SIZE_MAX);
	assert_int_equal(pu_yamux_output(w->ym, &w->out, 1000), 0);
	assert_int_equal(pu_yamux_output(w->ym, &w->out, 5000), 5000);
	pu_buf_clear(&w->out, SIZE_MAX);
	assert_true(pu_yamux_output(w->ym, &w->out, 120000) > 110000);
	while (w->out.len > 0) {
		struct pu_yamux_frame f;

		assert_int_equal(pu_yamux_frame_decode(&f, pu_buf_bytes(&w->out).p), 0);
		seen[f.id / 2] += f.len;
		pu_buf_consume(&w->out, PU_YAMUX_HEADER_LEN + f.len);
	}
	assert_in_range(seen[0], 40000, 80000);
	assert_in_range(seen[1], 40000, 80000);
	free(big);
}

static void a_small_output_buffer_is_filled_but_not_overrun(void **state)
{
	struct world *w = *state;
	uint8_t *big = calloc(1, 200000);
	struct pu_stream *st = open_sink(w, &w->sink[0]);
	struct pu_buf small;

	pu_stream_write(st, big, 200000);
	pu_buf_init(&small, 8192);
	assert_int_equal(pu_yamux_output(w->ym, &small, SIZE_MAX), 8192);
	assert_int_equal(pu_yamux_output(w->ym, &small, SIZE_MAX), 0);
	assert_true(pu_yamux_has_output(w->ym));
	pu_buf_deinit(&small);
	free(big);
}

/* --- receiving --- */

static void what_is_left_behind_is_kept_and_not_credited(void **state)
{
	struct world *w = *state;
	struct pu_sink *s = &w->sink[0];

	s->allow = 100;
	assert_int_equal(feed_named(w, "open_1"), 0);
	expect(w, "accept_1");
	assert_int_equal(feed_data(w, 0, 1, WINDOW), 0);
	assert_int_equal(s->got.len, 100);
	expect_silence(w);
	s->allow = WINDOW / 2 - 100;
	pu_stream_resume(s->st);
	assert_int_equal(s->got.len, 100); /* not from inside of the call */
	turn(w, PU_SEC(1));
	assert_int_equal(s->got.len, WINDOW / 2);
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, 0, 1, WINDOW / 2);
	expect_silence(w);
}

static void left_bytes_come_again_with_new_ones(void **state)
{
	struct world *w = *state;
	struct pu_sink *s = &w->sink[0];

	s->allow = 0;
	assert_int_equal(feed_named(w, "open_1"), 0);
	assert_int_equal(feed_named(w, "data_1_hello"), 0);
	s->allow = SIZE_MAX;
	assert_int_equal(feed_named(w, "data_1_hello"), 0);
	assert_true(pu_bytes_eq_str(pu_buf_bytes(&s->got), "hellohello"));
	assert_int_equal(s->n_recv, 2);
}

static void eof_comes_after_the_last_byte_was_taken(void **state)
{
	struct world *w = *state;
	struct pu_sink *s = &w->sink[0];

	s->allow = 2;
	assert_int_equal(feed_data(w, PU_YAMUX_SYN | PU_YAMUX_FIN, 1, 5), 0);
	turn(w, 0);
	assert_int_equal(s->n_eof, 0);
	s->allow = SIZE_MAX;
	pu_stream_resume(s->st);
	assert_int_equal(s->n_eof, 0);
	turn(w, 0);
	assert_int_equal(s->got.len, 5);
	assert_int_equal(s->n_eof, 1);
	pu_stream_resume(s->st);
	turn(w, 0);
	assert_int_equal(s->n_eof, 1);
	/* The other direction is alive. */
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_ACK, 1, 0);
	assert_int_equal(pu_stream_write(s->st, "hello", 5), 5);
	expect(w, "data_1_hello");
	pu_stream_shutdown(s->st);
	expect(w, "fin_1");
	/* Both ended properly: it stays with its consumer. */
	assert_int_equal(s->n_closed, 0);
	assert_int_equal(feed_named(w, "rst_1_1001"), 0);
	assert_int_equal(s->n_closed, 0);
	pu_stream_close(s->st);
	expect_silence(w);
	assert_int_equal(pu_yamux_n_streams(w->ym), 0);
}

static void nothing_is_credited_after_fin(void **state)
{
	struct world *w = *state;
	struct pu_sink *s = &w->sink[0];

	s->allow = 0;
	assert_int_equal(feed_data(w, PU_YAMUX_SYN | PU_YAMUX_FIN, 1, WINDOW), 0);
	expect(w, "accept_1");
	s->allow = SIZE_MAX;
	pu_stream_resume(s->st);
	turn(w, 0);
	assert_int_equal(s->n_eof, 1);
	expect_silence(w);
}

static void data_after_fin_is_dropped(void **state)
{
	struct world *w = *state;

	assert_int_equal(feed_data(w, PU_YAMUX_SYN | PU_YAMUX_FIN, 1, 5), 0);
	assert_int_equal(feed_data(w, PU_YAMUX_FIN, 1, 5), 0);
	assert_int_equal(w->sink[0].got.len, 5);
	assert_int_equal(w->sink[0].n_eof, 1);
}

static void reset_tells_its_code_only_on_window_updates(void **state)
{
	struct world *w = *state;

	feed_named(w, "open_1");
	feed(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_SYN, 3, 0);
	assert_int_equal(feed_named(w, "rst_1_1001"), 0);
	assert_int_equal(w->sink[0].err, PU_ERESET);
	assert_int_equal(w->sink[0].code, 0x1001);
	assert_int_equal(feed_data(w, PU_YAMUX_RST, 3, 4), 0);
	assert_int_equal(w->sink[1].err, PU_ERESET);
	assert_int_equal(w->sink[1].code, 0);
	assert_int_equal(w->sink[1].got.len, 0);
	expect_silence(w);
}

static void a_stream_reset_on_arrival_is_never_accepted(void **state)
{
	struct world *w = *state;

	w->reset_inbound = true;
	assert_int_equal(feed_named(w, "data_syn_3_ff"), 0);
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, 3, PU_STREAM_CODE_GATED);
	expect_silence(w);
}

static void a_stream_reset_before_its_syn_left_is_never_mentioned(void **state)
{
	struct world *w = *state;
	struct pu_stream *st = open_sink(w, &w->sink[0]);

	pu_stream_write(st, "x", 1);
	pu_stream_reset(st, 1);
	expect_silence(w);
	open_sink(w, &w->sink[0]);
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_SYN, 3, 0);
}

/* --- closing --- */

static void close_delivers_what_was_written_and_discards_what_comes(void **state)
{
	struct world *w = *state;
	struct pu_stream *st = open_sink(w, &w->sink[0]);

	expect(w, "open_1");
	pu_stream_write(st, "hello", 5);
	pu_stream_close(st);
	expect(w, "data_1_hello");
	expect(w, "fin_1");
	assert_int_equal(feed_data(w, PU_YAMUX_ACK, 1, 100), 0);
	assert_int_equal(w->sink[0].n_recv, 0);
	assert_int_equal(w->conn.n_streams, 1);
	assert_int_equal(feed_named(w, "fin_1"), 0);
	turn(w, 0);
	assert_int_equal(w->conn.n_streams, 0);
	assert_int_equal(w->sink[0].n_closed, 0);
	expect_silence(w);
}

static void a_closed_stream_without_progress_is_reset(void **state)
{
	struct world *w = *state;
	struct pu_stream *a = open_sink(w, &w->sink[0]), *b = open_sink(w, &w->sink[1]);
	uint8_t *big = calloc(1, PU_YAMUX_SEND_MAX);

	pu_stream_write(b, big, PU_YAMUX_SEND_MAX);
	pu_stream_close(a);
	pu_stream_close(b);
	pull(w);
	run(w, PU_SEC(PU_YAMUX_LINGER_S - 1));
	assert_int_equal(feed(w, PU_YAMUX_WINDOW_UPDATE, 0, 3, 1000), 0);
	pull(w);
	pu_buf_clear(&w->out, SIZE_MAX);
	run(w, PU_SEC(1));
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, 1, 0);
	expect_silence(w);
	run(w, PU_SEC(PU_YAMUX_LINGER_S - 1));
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, 3, 0);
	assert_int_equal(w->conn.n_streams, 0);
	assert_int_equal(w->sink[0].n_closed + w->sink[1].n_closed, 0);
	free(big);
}

/* A peer that writes before it reads must get as far as reading our answer. */
static void a_closed_stream_credits_until_its_own_data_is_out(void **state)
{
	struct world *w = *state;
	struct pu_stream *st = open_sink(w, &w->sink[0]);
	uint8_t *big = calloc(1, PU_YAMUX_SEND_MAX);

	pu_stream_write(st, big, PU_YAMUX_SEND_MAX);
	pu_stream_close(st);
	pull(w);
	pu_buf_clear(&w->out, SIZE_MAX);
	run(w, PU_SEC(5));
	assert_int_equal(feed_data(w, PU_YAMUX_ACK, 1, WINDOW), 0);
	expect_frame(w, PU_YAMUX_WINDOW_UPDATE, 0, 1, WINDOW);
	assert_int_equal(feed(w, PU_YAMUX_WINDOW_UPDATE, 0, 1, PU_YAMUX_SEND_MAX), 0);
	pull(w);
	pu_buf_clear(&w->out, SIZE_MAX);
	assert_int_equal(feed_data(w, 0, 1, WINDOW), 0);
	expect_silence(w);
	free(big);
}

static void close_frees_what_was_left_behind(void **state)
{
	struct world *w = *state;
	struct pu_yamux_stats stats;

	w->sink[0].allow = 0;
	assert_int_equal(feed_data(w, PU_YAMUX_SYN, 1, 1000), 0);
	pu_stream_close(w->sink[0].st);
	turn(w, 0);
	pu_yamux_stats(w->ym, &stats);
	assert_int_equal(stats.buffered, 0);
	assert_int_equal(w->sink[0].n_closed, 0);
}

static void reset_in_callback(struct pu_sink *s)
{
	if (s->st)
		pu_stream_reset(s->st, 0x1001);
	s->st = NULL;
}

static void close_in_callback(struct pu_sink *s)
{
	if (s->st)
		pu_stream_close(s->st);
	s->st = NULL;
}

static void a_consumer_may_leave_from_its_callbacks(void **state)
{
	struct world *w = *state;

	w->sink[0].then = reset_in_callback;
	w->sink[1].then = close_in_callback;
	w->sink[2].then = reset_in_callback;
	assert_int_equal(feed_data(w, PU_YAMUX_SYN | PU_YAMUX_FIN, 1, 10), 0);
	assert_int_equal(feed_data(w, PU_YAMUX_SYN | PU_YAMUX_FIN, 3, 10), 0);
	assert_int_equal(w->sink[0].n_recv, 1);
	assert_int_equal(w->sink[0].n_eof, 0);
	assert_int_equal(w->sink[1].n_eof, 0);
	/* Reset while bytes that were left behind are offered. */
	w->sink[2].then = NULL;
	w->sink[2].allow = 3;
	assert_int_equal(feed_data(w, PU_YAMUX_SYN, 5, 10), 0);
	w->sink[2].then = reset_in_callback;
	pu_stream_resume(w->sink[2].st);
	turn(w, 0);
	assert_int_equal(w->sink[2].n_recv, 2);
	assert_int_equal(feed_data(w, 0, 5, 10), 0);
	assert_int_equal(w->sink[2].n_recv, 2);
	assert_int_equal(pu_yamux_n_streams(w->ym), 1);
	pull(w);
	assert_int_equal(pu_yamux_n_streams(w->ym), 0);
}

/* Takes 4 bytes, then hands the stream to somebody else, as negotiation does. */
static struct pu_sink *heir;
static void hand_over(struct pu_sink *s)
{
	pu_sink_attach(heir, s->st);
}

static void a_new_consumer_gets_what_the_old_one_left(void **state)
{
	struct world *w = *state;

	heir = &w->sink[1];
	w->sink[0].allow = 4;
	w->sink[0].then = hand_over;
	assert_int_equal(feed_data(w, PU_YAMUX_SYN | PU_YAMUX_FIN, 1, 10), 0);
	assert_int_equal(w->sink[0].got.len, 4);
	assert_int_equal(w->sink[1].got.len, 0);
	turn(w, 0);
	assert_int_equal(w->sink[1].got.len, 6);
	assert_int_equal(w->sink[1].n_eof, 1);
	assert_int_equal(w->sink[0].n_recv + w->sink[0].n_eof, 1);
}

static void goaway_ends_opening(void **state)
{
	struct world *w = *state;
	struct pu_stream *st;

	open_sink(w, &w->sink[0]);
	assert_int_equal(feed(w, PU_YAMUX_GO_AWAY, 0, 0, 0x1006), 0);
	assert_int_equal(feed(w, PU_YAMUX_GO_AWAY, 0, 0, 0), 0);
	assert_int_equal(w->n_goaway, 1);
	assert_int_equal(w->goaway, 0x1006);
	assert_int_equal(pu_yamux_open(w->ym, &st), PU_ECLOSED);
	/* What was on its way still arrives. */
	assert_int_equal(feed_named(w, "data_1_hello"), 0);
	assert_int_equal(w->sink[0].got.len, 5);
	pu_yamux_abort(w->ym, PU_ECLOSED);
	assert_int_equal(w->sink[0].err, PU_ECLOSED);
}

static void close_says_its_code_and_nothing_else(void **state)
{
	struct world *w = *state;
	struct pu_stream *st = open_sink(w, &w->sink[0]);

	expect(w, "open_1");
	pu_stream_write(st, "hello", 5);
	pu_yamux_close(w->ym, 0x1005);
	expect_frame(w, PU_YAMUX_GO_AWAY, 0, 0, 0x1005);
	expect_silence(w);
	assert_int_equal(pu_stream_write(st, "hello", 5), 0);
	assert_int_equal(feed_named(w, "data_1_hello"), 0);
	assert_int_equal(w->sink[0].got.len, 0);
	assert_int_equal(w->sink[0].n_closed, 0);
	pu_yamux_abort(w->ym, PU_ECLOSED);
	assert_int_equal(w->sink[0].n_closed, 1);
	expect_silence(w);
}

static struct pu_sink *other;
static void close_other(struct pu_sink *s)
{
	if (other->st)
		pu_stream_close(other->st);
	other->st = NULL;
}

static void an_aborted_session_says_goodbye_and_tells_everybody_once(void **state)
{
	struct world *w = *state;

	open_sink(w, &w->sink[0]);
	open_sink(w, &w->sink[1]);
	open_sink(w, &w->sink[2]);
	other = &w->sink[1];
	w->sink[0].then = close_other;
	pull(w);
	pu_buf_clear(&w->out, SIZE_MAX);
	pu_yamux_abort(w->ym, PU_ERESET);
	w->n_output = 0;
	expect(w, "goaway_normal");
	expect_silence(w);
	assert_int_equal(w->n_output, 0);
	assert_int_equal(w->sink[0].err, PU_ERESET);
	assert_int_equal(w->sink[1].n_closed, 0);
	assert_int_equal(w->sink[2].n_closed, 1);
	assert_int_equal(w->conn.n_streams, 0);
}

/* --- keep-alive --- */

static uint32_t expect_ping(struct world *w)
{
	struct pu_yamux_frame f;

	pull(w);
	assert_int_equal(w->out.len, PU_YAMUX_HEADER_LEN);
	assert_int_equal(pu_yamux_frame_decode(&f, pu_buf_bytes(&w->out).p), 0);
	assert_int_equal(f.type, PU_YAMUX_PING);
	assert_int_equal(f.flags, PU_YAMUX_SYN);
	assert_int_equal(f.id, 0);
	pu_buf_clear(&w->out, SIZE_MAX);
	return f.len;
}

/* Otherwise two sides that want to know whether what they sent arrived never fall silent. */
static void an_answer_to_a_ping_asks_for_nothing(void **state)
{
	struct world *w = *state;

	expect_ping(w);
	assert_true(pu_yamux_spoke(w->ym));
	assert_false(pu_yamux_spoke(w->ym));
	assert_int_equal(feed_named(w, "ping_7"), 0);
	expect(w, "pong_7");
	assert_false(pu_yamux_spoke(w->ym));
	open_sink(w, &w->sink[0]);
	expect(w, "open_1");
	assert_true(pu_yamux_spoke(w->ym));
	assert_int_equal(pu_stream_write(w->sink[0].st, "x", 1), 1);
	pull(w);
	assert_true(pu_yamux_spoke(w->ym));
	pu_stream_reset(w->sink[0].st, 0);
	pull(w);
	assert_true(pu_yamux_spoke(w->ym));
}

static void pings_measure_and_keep_alive(void **state)
{
	struct world *w = *state;
	uint32_t value = expect_ping(w);

	run(w, PU_MS(40));
	assert_int_equal(feed(w, PU_YAMUX_PING, PU_YAMUX_ACK, 0, value + 1), 0);
	assert_int_equal(pu_yamux_rtt(w->ym), 0);
	assert_int_equal(feed(w, PU_YAMUX_PING, PU_YAMUX_ACK, 0, value), 0);
	assert_int_equal(pu_yamux_rtt(w->ym), PU_MS(40));
	for (int i = 0; i < 5; i++) {
		uint32_t next;

		run(w, PU_SEC(PU_YAMUX_PING_INTERVAL_S) - PU_MS(40) - 1);
		expect_silence(w);
		run(w, 1);
		next = expect_ping(w);
		assert_int_not_equal(next, value);
		value = next;
		run(w, PU_MS(40));
		assert_int_equal(feed(w, PU_YAMUX_PING, PU_YAMUX_ACK, 0, value), 0);
	}
	assert_int_equal(pu_yamux_rtt(w->ym), PU_MS(40));
	assert_int_equal(w->n_dead, 0);
}

static void a_silent_peer_is_dead_after_ten_seconds(void **state)
{
	struct world *w = *state;
	struct pu_stream *st;

	open_sink(w, &w->sink[0]);
	pull(w);
	run(w, PU_SEC(PU_YAMUX_PING_TIMEOUT_S) - 1);
	assert_int_equal(w->n_dead, 0);
	run(w, 1);
	assert_int_equal(w->n_dead, 1);
	assert_int_equal(w->dead, PU_ETIMEDOUT);
	assert_int_equal(pu_yamux_open(w->ym, &st), PU_ECLOSED);
	assert_int_equal(w->sink[0].n_closed, 0);
	pu_yamux_abort(w->ym, PU_ETIMEDOUT);
	assert_int_equal(w->sink[0].err, PU_ETIMEDOUT);
	run(w, PU_SEC(100));
	assert_int_equal(w->n_dead, 1);
}

static void any_input_is_a_sign_of_life(void **state)
{
	struct world *w = *state;

	expect_ping(w);
	for (int i = 0; i < 10; i++) {
		run(w, PU_SEC(PU_YAMUX_PING_TIMEOUT_S) - 1);
		assert_int_equal(feed_data(w, 0, 1, 10), 0);
	}
	assert_int_equal(w->n_dead, 0);
	run(w, PU_SEC(PU_YAMUX_PING_TIMEOUT_S));
	assert_int_equal(w->n_dead, 1);
}

#define C(f) cmocka_unit_test_setup_teardown(f, client, teardown)
#define S(f) cmocka_unit_test_setup_teardown(f, server, teardown)
#define L(f) cmocka_unit_test_setup_teardown(f, small_server, teardown)
#define P(f) cmocka_unit_test_setup_teardown(f, pinging_client, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		C(opener_speaks_the_known_frames),
		S(accepter_speaks_the_known_frames),
		S(frames_may_trickle_in),
		S(wrong_parity_is_a_violation),
		C(wrong_parity_is_a_violation_for_the_client),
		S(a_second_syn_is_a_violation),
		S(stream_zero_is_a_violation),
		S(unknown_types_are_violations),
		S(window_overrun_is_a_violation),
		S(window_overrun_with_the_first_frame_is_a_violation),
		S(absurd_lengths_are_violations_even_for_unknown_streams),
		S(a_ping_flood_without_reading_ends_the_session),
		S(late_frames_of_forgotten_streams_are_ignored),
		S(reset_streams_drain_the_rest_of_their_body),
		S(odd_pings_are_ignored),
		C(a_second_ack_is_ignored),
		L(streams_over_the_limit_are_reset_with_a_code),
		L(memory_over_the_limit_costs_the_stream),
		C(unaccepted_opens_are_limited),
		C(many_streams_are_limited_before_rust_objects),
		C(data_waits_for_credit_and_control_does_not),
		C(credit_beyond_32_bits_saturates),
		C(the_send_buffer_is_bounded_and_tells_when_it_has_room),
		C(unsent_bytes_of_all_streams_are_bounded),
		C(a_stream_that_was_given_up_is_deaf),
		C(streams_take_turns_and_respect_the_limit_of_the_caller),
		C(a_small_output_buffer_is_filled_but_not_overrun),
		S(what_is_left_behind_is_kept_and_not_credited),
		S(left_bytes_come_again_with_new_ones),
		S(eof_comes_after_the_last_byte_was_taken),
		S(nothing_is_credited_after_fin),
		S(data_after_fin_is_dropped),
		S(reset_tells_its_code_only_on_window_updates),
		S(a_stream_reset_on_arrival_is_never_accepted),
		C(a_stream_reset_before_its_syn_left_is_never_mentioned),
		C(close_delivers_what_was_written_and_discards_what_comes),
		C(a_closed_stream_without_progress_is_reset),
		C(a_closed_stream_credits_until_its_own_data_is_out),
		S(close_frees_what_was_left_behind),
		S(a_consumer_may_leave_from_its_callbacks),
		S(a_new_consumer_gets_what_the_old_one_left),
		C(goaway_ends_opening),
		C(close_says_its_code_and_nothing_else),
		C(an_aborted_session_says_goodbye_and_tells_everybody_once),
		P(an_answer_to_a_ping_asks_for_nothing),
		P(pings_measure_and_keep_alive),
		P(a_silent_peer_is_dead_after_ten_seconds),
		P(any_input_is_a_sign_of_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
