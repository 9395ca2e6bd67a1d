/* Who has that number? One question, one stream. */
#include <stdlib.h>

#include "base/err.h"
#include "overlay/invite/nameplate.h"
#include "overlay/invite/nameplate_message.h"

struct pu_nameplate_lookup {
	struct pu_host *h;
	unsigned number;
	pu_nameplate_lookup_fn *on_done;
	void *arg;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_buf in;
	struct pu_timer timer;
};

static const char *const protocols[] = { PU_NAMEPLATE_PROTOCOL, NULL };

static void lookup_free(struct pu_nameplate_lookup *l)
{
	pu_timer_stop(&l->timer);
	if (l->req)
		pu_host_cancel(l->h, l->req);
	pu_buf_deinit(&l->in);
	free(l);
}

static void finish(struct pu_nameplate_lookup *l, int err, const struct pu_peerid *owner)
{
	pu_nameplate_lookup_fn *on_done = l->on_done;
	void *arg = l->arg;

	if (l->st)
		pu_stream_close(l->st);
	lookup_free(l);
	on_done(arg, err, err ? NULL : owner);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_nameplate_lookup *l = arg;
	struct pu_nameplate_message m;
	size_t taken;
	int r = pu_nameplate_message_feed(&l->in, p, len, &m, &taken);

	if (r == PU_EAGAIN)
		return taken;
	if (r == 0 && m.type != PU_NAMEPLATE_OWNER)
		r = PU_EPROTO;
	if (r == 0)
		r = pu_nameplate_message_err(m.status);
	if (r == 0 && pu_peerid_empty(&m.peer))
		r = PU_EPROTO;
	finish(l, r, &m.peer);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	finish(arg, PU_EPROTO, NULL);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_nameplate_lookup *l = arg;

	l->st = NULL;
	finish(l, err, NULL);
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void too_slow(void *arg)
{
	struct pu_nameplate_lookup *l = arg;

	pu_stream_reset(l->st, PU_STREAM_CODE_NONE);
	l->st = NULL;
	finish(l, PU_ETIMEDOUT, NULL);
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_nameplate_lookup *l = arg;
	struct pu_nameplate_message m = { .type = PU_NAMEPLATE_LOOKUP, .number = l->number };
	struct pu_buf out;

	l->req = NULL;
	if (err < 0) {
		finish(l, err, NULL);
		return;
	}
	l->st = st;
	pu_stream_set_events(st, &stream_events, l);
	pu_timer_set(&l->timer, pu_loop_now(pu_host_loop(l->h)) + PU_SEC(PU_NAMEPLATE_ANSWER_S));
	pu_buf_init(&out, PU_NAMEPLATE_FRAME_MAX);
	err = pu_nameplate_message_append(&m, &out);
	if (err == 0 && pu_stream_write(st, pu_buf_bytes(&out).p, out.len) < out.len)
		err = PU_ELIMIT;
	pu_buf_deinit(&out);
	if (err < 0)
		finish(l, err, NULL);
}

int pu_nameplate_ask(struct pu_host *h, struct pu_conn *c, unsigned number,
		     pu_nameplate_lookup_fn *on_done, void *arg,
		     struct pu_nameplate_lookup **pl)
{
	struct pu_nameplate_lookup *l = calloc(1, sizeof *l);
	int r;

	if (!l)
		return PU_ENOMEM;
	l->h = h;
	l->number = number;
	l->on_done = on_done;
	l->arg = arg;
	pu_buf_init(&l->in, PU_NAMEPLATE_FRAME_MAX);
	pu_timer_init(&l->timer, pu_host_loop(h), too_slow, l);
	r = pu_host_open(h, &c->peer, c, protocols, on_open, l, &l->req);
	if (r < 0)
		lookup_free(l);
	else
		*pl = l;
	return r;
}

void pu_nameplate_cancel(struct pu_nameplate_lookup *l)
{
	if (l->st)
		pu_stream_reset(l->st, PU_STREAM_CODE_NONE);
	lookup_free(l);
}
