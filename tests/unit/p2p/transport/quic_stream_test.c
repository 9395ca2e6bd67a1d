/* Streams over QUIC: bytes, order, back-pressure, the kinds of ends, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/quic_pair.h"

static const struct pu_sim_link lan = { .delay = PU_MS(1) };
static struct qp_pair pair;

static int teardown(void **state)
{
	if (pair.sim)
		qp_deinit(&pair);
	memset(&pair, 0, sizeof pair);
	return 0;
}

static void start(const struct pu_sim_link *l)
{
	qp_init(&pair, l);
	qp_connect(&pair);
}

static bool over(void *arg)
{
	struct qp_stream *q = arg;

	return q->eof || q->closed;
}

static bool all_over(void *arg)
{
	struct qp_side *s = arg;

	for (unsigned i = 0; i < s->n_streams; i++)
		if (!over(&s->streams[i]))
			return false;
	return true;
}

static void close_all(struct qp_side *s)
{
	for (unsigned i = 0; i < s->n_streams; i++) {
		if (s->streams[i].st)
			pu_stream_close(s->streams[i].st);
		s->streams[i].st = NULL;
	}
}

static void stream_carries_bytes_both_ways(void **state)
{
	struct qp_stream *q;

	start(&lan);
	pair.b.echo = true;
	q = qp_open(&pair.a, 1000000, true);
	assert_true(qp_run_until(&pair, over, q, PU_SEC(20)));
	assert_false(q->closed);
	assert_int_equal(q->got, 1000000);
	assert_true(q->hash == q->wrote_hash);
	assert_int_equal(pair.a.c->n_streams, 1);
	close_all(&pair.a);
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
	assert_true(pair.a.c->tx_bytes == 1000000 && pair.a.c->rx_bytes == 1000000);
}

static void bytes_survive_a_bad_path(void **state)
{
	const struct pu_sim_link bad = { .delay = PU_MS(10), .loss = 30000, .reorder = 30000,
					 .duplicate = 10000, .rate = 50000000,
					 .queue = 100000, .again = 10000 };
	struct qp_stream *q;

	start(&bad);
	pair.b.echo = true;
	q = qp_open(&pair.a, 3000000, true);
	assert_true(qp_run_until(&pair, over, q, PU_SEC(60)));
	assert_false(q->closed);
	assert_int_equal(q->got, 3000000);
	assert_true(q->hash == q->wrote_hash);
}

static void hundred_streams_share_a_connection(void **state)
{
	const struct pu_sim_link l = { .delay = PU_MS(5), .loss = 10000 };

	start(&l);
	pair.b.echo = true;
	for (int i = 0; i < 100; i++)
		qp_open(&pair.a, 20000 + (size_t)i * 100, true);
	assert_true(qp_run_until(&pair, all_over, &pair.a, PU_SEC(60)));
	for (unsigned i = 0; i < 100; i++) {
		struct qp_stream *q = &pair.a.streams[i];

		assert_false(q->closed);
		assert_int_equal(q->got, q->written);
		assert_true(q->hash == q->wrote_hash);
	}
	close_all(&pair.a);
	pu_sim_run(pair.sim, PU_SEC(2));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
}

static void half_close_keeps_the_other_direction(void **state)
{
	struct qp_stream *q;

	start(&lan);
	q = qp_open(&pair.a, 10, true);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_true(pair.b.streams[0].eof);
	assert_int_equal(pair.b.streams[0].got, 10);
	assert_false(q->eof);
	pair.b.streams[0].to_write = 5000;
	pair.b.streams[0].fin_when_done = true;
	qp_pump(&pair.b.streams[0]);
	assert_true(qp_run_until(&pair, over, q, PU_SEC(1)));
	assert_true(q->eof);
	assert_int_equal(q->got, 5000);
	/* Ended properly: both stay with their consumers until they close. */
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_non_null(q->st);
	assert_false(q->closed);
	assert_false(pair.b.streams[0].closed);
	close_all(&pair.a);
	close_all(&pair.b);
	pu_sim_run(pair.sim, PU_MS(100));
	assert_int_equal(pair.a.c->n_streams, 0);
}

static void stream_without_bytes_carries_its_fin(void **state)
{
	start(&lan);
	qp_open(&pair.a, 0, true);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_int_equal(pair.b.n_streams, 1);
	assert_true(pair.b.streams[0].eof);
}

static void reset_tells_its_code(void **state)
{
	struct qp_stream *q;

	start(&lan);
	q = qp_open(&pair.a, 100, false);
	pu_sim_run(pair.sim, PU_MS(50));
	pu_stream_reset(q->st, PU_STREAM_CODE_GATED);
	q->st = NULL;
	pu_sim_run(pair.sim, PU_MS(50));
	assert_false(q->closed); /* our own doing */
	assert_true(pair.b.streams[0].closed);
	assert_int_equal(pair.b.streams[0].err, PU_ERESET);
	assert_int_equal(pair.b.streams[0].code, PU_STREAM_CODE_GATED);
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
}

static void stream_reset_at_birth_is_forgotten(void **state)
{
	struct qp_stream *q;

	start(&lan);
	q = qp_open(&pair.a, 100, false);
	pu_stream_reset(q->st, PU_STREAM_CODE_NONE);
	q->st = NULL;
	pu_sim_run(pair.sim, PU_SEC(1));
	/* The listener may have seen an empty stream. */
	if (pair.b.n_streams > 0)
		assert_true(pair.b.streams[0].eof || pair.b.streams[0].closed);
	close_all(&pair.b);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_int_equal(pair.b.c->n_streams, 0);
	assert_int_equal(pair.a.c->n_streams, 0);
}

static void slow_consumer_holds_the_sender_back(void **state)
{
	struct qp_stream *q, *r;

	start(&lan);
	q = qp_open(&pair.a, 100, false);
	pu_sim_run(pair.sim, PU_MS(20));
	r = &pair.b.streams[0];
	r->take_max = 0;
	q->to_write = 8000000;
	q->fin_when_done = true;
	qp_pump(q);
	pu_sim_run(pair.sim, PU_SEC(5));
	assert_int_equal(r->got, 100);
	/* What we may hold for it: the peer's window and our own queue. */
	assert_in_range(q->written, 2 << 20, (2 << 20) + (256 << 10) + 200);
	r->take_max = 1000;
	for (int i = 0; i < 50000 && !r->eof; i++) {
		pu_stream_resume(r->st);
		pu_sim_run(pair.sim, PU_US(100));
	}
	assert_true(r->eof);
	assert_int_equal(r->got, 8000100);
	assert_true(r->hash == q->wrote_hash);
}

static void closed_stream_still_delivers(void **state)
{
	struct qp_stream *q;

	start(&lan);
	q = qp_open(&pair.a, 200000, false);
	pu_stream_close(q->st);
	q->st = NULL;
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.b.streams[0].got, 200000);
	assert_true(pair.b.streams[0].eof);
	assert_false(pair.b.streams[0].closed);
	close_all(&pair.b);
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
}

static void writer_hears_that_nobody_reads(void **state)
{
	struct qp_stream *q;

	start(&lan);
	q = qp_open(&pair.a, 100, false);
	pu_sim_run(pair.sim, PU_MS(20));
	/* The peer closes: FIN, and STOP_SENDING for what we go on writing. */
	close_all(&pair.b);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_true(q->eof);
	assert_false(q->closed);
	q->to_write = 100000;
	qp_pump(q);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_true(q->closed);
	assert_int_equal(q->err, PU_ERESET);
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
}

static void unread_reply_does_not_break_the_peer(void **state)
{
	struct qp_stream *q;

	/* Closed before anything was read: a short reply (the echo of a negotiation)
	 * must not be answered with STOP_SENDING. */
	start(&lan);
	q = qp_open(&pair.a, 50, false);
	pu_stream_close(q->st);
	q->st = NULL;
	pu_sim_run(pair.sim, PU_MS(20));
	pair.b.streams[0].to_write = 50;
	pair.b.streams[0].fin_when_done = true;
	qp_pump(&pair.b.streams[0]);
	pu_sim_run(pair.sim, PU_MS(200));
	assert_false(pair.b.streams[0].closed);
	close_all(&pair.b);
	pu_sim_run(pair.sim, PU_MS(200));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
}

static void too_many_streams_are_refused_until_some_end(void **state)
{
	struct pu_stream *st;

	pair.max_streams = 10;
	start(&lan);
	pair.b.echo = true;
	for (int i = 0; i < 10; i++)
		qp_open(&pair.a, 10, false);
	assert_int_equal(pu_conn_open_stream(pair.a.c, &st), PU_ELIMIT);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_int_equal(pu_conn_open_stream(pair.a.c, &st), PU_ELIMIT);
	close_all(&pair.a);
	pu_sim_run(pair.sim, PU_MS(100));
	for (int i = 0; i < 10; i++)
		qp_open(&pair.a, 10, true);
	assert_true(qp_run_until(&pair, all_over, &pair.a, PU_SEC(1)) || true);
	pu_sim_run(pair.sim, PU_MS(50));
	assert_int_equal(pair.a.streams[19].got, 10);
}

static void lost_connection_ends_its_streams(void **state)
{
	struct qp_stream *q;

	start(&lan);
	q = qp_open(&pair.a, 100, false);
	pu_sim_run(pair.sim, PU_MS(20));
	pu_sim_link(pair.a.node, pair.b.node, &(struct pu_sim_link){ .down = true });
	q->to_write = 1000000;
	qp_pump(q);
	pu_sim_run(pair.sim, PU_SEC(150));
	assert_true(q->closed);
	assert_int_equal(q->err, PU_ECLOSED);
	assert_true(pair.b.streams[0].closed);
	assert_int_equal(pair.a.n_closed, 1);
	assert_int_equal(pair.a.closed_err, PU_ETIMEDOUT);
}

static struct qp_stream *reentrant;

static size_t close_inside(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct qp_stream *q = arg;

	q->got += len;
	q->st = NULL;
	if (reentrant == q)
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
	else
		pu_stream_close(st);
	/* Still borrowed: reading it must be fine. */
	q->hash = qp_hash(q->hash, p, len);
	return len;
}

static void ignore_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	fail();
}

static void consumer_may_close_or_reset_inside_its_callback(void **state)
{
	static const struct pu_stream_events ev = { .on_recv = close_inside,
						    .on_closed = ignore_closed };
	struct qp_stream *q;

	start(&lan);
	for (int i = 0; i < 4; i++)
		qp_open(&pair.a, 10, false);
	pu_sim_run(pair.sim, PU_MS(20));
	for (int i = 0; i < 4; i++) {
		q = &pair.b.streams[i];
		/* Two from the packet, two from what was left behind. */
		q->take_max = i < 2 ? SIZE_MAX : 0;
		if (i < 2)
			pu_stream_set_events(q->st, &ev, q);
	}
	reentrant = &pair.b.streams[1];
	for (int i = 0; i < 4; i++) {
		pair.a.streams[i].to_write = 3000;
		qp_pump(&pair.a.streams[i]);
	}
	pu_sim_run(pair.sim, PU_MS(50));
	reentrant = &pair.b.streams[3];
	for (int i = 2; i < 4; i++)
		pu_stream_set_events(pair.b.streams[i].st, &ev, &pair.b.streams[i]);
	pu_sim_run(pair.sim, PU_MS(50));
	for (int i = 0; i < 4; i++)
		assert_null(pair.b.streams[i].st);
	assert_true(pair.a.streams[1].closed);
	assert_int_equal(pair.a.streams[1].code, PU_STREAM_CODE_LIMIT);
	assert_true(pair.a.streams[3].closed);
	close_all(&pair.a);
	pu_sim_run(pair.sim, PU_SEC(1));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
}

/* The first window alone would allow 2 MiB in each 100 ms. */
static void window_grows_on_a_long_path(void **state)
{
	const struct pu_sim_link far = { .delay = PU_MS(50), .rate = 800000000, .queue = 10000000 };
	pu_time before;

	start(&far);
	qp_open(&pair.a, 60 << 20, true);
	before = pu_sim_now(pair.sim);
	pu_sim_run(pair.sim, PU_MS(300)); /* b knows the stream */
	assert_true(pu_sim_run_until(pair.sim, all_over, &pair.b, PU_SEC(10)));
	assert_int_equal(pair.b.streams[0].got, 60 << 20);
	assert_in_range(pu_sim_now(pair.sim) - before, PU_MS(600), PU_MS(2200));
}

/* Announcements of credit do not always fit into the packet that they were meant for. */
static void growing_windows_and_losses_get_along(void **state)
{
	const struct pu_sim_link narrow = { .delay = PU_MS(20), .rate = 50000000,
					    .queue = 200000, .loss = 2000 };

	for (unsigned i = 0; i < 12; i++) {
		start(&narrow);
		for (unsigned j = 0; j < i; j++)
			pu_sim_random(pair.sim, 2);
		qp_open(&pair.a, 6 << 20, true);
		qp_open(&pair.b, 6 << 20, true);
		pu_sim_run(pair.sim, PU_SEC(6));
		assert_non_null(pair.a.c);
		assert_true(pair.a.streams[1].eof && pair.b.streams[1].eof);
		teardown(NULL);
	}
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(stream_carries_bytes_both_ways),
		T(window_grows_on_a_long_path),
		T(growing_windows_and_losses_get_along),
		T(bytes_survive_a_bad_path),
		T(hundred_streams_share_a_connection),
		T(half_close_keeps_the_other_direction),
		T(stream_without_bytes_carries_its_fin),
		T(reset_tells_its_code),
		T(stream_reset_at_birth_is_forgotten),
		T(slow_consumer_holds_the_sender_back),
		T(closed_stream_still_delivers),
		T(writer_hears_that_nobody_reads),
		T(unread_reply_does_not_break_the_peer),
		T(too_many_streams_are_refused_until_some_end),
		T(lost_connection_ends_its_streams),
		T(consumer_may_close_or_reset_inside_its_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
