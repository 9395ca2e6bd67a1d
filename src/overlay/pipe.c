#include "overlay/pipe.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"

struct pu_pipe {
	struct pu_net *net;
	struct pu_stream *st; /* NULL once it is gone */
	struct pu_tcp *tcp;
	bool st_ended, tcp_ended; /* that end finished writing */
	struct pu_buf buf;	  /* from the stream, not yet in the socket */
	bool starved;		  /* the stream has more than fitted */
	uint64_t from_stream, from_tcp; /* bytes moved on */
	struct pu_job flush;
	pu_pipe_done_fn *on_done;
	void *arg;
};

static void finish(struct pu_pipe *p, bool abort)
{
	pu_pipe_done_fn *on_done = p->on_done;
	uint64_t from_stream = p->from_stream, from_tcp = p->from_tcp;
	void *arg = p->arg;

	if (p->st && abort)
		pu_stream_reset(p->st, PU_STREAM_CODE_NONE);
	else if (p->st)
		pu_stream_close(p->st);
	p->net->ops->tcp_close(p->tcp, abort);
	pu_job_cancel(&p->flush);
	pu_buf_deinit(&p->buf);
	free(p);
	on_done(arg, from_stream, from_tcp);
}

static void finish_when_ended(struct pu_pipe *p)
{
	if (p->st_ended && p->tcp_ended && p->buf.len == 0)
		finish(p, false);
}

/* A dead socket tells on_error in its own time; until then nothing moves. */
static void write_buffered(struct pu_pipe *p)
{
	struct pu_bytes b = pu_buf_bytes(&p->buf);
	struct iovec iov = { .iov_base = (void *)b.p, .iov_len = b.len };
	int n = b.len ? p->net->ops->tcp_write(p->tcp, &iov, 1) : 0;

	if (n > 0) {
		pu_buf_consume(&p->buf, (size_t)n);
		p->from_stream += (uint64_t)n;
	}
}

/* A busy pipe keeps its buffer, an idle one has none. */
static void flush(void *arg)
{
	struct pu_pipe *p = arg;
	bool busy = p->buf.len >= PU_PIPE_BUFFER / 8;

	write_buffered(p);
	if (p->buf.len > 0)
		return;
	pu_buf_clear(&p->buf, busy ? SIZE_MAX : 0);
	if (p->starved) {
		p->starved = false;
		pu_stream_resume(p->st);
	}
	if (!p->st_ended)
		return;
	p->net->ops->tcp_shutdown(p->tcp);
	finish_when_ended(p);
}

static size_t stream_recv(void *arg, struct pu_stream *st, const uint8_t *b, size_t len)
{
	struct pu_pipe *p = arg;
	size_t n;

	if (pu_buf_room(&p->buf) < len)
		write_buffered(p);
	n = pu_min(len, pu_buf_room(&p->buf));
	if (pu_buf_append(&p->buf, b, n) < 0)
		n = 0;
	p->starved = n < len;
	pu_job_defer(&p->flush);
	return n;
}

static void stream_eof(void *arg, struct pu_stream *st)
{
	struct pu_pipe *p = arg;

	p->st_ended = true;
	pu_job_defer(&p->flush);
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
	size_t n = pu_stream_write(p->st, b, len);

	p->from_tcp += n;
	return n;
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

	pu_job_defer(&p->flush);
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

int pu_pipe_new(struct pu_loop *loop, struct pu_net *net, PU_TAKES struct pu_stream *st,
		PU_TAKES struct pu_tcp *tcp, pu_pipe_done_fn *on_done, void *arg,
		struct pu_pipe **pp)
{
	struct pu_pipe *p = calloc(1, sizeof *p);

	if (!p) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		net->ops->tcp_close(tcp, true);
		return PU_ENOMEM;
	}
	*p = (struct pu_pipe){ .net = net, .st = st, .tcp = tcp, .on_done = on_done, .arg = arg };
	pu_buf_init(&p->buf, PU_PIPE_BUFFER);
	pu_job_init(&p->flush, loop, flush, p);
	pu_stream_set_events(st, &stream_events, p);
	net->ops->tcp_set_events(tcp, &tcp_events, p);
	*pp = p;
	return 0;
}

void pu_pipe_tcp_ended(struct pu_pipe *p)
{
	tcp_eof(p);
}

void pu_pipe_bytes(const struct pu_pipe *p, uint64_t *pfrom_stream, uint64_t *pfrom_tcp)
{
	*pfrom_stream = p->from_stream;
	*pfrom_tcp = p->from_tcp;
}

static void ignore_done(void *arg, uint64_t from_stream, uint64_t from_tcp)
{
}

void pu_pipe_abort(struct pu_pipe *p)
{
	p->on_done = ignore_done;
	finish(p, true);
}
