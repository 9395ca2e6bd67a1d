#include "p2p/transport/tcp_pipe.h"

#include <stdlib.h>

#include "base/err.h"

struct tcp_pipe {
	struct pu_pipe pipe;
	struct pu_net *net;
	struct pu_tcp *t;
};

static struct tcp_pipe *of(struct pu_pipe *p)
{
	return PU_CONTAINER_OF(p, struct tcp_pipe, pipe);
}

static int tcp_pipe_write(struct pu_pipe *p, const uint8_t *b, size_t len)
{
	struct tcp_pipe *tp = of(p);
	struct iovec iov = { (void *)b, len };

	return tp->net->ops->tcp_write(tp->t, &iov, 1);
}

static void tcp_pipe_resume(struct pu_pipe *p)
{
	of(p)->net->ops->tcp_resume(of(p)->t);
}

static void tcp_pipe_shutdown(struct pu_pipe *p)
{
	of(p)->net->ops->tcp_shutdown(of(p)->t);
}

static void tcp_pipe_close(struct pu_pipe *p, bool abort)
{
	of(p)->net->ops->tcp_close(of(p)->t, abort);
	free(of(p));
}

static bool tcp_pipe_progress(struct pu_pipe *p, struct pu_tcp_progress *out)
{
	struct tcp_pipe *tp = of(p);

	return tp->net->ops->tcp_progress && tp->net->ops->tcp_progress(tp->t, out);
}

static const struct pu_pipe_ops tcp_pipe_ops = { tcp_pipe_write, tcp_pipe_resume,
						 tcp_pipe_shutdown, tcp_pipe_close,
						 tcp_pipe_progress };

static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct tcp_pipe *tp = arg;

	return tp->pipe.ev->on_recv(tp->pipe.arg, p, len);
}

static void on_eof(void *arg)
{
	struct tcp_pipe *tp = arg;

	tp->pipe.ev->on_eof(tp->pipe.arg);
}

static void on_writable(void *arg)
{
	struct tcp_pipe *tp = arg;

	tp->pipe.ev->on_writable(tp->pipe.arg);
}

static void on_error(void *arg, int err)
{
	struct tcp_pipe *tp = arg;

	tp->pipe.ev->on_error(tp->pipe.arg, err);
}

static const struct pu_tcp_events tcp_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_writable = on_writable,
	.on_error = on_error,
};

int pu_tcp_pipe_new(struct pu_net *net, PU_TAKES struct pu_tcp *t, struct pu_pipe **pp)
{
	struct tcp_pipe *tp = calloc(1, sizeof *tp);

	if (!tp) {
		net->ops->tcp_close(t, true);
		return PU_ENOMEM;
	}
	tp->pipe.ops = &tcp_pipe_ops;
	tp->net = net;
	tp->t = t;
	net->ops->tcp_set_events(t, &tcp_events, tp);
	*pp = &tp->pipe;
	return 0;
}
