#include "overlay/pair/notify.h"

#include <stdlib.h>

#include "base/err.h"

/* The relay. */

struct pu_notify_sending {
	struct pu_host *host;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_buf out;
	pu_notify_sent_fn *on_done;
	void *arg;
};

static void sending_free(struct pu_notify_sending *s)
{
	pu_timer_stop(&s->timer);
	pu_buf_deinit(&s->out);
	free(s);
}

/* The stream is the caller's affair. */
static void sent(struct pu_notify_sending *s, int err)
{
	pu_notify_sent_fn *fn = s->on_done;
	void *arg = s->arg;

	sending_free(s);
	fn(arg, err);
}

static void abandon(struct pu_notify_sending *s)
{
	if (s->req)
		pu_host_cancel(s->host, s->req);
	if (s->st)
		pu_stream_reset(s->st, PU_STREAM_CODE_NONE);
}

static void push(struct pu_notify_sending *s)
{
	struct pu_bytes b = pu_buf_bytes(&s->out);

	if (b.len == 0)
		return;
	pu_buf_consume(&s->out, pu_stream_write(s->st, b.p, b.len));
	if (s->out.len == 0)
		pu_stream_shutdown(s->st);
}

static size_t sending_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return len; /* there is no answer but the end of the stream */
}

static void sending_eof(void *arg, struct pu_stream *st)
{
	struct pu_notify_sending *s = arg;
	int err = s->out.len > 0 ? PU_EEOF : 0;

	pu_stream_close(st);
	sent(s, err);
}

static void sending_writable(void *arg, struct pu_stream *st)
{
	push(arg);
}

static void sending_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	sent(arg, err);
}

static const struct pu_stream_events sending_events = {
	.on_recv = sending_recv,
	.on_eof = sending_eof,
	.on_writable = sending_writable,
	.on_closed = sending_closed,
};

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_notify_sending *s = arg;

	s->req = NULL;
	if (err < 0) {
		sent(s, err);
		return;
	}
	s->st = st;
	pu_stream_set_events(st, &sending_events, s);
	push(s);
}

static void sending_timeout(void *arg)
{
	abandon(arg);
	sent(arg, PU_ETIMEDOUT);
}

int pu_notify_send(struct pu_host *h, const struct pu_peerid *to, const struct pu_notify *m,
		   pu_notify_sent_fn *on_done, void *arg, struct pu_notify_sending **ps)
{
	static const char *const protocols[] = { PU_NOTIFY_PROTOCOL, NULL };
	struct pu_notify_sending *s = calloc(1, sizeof *s);
	struct pu_loop *loop = pu_host_loop(h);
	int r;

	if (!s)
		return PU_ENOMEM;
	s->host = h;
	s->on_done = on_done;
	s->arg = arg;
	pu_buf_init(&s->out, PU_NOTIFY_TEXT_MAX);
	pu_timer_init(&s->timer, loop, sending_timeout, s);
	r = pu_notify_write(m, &s->out);
	if (r == 0)
		r = pu_host_open(h, to, NULL, protocols, on_open, s, &s->req);
	if (r < 0) {
		sending_free(s);
		return r;
	}
	pu_timer_set(&s->timer, pu_loop_now(loop) + PU_SEC(PU_NOTIFY_TIMEOUT_S));
	*ps = s;
	return 0;
}

void pu_notify_cancel(struct pu_notify_sending *s)
{
	abandon(s);
	sending_free(s);
}

/* A node. */

struct pu_notify_receiver {
	struct pu_host *host;
	pu_notify_fn *fn;
	void *arg;
	struct pu_list streams;
	unsigned n_streams;
	struct pu_notify message; /* too large for a stack frame */
};

struct incoming {
	struct pu_list node;
	struct pu_notify_receiver *owner;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_buf in;
};

static void incoming_free(struct incoming *i)
{
	pu_timer_stop(&i->timer);
	pu_list_remove(&i->node);
	i->owner->n_streams--;
	pu_buf_deinit(&i->in);
	free(i);
}

static void drop(struct incoming *i, uint32_t code)
{
	pu_stream_reset(i->st, code);
	incoming_free(i);
}

static size_t incoming_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct incoming *i = arg;

	if (pu_buf_append(&i->in, p, len) < 0)
		drop(i, PU_STREAM_CODE_LIMIT);
	return len;
}

static void incoming_eof(void *arg, struct pu_stream *st)
{
	struct incoming *i = arg;
	struct pu_notify_receiver *r = i->owner;

	if (pu_notify_parse(pu_buf_bytes(&i->in), &r->message) < 0) {
		drop(i, PU_STREAM_CODE_PROTOCOL);
	} else if (!r->fn(r->arg, &st->conn->peer, &r->message)) {
		drop(i, PU_STREAM_CODE_NONE);
	} else {
		pu_stream_close(st);
		incoming_free(i);
	}
}

static void incoming_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	incoming_free(arg);
}

static const struct pu_stream_events incoming_events = {
	.on_recv = incoming_recv,
	.on_eof = incoming_eof,
	.on_closed = incoming_closed,
};

static void incoming_timeout(void *arg)
{
	drop(arg, PU_STREAM_CODE_NONE);
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_notify_receiver *r = arg;
	struct pu_loop *loop = pu_host_loop(r->host);
	struct incoming *i;

	i = r->n_streams < PU_NOTIFY_STREAMS_MAX ? calloc(1, sizeof *i) : NULL;
	if (!i) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	i->owner = r;
	i->st = st;
	pu_buf_init(&i->in, PU_NOTIFY_TEXT_MAX);
	pu_timer_init(&i->timer, loop, incoming_timeout, i);
	pu_timer_set(&i->timer, pu_loop_now(loop) + PU_SEC(PU_NOTIFY_TIMEOUT_S));
	pu_list_append(&r->streams, &i->node);
	r->n_streams++;
	pu_stream_set_events(st, &incoming_events, i);
}

int pu_notify_receiver_new(struct pu_host *h, pu_notify_fn *fn, void *arg,
			   struct pu_notify_receiver **pr)
{
	struct pu_notify_receiver *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return PU_ENOMEM;
	r->host = h;
	r->fn = fn;
	r->arg = arg;
	pu_list_init(&r->streams);
	err = pu_host_handle(h, PU_NOTIFY_PROTOCOL, on_stream, r);
	if (err < 0)
		free(r);
	else
		*pr = r;
	return err;
}

void pu_notify_receiver_free(struct pu_notify_receiver *r)
{
	if (!r)
		return;
	pu_host_unhandle(r->host, PU_NOTIFY_PROTOCOL);
	PU_LIST_FOREACH (it, tmp, &r->streams)
		drop(PU_CONTAINER_OF(it, struct incoming, node), PU_STREAM_CODE_SHUTDOWN);
	free(r);
}
