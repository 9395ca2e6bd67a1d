/* Two sessions back to back over a pipe with latency, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "p2p/yamux/session.h"

enum {
	PIPE_MAX = 256 << 20,
	ENDS_MAX = 4096,
	SHUFFLE_SEEDS = 12,
	SHUFFLE_STEPS = 3000,
};

struct world;
struct side;

/* One consumer and producer: writes a known pattern, checks the peer's. */
struct end {
	struct side *side;
	struct end *other;    /* of the same stream */
	struct pu_stream *st; /* NULL when we gave it up or heard on_closed */
	uint64_t id;
	uint64_t to_write, written, received;
	size_t allow; /* SIZE_MAX: take everything */
	bool fin, eof, heard_closed, we_reset, we_closed;
	int err;
	uint32_t code;
};

/* What is on its way to one side. */
struct segment {
	pu_time due;
	size_t len;
};

struct side {
	struct world *w;
	struct pu_yamux *ym;
	struct pu_conn conn;
	struct pu_buf in;
	struct segment seg[4096];
	size_t seg_first, seg_n;
	bool dead;
};

struct world {
	struct pu_loop loop;
	struct side a, b; /* a is the client */
	pu_time delay;
	unsigned seed; /* 0: no chopping */
	struct end ends[ENDS_MAX];
	size_t n_ends;
	bool inside; /* of a pu_stream_* or pu_yamux_* call that must not call back */
	uint64_t inbound_to_write; /* of accepting ends */
	size_t inbound_allow;
};

static unsigned rnd(struct world *w, unsigned n)
{
	return (unsigned)rand_r(&w->seed) % n;
}

static void weak_random(void *arg, void *p, size_t n)
{
	memset(p, 7, n);
}

static struct side *peer_of(struct side *s)
{
	return s == &s->w->a ? &s->w->b : &s->w->a;
}

static uint8_t pattern(const struct end *writer, uint64_t i)
{
	return (uint8_t)(writer->id * 131 + (writer->side == &writer->side->w->a) * 57 + i +
			 (i >> 8) * 3 + (i >> 16) * 5);
}

/* --- consumer --- */

static void pump(struct end *e)
{
	uint8_t b[16384];

	while (e->st && !e->fin && e->written < e->to_write) {
		size_t n = (size_t)pu_min(sizeof b, e->to_write - e->written), took;

		for (size_t i = 0; i < n; i++)
			b[i] = pattern(e, e->written + i);
		e->side->w->inside = true;
		took = pu_stream_write(e->st, b, n);
		e->side->w->inside = false;
		e->written += took;
		if (took < n)
			return;
	}
}

static void shut(struct end *e)
{
	e->side->w->inside = true;
	pu_stream_shutdown(e->st);
	e->side->w->inside = false;
	e->fin = true;
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct end *e = arg;
	size_t n = pu_min(len, e->allow);

	assert_false(e->side->w->inside);
	assert_ptr_equal(st, e->st);
	assert_false(e->eof);
	for (size_t i = 0; i < n; i++) {
		if (p[i] != pattern(e->other, e->received + i))
			fail_msg("stream %d: byte %d differs", (int)e->id, (int)e->received);
	}
	if (e->allow != SIZE_MAX)
		e->allow -= n;
	e->received += n;
	assert_true(e->received <= e->other->written);
	return n;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct end *e = arg;

	assert_false(e->side->w->inside);
	assert_false(e->eof);
	e->eof = true;
	assert_true(e->other->fin);
	assert_true(e->received == e->other->written);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct end *e = arg;

	assert_false(e->side->w->inside);
	assert_true(pu_stream_room(st) > 0);
	pump(e);
	if (e->st && !e->fin && e->written == e->to_write && e->side->w->seed == 0)
		shut(e);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct end *e = arg;

	assert_false(e->side->w->inside);
	assert_false(e->heard_closed);
	assert_false(e->we_closed || e->we_reset);
	e->heard_closed = true;
	e->err = err;
	e->code = code;
	e->st = NULL;
}

static const struct pu_stream_events stream_events = { on_recv, on_eof, on_writable, on_closed };

static struct end *end_new(struct side *s, struct pu_stream *st)
{
	struct end *e = &s->w->ends[s->w->n_ends++];

	assert_true(s->w->n_ends <= ENDS_MAX);
	*e = (struct end){ .side = s, .st = st, .id = st->id, .allow = SIZE_MAX };
	pu_stream_set_events(st, &stream_events, e);
	return e;
}

/* --- owner --- */

static void on_stream(void *arg, struct pu_stream *st)
{
	struct side *s = arg;
	struct end *e;

	assert_false(s->w->inside);
	e = end_new(s, st);
	for (size_t i = 0; i < s->w->n_ends; i++) {
		struct end *o = &s->w->ends[i];

		if (o->side != s && o->id == st->id && !o->other) {
			e->other = o;
			o->other = e;
		}
	}
	assert_non_null(e->other);
	e->to_write = s->w->inbound_to_write;
	e->allow = s->w->inbound_allow;
	pump(e);
	if (s->w->seed == 0 && e->written == e->to_write)
		shut(e);
}

static void flush(struct side *s, size_t max)
{
	struct side *p = peer_of(s);
	size_t n = pu_yamux_output(s->ym, &p->in, max);

	if (n == 0)
		return;
	assert_true(p->seg_n < PU_ARRAY_LEN(p->seg));
	p->seg[(p->seg_first + p->seg_n++) % PU_ARRAY_LEN(p->seg)] =
		(struct segment){ s->w->loop.now + s->w->delay, n };
}

static void on_output(void *arg)
{
	struct side *s = arg;

	assert_false(s->w->inside);
	if (s->w->seed == 0)
		flush(s, PIPE_MAX);
}

static void on_goaway(void *arg, uint32_t code)
{
	fail();
}

static void on_dead(void *arg, int err)
{
	((struct side *)arg)->dead = true;
}

static const struct pu_yamux_events events = { on_stream, on_output, on_goaway, on_dead };

static void side_init(struct side *s, struct world *w, bool client)
{
	struct pu_yamux_config cfg = {
		.loop = &w->loop, .client = client, .conn = &s->conn, .ev = &events, .arg = s,
		.max_inbound_streams = 400, .max_memory = 256 << 20,
	};

	s->w = w;
	pu_buf_init(&s->in, PIPE_MAX);
	assert_int_equal(pu_yamux_new(&cfg, &s->ym), 0);
}

static void deliver(struct side *s)
{
	while (s->seg_n > 0 && s->seg[s->seg_first].due <= s->w->loop.now) {
		struct segment *g = &s->seg[s->seg_first];

		while (g->len > 0) {
			size_t n = s->w->seed ? pu_min(g->len, 1 + rnd(s->w, 40000)) : g->len;

			assert_int_equal(pu_yamux_recv(s->ym, pu_buf_bytes(&s->in).p, n), 0);
			pu_buf_consume(&s->in, n);
			g->len -= n;
		}
		s->seg_first = (s->seg_first + 1) % PU_ARRAY_LEN(s->seg);
		s->seg_n--;
	}
}

static pu_time next_time(struct world *w)
{
	pu_time t = pu_loop_next_timeout(&w->loop);

	if (w->a.seg_n > 0 && w->a.seg[w->a.seg_first].due < t)
		t = w->a.seg[w->a.seg_first].due;
	if (w->b.seg_n > 0 && w->b.seg[w->b.seg_first].due < t)
		t = w->b.seg[w->b.seg_first].due;
	return t;
}

static void turn(struct world *w, pu_time now)
{
	pu_loop_enter(&w->loop, now);
	deliver(&w->a);
	deliver(&w->b);
	pu_loop_leave(&w->loop);
}

static void run(struct world *w, pu_time dt)
{
	pu_time end = w->loop.now + dt;

	while (next_time(w) <= end)
		turn(w, next_time(w));
	turn(w, end);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	pu_loop_init(&w->loop, PU_SEC(1), 0, weak_random, NULL);
	w->inbound_allow = SIZE_MAX;
	side_init(&w->a, w, true);
	side_init(&w->b, w, false);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	pu_yamux_abort(w->a.ym, PU_ECLOSED);
	pu_yamux_abort(w->b.ym, PU_ECLOSED);
	pu_yamux_free(w->a.ym);
	pu_yamux_free(w->b.ym);
	pu_buf_deinit(&w->a.in);
	pu_buf_deinit(&w->b.in);
	pu_loop_deinit(&w->loop);
	free(w);
	return 0;
}

static struct end *open_end(struct side *s, uint64_t to_write)
{
	struct pu_stream *st;
	struct end *e;

	if (pu_yamux_open(s->ym, &st) < 0)
		return NULL;
	e = end_new(s, st);
	e->to_write = to_write;
	return e;
}

static void start(struct end *e)
{
	pump(e);
	if (e->written == e->to_write && !e->fin)
		shut(e);
}

static void assert_quiet(struct world *w)
{
	struct pu_yamux_stats sa, sb;

	pu_yamux_stats(w->a.ym, &sa);
	pu_yamux_stats(w->b.ym, &sb);
	assert_int_equal(sa.buffered, 0);
	assert_int_equal(sb.buffered, 0);
	assert_int_equal(sa.windows, 0);
	assert_int_equal(sb.windows, 0);
	assert_int_equal(pu_yamux_n_streams(w->a.ym), 0);
	assert_int_equal(pu_yamux_n_streams(w->b.ym), 0);
	assert_int_equal(w->a.conn.n_streams, 0);
	assert_int_equal(w->b.conn.n_streams, 0);
}

static void close_all(struct world *w)
{
	for (size_t i = 0; i < w->n_ends; i++) {
		if (w->ends[i].st) {
			w->ends[i].we_closed = true;
			pu_stream_close(w->ends[i].st);
			w->ends[i].st = NULL;
		}
	}
}

/* --- tests --- */

static void a_long_fat_pipe_is_filled(void **state)
{
	enum { TOTAL = 64 << 20 };
	struct world *w = *state;
	struct pu_yamux_stats stats;
	struct end *e;
	pu_time begin;

	w->delay = PU_MS(25);
	run(w, PU_SEC(1)); /* the first ping comes back */
	assert_int_equal(pu_yamux_rtt(w->b.ym), PU_MS(50));
	begin = w->loop.now;
	e = open_end(&w->a, TOTAL);
	start(e);
	while (!e->other || !e->other->eof)
		turn(w, next_time(w));
	assert_int_equal(e->other->received, TOTAL);
	pu_yamux_stats(w->b.ym, &stats);
	assert_int_equal(stats.window_growths, 6);
	assert_int_equal(stats.windows, PU_YAMUX_WINDOW_MAX);
	/* 256 KiB per round trip would take 12.8 s. */
	assert_true(w->loop.now - begin < PU_SEC(1));
	close_all(w);
	run(w, PU_SEC(1));
	assert_quiet(w);
}

static void a_slow_reader_keeps_the_initial_window(void **state)
{
	struct world *w = *state;
	struct pu_yamux_stats stats;
	struct end *e;

	w->delay = PU_MS(25);
	w->inbound_allow = 0;
	run(w, PU_SEC(1));
	e = open_end(&w->a, 4 << 20);
	start(e);
	run(w, PU_SEC(1));
	for (int i = 0; !e->other->eof && i < 1000; i++) {
		e->other->allow = 64 * 1024; /* 256 KiB in 400 ms */
		pu_stream_resume(e->other->st);
		run(w, PU_MS(100));
		pu_yamux_stats(w->b.ym, &stats);
		assert_true(stats.buffered <= PU_YAMUX_WINDOW_INITIAL);
	}
	assert_true(e->other->eof);
	assert_int_equal(stats.window_growths, 0);
}

static void three_hundred_streams_share_a_session(void **state)
{
	enum { N = 300, BYTES = 300 * 1000 };
	struct world *w = *state;
	struct end *e;
	int n = 0;

	w->delay = PU_MS(10);
	w->inbound_to_write = BYTES;
	while (n < N) {
		while (n < N && (e = open_end(&w->a, BYTES))) {
			start(e);
			n++;
		}
		assert_true(n > 0);
		run(w, PU_MS(20));
	}
	run(w, PU_SEC(20));
	assert_int_equal(w->n_ends, 2 * N);
	for (size_t i = 0; i < w->n_ends; i++) {
		assert_true(w->ends[i].eof);
		assert_int_equal(w->ends[i].received, BYTES);
	}
	assert_int_equal(w->a.conn.tx_bytes, (uint64_t)N * BYTES);
	assert_int_equal(w->b.conn.rx_bytes, (uint64_t)N * BYTES);
	close_all(w);
	run(w, PU_SEC(1));
	assert_quiet(w);
}

static void both_ends_full_is_no_deadlock(void **state)
{
	enum { BYTES = 8 << 20 };
	struct world *w = *state;
	struct end *e;

	w->delay = PU_MS(1);
	w->inbound_to_write = BYTES;
	w->inbound_allow = 0;
	e = open_end(&w->a, BYTES);
	e->allow = 0;
	start(e);
	/* Both windows are full and both sides still answer pings. */
	run(w, PU_SEC(100));
	assert_false(w->a.dead || w->b.dead);
	assert_int_equal(w->a.conn.tx_bytes, PU_YAMUX_WINDOW_INITIAL);
	e->allow = e->other->allow = SIZE_MAX;
	pu_stream_resume(e->st);
	pu_stream_resume(e->other->st);
	run(w, PU_SEC(10));
	assert_true(e->eof && e->other->eof);
}

static void a_lost_peer_ends_the_session_and_all_streams(void **state)
{
	struct world *w = *state;
	struct end *e[3];

	for (int i = 0; i < 3; i++) {
		e[i] = open_end(&w->a, 10);
		pump(e[i]);
	}
	run(w, PU_SEC(60));
	assert_false(w->a.dead);
	w->delay = PU_SEC(1000000); /* the cable is cut */
	run(w, PU_SEC(PU_YAMUX_PING_INTERVAL_S + PU_YAMUX_PING_TIMEOUT_S));
	assert_true(w->a.dead && w->b.dead);
	pu_yamux_abort(w->a.ym, PU_ETIMEDOUT);
	for (int i = 0; i < 3; i++) {
		assert_true(e[i]->heard_closed);
		assert_int_equal(e[i]->err, PU_ETIMEDOUT);
	}
	assert_int_equal(w->a.conn.n_streams, 0);
}

/* --- seeded shuffle --- */

static void act(struct world *w, struct end *e)
{
	switch (rnd(w, 24)) {
	case 0:
		if (e->fin)
			break;
		shut(e);
		break;
	case 1:
		w->inside = true;
		pu_stream_close(e->st);
		w->inside = false;
		e->st = NULL;
		e->we_closed = true;
		e->fin = true;
		break;
	case 2:
		if (rnd(w, 4))
			break;
		w->inside = true;
		pu_stream_reset(e->st, 0x1000 + (uint32_t)e->id);
		w->inside = false;
		e->st = NULL;
		e->we_reset = true;
		break;
	case 3:
	case 4:
		e->allow = rnd(w, 100000);
		break;
	case 5:
	case 6:
		e->allow = SIZE_MAX;
		/* fall through */
	case 7:
		w->inside = true;
		pu_stream_resume(e->st);
		w->inside = false;
		break;
	default:
		if (!e->fin)
			e->to_write += rnd(w, 60000);
		pump(e);
	}
}

static void step(struct world *w)
{
	switch (rnd(w, 8)) {
	case 0:
		if (w->n_ends < ENDS_MAX - 2)
			open_end(rnd(w, 2) ? &w->a : &w->b, rnd(w, 1000));
		break;
	case 1:
		turn(w, w->loop.now + rnd(w, 2000000));
		break;
	case 2:
	case 3:
		flush(rnd(w, 2) ? &w->a : &w->b, rnd(w, 3) ? 1u << rnd(w, 18) : PIPE_MAX);
		break;
	default:
		if (w->n_ends > 0) {
			struct end *e = &w->ends[rnd(w, (unsigned)w->n_ends)];

			if (e->st)
				act(w, e);
		}
	}
}

/* Everybody reads to the end and finishes writing. */
static void settle(struct world *w, pu_time dt)
{
	for (int i = 0; i < 400; i++) {
		for (size_t k = 0; k < w->n_ends; k++) {
			struct end *e = &w->ends[k];

			if (!e->st)
				continue;
			e->allow = SIZE_MAX;
			pu_stream_resume(e->st);
			pump(e);
			if (!e->fin && e->written == e->to_write)
				shut(e);
		}
		flush(&w->a, PIPE_MAX);
		flush(&w->b, PIPE_MAX);
		turn(w, w->loop.now + dt);
	}
}

/* What a stream's end must have seen, given what both ends did. */
static void check_end(const struct end *e)
{
	const struct end *o = e->other;

	if (!o) {
		/* Reset before the peer ever heard of it. */
		assert_true(e->we_reset);
		return;
	}
	if (e->heard_closed) {
		assert_int_equal(e->err, PU_ERESET);
		assert_true(o->we_reset);
		assert_int_equal(e->code, 0x1000 + e->id);
		return;
	}
	if (e->we_closed || e->we_reset || o->we_reset)
		return;
	assert_true(e->eof);
	assert_int_equal(e->received, o->written);
}

static void shuffled_operations_lose_nothing(void **state)
{
	for (unsigned seed = 1; seed <= SHUFFLE_SEEDS; seed++) {
		struct world *w;
		void *s;

		setup(&s);
		w = s;
		w->seed = seed;
		w->delay = seed % 3 * PU_MS(3);
		for (int i = 0; i < SHUFFLE_STEPS; i++)
			step(w);
		settle(w, PU_MS(5));
		for (size_t i = 0; i < w->n_ends; i++)
			check_end(&w->ends[i]);
		close_all(w);
		/* Data that no window let through goes with the last patience. */
		settle(w, PU_SEC(1));
		assert_quiet(w);
		teardown(&s);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_long_fat_pipe_is_filled),
		T(a_slow_reader_keeps_the_initial_window),
		T(three_hundred_streams_share_a_session),
		T(both_ends_full_is_no_deadlock),
		T(a_lost_peer_ends_the_session_and_all_streams),
		cmocka_unit_test(shuffled_operations_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
