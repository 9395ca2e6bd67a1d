#include "p2p/dcutr/exchange.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"

enum { IN_MAX = PU_UVARINT_MAX + PU_DCUTR_MESSAGE_MAX };

struct pu_dcutr_exchange {
	struct pu_loop *loop;
	struct pu_stream *st;
	bool leader;
	bool have_theirs;
	struct pu_dcutr_message ours, theirs;
	pu_time sent_at; /* our CONNECT */
	struct pu_buf in;
	struct pu_timer timer;
	pu_dcutr_exchange_fn *fn;
	void *arg;
};

static void exchange_free(struct pu_dcutr_exchange *e)
{
	pu_timer_stop(&e->timer);
	pu_buf_deinit(&e->in);
	free(e);
}

/* The stream was given back before. */
static void finish(struct pu_dcutr_exchange *e, int err)
{
	e->fn(e->arg, err, &e->theirs, pu_loop_now(e->loop) - e->sent_at);
	exchange_free(e);
}

static void fail(struct pu_dcutr_exchange *e, int err)
{
	pu_stream_reset(e->st, err == PU_EPROTO ? PU_STREAM_CODE_PROTOCOL : PU_STREAM_CODE_NONE);
	finish(e, err);
}

static int say(struct pu_dcutr_exchange *e, const struct pu_dcutr_message *m)
{
	struct pu_buf out;
	int r;

	pu_buf_init(&out, IN_MAX);
	r = pu_dcutr_message_encode(m, &out);
	if (r == 0 && pu_stream_write(e->st, pu_buf_bytes(&out).p, out.len) < out.len)
		r = PU_ELIMIT;
	pu_buf_deinit(&out);
	return r;
}

static int say_connect(struct pu_dcutr_exchange *e)
{
	e->sent_at = pu_loop_now(e->loop);
	return say(e, &e->ours);
}

/* 0: agreed, PU_EAGAIN: there is more to come. */
static int take(struct pu_dcutr_exchange *e, const struct pu_dcutr_message *m)
{
	static const struct pu_dcutr_message sync = { .type = PU_DCUTR_SYNC };
	int r;

	switch (m->type) {
	case PU_DCUTR_CONNECT:
		if (e->have_theirs)
			return PU_EPROTO;
		e->have_theirs = true;
		e->theirs = *m;
		if (e->leader)
			return say(e, &sync);
		r = say_connect(e);
		return r < 0 ? r : PU_EAGAIN;
	case PU_DCUTR_SYNC:
		return e->leader || !e->have_theirs ? PU_EPROTO : 0;
	}
	return PU_EPROTO;
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_dcutr_exchange *e = arg;
	size_t n = pu_min(len, pu_buf_room(&e->in)), used;
	struct pu_dcutr_message m;
	int r = pu_buf_append(&e->in, p, n);

	(void)st;
	while (r == 0) {
		r = pu_dcutr_message_decode(pu_buf_bytes(&e->in), &used, &m);
		if (r < 0)
			break;
		pu_buf_consume(&e->in, used);
		r = take(e, &m);
		if (r == 0) {
			pu_stream_close(e->st);
			finish(e, 0);
			return len;
		}
		r = r == PU_EAGAIN ? 0 : r;
	}
	if (r != PU_EAGAIN)
		fail(e, r);
	return r == PU_EAGAIN ? n : len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	fail(arg, PU_ECLOSED);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)st;
	(void)code;
	finish(arg, err);
}

static const struct pu_stream_events stream_events = { .on_recv = on_recv, .on_eof = on_eof,
						       .on_closed = on_closed };

static void on_timeout(void *arg)
{
	fail(arg, PU_ETIMEDOUT);
}

int pu_dcutr_exchange_start(struct pu_loop *loop, PU_TAKES struct pu_stream *st, bool leader,
			    const struct pu_dcutr_message *ours, pu_dcutr_exchange_fn *fn,
			    void *arg, struct pu_dcutr_exchange **pe)
{
	struct pu_dcutr_exchange *e = calloc(1, sizeof *e);
	int r = 0;

	if (!e) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return PU_ENOMEM;
	}
	e->loop = loop;
	e->st = st;
	e->leader = leader;
	e->ours = *ours;
	e->fn = fn;
	e->arg = arg;
	pu_buf_init(&e->in, IN_MAX);
	pu_timer_init(&e->timer, loop, on_timeout, e);
	pu_timer_set(&e->timer, pu_loop_now(loop) + PU_SEC(PU_DCUTR_EXCHANGE_TIMEOUT_S));
	pu_stream_set_events(st, &stream_events, e);
	if (leader)
		r = say_connect(e);
	if (r < 0)
		pu_dcutr_exchange_cancel(e);
	else
		*pe = e;
	return r;
}

void pu_dcutr_exchange_cancel(struct pu_dcutr_exchange *e)
{
	pu_stream_reset(e->st, PU_STREAM_CODE_NONE);
	exchange_free(e);
}
