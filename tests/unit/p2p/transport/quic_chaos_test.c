/* Two ends that do whatever comes to mind, on a bad path: nothing may crash, leak, or be
 * told twice, and what arrives must be a prefix of what was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "support/quic_pair.h"

enum { STEPS = 400, SEEDS = 12, LIVE_MAX = 60 };

static struct qp_pair pair;

static unsigned dice(unsigned n)
{
	return (unsigned)pu_sim_random(pair.sim, n);
}

/* Slots are used once: a closed one stays closed. */
static struct qp_stream *any_stream(struct qp_side *s)
{
	for (int i = 0; i < 8 && s->n_streams > 0; i++) {
		struct qp_stream *q = &s->streams[dice(s->n_streams)];

		if (q->st)
			return q;
	}
	return NULL;
}

static void act_on(struct qp_stream *q)
{
	switch (dice(12)) {
	case 0:
		pu_stream_close(q->st);
		q->st = NULL;
		break;
	case 1:
		pu_stream_reset(q->st, 0x1000 + dice(9));
		q->st = NULL;
		break;
	case 2:
		q->fin_when_done = true;
		qp_pump(q);
		break;
	case 3:
		q->take_max = dice(3) ? SIZE_MAX : dice(5000);
		pu_stream_resume(q->st);
		break;
	default:
		if (!q->fin_when_done)
			q->to_write += dice(60000);
		qp_pump(q);
	}
}

static void act(struct qp_side *s)
{
	static uint8_t data[1500];
	struct iovec iov = { data, dice(1450) };
	struct qp_stream *q;
	struct pu_stream *st;

	if (!s->c)
		return;
	switch (dice(10)) {
	case 0:
	case 1:
		if (s->n_streams < LIVE_MAX && s->p->a.n_streams + s->p->b.n_streams < 2 * LIVE_MAX)
			qp_open(s, dice(100000), dice(2));
		break;
	case 2:
		pu_conn_send_datagram(s->c, &iov, 1);
		break;
	case 3: /* and nobody's stream */
		if (dice(10) == 0 && pu_conn_open_stream(s->c, &st) == 0)
			pu_stream_reset(st, PU_STREAM_CODE_NONE);
		break;
	default:
		q = any_stream(s);
		if (q)
			act_on(q);
	}
}

static void resume_all(struct qp_side *s)
{
	for (unsigned i = 0; i < s->n_streams; i++) {
		struct qp_stream *q = &s->streams[i];

		q->take_max = SIZE_MAX;
		if (q->st)
			pu_stream_resume(q->st);
	}
}

static void end_all(struct qp_side *s)
{
	for (unsigned i = 0; i < s->n_streams; i++) {
		if (s->streams[i].st)
			pu_stream_close(s->streams[i].st);
		s->streams[i].st = NULL;
	}
}

/* None of the peer's credit was lost: a consumer that takes nothing shows how much there
 * is. At least half of the window, for that much is told only when the rest is used. */
static void credit_is_whole(struct qp_side *from, struct qp_side *to)
{
	enum { SOME = 47 << 17, N = 4 };
	struct qp_stream *q[N];
	unsigned i = to->n_streams;

	pu_sim_link(pair.a.node, pair.b.node, &(struct pu_sim_link){ .delay = PU_MS(1) });
	pu_sim_run(pair.sim, PU_SEC(1));
	to->hold = true;
	for (unsigned k = 0; k < N; k++)
		q[k] = qp_open(from, SOME / N, false);
	pu_sim_run(pair.sim, PU_SEC(10));
	assert_int_equal(to->n_streams, i + N);
	for (unsigned k = 0; k < N; k++) {
		assert_int_equal(q[k]->to_write, 0);
		/* All of it arrived although nobody took any. */
		assert_int_equal(pu_stream_room(q[k]->st), 256 << 10);
	}
	to->hold = false;
	for (; i < to->n_streams; i++) {
		to->streams[i].take_max = SIZE_MAX;
		pu_stream_resume(to->streams[i].st);
	}
	pu_sim_run(pair.sim, PU_SEC(1));
	end_all(from);
	end_all(to);
	pu_sim_run(pair.sim, PU_SEC(5));
}

static void one_life(unsigned seed)
{
	struct pu_sim_link l = { 0 };
	char text[16];

	snprintf(text, sizeof text, "%u", seed);
	setenv("PU_SIM_SEED", text, 1);
	qp_init(&pair, &(struct pu_sim_link){ .delay = PU_MS(5) });
	qp_connect(&pair);
	l.delay = PU_MS(1 + dice(40));
	l.loss = dice(40000);
	l.reorder = dice(40000);
	l.duplicate = dice(20000);
	l.rate = dice(2) ? 1000000 * (1 + dice(100)) : 0;
	l.queue = 20000 + dice(200000);
	l.again = dice(3) ? 0 : dice(50000);
	l.jitter = dice(2) ? PU_MS(dice(5)) : 0;
	pu_sim_link(pair.a.node, pair.b.node, &l);
	for (int i = 0; i < STEPS && pair.a.c && pair.b.c; i++) {
		act(dice(2) ? &pair.a : &pair.b);
		if (dice(3) == 0)
			pu_sim_run(pair.sim, PU_US(dice(20000)));
	}
	/* Left alone, everything drains; closed, everything is forgotten. */
	resume_all(&pair.a);
	resume_all(&pair.b);
	pu_sim_run(pair.sim, PU_SEC(20));
	assert_non_null(pair.a.c);
	assert_non_null(pair.b.c);
	end_all(&pair.a);
	end_all(&pair.b);
	pu_sim_run(pair.sim, PU_SEC(20));
	assert_int_equal(pair.a.c->n_streams, 0);
	assert_int_equal(pair.b.c->n_streams, 0);
	credit_is_whole(&pair.a, &pair.b);
	credit_is_whole(&pair.b, &pair.a);
	if (dice(2))
		pu_conn_close(dice(2) ? pair.a.c : pair.b.c, dice(8));
	pu_sim_run(pair.sim, PU_MS(dice(300)));
	qp_deinit(&pair);
	unsetenv("PU_SIM_SEED");
}

static void ends_survive_each_other(void **state)
{
	const char *first = getenv("PU_CHAOS_SEED");
	unsigned from = first ? (unsigned)strtoul(first, NULL, 10) : 1;

	for (unsigned seed = from; seed < from + SEEDS; seed++)
		one_life(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_survive_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
