#include "overlay/question.h"

#include "base/err.h"

static void deinit(struct pu_question *q)
{
	pu_timer_stop(&q->timer);
	if (q->req)
		pu_host_cancel(q->host, q->req);
	pu_buf_deinit(&q->in);
	q->req = NULL;
	q->st = NULL;
}

static void end(struct pu_question *q, int err)
{
	if (q->st && err == PU_EPROTO)
		pu_stream_reset(q->st, PU_STREAM_CODE_PROTOCOL);
	else if (q->st && err == PU_ETIMEDOUT)
		pu_stream_reset(q->st, PU_STREAM_CODE_NONE);
	else if (q->st)
		pu_stream_close(q->st);
	deinit(q);
	q->ops->on_end(q, err);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_question *q = arg;
	size_t n = pu_min(len, pu_buf_room(&q->in));
	int r = pu_buf_append(&q->in, p, n);

	if (r == 0)
		r = q->ops->on_answer(q, pu_buf_bytes(&q->in));
	if (r == PU_EAGAIN && n < len)
		r = PU_EPROTO;
	if (r != PU_EAGAIN)
		end(q, r);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	end(arg, PU_EPROTO);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_question *q = arg;

	q->st = NULL;
	end(q, err);
}

static const struct pu_stream_events events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_question *q = arg;
	uint8_t out[PU_QUESTION_MAX];
	size_t len, n;

	q->req = NULL;
	if (err < 0) {
		end(q, err);
		return;
	}
	q->st = st;
	pu_stream_set_events(st, &events, q);
	len = q->ops->ask(q, out);
	n = pu_stream_write(st, out, len);
	explicit_bzero(out, sizeof out);
	if (len == 0)
		end(q, PU_ENOMEM);
	else if (n < len)
		end(q, PU_ELIMIT);
	else if (q->ops->last_word)
		pu_stream_shutdown(st);
}

static void on_timeout(void *arg)
{
	end(arg, PU_ETIMEDOUT);
}

int pu_question_ask(struct pu_question *q, const struct pu_question_ops *ops, struct pu_host *h,
		    const struct pu_peerid *peer, struct pu_conn *c)
{
	const char *const protocols[] = { ops->protocol, NULL };
	struct pu_loop *loop = pu_host_loop(h);
	int r;

	*q = (struct pu_question){ .ops = ops, .host = h };
	pu_buf_init(&q->in, ops->max_answer);
	pu_timer_init(&q->timer, loop, on_timeout, q);
	r = pu_host_open(h, peer, c, protocols, on_open, q, &q->req);
	if (r < 0)
		deinit(q);
	else
		pu_timer_set(&q->timer, pu_loop_now(loop) + PU_SEC(ops->timeout_s));
	return r;
}

void pu_question_cancel(struct pu_question *q)
{
	if (q->st)
		pu_stream_reset(q->st, PU_STREAM_CODE_NONE);
	deinit(q);
}
