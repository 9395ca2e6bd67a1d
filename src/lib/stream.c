#include "peerup/stream.h"

#include <stdlib.h>

#include "lib/lib_internal.h"
#include "p2p/stack/conn.h"

struct peerup_stream {
	struct pu_stream *inner;
	struct pu_loop *loop;
	const struct peerup_stream_events *ev; /* NULL: not accepted yet */
	void *arg;
	bool over;  /* on_closed is being told */
	bool *gone; /* set by the end of the stream while it is being handed out */
	char peer[PEERUP_PEER_TEXT_MAX];
};

static void stream_free(struct peerup_stream *st)
{
	if (st->gone)
		*st->gone = true;
	free(st);
}

/* From the stack. */

static size_t on_recv(void *arg, struct pu_stream *inner, const uint8_t *p, size_t len)
{
	struct peerup_stream *st = arg;
	size_t n;

	(void)inner;
	if (!st->ev)
		return 0;
	if (!st->ev->on_recv)
		return len;
	n = st->ev->on_recv(st->arg, st, p, len);
	return pu_min(n, len);
}

static void on_eof(void *arg, struct pu_stream *inner)
{
	struct peerup_stream *st = arg;

	(void)inner;
	if (st->ev && st->ev->on_eof)
		st->ev->on_eof(st->arg, st);
}

static void on_writable(void *arg, struct pu_stream *inner)
{
	struct peerup_stream *st = arg;

	(void)inner;
	if (st->ev && st->ev->on_writable)
		st->ev->on_writable(st->arg, st);
}

static void on_closed(void *arg, struct pu_stream *inner, int err, uint32_t code)
{
	struct peerup_stream *st = arg;

	(void)inner;
	st->over = true;
	if (st->ev && st->ev->on_closed)
		st->ev->on_closed(st->arg, st, err, code);
	stream_free(st);
}

static const struct pu_stream_events inner_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_writable = on_writable,
	.on_closed = on_closed,
};

/* To its consumer. */

struct peerup_stream *pu_lib_stream_new(struct pu_loop *loop, PU_TAKES struct pu_stream *inner)
{
	struct peerup_stream *st = calloc(1, sizeof *st);

	if (!st) {
		pu_stream_reset(inner, PU_STREAM_CODE_LIMIT);
		return NULL;
	}
	st->inner = inner;
	st->loop = loop;
	pu_peerid_text(&inner->conn->peer, st->peer);
	pu_stream_set_events(inner, &inner_events, st);
	return st;
}

void pu_lib_stream_hand_out(struct peerup_stream *st, peerup_stream_fn *fn, void *arg)
{
	bool gone = false;

	st->gone = &gone;
	fn(arg, st);
	if (gone)
		return;
	st->gone = NULL;
	if (!st->ev)
		peerup_stream_reset(st, PU_STREAM_CODE_NONE);
}

/* The interface. */

/* Closing a stream that says it is closed is a habit of many programs; then there is
 * nothing left to do. */
static bool usable(const struct peerup_stream *st)
{
	if (!st->over)
		pu_loop_uv_sample(st->loop);
	return !st->over;
}

void peerup_stream_set_events(struct peerup_stream *st, const struct peerup_stream_events *ev,
			      void *arg)
{
	if (!usable(st))
		return;
	st->ev = ev;
	st->arg = arg;
	pu_stream_resume(st->inner);
}

size_t peerup_stream_write(struct peerup_stream *st, const void *p, size_t len)
{
	return usable(st) ? pu_stream_write(st->inner, p, len) : 0;
}

size_t peerup_stream_room(const struct peerup_stream *st)
{
	return usable(st) ? pu_stream_room(st->inner) : 0;
}

void peerup_stream_resume(struct peerup_stream *st)
{
	if (usable(st))
		pu_stream_resume(st->inner);
}

void peerup_stream_shutdown(struct peerup_stream *st)
{
	if (usable(st))
		pu_stream_shutdown(st->inner);
}

void peerup_stream_close(struct peerup_stream *st)
{
	if (!usable(st))
		return;
	pu_stream_close(st->inner);
	stream_free(st);
}

void peerup_stream_reset(struct peerup_stream *st, uint32_t code)
{
	if (!usable(st))
		return;
	pu_stream_reset(st->inner, code);
	stream_free(st);
}

const char *peerup_stream_peer(const struct peerup_stream *st)
{
	return st->peer;
}

const char *peerup_stream_protocol(const struct peerup_stream *st)
{
	return st->inner->protocol;
}

bool peerup_stream_is_inbound(const struct peerup_stream *st)
{
	return st->inner->inbound;
}
