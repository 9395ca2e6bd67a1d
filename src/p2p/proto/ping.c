#include "p2p/proto/ping.h"

#include <stdlib.h>

#include "base/err.h"

/* Responder. */

struct pu_ping_server {
	struct pu_host *h;
	struct pu_list streams;
};

struct served {
	struct pu_list node;
	struct pu_loop *loop;
	struct pu_stream *st;
	struct pu_timer idle;
};

static void served_free(struct served *sv)
{
	pu_timer_stop(&sv->idle);
	pu_list_remove(&sv->node);
	free(sv);
}

static void served_active(struct served *sv)
{
	pu_timer_set(&sv->idle, pu_loop_now(sv->loop) + PU_SEC(PU_PING_IDLE_S));
}

/* Whole payloads only; what does not fit waits for room. */
static size_t served_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	size_t whole = pu_min(len, pu_stream_room(st)) / PU_PING_LEN * PU_PING_LEN;
	size_t n = whole ? pu_stream_write(st, p, whole) : 0;

	if (n > 0)
		served_active(arg);
	return n;
}

static void served_eof(void *arg, struct pu_stream *st)
{
	pu_stream_close(st);
	served_free(arg);
}

static void served_writable(void *arg, struct pu_stream *st)
{
	(void)arg;
	pu_stream_resume(st);
}

static void served_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)st;
	(void)err;
	(void)code;
	served_free(arg);
}

static const struct pu_stream_events served_events = { served_recv, served_eof, served_writable,
						       served_closed };

static void served_idle(void *arg)
{
	struct served *sv = arg;

	pu_stream_close(sv->st);
	served_free(sv);
}

static unsigned count_on(const struct pu_ping_server *s, const struct pu_conn *c)
{
	unsigned n = 0;

	PU_LIST_FOREACH(it, tmp, &s->streams)
		n += PU_CONTAINER_OF(it, struct served, node)->st->conn == c;
	return n;
}

static void serve(void *arg, struct pu_stream *st)
{
	struct pu_ping_server *s = arg;
	struct served *sv;

	sv = count_on(s, st->conn) < PU_PING_STREAMS_MAX ? calloc(1, sizeof *sv) : NULL;
	if (!sv) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	sv->loop = pu_host_loop(s->h);
	sv->st = st;
	pu_list_append(&s->streams, &sv->node);
	pu_timer_init(&sv->idle, sv->loop, served_idle, sv);
	served_active(sv);
	pu_stream_set_events(st, &served_events, sv);
}

int pu_ping_server_new(struct pu_host *h, struct pu_ping_server **ps)
{
	struct pu_ping_server *s = calloc(1, sizeof *s);
	int r;

	if (!s)
		return PU_ENOMEM;
	s->h = h;
	pu_list_init(&s->streams);
	r = pu_host_handle(h, PU_PING_PROTOCOL, serve, s);
	if (r < 0)
		free(s);
	else
		*ps = s;
	return r;
}

void pu_ping_server_free(struct pu_ping_server *s)
{
	free(s);
}

/* Initiator. */

struct pu_ping {
	struct pu_host *h;
	struct pu_host_request *req;
	struct pu_stream *st;
	uint8_t sent[PU_PING_LEN];
	pu_time sent_at;
	struct pu_timer timer;
	pu_ping_fn *fn;
	void *arg;
};

static void finish(struct pu_ping *p, int err, pu_time rtt)
{
	pu_ping_fn *fn = p->fn;
	void *arg = p->arg;

	pu_timer_stop(&p->timer);
	free(p);
	fn(arg, err, rtt);
}

static void fail(struct pu_ping *p, int err)
{
	if (p->st)
		pu_stream_reset(p->st, PU_STREAM_CODE_NONE);
	finish(p, err, 0);
}

static size_t ping_recv(void *arg, struct pu_stream *st, const uint8_t *b, size_t len)
{
	struct pu_ping *p = arg;

	if (len < PU_PING_LEN)
		return 0;
	if (memcmp(b, p->sent, PU_PING_LEN) != 0) {
		fail(p, PU_EPROTO);
		return len;
	}
	pu_stream_close(st);
	finish(p, 0, pu_loop_now(pu_host_loop(p->h)) - p->sent_at);
	return len;
}

static void ping_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	fail(arg, PU_EPROTO);
}

static void ping_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)st;
	(void)code;
	finish(arg, err, 0);
}

static const struct pu_stream_events ping_events = { .on_recv = ping_recv, .on_eof = ping_eof,
						     .on_closed = ping_closed };

static void on_timeout(void *arg)
{
	fail(arg, PU_ETIMEDOUT);
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_ping *p = arg;
	struct pu_loop *loop = pu_host_loop(p->h);

	p->req = NULL;
	if (err < 0) {
		finish(p, err, 0);
		return;
	}
	p->st = st;
	p->sent_at = pu_loop_now(loop);
	pu_loop_random(loop, p->sent, sizeof p->sent);
	pu_timer_set(&p->timer, p->sent_at + PU_SEC(PU_PING_TIMEOUT_S));
	pu_stream_set_events(st, &ping_events, p);
	if (pu_stream_write(st, p->sent, sizeof p->sent) < sizeof p->sent)
		fail(p, PU_ELIMIT);
}

int pu_ping(struct pu_host *h, const struct pu_peerid *peer, struct pu_conn *c, pu_ping_fn *fn,
	    void *arg, struct pu_ping **pp)
{
	static const char *const protocols[] = { PU_PING_PROTOCOL, NULL };
	struct pu_ping *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return PU_ENOMEM;
	p->h = h;
	p->fn = fn;
	p->arg = arg;
	pu_timer_init(&p->timer, pu_host_loop(h), on_timeout, p);
	r = pu_host_open(h, peer, c, protocols, on_open, p, &p->req);
	if (r < 0)
		free(p);
	else if (pp)
		*pp = p;
	return r;
}

void pu_ping_cancel(struct pu_ping *p)
{
	if (p->req)
		pu_host_cancel(p->h, p->req);
	else
		pu_stream_reset(p->st, PU_STREAM_CODE_NONE);
	pu_timer_stop(&p->timer);
	free(p);
}
