#include "p2p/host/lazy.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/host/host.h"
#include "p2p/multistream/negotiate.h"

struct lazy {
	struct pu_stream outer;
	struct pu_stream *inner;
	struct pu_multistream ms;
	char *protocols[2];
	bool agreed;
	bool left; /* the consumer closed; only the echo is awaited */
	struct pu_timer timer; /* for the echo */
	struct pu_job bury;
};

static struct lazy *of(const struct pu_stream *st)
{
	return PU_CONTAINER_OF(st, struct lazy, outer);
}

/* The stream may be in use further up the stack: it is freed by a job. */
static void bury(struct lazy *lz)
{
	pu_timer_stop(&lz->timer);
	lz->inner = NULL;
	pu_job_defer(&lz->bury);
}

static void buried(void *arg)
{
	struct lazy *lz = arg;

	free(lz->protocols[0]);
	free(lz);
}

/* The peer does not speak it after all, or speaks nonsense. */
static void refused(struct lazy *lz, int err, uint32_t code)
{
	pu_stream_reset(lz->inner, code);
	bury(lz);
	if (!lz->left)
		lz->outer.ev->on_closed(lz->outer.arg, &lz->outer, err, code);
}

static void echo_read(struct lazy *lz)
{
	lz->agreed = true;
	pu_timer_stop(&lz->timer);
	if (!lz->left)
		return;
	pu_stream_close(lz->inner);
	bury(lz);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct lazy *lz = arg;
	struct pu_buf none;
	size_t used = 0;
	int r;

	(void)st;
	if (!lz->agreed) {
		pu_buf_init(&none, 0);
		r = pu_multistream_recv(&lz->ms, pu_bytes(p, len), &used, &none);
		if (r == 0)
			echo_read(lz);
		else if (r != PU_EAGAIN)
			refused(lz, r, PU_STREAM_CODE_NEGOTIATION);
		if (r < 0)
			return used;
	}
	if (!lz->inner || used == len)
		return used;
	return used + lz->outer.ev->on_recv(lz->outer.arg, &lz->outer, p + used, len - used);
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct lazy *lz = arg;

	(void)st;
	if (!lz->agreed)
		refused(lz, PU_EPROTO, PU_STREAM_CODE_NEGOTIATION);
	else if (lz->outer.ev->on_eof)
		lz->outer.ev->on_eof(lz->outer.arg, &lz->outer);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct lazy *lz = arg;

	(void)st;
	if (!lz->left && lz->outer.ev->on_writable)
		lz->outer.ev->on_writable(lz->outer.arg, &lz->outer);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct lazy *lz = arg;

	(void)st;
	bury(lz);
	if (!lz->left)
		lz->outer.ev->on_closed(lz->outer.arg, &lz->outer, err, code);
}

static const struct pu_stream_events inner_events = { on_recv, on_eof, on_writable, on_closed };

static void on_timeout(void *arg)
{
	refused(arg, PU_ETIMEDOUT, PU_STREAM_CODE_NEGOTIATION);
}

/* The contract. */

static size_t lazy_write(struct pu_stream *st, const uint8_t *p, size_t len)
{
	return pu_stream_write(of(st)->inner, p, len);
}

static void lazy_shutdown(struct pu_stream *st)
{
	pu_stream_shutdown(of(st)->inner);
}

static void lazy_resume(struct pu_stream *st)
{
	pu_stream_resume(of(st)->inner);
}

/* Leaving before the echo was read would look like a failed negotiation over there. */
static void lazy_close(struct pu_stream *st)
{
	struct lazy *lz = of(st);

	if (!lz->agreed) {
		lz->left = true;
		pu_stream_shutdown(lz->inner);
		return;
	}
	pu_stream_close(lz->inner);
	bury(lz);
}

static void lazy_reset(struct pu_stream *st, uint32_t code)
{
	struct lazy *lz = of(st);

	pu_stream_reset(lz->inner, code);
	bury(lz);
}

static size_t lazy_room(const struct pu_stream *st)
{
	return pu_stream_room(of(st)->inner);
}

static const struct pu_stream_ops lazy_ops = {
	.write = lazy_write,
	.shutdown = lazy_shutdown,
	.resume = lazy_resume,
	.close = lazy_close,
	.reset = lazy_reset,
	.room = lazy_room,
};

static int propose(struct lazy *lz)
{
	struct pu_buf lines;
	int r;

	pu_buf_init(&lines, PU_MULTISTREAM_OUT_MAX);
	r = pu_multistream_initiate(&lz->ms, (const char *const *)lz->protocols, true, &lines);
	if (r == 0 && pu_stream_write(lz->inner, pu_buf_bytes(&lines).p, lines.len) < lines.len)
		r = PU_ELIMIT;
	pu_buf_deinit(&lines);
	return r;
}

int pu_lazy_new(struct pu_loop *loop, struct pu_stream *inner, const char *protocol,
		struct pu_stream **pouter)
{
	struct lazy *lz = calloc(1, sizeof *lz);
	int r = PU_ENOMEM;

	if (!lz)
		return r;
	lz->inner = inner;
	lz->protocols[0] = strdup(protocol);
	if (lz->protocols[0])
		r = propose(lz);
	if (r < 0) {
		free(lz->protocols[0]);
		free(lz);
		return r;
	}
	lz->outer.ops = &lazy_ops;
	lz->outer.conn = inner->conn;
	lz->outer.id = inner->id;
	pu_stream_set_protocol(&lz->outer, protocol);
	pu_timer_init(&lz->timer, loop, on_timeout, lz);
	pu_timer_set(&lz->timer, pu_loop_now(loop) + PU_SEC(PU_HOST_NEGOTIATE_TIMEOUT_S));
	pu_job_init(&lz->bury, loop, buried, lz);
	pu_stream_set_events(inner, &inner_events, lz);
	*pouter = &lz->outer;
	return 0;
}
