#include "overlay/wake.h"

#include <stdlib.h>

#include "base/err.h"
#include "overlay/question.h"

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
	struct pu_question q;
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

static struct pu_wake_request *of(struct pu_question *q)
{
	return PU_CONTAINER_OF(q, struct pu_wake_request, q);
}

static size_t ask(struct pu_question *q, uint8_t out[PU_QUESTION_MAX])
{
	out[0] = VERSION;
	memcpy(out + 1, of(q)->mac.b, PU_MAC_LEN);
	return REQUEST_LEN;
}

static int on_answer(struct pu_question *q, struct pu_bytes in)
{
	return in.len > 0 ? answer_err(in.p[0]) : PU_EAGAIN;
}

static void request_done(struct pu_wake_request *r, int err)
{
	pu_wake_fn *on_done = r->on_done;
	void *arg = r->arg;

	pu_list_remove(&r->node);
	free(r);
	on_done(arg, err);
}

static void on_end(struct pu_question *q, int err)
{
	request_done(of(q), err);
}

static const struct pu_question_ops ops = {
	.protocol = PU_WAKE_PROTOCOL,
	.timeout_s = PU_WAKE_TIMEOUT_S,
	.max_answer = 1,
	.ask = ask,
	.on_answer = on_answer,
	.on_end = on_end,
};

int pu_wake_ask(struct pu_wake *w, const struct pu_peerid *via, const struct pu_mac *mac,
		pu_wake_fn *on_done, void *arg, struct pu_wake_request **preq)
{
	struct pu_wake_request *r = calloc(1, sizeof *r);
	int err;

	if (!r)
		return PU_ENOMEM;
	r->mac = *mac;
	r->on_done = on_done;
	r->arg = arg;
	err = pu_question_ask(&r->q, &ops, w->host, via, NULL);
	if (err < 0) {
		free(r);
		return err;
	}
	pu_list_append(&w->requests, &r->node);
	*preq = r;
	return 0;
}

void pu_wake_cancel(struct pu_wake_request *req)
{
	pu_question_cancel(&req->q);
	pu_list_remove(&req->node);
	free(req);
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
	PU_LIST_FOREACH (it, tmp, &w->requests) {
		struct pu_wake_request *r = PU_CONTAINER_OF(it, struct pu_wake_request, node);

		pu_question_cancel(&r->q);
		request_done(r, PU_ECANCELED);
	}
	PU_LIST_FOREACH (it2, tmp2, &w->askers)
		asker_free(PU_CONTAINER_OF(it2, struct asker, node));
	free(w);
}
