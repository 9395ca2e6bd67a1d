#include "p2p/autonat/ask.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/proto/message.h"

struct pu_autonat_ask {
	struct pu_host *h;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_multiaddr ma;
	uint64_t nonce;
	pu_time asked_at;
	uint64_t owed; /* dial data still to be sent, */
	struct pu_buf out; /* besides what is left of a message */
	bool paid;     /* dial data was asked for once */
	bool heard;    /* the nonce came */
	bool reached;  /* the server says so: only the nonce is missing */
	pu_autonat_ask_fn *on_done;
	void *arg;
};

static void ask_free(struct pu_autonat_ask *a)
{
	pu_timer_stop(&a->timer);
	if (a->req)
		pu_host_cancel(a->h, a->req);
	pu_buf_deinit(&a->out);
	free(a);
}

static void finish(struct pu_autonat_ask *a, enum pu_autonat_outcome o)
{
	pu_autonat_ask_fn *on_done = a->on_done;
	void *arg = a->arg;

	if (a->heard)
		o = PU_AUTONAT_YES;
	ask_free(a);
	on_done(arg, o);
}

/* Done with the stream as well. */
static void end(struct pu_autonat_ask *a, enum pu_autonat_outcome o)
{
	if (a->st && o == PU_AUTONAT_LIES)
		pu_stream_reset(a->st, PU_STREAM_CODE_PROTOCOL);
	else if (a->st)
		pu_stream_close(a->st);
	a->st = NULL;
	finish(a, o);
}

void pu_autonat_ask_cancel(struct pu_autonat_ask *a)
{
	if (a->st)
		pu_stream_reset(a->st, PU_STREAM_CODE_NONE);
	ask_free(a);
}

static void on_timer(void *arg)
{
	struct pu_autonat_ask *a = arg;

	end(a, a->reached ? PU_AUTONAT_LIES : PU_AUTONAT_UNSURE);
}

/* Dial data, as the stream has room. */

static int next_chunk(struct pu_autonat_ask *a)
{
	struct pu_autonat_message m = {
		.type = PU_AUTONAT_DATA,
		.n_bytes = pu_min(a->owed, PU_AUTONAT_CHUNK),
	};
	int r = pu_autonat_message_encode(&m, &a->out);

	if (r == 0)
		a->owed -= m.n_bytes;
	return r;
}

static void pay(struct pu_autonat_ask *a)
{
	while (a->owed > 0 || a->out.len > 0) {
		size_t n;

		if (a->out.len == 0 && next_chunk(a) < 0)
			return; /* out of memory: the timer will tell */
		n = pu_stream_write(a->st, pu_buf_bytes(&a->out).p, a->out.len);
		pu_buf_consume(&a->out, n);
		if (a->out.len > 0)
			return;
	}
}

static void on_writable(void *arg, struct pu_stream *st)
{
	(void)st;
	pay(arg);
}

/* What the server says. */

static void on_data_request(struct pu_autonat_ask *a, const struct pu_autonat_message *m)
{
	if (a->paid || m->idx != 0 || m->n_bytes > PU_AUTONAT_DATA_MAX) {
		end(a, PU_AUTONAT_LIES);
		return;
	}
	a->paid = true;
	a->owed = m->n_bytes;
	pay(a);
}

static void on_reached(struct pu_autonat_ask *a)
{
	if (a->heard) {
		end(a, PU_AUTONAT_YES);
		return;
	}
	/* The two come over different connections. */
	a->reached = true;
	pu_timer_set(&a->timer, pu_loop_now(pu_host_loop(a->h)) +
					PU_SEC(PU_AUTONAT_NONCE_GRACE_S));
}

static void on_result(struct pu_autonat_ask *a, const struct pu_autonat_message *m)
{
	if (m->idx != 0)
		end(a, PU_AUTONAT_LIES);
	else if (m->dial == PU_AUTONAT_DIAL_OK)
		on_reached(a);
	else if (m->dial == PU_AUTONAT_DIAL_ERROR)
		end(a, PU_AUTONAT_NO);
	else
		end(a, m->dial == PU_AUTONAT_DIAL_BACK_ERROR ? PU_AUTONAT_UNSURE
							     : PU_AUTONAT_LIES);
}

static void on_response(struct pu_autonat_ask *a, const struct pu_autonat_message *m)
{
	if (m->status == PU_AUTONAT_OK)
		on_result(a, m);
	else if (m->status == PU_AUTONAT_REJECTED)
		end(a, PU_AUTONAT_BUSY);
	else if (m->status == PU_AUTONAT_REFUSED)
		end(a, PU_AUTONAT_WONT);
	else
		end(a, PU_AUTONAT_UNSURE);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_autonat_ask *a = arg;
	struct pu_autonat_message m;
	struct pu_bytes body;
	size_t used;
	int r = pu_message_split(pu_bytes(p, len), PU_AUTONAT_MESSAGE_MAX, &body, &used);

	if (a->reached)
		return len; /* everything was said */
	if (r == PU_EAGAIN)
		return 0;
	if (r == 0)
		r = pu_autonat_message_decode(body, &m);
	if (r < 0) {
		end(a, PU_AUTONAT_LIES);
		return len;
	}
	if (used < len)
		pu_stream_resume(st);
	if (m.type == PU_AUTONAT_RESPONSE)
		on_response(a, &m);
	else if (m.type == PU_AUTONAT_DATA_REQUEST)
		on_data_request(a, &m);
	else
		end(a, PU_AUTONAT_LIES);
	return used;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct pu_autonat_ask *a = arg;

	(void)st;
	if (!a->reached)
		end(a, PU_AUTONAT_UNSURE);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_autonat_ask *a = arg;

	(void)st;
	(void)err;
	(void)code;
	a->st = NULL;
	if (!a->reached)
		finish(a, PU_AUTONAT_UNSURE);
}

static const struct pu_stream_events stream_events = { .on_recv = on_recv, .on_eof = on_eof,
						       .on_writable = on_writable,
						       .on_closed = on_closed };

/* Asking. */

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_autonat_ask *a = arg;
	struct pu_autonat_message m = { .type = PU_AUTONAT_REQUEST, .nonce = a->nonce,
					.n_addrs = 1 };

	a->req = NULL;
	if (err < 0) {
		finish(a, PU_AUTONAT_UNSURE);
		return;
	}
	a->st = st;
	a->asked_at = pu_loop_now(pu_host_loop(a->h));
	pu_stream_set_events(st, &stream_events, a);
	m.addrs[0] = a->ma;
	if (pu_autonat_message_write(st, &m) < 0)
		end(a, PU_AUTONAT_UNSURE);
}

int pu_autonat_ask_start(struct pu_host *h, struct pu_conn *c, const struct pu_multiaddr *ma,
			 pu_autonat_ask_fn *on_done, void *arg, struct pu_autonat_ask **pa)
{
	static const char *const protocols[] = { PU_AUTONAT_REQUEST_PROTOCOL, NULL };
	struct pu_autonat_ask *a = calloc(1, sizeof *a);
	struct pu_loop *loop = pu_host_loop(h);
	int r;

	if (!a)
		return PU_ENOMEM;
	a->h = h;
	a->ma = *ma;
	a->on_done = on_done;
	a->arg = arg;
	a->asked_at = PU_TIME_NEVER;
	pu_buf_init(&a->out, PU_AUTONAT_MESSAGE_MAX);
	pu_loop_random(loop, &a->nonce, sizeof a->nonce);
	pu_timer_init(&a->timer, loop, on_timer, a);
	r = pu_host_open(h, &c->peer, c, protocols, on_open, a, &a->req);
	if (r < 0) {
		free(a);
		return r;
	}
	pu_timer_set(&a->timer, pu_loop_now(loop) + PU_SEC(PU_AUTONAT_ASK_TIMEOUT_S));
	*pa = a;
	return 0;
}

/* The nonce. */

static int ip_family(const struct pu_multiaddr *ma)
{
	union pu_sockaddr sa;

	return pu_multiaddr_to_sockaddr(ma, &sa) < 0 ? -1 : sa.sa.sa_family;
}

static bool proves(const struct pu_autonat_ask *a, const struct pu_conn *c)
{
	if (!c->inbound || c->limited || c->opened_at < a->asked_at ||
	    pu_multiaddr_kind(&c->local) != pu_multiaddr_kind(&a->ma) ||
	    ip_family(&c->local) != ip_family(&a->ma))
		return false;
	/* Behind a NAT the two differ, but not when the address is on an interface. */
	return !pu_host_is_bound(a->h, &a->ma) || pu_multiaddr_eq(&c->local, &a->ma);
}

bool pu_autonat_ask_heard(struct pu_autonat_ask *a, uint64_t nonce, const struct pu_conn *c)
{
	if (nonce != a->nonce || !proves(a, c))
		return false;
	a->heard = true;
	/* The server has said its part, or will not say anything that matters. */
	if (a->reached)
		pu_timer_set(&a->timer, pu_loop_now(pu_host_loop(a->h)));
	return true;
}
