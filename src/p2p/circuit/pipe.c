#include "p2p/circuit/pipe.h"

#include <stdlib.h>

#include "base/err.h"

static struct pu_circuit_pipe *of(struct pu_pipe *p)
{
	return PU_CONTAINER_OF(p, struct pu_circuit_pipe, pipe);
}

/* Upwards. The consumer may close the pipe meanwhile. */

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_circuit_pipe *cp = arg;

	(void)st;
	return cp->pipe.ev->on_recv(cp->pipe.arg, p, len);
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct pu_circuit_pipe *cp = arg;

	(void)st;
	cp->pipe.ev->on_eof(cp->pipe.arg);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct pu_circuit_pipe *cp = arg;

	(void)st;
	cp->pipe.ev->on_writable(cp->pipe.arg);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_circuit_pipe *cp = arg;

	(void)st;
	(void)code;
	cp->st = NULL;
	cp->pipe.ev->on_error(cp->pipe.arg, err);
}

static const struct pu_stream_events stream_events = { on_recv, on_eof, on_writable, on_closed };

/* Downwards. */

static int pipe_write(struct pu_pipe *p, const uint8_t *b, size_t len)
{
	struct pu_circuit_pipe *cp = of(p);

	return cp->st ? (int)pu_stream_write(cp->st, b, len) : PU_ECLOSED;
}

static void pipe_resume(struct pu_pipe *p)
{
	if (of(p)->st)
		pu_stream_resume(of(p)->st);
}

static void pipe_shutdown(struct pu_pipe *p)
{
	if (of(p)->st)
		pu_stream_shutdown(of(p)->st);
}

static void pipe_close(struct pu_pipe *p, bool abort)
{
	struct pu_circuit_pipe *cp = of(p);

	if (cp->st && abort)
		pu_stream_reset(cp->st, PU_STREAM_CODE_NONE);
	else if (cp->st)
		pu_stream_close(cp->st);
	pu_list_remove(&cp->node);
	free(cp);
}

static const struct pu_pipe_ops pipe_ops = { pipe_write, pipe_resume, pipe_shutdown, pipe_close };

int pu_circuit_pipe_new(PU_TAKES struct pu_stream *st, struct pu_list *pipes,
			struct pu_circuit_pipe **pp)
{
	struct pu_circuit_pipe *cp = calloc(1, sizeof *cp);

	if (!cp) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return PU_ENOMEM;
	}
	cp->pipe.ops = &pipe_ops;
	cp->st = st;
	pu_list_append(pipes, &cp->node);
	pu_stream_set_events(st, &stream_events, cp);
	*pp = cp;
	return 0;
}
