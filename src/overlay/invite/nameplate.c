/* A member's number: a stream to the relay, and what is said on it. */
#include "overlay/invite/nameplate.h"

#include <stdlib.h>

#include "base/err.h"
#include "overlay/invite/nameplate_message.h"

enum { VOUCHES_MAX = 4 }; /* unanswered */

struct vouch {
	struct pu_peerid peer;
	void (*on_done)(void *arg, int err);
	void *arg;
};

struct pu_nameplate {
	struct pu_host *h;
	unsigned wanted, ttl_s;
	unsigned number; /* 0: none yet */
	const struct pu_nameplate_events *ev;
	void *arg;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_buf in;
	pu_time ends_at;
	struct pu_timer timer; /* for an answer */
	struct vouch vouch[VOUCHES_MAX]; /* oldest first */
	size_t n_vouches;
	int err;               /* why it is lost */
	struct pu_job lost;    /* tells so, one callback at a time */
};

static const char *const protocols[] = { PU_NAMEPLATE_PROTOCOL, NULL };

static pu_time now_of(const struct pu_nameplate *n)
{
	return pu_loop_now(pu_host_loop(n->h));
}

static struct vouch pop(struct pu_nameplate *n)
{
	struct vouch v = n->vouch[0];

	n->n_vouches--;
	memmove(&n->vouch[0], &n->vouch[1], n->n_vouches * sizeof v);
	return v;
}

/* Any callback may free n. */
static void tell_lost(void *arg)
{
	struct pu_nameplate *n = arg;
	struct vouch v;

	if (n->n_vouches == 0) {
		n->ev->on_lost(n->arg, n->err);
		return;
	}
	v = pop(n);
	pu_job_defer(&n->lost);
	v.on_done(v.arg, n->err);
}

/* The stream is gone already. */
static void lost(struct pu_nameplate *n, int err)
{
	n->st = NULL;
	n->number = 0;
	n->err = err;
	pu_timer_stop(&n->timer);
	pu_job_defer(&n->lost);
}

static void give_up(struct pu_nameplate *n, int err)
{
	pu_stream_reset(n->st, PU_STREAM_CODE_NONE);
	lost(n, err);
}

static void await(struct pu_nameplate *n)
{
	pu_timer_set(&n->timer, now_of(n) + PU_SEC(PU_NAMEPLATE_ANSWER_S));
}

static void too_slow(void *arg)
{
	give_up(arg, PU_ETIMEDOUT);
}

static int say(struct pu_nameplate *n, const struct pu_nameplate_message *m)
{
	struct pu_buf out;
	int r;

	pu_buf_init(&out, PU_NAMEPLATE_FRAME_MAX);
	r = pu_nameplate_message_append(m, &out);
	if (r == 0 && pu_stream_room(n->st) < out.len)
		r = PU_EAGAIN;
	if (r == 0)
		pu_stream_write(n->st, pu_buf_bytes(&out).p, out.len);
	pu_buf_deinit(&out);
	return r;
}

/* What the relay says. */

static void on_number(struct pu_nameplate *n, const struct pu_nameplate_message *m)
{
	int r = pu_nameplate_message_err(m->status);

	if (r < 0 || m->number == 0) {
		give_up(n, r < 0 ? r : PU_EPROTO);
		return;
	}
	pu_timer_stop(&n->timer);
	n->number = m->number;
	n->ends_at = now_of(n) + PU_SEC(m->seconds);
	n->ev->on_number(n->arg, m->number);
}

static void on_vouched(struct pu_nameplate *n, const struct pu_nameplate_message *m)
{
	struct vouch v;

	if (n->n_vouches == 0 || !pu_peerid_eq(&n->vouch[0].peer, &m->peer)) {
		give_up(n, PU_EPROTO);
		return;
	}
	v = pop(n);
	if (n->n_vouches > 0)
		await(n);
	else
		pu_timer_stop(&n->timer);
	v.on_done(v.arg, pu_nameplate_message_err(m->status));
}

/* One message per call: a callback may free n. The rest is offered again. */
static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_nameplate *n = arg;
	struct pu_nameplate_message m;
	size_t taken;
	int r = pu_nameplate_message_feed(&n->in, p, len, &m, &taken);

	if (r == PU_EAGAIN)
		return taken;
	if (r < 0) {
		give_up(n, r);
		return len;
	}
	if (taken < len)
		pu_stream_resume(st);
	if (m.type == PU_NAMEPLATE_NUMBER && n->number == 0)
		on_number(n, &m);
	else if (m.type == PU_NAMEPLATE_VOUCHED && n->number != 0)
		on_vouched(n, &m);
	else
		give_up(n, PU_EPROTO);
	return taken;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct pu_nameplate *n = arg;
	bool in_time = n->number != 0 && now_of(n) + PU_SEC(1) >= n->ends_at;

	pu_stream_close(st);
	lost(n, in_time ? PU_ETIMEDOUT : PU_ECLOSED);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	lost(arg, err);
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_nameplate *n = arg;
	struct pu_nameplate_message m = { .type = PU_NAMEPLATE_ALLOCATE, .number = n->wanted,
					  .seconds = n->ttl_s };

	n->req = NULL;
	if (err < 0) {
		lost(n, err);
		return;
	}
	n->st = st;
	pu_stream_set_events(st, &stream_events, n);
	err = say(n, &m);
	if (err < 0)
		give_up(n, err);
	else
		await(n);
}

/* The interface. */

int pu_nameplate_allocate(struct pu_host *h, const struct pu_peerid *relay, unsigned wanted,
			  unsigned ttl_s, const struct pu_nameplate_events *ev, void *arg,
			  struct pu_nameplate **pn)
{
	struct pu_nameplate *n = calloc(1, sizeof *n);
	int r;

	if (!n)
		return PU_ENOMEM;
	n->h = h;
	n->wanted = wanted;
	n->ttl_s = ttl_s;
	n->ev = ev;
	n->arg = arg;
	pu_buf_init(&n->in, PU_NAMEPLATE_FRAME_MAX);
	pu_timer_init(&n->timer, pu_host_loop(h), too_slow, n);
	pu_job_init(&n->lost, pu_host_loop(h), tell_lost, n);
	r = pu_host_open(h, relay, NULL, protocols, on_open, n, &n->req);
	if (r < 0)
		pu_nameplate_free(n);
	else
		*pn = n;
	return r;
}

int pu_nameplate_vouch(struct pu_nameplate *n, const struct pu_peerid *peer, const char *name,
		       void (*on_done)(void *arg, int err), void *arg)
{
	struct pu_nameplate_message m = { .type = PU_NAMEPLATE_VOUCH, .peer = *peer };
	size_t len = strnlen(name ? name : "", PU_NAMEPLATE_NAME_MAX);
	int r;

	if (pu_peerid_empty(peer))
		return PU_EINVAL;
	if (n->number == 0 || n->n_vouches == VOUCHES_MAX)
		return PU_EAGAIN;
	memcpy(m.name, name ? name : "", len);
	r = say(n, &m);
	if (r < 0)
		return r;
	n->vouch[n->n_vouches++] = (struct vouch){ *peer, on_done, arg };
	await(n);
	return 0;
}

void pu_nameplate_free(struct pu_nameplate *n)
{
	if (!n)
		return;
	pu_timer_stop(&n->timer);
	pu_job_cancel(&n->lost);
	if (n->req)
		pu_host_cancel(n->h, n->req);
	if (n->st)
		pu_stream_close(n->st);
	pu_buf_deinit(&n->in);
	free(n);
}
