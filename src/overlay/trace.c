#include "overlay/trace.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/host/paths.h"

struct pu_trace {
	struct pu_host *host;
	struct pu_peerid target;
	struct pu_host_request *req;
	struct pu_timer timeout; /* of one hop */
	pu_time asked_at;
	size_t at; /* the hop that is asked */
	struct pu_trace_result result;
	pu_trace_fn *on_done;
	void *arg;
};

static pu_time now_of(const struct pu_trace *t)
{
	return pu_loop_now(pu_host_loop(t->host));
}

static void trace_free(struct pu_trace *t)
{
	pu_timer_stop(&t->timeout);
	if (t->req)
		pu_host_cancel(t->host, t->req);
	free(t);
}

static void done(struct pu_trace *t)
{
	struct pu_trace_result r = t->result;
	pu_trace_fn *on_done = t->on_done;
	void *arg = t->arg;

	for (size_t i = 0; i < r.n_hops; i++)
		r.hop[i].agent = pu_host_peer_agent(t->host, &r.hop[i].peer);
	trace_free(t);
	on_done(arg, &r);
}

static void ask(struct pu_trace *t);

/* The refusal is the answer. */
static void answered(struct pu_trace *t, int err)
{
	struct pu_trace_hop *hop = &t->result.hop[t->at];

	pu_timer_stop(&t->timeout);
	hop->err = err == PU_ENOPROTO ? 0 : err;
	hop->rtt = hop->err ? 0 : now_of(t) - t->asked_at;
	if (++t->at < t->result.n_hops)
		ask(t);
	else
		done(t);
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_trace *t = arg;

	t->req = NULL;
	if (st)
		pu_stream_reset(st, PU_STREAM_CODE_NONE);
	answered(t, err == 0 ? PU_ENOPROTO : err); /* it really speaks that: as good */
}

static void on_timeout(void *arg)
{
	struct pu_trace *t = arg;

	pu_host_cancel(t->host, t->req);
	t->req = NULL;
	answered(t, PU_ETIMEDOUT);
}

/* The last hop is asked on its connection, a relay on the best one to it. */
static void ask(struct pu_trace *t)
{
	static const char *const protocols[] = { PU_TRACE_PROTOCOL, NULL };
	struct pu_trace_hop *hop = &t->result.hop[t->at];
	struct pu_conn *c = pu_host_conn(t->host, &hop->peer);
	int r;

	if (!c) {
		answered(t, PU_EUNREACH);
		return;
	}
	if (hop->addr.len == 0)
		hop->addr = c->remote;
	t->asked_at = now_of(t);
	r = pu_host_open(t->host, &hop->peer, c, protocols, on_open, t, &t->req);
	if (r < 0)
		answered(t, r);
	else
		pu_timer_set(&t->timeout, t->asked_at + PU_SEC(PU_TRACE_HOP_TIMEOUT_S));
}

static void on_connect(void *arg, int err, struct pu_conn *c)
{
	struct pu_trace *t = arg;
	struct pu_trace_result *r = &t->result;

	t->req = NULL;
	if (err < 0) {
		r->err = err;
		done(t);
		return;
	}
	c = pu_host_conn(t->host, &t->target);
	if (c && pu_host_relay_of(&c->remote, &r->hop[0].peer)) {
		r->relayed = true;
		r->n_hops++;
	}
	r->hop[r->n_hops].peer = t->target;
	if (c)
		r->hop[r->n_hops].addr = c->remote;
	r->n_hops++;
	ask(t);
}

int pu_trace_start(struct pu_host *h, const struct pu_peerid *peer, pu_trace_fn *on_done,
		   void *arg, struct pu_trace **pt)
{
	struct pu_trace *t = calloc(1, sizeof *t);
	int r;

	if (!t)
		return PU_ENOMEM;
	t->host = h;
	t->target = *peer;
	t->on_done = on_done;
	t->arg = arg;
	pu_timer_init(&t->timeout, pu_host_loop(h), on_timeout, t);
	r = pu_host_connect(h, peer, on_connect, t, &t->req);
	if (r < 0)
		trace_free(t);
	else
		*pt = t;
	return r;
}

void pu_trace_cancel(struct pu_trace *t)
{
	trace_free(t);
}
