#include "overlay/wake.h"

#include <stdlib.h>

#include "base/err.h"

enum { VERSION = 1, REQUEST_LEN = 1 + PU_MAC_LEN };

/* The byte of the answer. */
enum answer { SENT, DENIED, TOO_OFTEN, FAILED };

struct pu_wake {
	struct pu_host *host;
	struct pu_wake_events ev;
	void *arg;
	struct pu_list requests, askers;
	unsigned n_askers;
	/* A bucket of permissions, full at the start. */
	unsigned tokens;
	pu_time filled_at;
};

struct pu_wake_request {
	struct pu_list node;
	struct pu_wake *owner;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_mac mac;
	pu_wake_fn *on_done;
	void *arg;
};

struct asker {
	struct pu_list node;
	struct pu_wake *owner;
	struct pu_stream *st;
	struct pu_timer timer;
	uint8_t in[REQUEST_LEN];
	size_t len;
};

static pu_time now_of(const struct pu_wake *w)
{
	return pu_loop_now(pu_host_loop(w->host));
}

/* --- asking ----------------------------------------------------------------------- */

static void request_free(struct pu_wake_request *r)
{
	pu_timer_stop(&r->timer);
	pu_list_remove(&r->node);
	if (r->req)
		pu_host_cancel(r->owner->host, r->req);
	if (r->st)
		pu_stream_close(r->st);
	free(r);
}

static void request_done(struct pu_wake_request *r, int err)
{
	pu_wake_fn *on_done = r->on_done;
	void *arg = r->arg;

	request_free(r);
	on_done(arg, err);
}

static int answer_err(uint8_t b)
{
	switch (b) {
	case SENT:
		return 0;
	case DENIED:
		return PU_EDENIED;
	case TOO_OFTEN:
		return PU_ELIMIT;
	case FAILED:
		return PU_EIO;
	}
	return PU_EPROTO;
}

static size_t request_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	if (len > 0)
		request_done(arg, answer_err(p[0]));
	return len;
}

static void request_eof(void *arg, struct pu_stream *st)
{
	request_done(arg, PU_EPROTO);
}

static void request_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_wake_request *r = arg;

	r->st = NULL;
	request_done(r, err);
}

static const struct pu_stream_events request_events = {
	.on_recv = request_recv,
	.on_eof = request_eof,
	.on_closed = request_closed,
};

static void request_opened(void *arg, int err, struct pu_stream *st)
{
	struct pu_wake_request *r = arg;
	uint8_t out[REQUEST_LEN] = { VERSION };

	r->req = NULL;
	if (err < 0) {
		request_done(r, err);
		return;
	}
	r->st = st;
	memcpy(out + 1, r->mac.b, PU_MAC_LEN);
	pu_stream_set_events(st, &request_events, r);
	pu_stream_write(st, out, sizeof out);
}

static void request_timeout(void *arg)
{
	request_done(arg, PU_ETIMEDOUT);
}

int pu_wake_ask(struct pu_wake *w, const struct pu_peerid *via, const struct pu_mac *mac,
		pu_wake_fn *on_done, void *arg, struct pu_wake_request **preq)
{
	static const char *const protocols[] = { PU_WAKE_PROTOCOL, NULL };
	struct pu_wake_request *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return PU_ENOMEM;
	r->owner = w;
	r->mac = *mac;
	r->on_done = on_done;
	r->arg = arg;
	pu_timer_init(&r->timer, pu_host_loop(w->host), request_timeout, r);
	pu_timer_set(&r->timer, now_of(w) + PU_SEC(PU_WAKE_TIMEOUT_S));
	pu_list_append(&w->requests, &r->node);
	err = pu_host_open(w->host, via, NULL, protocols, request_opened, r, &r->req);
	if (err < 0)
		request_free(r);
	else
		*preq = r;
	return err;
}

void pu_wake_cancel(struct pu_wake_request *req)
{
	request_free(req);
}

/* --- being asked ------------------------------------------------------------------ */

static void asker_free(struct asker *a)
{
	pu_timer_stop(&a->timer);
	pu_list_remove(&a->node);
	a->owner->n_askers--;
	if (a->st)
		pu_stream_close(a->st);
	free(a);
}

static bool take_token(struct pu_wake *w)
{
	pu_time now = now_of(w), step = PU_SEC(PU_WAKE_REFILL_S);
	pu_time n = (now - w->filled_at) / step;

	w->filled_at += n * step;
	w->tokens = n >= PU_WAKE_BURST - w->tokens ? PU_WAKE_BURST : w->tokens + (unsigned)n;
	if (w->tokens == 0)
		return false;
	w->tokens--;
	return true;
}

static enum answer serve(struct asker *a)
{
	struct pu_wake *w = a->owner;
	struct pu_mac mac = { .given = true };

	memcpy(mac.b, a->in + 1, PU_MAC_LEN);
	if (!w->ev.may_ask(w->arg, &a->st->conn->peer))
		return DENIED;
	if (!take_token(w))
		return TOO_OFTEN;
	return w->ev.send(w->arg, &mac) < 0 ? FAILED : SENT;
}

static void refuse(struct asker *a)
{
	struct pu_stream *st = a->st;

	a->st = NULL;
	asker_free(a);
	pu_stream_reset(st, PU_STREAM_CODE_PROTOCOL);
}

static size_t asker_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct asker *a = arg;
	size_t n = pu_min(len, REQUEST_LEN - a->len);
	uint8_t answer;

	memcpy(a->in + a->len, p, n);
	a->len += n;
	if (a->len < REQUEST_LEN)
		return n;
	if (n < len || a->in[0] != VERSION || !pu_mac_is_card(a->in + 1)) {
		refuse(a);
		return len;
	}
	answer = (uint8_t)serve(a);
	pu_stream_write(st, &answer, 1);
	asker_free(a);
	return len;
}

static void asker_eof(void *arg, struct pu_stream *st)
{
	refuse(arg);
}

static void asker_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct asker *a = arg;

	a->st = NULL;
	asker_free(a);
}

static const struct pu_stream_events asker_events = {
	.on_recv = asker_recv,
	.on_eof = asker_eof,
	.on_closed = asker_closed,
};

static void asker_timeout(void *arg)
{
	refuse(arg);
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_wake *w = arg;
	struct asker *a = w->n_askers < PU_WAKE_ASKERS_MAX ? calloc(1, sizeof *a) : NULL;

	if (!a) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	a->owner = w;
	a->st = st;
	w->n_askers++;
	pu_timer_init(&a->timer, pu_host_loop(w->host), asker_timeout, a);
	pu_timer_set(&a->timer, now_of(w) + PU_SEC(PU_WAKE_TIMEOUT_S));
	pu_list_append(&w->askers, &a->node);
	pu_stream_set_events(st, &asker_events, a);
}

/* --- both ------------------------------------------------------------------------- */

int pu_wake_new(struct pu_host *h, const struct pu_wake_events *ev, void *arg,
		struct pu_wake **pw)
{
	struct pu_wake *w = calloc(1, sizeof *w);
	int r;

	if (!w)
		return PU_ENOMEM;
	w->host = h;
	w->ev = *ev;
	w->arg = arg;
	w->tokens = PU_WAKE_BURST;
	w->filled_at = now_of(w);
	pu_list_init(&w->requests);
	pu_list_init(&w->askers);
	r = pu_host_handle(h, PU_WAKE_PROTOCOL, on_stream, w);
	if (r < 0) {
		free(w);
		return r;
	}
	*pw = w;
	return 0;
}

void pu_wake_free(struct pu_wake *w)
{
	if (!w)
		return;
	pu_host_unhandle(w->host, PU_WAKE_PROTOCOL);
	PU_LIST_FOREACH (it, tmp, &w->requests)
		request_done(PU_CONTAINER_OF(it, struct pu_wake_request, node), PU_ECANCELED);
	PU_LIST_FOREACH (it2, tmp2, &w->askers)
		asker_free(PU_CONTAINER_OF(it2, struct asker, node));
	free(w);
}
