#include "overlay/pingpong.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

static const char request[] = "ping\n";

struct pu_pingpong {
	struct pu_host *host;
	bool serve;
	struct pu_list pings;   /* of struct ping */
	struct pu_list answers; /* of struct answer */
	char protocol[PU_HOST_PROTOCOL_MAX + 1];
};

/* A line as it arrives, without the white space around it. */
struct line {
	char s[PU_PINGPONG_LINE_MAX];
	size_t len;
	bool complete;
};

struct ping {
	struct pu_list node;
	struct pu_pingpong *owner;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_timer timer;
	struct line line;
	pu_time sent_at;
	pu_pingpong_fn *on_done;
	void *arg;
};

struct answer {
	struct pu_list node;
	struct pu_stream *st;
	struct pu_timer timer;
	struct line line;
};

/* Takes bytes up to and including the newline. False when the line is too long. */
static bool line_add(struct line *l, const uint8_t *p, size_t len, size_t *ptaken)
{
	for (*ptaken = 0; *ptaken < len && !l->complete; (*ptaken)++) {
		if (p[*ptaken] == '\n') {
			l->complete = true;
			continue;
		}
		if (l->len == sizeof l->s - 1)
			return false;
		l->s[l->len++] = (char)p[*ptaken];
	}
	while (l->complete && l->len > 0 && (l->s[l->len - 1] == '\r' || l->s[l->len - 1] == ' '))
		l->len--;
	l->s[l->len] = '\0';
	return true;
}

static void ping_free(struct ping *g)
{
	pu_timer_stop(&g->timer);
	pu_list_remove(&g->node);
	if (g->req)
		pu_host_cancel(g->owner->host, g->req);
	if (g->st)
		pu_stream_close(g->st);
	free(g);
}

static void ping_done(struct ping *g, int err, const char *text)
{
	pu_time rtt = err ? 0 : pu_loop_now(pu_host_loop(g->owner->host)) - g->sent_at;
	struct pu_conn *conn = g->st ? g->st->conn : NULL;

	g->on_done(g->arg, err, text, rtt, conn);
	ping_free(g);
}

static size_t ping_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct ping *g = arg;
	char text[PU_PINGPONG_LINE_MAX + 32];
	size_t taken;

	if (!line_add(&g->line, p, len, &taken)) {
		ping_done(g, PU_EPROTO, "read: line too long");
		return len;
	}
	if (!g->line.complete)
		return taken;
	if (strcmp(g->line.s, "pong") == 0) {
		ping_done(g, 0, "");
		return len;
	}
	snprintf(text, sizeof text, "unexpected response: \"%s\"", g->line.s);
	ping_done(g, PU_EPROTO, text);
	return len;
}

static void ping_eof(void *arg, struct pu_stream *st)
{
	ping_done(arg, PU_EEOF, "read: EOF");
}

static void ping_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct ping *g = arg;

	g->st = NULL;
	ping_done(g, err, "read: stream reset");
}

static const struct pu_stream_events ping_events = {
	.on_recv = ping_recv,
	.on_eof = ping_eof,
	.on_closed = ping_closed,
};

static void ping_opened(void *arg, int err, struct pu_stream *st)
{
	struct ping *g = arg;
	char text[128];

	g->req = NULL;
	if (err < 0) {
		snprintf(text, sizeof text, "stream: %s", pu_err_text(err));
		ping_done(g, err, text);
		return;
	}
	g->st = st;
	g->sent_at = pu_loop_now(pu_host_loop(g->owner->host));
	pu_stream_set_events(st, &ping_events, g);
	pu_stream_write(st, request, sizeof request - 1);
}

static void ping_timeout(void *arg)
{
	struct ping *g = arg;

	ping_done(g, PU_ETIMEDOUT, g->st ? "read: timed out" : "stream: timed out");
}

int pu_pingpong_send(struct pu_pingpong *p, const struct pu_peerid *peer, pu_pingpong_fn *on_done,
		     void *arg)
{
	const char *const protocols[] = { p->protocol, NULL };
	struct pu_loop *loop = pu_host_loop(p->host);
	struct ping *g = calloc(1, sizeof *g);
	int r;

	if (!g)
		return PU_ENOMEM;
	g->owner = p;
	g->on_done = on_done;
	g->arg = arg;
	pu_timer_init(&g->timer, loop, ping_timeout, g);
	pu_timer_set(&g->timer, pu_loop_now(loop) + PU_SEC(PU_PINGPONG_TIMEOUT_S));
	pu_list_append(&p->pings, &g->node);
	r = pu_host_open(p->host, peer, NULL, protocols, ping_opened, g, &g->req);
	if (r < 0)
		ping_free(g);
	return r;
}

static void answer_free(struct answer *a)
{
	pu_timer_stop(&a->timer);
	pu_list_remove(&a->node);
	if (a->st)
		pu_stream_close(a->st);
	free(a);
}

static size_t answer_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct answer *a = arg;
	const char *reply;
	size_t taken;

	if (!line_add(&a->line, p, len, &taken)) {
		a->st = NULL;
		pu_stream_reset(st, PU_STREAM_CODE_PROTOCOL);
		answer_free(a);
		return len;
	}
	if (!a->line.complete)
		return taken;
	reply = strcmp(a->line.s, "ping") == 0 ? "pong\n" : "unknown\n";
	pu_stream_write(st, reply, strlen(reply));
	answer_free(a);
	return len;
}

static void answer_eof(void *arg, struct pu_stream *st)
{
	answer_free(arg);
}

static void answer_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct answer *a = arg;

	a->st = NULL;
	answer_free(a);
}

static const struct pu_stream_events answer_events = {
	.on_recv = answer_recv,
	.on_eof = answer_eof,
	.on_closed = answer_closed,
};

static void answer_timeout(void *arg)
{
	answer_free(arg);
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_pingpong *p = arg;
	struct pu_loop *loop = pu_host_loop(p->host);
	struct answer *a = calloc(1, sizeof *a);

	if (!a) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	a->st = st;
	pu_timer_init(&a->timer, loop, answer_timeout, a);
	pu_timer_set(&a->timer, pu_loop_now(loop) + PU_SEC(PU_PINGPONG_TIMEOUT_S));
	pu_list_append(&p->answers, &a->node);
	pu_stream_set_events(st, &answer_events, a);
}

int pu_pingpong_new(struct pu_host *h, const char *protocol, bool serve, struct pu_pingpong **pp)
{
	struct pu_pingpong *p;
	int r;

	if (strlen(protocol) > PU_HOST_PROTOCOL_MAX)
		return PU_EINVAL;
	p = calloc(1, sizeof *p);
	if (!p)
		return PU_ENOMEM;
	p->host = h;
	p->serve = serve;
	memcpy(p->protocol, protocol, strlen(protocol) + 1);
	pu_list_init(&p->pings);
	pu_list_init(&p->answers);
	r = serve ? pu_host_handle(h, protocol, on_stream, p) : 0;
	if (r < 0) {
		free(p);
		return r;
	}
	*pp = p;
	return 0;
}

void pu_pingpong_free(struct pu_pingpong *p)
{
	if (!p)
		return;
	if (p->serve)
		pu_host_unhandle(p->host, p->protocol);
	PU_LIST_FOREACH (it, tmp, &p->pings)
		ping_done(PU_CONTAINER_OF(it, struct ping, node), PU_ECANCELED, "canceled");
	PU_LIST_FOREACH (it2, tmp2, &p->answers)
		answer_free(PU_CONTAINER_OF(it2, struct answer, node));
	free(p);
}
