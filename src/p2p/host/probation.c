#include "p2p/host/probation.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"

enum {
	NEGOTIATIONS_MAX = 8, /* whoever dials back may try identify and a few others, too */
	/* A place is kept for longer than any handshake lasts: a connection that comes
	 * when its place is gone would pass for one that the gate has let in. */
	HANDSHAKE_S = 20,
};

static void on_timer(void *arg);

void pu_probation_init(struct pu_probation *pb, struct pu_host *h)
{
	memset(pb, 0, sizeof *pb);
	pb->h = h;
	pu_timer_init(&pb->timer, h->loop, on_timer, pb);
}

static void close_conn(struct pu_probationer *w)
{
	if (w->hc && !w->hc->c->closing)
		pu_conn_close(w->hc->c, PU_CONN_CODE_GATED);
}

static void set_timer(struct pu_probation *pb)
{
	pu_time next = PU_TIME_NEVER;

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		const struct pu_probationer *w = &pb->who[i];
		bool closing = w->hc && w->hc->c->closing;

		if (w->taken && !closing && w->until < next)
			next = w->until;
	}
	pu_timer_set(&pb->timer, next);
}

static void on_timer(void *arg)
{
	struct pu_probation *pb = arg;
	pu_time now = pu_loop_now(pb->h->loop);

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		struct pu_probationer *w = &pb->who[i];

		if (!w->taken || w->until > now)
			continue;
		close_conn(w);
		w->taken = w->hc != NULL;
	}
	set_timer(pb);
}

void pu_probation_allow(struct pu_probation *pb, const char *protocol, pu_time until)
{
	pb->protocol = protocol;
	pb->until = until;
	if (until == 0)
		pu_probation_end(pb);
}

void pu_probation_end(struct pu_probation *pb)
{
	pb->until = 0;
	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++)
		close_conn(&pb->who[i]);
	if (pb->h->state != HOST_RUNNING)
		pu_timer_stop(&pb->timer);
	else
		set_timer(pb);
}

bool pu_probation_admit(struct pu_probation *pb, const struct pu_peerid *peer,
			const struct pu_multiaddr *remote)
{
	pu_time now = pu_loop_now(pb->h->loop);

	if (!pu_probation_open(pb) || pu_multiaddr_has(remote, PU_MA_P2P_CIRCUIT))
		return false;
	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		struct pu_probationer *w = &pb->who[i];

		if (w->taken)
			continue;
		w->taken = true;
		w->peer = *peer;
		w->hc = NULL;
		w->until = now + PU_SEC(HANDSHAKE_S);
		set_timer(pb);
		return true;
	}
	return false;
}

bool pu_probation_open(const struct pu_probation *pb)
{
	return pb->until > pu_loop_now(pb->h->loop);
}

bool pu_probation_speaks(const struct pu_probation *pb, struct pu_bytes name)
{
	return pb->protocol && pu_bytes_eq_str(name, pb->protocol);
}

/* The connection. */

static unsigned count(const struct pu_list *l)
{
	unsigned n = 0;

	PU_LIST_FOREACH(it, tmp, l)
		n++;
	return n;
}

static void on_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	struct host_conn *hc = arg;

	if (c->closing || count(&hc->negotiations) >= NEGOTIATIONS_MAX)
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
	else
		pu_negotiation_start(hc, st);
}

static struct pu_probationer *probationer_of(struct host_conn *hc)
{
	struct pu_probation *pb = &hc->h->probation;

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++)
		if (pb->who[i].hc == hc)
			return &pb->who[i];
	return NULL;
}

static void on_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	struct host_conn *hc = arg;
	struct pu_host *h = hc->h;
	struct pu_probationer *w = probationer_of(hc);

	(void)c;
	(void)err;
	(void)code;
	pu_negotiation_drop_all(hc);
	w->hc = NULL;
	w->taken = false;
	free(hc);
	h->stats.n_conns--;
	if (h->state == HOST_RUNNING)
		set_timer(&h->probation);
	pu_host_one_less(h);
}

static const struct pu_conn_events conn_events = { .on_stream = on_stream, .on_closed = on_closed };

static struct pu_probationer *awaited(struct pu_probation *pb, const struct pu_peerid *peer)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		struct pu_probationer *w = &pb->who[i];

		if (w->taken && !w->hc && pu_peerid_eq(&w->peer, peer))
			return w;
	}
	return NULL;
}

static struct host_conn *host_conn_new(struct pu_host *h, struct pu_conn *c)
{
	struct host_conn *hc = calloc(1, sizeof *hc);

	if (!hc)
		return NULL;
	hc->h = h;
	hc->c = c;
	pu_list_init(&hc->node);
	pu_list_init(&hc->negotiations);
	c->ev = &conn_events;
	c->arg = hc;
	h->stats.n_conns++;
	return hc;
}

bool pu_probation_adopt(struct pu_probation *pb, struct pu_conn *c)
{
	struct pu_probationer *w = awaited(pb, &c->peer);
	struct pu_host *h = pb->h;
	pu_time now = pu_loop_now(h->loop);
	char peer[PU_PEERID_SHORT_MAX];

	if (!w)
		return false;
	if (pu_probation_open(pb) && h->stats.n_conns < h->cfg.max_conns)
		w->hc = host_conn_new(h, c);
	if (!w->hc) {
		w->taken = false;
		pu_connmgr_turn_away(h, c, PU_CONN_CODE_GATED);
	} else {
		w->until = now + PU_SEC(PU_HOST_PROBATION_S);
		pu_log(PU_LOG_DEBUG, "host", "on probation",
		       PU_KV_STR("peer", pu_peerid_short(&c->peer, peer)));
	}
	set_timer(pb);
	return true;
}
