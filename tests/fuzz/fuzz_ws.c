/* Whatever arrives below a WebSocket. The first byte: bit 0 the role, bit 1 a slow consumer,
 * bit 2 a pipe below that takes little, the rest says how long the pieces are. */
#include <stdlib.h>

#include "base/err.h"
#include "base/loop.h"
#include "p2p/transport/ws_pipe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fake {
	struct pu_pipe below;
	struct pu_pipe *ws;
	bool closed, slow, narrow, starved, over;
	size_t written;
};

static int fake_write(struct pu_pipe *p, const uint8_t *b, size_t len)
{
	struct fake *f = PU_CONTAINER_OF(p, struct fake, below);
	size_t n = f->narrow ? pu_min(len, 9) : len;

	if (f->closed)
		abort();
	f->starved |= n < len;
	f->written += n;
	return (int)n;
}

static void fake_nothing(struct pu_pipe *p)
{
}

static void fake_close(struct pu_pipe *p, bool hard)
{
	PU_CONTAINER_OF(p, struct fake, below)->closed = true;
}

static const struct pu_pipe_ops fake_ops = { fake_write, fake_nothing, fake_nothing, fake_close };

/* Everything received is sent back, as far as it fits. */
static size_t on_recv(void *arg, const uint8_t *p, size_t len)
{
	struct fake *f = arg;
	size_t n = f->slow ? (len + 1) / 2 : len;

	if (f->over)
		abort();
	f->ws->ops->write(f->ws, p, n);
	if (n < len)
		f->ws->ops->resume(f->ws);
	return n;
}

static void on_eof(void *arg)
{
	struct fake *f = arg;

	if (f->over)
		abort();
	f->over = true;
}

static void on_writable(void *arg)
{
}

static void on_error(void *arg, int err)
{
	struct fake *f = arg;

	if (f->over)
		abort();
	f->over = true;
	f->ws->ops->close(f->ws, false);
	f->ws = NULL;
}

static const struct pu_pipe_events events = { on_recv, on_eof, on_writable, on_error };

static void random_fixed(void *arg, void *p, size_t n)
{
	memset(p, 0x5a, n);
}

static void turn(struct pu_loop *loop, struct fake *f, const uint8_t *p, size_t len)
{
	size_t off = 0;

	for (int i = 0; i < 1000 && !f->closed; i++) {
		pu_loop_enter(loop, pu_loop_now(loop) + PU_MS(1));
		if (f->starved) {
			f->starved = false;
			f->below.ev->on_writable(f->below.arg);
		}
		if (!f->closed && off < len)
			off += f->below.ev->on_recv(f->below.arg, p + off, len - off);
		pu_loop_leave(loop);
		if (off == len && !f->starved)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = size ? data[0] : 0;
	struct fake f = { .below.ops = &fake_ops, .slow = how & 2, .narrow = how & 4 };
	size_t step = 1 + (how >> 3) * 7;
	struct pu_loop loop;
	int r;

	pu_loop_init(&loop, PU_SEC(1), (int64_t)PU_SEC(1700000000), random_fixed, NULL);
	if (how & 1)
		r = pu_ws_pipe_server(&loop, &f.below, &f.ws);
	else
		r = pu_ws_pipe_client(&loop, &f.below, "a.example", &f.ws);
	if (r < 0)
		abort();
	f.ws->ev = &events;
	f.ws->arg = &f;
	for (size_t i = 1; i < size && !f.closed; i += step)
		turn(&loop, &f, data + i, pu_min(step, size - i));
	/* A head, one answer to each of their frames, frames of the bytes that came. */
	if (f.written > 2048 + 16 * size)
		abort();
	if (!f.closed && size & 1)
		f.below.ev->on_eof(f.below.arg);
	if (f.ws)
		f.ws->ops->close(f.ws, how & 8);
	if (!f.closed)
		abort();
	pu_loop_deinit(&loop);
	return 0;
}
