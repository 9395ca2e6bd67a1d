#include "p2p/stack/filter.h"

#include "base/err.h"

static struct pu_filter *of(struct pu_pipe *p)
{
	return PU_CONTAINER_OF(p, struct pu_filter, pipe);
}

/* Those above may close the filter from any callback: its memory stays until the
 * outermost one returns. */
static void enter(struct pu_filter *f)
{
	f->depth++;
}

static void leave(struct pu_filter *f)
{
	if (--f->depth == 0 && f->closed) {
		pu_buf_deinit(&f->out);
		f->ops->free(f);
	}
}

/* Sending. */

int pu_filter_flush(struct pu_filter *f)
{
	while (f->out.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&f->out);
		int n = f->below->ops->write(f->below, b.p, b.len);

		if (n < 0)
			return n;
		pu_buf_consume(&f->out, (size_t)n);
		if ((size_t)n < b.len)
			return PU_EAGAIN;
	}
	pu_buf_clear(&f->out, 0);
	return 0;
}

/* Our end follows everything that was written. */
static void finish_sending(struct pu_filter *f)
{
	if (!f->shut || !f->open || f->over || f->out.len > 0)
		return;
	if (!f->said_goodbye) {
		f->said_goodbye = true;
		f->ops->goodbye(f);
		pu_filter_flush(f);
	}
	if (f->out.len == 0 && f->end_below && !f->ended_below) {
		f->ended_below = true;
		f->below->ops->shutdown(f->below);
	}
}

static int write_more(struct pu_filter *f, const uint8_t *b, size_t len)
{
	size_t done = 0;
	int r = pu_filter_flush(f), n;

	while (r == 0 && done < len) {
		n = f->ops->seal(f, b + done, len - done);
		if (n < 0)
			return n;
		done += (size_t)n;
		r = pu_filter_flush(f);
	}
	if (r < 0 && r != PU_EAGAIN)
		return PU_ECLOSED;
	f->want_write = done < len;
	return (int)done;
}

static int filter_write(struct pu_pipe *p, const uint8_t *b, size_t len)
{
	struct pu_filter *f = of(p);

	if (f->over || f->shut)
		return PU_ECLOSED;
	if (!f->open) {
		f->want_write = true;
		return 0;
	}
	return write_more(f, b, len);
}

void pu_filter_shut(struct pu_filter *f)
{
	f->shut = true;
	finish_sending(f);
}

static void filter_shutdown(struct pu_pipe *p)
{
	pu_filter_shut(of(p));
}

static void tell_writable(struct pu_filter *f)
{
	if (f->closed || f->over || !f->open || !f->want_write || f->out.len > 0)
		return;
	f->want_write = false;
	f->pipe.ev->on_writable(f->pipe.arg);
}

/* What is left behind by a callback: replies to send, room to tell of. */
static void settle(struct pu_filter *f)
{
	int r;

	if (f->closed || f->over)
		return;
	r = pu_filter_flush(f);
	if (r < 0 && r != PU_EAGAIN) {
		pu_filter_fail(f, PU_ERESET);
		return;
	}
	finish_sending(f);
	tell_writable(f);
}

static void on_writable(void *arg)
{
	struct pu_filter *f = arg;

	enter(f);
	if (pu_filter_flush(f) == 0 && !f->over && f->ops->on_drained)
		f->ops->on_drained(f);
	settle(f);
	leave(f);
}

/* Receiving. */

void pu_filter_deliver(struct pu_filter *f, const uint8_t *p, size_t len)
{
	size_t n;

	if (len == 0 || f->over || f->closed)
		return;
	n = f->pipe.ev->on_recv(f->pipe.arg, p, len);
	if (f->closed)
		return;
	f->left = pu_bytes(p + n, len - n);
	f->paused = n < len;
}

static void tell_eof(struct pu_filter *f)
{
	if (!f->eof || f->told_eof || f->closed || f->over || f->paused)
		return;
	f->told_eof = true;
	f->pipe.ev->on_eof(f->pipe.arg);
}

void pu_filter_eof(struct pu_filter *f)
{
	f->eof = true;
	tell_eof(f);
}

void pu_filter_fail(struct pu_filter *f, int err)
{
	if (f->over || f->closed)
		return;
	f->over = true;
	f->pipe.ev->on_error(f->pipe.arg, err);
}

void pu_filter_open(struct pu_filter *f)
{
	f->open = true;
}

static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct pu_filter *f = arg;
	size_t n = len;

	if (f->over || f->eof)
		return len;
	if (f->paused)
		return 0;
	enter(f);
	n = f->ops->recv(f, p, len);
	settle(f);
	if (f->closed || f->over)
		n = len;
	leave(f);
	return n;
}

static void on_eof(void *arg)
{
	struct pu_filter *f = arg;

	enter(f);
	pu_filter_eof(f);
	leave(f);
}

static void on_error(void *arg, int err)
{
	struct pu_filter *f = arg;

	enter(f);
	pu_filter_fail(f, err);
	leave(f);
}

static const struct pu_pipe_events below_events = { on_recv, on_eof, on_writable, on_error };

/* From a job: what was left is offered again, then what came behind it. */
static void go_on(void *arg)
{
	struct pu_filter *f = arg;

	if (f->over)
		return;
	enter(f);
	f->paused = false;
	pu_filter_deliver(f, f->left.p, f->left.len);
	if (!pu_filter_busy(f))
		f->ops->recv(f, NULL, 0);
	tell_eof(f);
	settle(f);
	if (!pu_filter_busy(f))
		f->below->ops->resume(f->below);
	leave(f);
}

static void filter_resume(struct pu_pipe *p)
{
	/* Also from inside on_recv, just before it leaves something behind. */
	pu_job_defer(&of(p)->resume);
}

static void filter_close(struct pu_pipe *p, bool abort)
{
	struct pu_filter *f = of(p);

	enter(f);
	if (!abort)
		pu_filter_shut(f);
	f->closed = true;
	pu_job_cancel(&f->resume);
	f->below->ops->close(f->below, abort);
	leave(f);
}

static bool filter_progress(struct pu_pipe *p, struct pu_tcp_progress *out)
{
	struct pu_pipe *below = of(p)->below;

	return below->ops->progress && below->ops->progress(below, out);
}

static const struct pu_pipe_ops filter_pipe_ops = { filter_write, filter_resume, filter_shutdown,
						    filter_close, filter_progress };

void pu_filter_init(struct pu_filter *f, struct pu_loop *loop, const struct pu_filter_ops *ops,
		    PU_TAKES struct pu_pipe *below, size_t out_max)
{
	*f = (struct pu_filter){ .pipe.ops = &filter_pipe_ops, .ops = ops, .below = below };
	pu_buf_init(&f->out, out_max);
	pu_job_init(&f->resume, loop, go_on, f);
	below->ev = &below_events;
	below->arg = f;
}
