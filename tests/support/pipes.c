#include "support/pipes.h"

#include <assert.h>

#include "base/err.h"
#include "p2p/transport/ws_http.h"

enum { IN_MAX = 64 << 20 };

static struct pipes_end *of(struct pu_pipe *p)
{
	return PU_CONTAINER_OF(p, struct pipes_end, pipe);
}

static int pipe_write(struct pu_pipe *p, const uint8_t *b, size_t len)
{
	struct pipes_end *e = of(p), *to = e->other;
	size_t room = to->room > to->in.len ? to->room - to->in.len : 0, n = pu_min(len, room);

	assert(!e->closed && !e->shut);
	if (to->closed)
		return PU_ECLOSED;
	if (pu_buf_append(&to->in, b, n) < 0)
		return PU_ECLOSED;
	to->wants_room |= n < len;
	return (int)n;
}

static void pipe_resume(struct pu_pipe *p)
{
	of(p)->paused = false;
}

static void pipe_shutdown(struct pu_pipe *p)
{
	of(p)->shut = true;
}

static void pipe_close(struct pu_pipe *p, bool abort)
{
	struct pipes_end *e = of(p);

	assert(!e->closed);
	e->closed = true;
	e->aborted = abort;
	e->pipe.ev = NULL;
}

static const struct pu_pipe_ops pipe_ops = { pipe_write, pipe_resume, pipe_shutdown, pipe_close };

static void constant_random(void *arg, void *p, size_t n)
{
	memset(p, 0x5a, n);
}

void pipes_init(struct pipes *p, size_t cut, size_t room)
{
	memset(p, 0, sizeof *p);
	pu_loop_init(&p->loop, PU_SEC(1), (int64_t)PU_SEC(1700000000), constant_random, NULL);
	p->cut = cut;
	for (int i = 0; i < 2; i++) {
		p->end[i] = (struct pipes_end){ .pipe.ops = &pipe_ops, .other = &p->end[!i],
						.room = room };
		pu_buf_init(&p->end[i].in, IN_MAX);
	}
}

void pipes_deinit(struct pipes *p)
{
	pu_buf_deinit(&p->end[0].in);
	pu_buf_deinit(&p->end[1].in);
	pu_loop_deinit(&p->loop);
}

void pipes_set_room(struct pipes *p, int i, size_t room)
{
	p->end[i].room = room;
}

/* One piece, or one event. */
static bool step(struct pipes *p, struct pipes_end *e)
{
	struct pu_bytes b = pu_buf_bytes(&e->in);
	size_t n = pu_min(b.len, p->cut), took;

	if (e->wants_room && e->in.len < e->room && e->other->pipe.ev) {
		e->wants_room = false;
		e->other->pipe.ev->on_writable(e->other->pipe.arg);
		return true;
	}
	if (!e->pipe.ev || e->paused || e->told_eof)
		return false;
	if (n > 0) {
		took = e->pipe.ev->on_recv(e->pipe.arg, b.p, n);
		assert(took <= n);
		pu_buf_consume(&e->in, took);
		e->paused = took < n && !e->closed;
		return true;
	}
	if (e->other->aborted) {
		e->told_eof = true;
		e->pipe.ev->on_error(e->pipe.arg, PU_ERESET);
		return true;
	}
	if (!e->other->shut && !e->other->closed)
		return false;
	e->told_eof = true;
	e->pipe.ev->on_eof(e->pipe.arg);
	return true;
}

bool pipes_run(struct pipes *p)
{
	bool ever = false, moved;

	do {
		pu_loop_enter(&p->loop, pu_loop_now(&p->loop) + PU_MS(1));
		moved = step(p, &p->end[0]);
		moved |= step(p, &p->end[1]);
		moved |= !pu_list_empty(&p->loop.jobs);
		pu_loop_leave(&p->loop);
		ever |= moved;
	} while (moved);
	return ever;
}

void pipes_say(struct pipes *p, int i, const void *b, size_t len)
{
	int r = pu_buf_append(&p->end[i].other->in, b, len);

	assert(r == 0);
	(void)r;
}

bool pipes_heard(const struct pipes *p, int i, const char *text)
{
	struct pu_bytes b = pu_buf_bytes(&p->end[i].in);
	size_t len = strlen(text);

	return b.len >= len && memcmp(b.p, text, len) == 0;
}

void pipes_accept(struct pipes *p, int i)
{
	struct pu_ws_http_key key;
	struct pu_buf out;
	unsigned status;
	int r = pu_ws_http_check_request(pu_buf_bytes(&p->end[i].in), &key, &status);

	assert(r == 0);
	pu_buf_init(&out, PU_WS_HTTP_OUT_MAX);
	r = pu_ws_http_accept(&key, &out);
	assert(r == 0);
	(void)r;
	pipes_say(p, i, pu_buf_bytes(&out).p, out.len);
	pu_buf_deinit(&out);
}
