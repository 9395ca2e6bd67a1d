/* Byte 0: bit 0 the role, bits 1 and 2 the temper of the consumers, the rest how much
 * arrives at a time. Then the peer's frames. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "p2p/yamux/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 20, MEMORY_MAX = 1 << 20 };

enum temper { EAGER, PICKY, FICKLE, SHORT_LIVED };

struct fuzz {
	struct pu_yamux *ym;
	enum temper temper;
	unsigned n_events;
	struct pu_stream *last; /* some stream with us as consumer */
};

static void fixed_random(void *arg, void *p, size_t n)
{
	memset(p, 7, n);
}

/* Gives the stream up in one of three ways, or not. */
static bool leave(struct fuzz *f, struct pu_stream *st)
{
	unsigned turn = f->n_events++;

	if (f->temper == EAGER || (f->temper == PICKY && turn % 16))
		return false;
	if (turn % 3 == 0)
		pu_stream_reset(st, turn);
	else if (turn % 3 == 1)
		pu_stream_close(st);
	else
		pu_stream_shutdown(st);
	if (turn % 3 == 2)
		return false;
	if (f->last == st)
		f->last = NULL;
	return true;
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct fuzz *f = arg;
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + p[i]);
	if (leave(f, st))
		return len;
	pu_stream_write(st, p, len);
	return f->temper == EAGER ? len : len / 2;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	leave(arg, st);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct fuzz *f = arg;

	if (f->last == st)
		f->last = NULL;
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv, .on_eof = on_eof, .on_writable = on_eof, .on_closed = on_closed,
};

static void on_stream(void *arg, struct pu_stream *st)
{
	struct fuzz *f = arg;

	pu_stream_set_events(st, &stream_events, f);
	f->last = st;
	if (f->temper == SHORT_LIVED)
		leave(f, st);
}

static void on_code(void *arg, uint32_t code)
{
}

static void on_nothing(void *arg)
{
}

static void on_dead(void *arg, int err)
{
}

static const struct pu_yamux_events events = { on_stream, on_nothing, on_code, on_dead };

static void open_some(struct fuzz *f)
{
	for (int i = 0; i < 3; i++) {
		struct pu_stream *st;

		if (pu_yamux_open(f->ym, &st) < 0)
			return;
		pu_stream_set_events(st, &stream_events, f);
		pu_stream_write(st, "hello", 5);
		f->last = st;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { 0 };
	struct pu_yamux_config cfg = {
		.ev = &events, .arg = &f, .max_memory = MEMORY_MAX, .max_inbound_streams = 8,
	};
	struct pu_yamux_stats stats;
	struct pu_loop loop;
	struct pu_buf out;
	size_t step;

	if (size < 1)
		return 0;
	pu_loop_init(&loop, 1, 0, fixed_random, NULL);
	cfg.loop = &loop;
	cfg.client = data[0] & 1;
	f.temper = data[0] >> 1 & 3;
	step = (size_t)1 << (data[0] >> 3) % 16;
	if (pu_yamux_new(&cfg, &f.ym) < 0)
		abort();
	pu_buf_init(&out, OUT_MAX);
	open_some(&f);
	for (size_t off = 1; off < size; off += step) {
		pu_loop_enter(&loop, loop.now + PU_MS(300));
		pu_yamux_recv(f.ym, data + off, pu_min(step, size - off));
		pu_yamux_stats(f.ym, &stats);
		if (stats.buffered > MEMORY_MAX || pu_yamux_n_streams(f.ym) > 11)
			abort();
		if (f.last && off % 7 == 0)
			pu_stream_resume(f.last);
		pu_loop_leave(&loop);
		if (off % 3 == 0)
			pu_yamux_output(f.ym, &out, 5000);
		pu_buf_clear(&out, SIZE_MAX);
	}
	pu_yamux_abort(f.ym, PU_ECLOSED);
	pu_loop_leave(&loop);
	if (pu_yamux_n_streams(f.ym) != 0 || f.last)
		abort();
	pu_yamux_free(f.ym);
	pu_buf_deinit(&out);
	pu_loop_deinit(&loop);
	return 0;
}
