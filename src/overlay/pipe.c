#include "overlay/pipe.h"

#include <stdlib.h>

#include "base/err.h"

struct pu_pipe {
	struct pu_net *net;
	struct pu_stream *st; /* NULL once it is gone */
	struct pu_tcp *tcp;
	bool st_ended, tcp_ended; /* that end finished writing */
	pu_pipe_done_fn *on_done;
	void *arg;
};

static void finish(struct pu_pipe *p, bool abort)
{
	pu_pipe_done_fn *on_done = p->on_done;
	void *arg = p->arg;

	if (p->st && abort)
		pu_stream_reset(p->st, PU_STREAM_CODE_NONE);
	else if (p->st)
		pu_stream_close(p->st);
	p->net->ops->tcp_close(p->tcp, abort);
	free(p);
	on_done(arg);
}

static void finish_when_ended(struct pu_pipe *p)
{
	if (p->st_ended && p->tcp_ended)
		finish(p, false);
}

static size_t stream_recv(void *arg, struct pu_stream *st, const uint8_t *b, size_t len)
{
	struct pu_pipe *p = arg;
	struct iovec iov = { .iov_base = (void *)b, .iov_len = len };
	int n = p->net->ops->tcp_write(p->tcp, &iov, 1);

	/* A dead socket tells on_error in its own time; until then nothing is taken. */
	return n < 0 ? 0 : (size_t)n;
}

static void stream_eof(void *arg, struct pu_stream *st)
{
	struct pu_pipe *p = arg;

	p->st_ended = true;
	p->net->ops->tcp_shutdown(p->tcp);
	finish_when_ended(p);
}

static void stream_writable(void *arg, struct pu_stream *st)
{
	struct pu_pipe *p = arg;

	p->net->ops->tcp_resume(p->tcp);
}

static void stream_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_pipe *p = arg;

	p->st = NULL;
	finish(p, true);
}

static const struct pu_stream_events stream_events = {
	.on_recv = stream_recv,
	.on_eof = stream_eof,
	.on_writable = stream_writable,
	.on_closed = stream_closed,
};

static size_t tcp_recv(void *arg, const uint8_t *b, size_t len)
{
	struct pu_pipe *p = arg;

	return pu_stream_write(p->st, b, len);
}

static void tcp_eof(void *arg)
{
	struct pu_pipe *p = arg;

	p->tcp_ended = true;
	pu_stream_shutdown(p->st);
	finish_when_ended(p);
}

static void tcp_writable(void *arg)
{
	struct pu_pipe *p = arg;

	pu_stream_resume(p->st);
}

static void tcp_error(void *arg, int err)
{
	finish(arg, true);
}

static const struct pu_tcp_events tcp_events = {
	.on_recv = tcp_recv,
	.on_eof = tcp_eof,
	.on_writable = tcp_writable,
	.on_error = tcp_error,
};

int pu_pipe_new(struct pu_net *net, PU_TAKES struct pu_stream *st, PU_TAKES struct pu_tcp *tcp,
		pu_pipe_done_fn *on_done, void *arg, struct pu_pipe **pp)
{
	struct pu_pipe *p = calloc(1, sizeof *p);

	if (!p) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		net->ops->tcp_close(tcp, true);
		return PU_ENOMEM;
	}
	*p = (struct pu_pipe){ .net = net, .st = st, .tcp = tcp, .on_done = on_done, .arg = arg };
	pu_stream_set_events(st, &stream_events, p);
	net->ops->tcp_set_events(tcp, &tcp_events, p);
	*pp = p;
	return 0;
}

static void ignore_done(void *arg)
{
}

void pu_pipe_abort(struct pu_pipe *p)
{
	p->on_done = ignore_done;
	finish(p, true);
}
