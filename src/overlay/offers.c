#include "overlay/offers.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/wire.h"
#include "p2p/proto/message.h"

/* A peer that hears from us. */
struct subscriber {
	struct pu_list node;
	struct pu_offers *owner;
	struct pu_stream *st;
	struct pu_buf out; /* what the stream did not take yet */
};

/* A peer that we hear from, or want to. */
struct subscription {
	struct pu_list node;
	struct pu_offers *owner;
	struct pu_peerid peer;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_buf in;
	struct pu_timer retry;
};

struct pu_offers {
	struct pu_host *host;
	const struct pu_offers_events *ev;
	void *arg;
	struct pu_host_observer observer;
	struct pu_list subscribers, subscriptions;
	struct pu_job publish;
	struct pu_offer scratch; /* too large for a stack frame */
};

static const char *const protocols[] = { PU_OFFERS_PROTOCOL, NULL };

static void subscriber_free(struct subscriber *s)
{
	pu_list_remove(&s->node);
	pu_buf_deinit(&s->out);
	free(s);
}

static void flush(struct subscriber *s)
{
	struct pu_bytes b = pu_buf_bytes(&s->out);

	pu_buf_consume(&s->out, pu_stream_write(s->st, b.p, b.len));
}

static void refuse(struct subscriber *s, uint32_t code)
{
	pu_stream_reset(s->st, code);
	subscriber_free(s);
}

/* Only the newest offer matters, but a half-sent message must be finished: a
 * subscriber that is behind gets the next one later. */
static void send_offer(struct subscriber *s)
{
	struct pu_offers *o = s->owner;
	uint8_t prefix[PU_UVARINT_MAX];

	if (s->out.len > 0)
		return;
	memset(&o->scratch, 0, sizeof o->scratch);
	if (!o->ev->fill(o->arg, &s->st->conn->peer, &o->scratch)) {
		refuse(s, PU_STREAM_CODE_GATED);
		return;
	}
	if (pu_offer_encode(&o->scratch, &s->out) < 0 ||
	    pu_buf_prepend(&s->out, prefix, pu_uvarint_encode(prefix, s->out.len)) < 0) {
		refuse(s, PU_STREAM_CODE_LIMIT);
		return;
	}
	flush(s);
}

static size_t subscriber_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return len; /* subscribers have nothing to say */
}

static void subscriber_eof(void *arg, struct pu_stream *st)
{
	/* A half-closed subscription is still a subscription. */
}

static void subscriber_writable(void *arg, struct pu_stream *st)
{
	struct subscriber *s = arg;

	if (s->out.len == 0)
		return;
	flush(s);
	if (s->out.len == 0)
		send_offer(s); /* what changed meanwhile */
}

static void subscriber_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	subscriber_free(arg);
}

static const struct pu_stream_events subscriber_events = {
	.on_recv = subscriber_recv,
	.on_eof = subscriber_eof,
	.on_writable = subscriber_writable,
	.on_closed = subscriber_closed,
};

/* One subscription per connection: a second one replaces the first. */
static void drop_older(struct pu_offers *o, const struct pu_conn *c)
{
	PU_LIST_FOREACH (it, tmp, &o->subscribers) {
		struct subscriber *s = PU_CONTAINER_OF(it, struct subscriber, node);

		if (s->st->conn == c)
			refuse(s, PU_STREAM_CODE_SUPPLANTED);
	}
}

static void on_stream(void *arg, struct pu_stream *st)
{
	struct pu_offers *o = arg;
	struct subscriber *s = calloc(1, sizeof *s);

	if (!s) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	drop_older(o, st->conn);
	s->owner = o;
	s->st = st;
	pu_buf_init(&s->out, PU_OFFERS_MESSAGE_MAX + PU_UVARINT_MAX);
	pu_list_append(&o->subscribers, &s->node);
	pu_stream_set_events(st, &subscriber_events, s);
	send_offer(s);
}

static void publish(void *arg)
{
	struct pu_offers *o = arg;

	PU_LIST_FOREACH (it, tmp, &o->subscribers)
		send_offer(PU_CONTAINER_OF(it, struct subscriber, node));
}

void pu_offers_publish(struct pu_offers *o)
{
	pu_job_defer(&o->publish);
}

static void subscription_free(struct subscription *s)
{
	pu_timer_stop(&s->retry);
	pu_list_remove(&s->node);
	if (s->req)
		pu_host_cancel(s->owner->host, s->req);
	if (s->st)
		pu_stream_close(s->st);
	pu_buf_deinit(&s->in);
	free(s);
}

static void try_later(struct subscription *s)
{
	s->st = NULL;
	pu_buf_clear(&s->in, 0);
	pu_timer_set(&s->retry, pu_loop_now(pu_host_loop(s->owner->host)) +
					PU_SEC(PU_OFFERS_RETRY_S));
}

static void give_up(struct subscription *s, const char *why)
{
	char id[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_WARN, "offers", why, PU_KV_STR("peer", pu_peerid_short(&s->peer, id)));
	pu_stream_reset(s->st, PU_STREAM_CODE_PROTOCOL);
	try_later(s);
}

/* Handles every complete message of the buffer. False: malformed. */
static bool take_messages(struct subscription *s)
{
	struct pu_offers *o = s->owner;

	for (;;) {
		struct pu_bytes body;
		size_t used;
		int r = pu_message_split(pu_buf_bytes(&s->in), PU_OFFERS_MESSAGE_MAX, &body, &used);

		if (r == PU_EAGAIN)
			return true;
		if (r < 0 || pu_offer_decode(body, &o->scratch) < 0)
			return false;
		pu_buf_consume(&s->in, used);
		o->ev->on_offer(o->arg, &s->peer, &o->scratch);
	}
}

static size_t offer_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct subscription *s = arg;
	size_t n = pu_min(len, pu_buf_room(&s->in));

	if (pu_buf_append(&s->in, p, n) < 0 || !take_messages(s))
		give_up(s, "malformed offer");
	return n;
}

static void offer_eof(void *arg, struct pu_stream *st)
{
	struct subscription *s = arg;

	pu_stream_close(st);
	try_later(s);
}

static void offer_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	try_later(arg);
}

static const struct pu_stream_events offer_events = {
	.on_recv = offer_recv,
	.on_eof = offer_eof,
	.on_closed = offer_closed,
};

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct subscription *s = arg;

	s->req = NULL;
	if (err < 0) {
		try_later(s);
		return;
	}
	s->st = st;
	pu_stream_set_events(st, &offer_events, s);
}

static void subscribe(struct subscription *s)
{
	struct pu_host *h = s->owner->host;
	struct pu_conn *c = pu_host_conn(h, &s->peer);

	if (s->st || s->req || !c || !pu_host_peer_supports(h, &s->peer, PU_OFFERS_PROTOCOL))
		return;
	if (pu_host_open(h, &s->peer, c, protocols, on_open, s, &s->req) < 0)
		try_later(s);
}

static void on_retry(void *arg)
{
	subscribe(arg);
}

static struct subscription *find(const struct pu_offers *o, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH (it, tmp, &o->subscriptions) {
		struct subscription *s = PU_CONTAINER_OF(it, struct subscription, node);

		if (pu_peerid_eq(&s->peer, peer))
			return s;
	}
	return NULL;
}

static void on_identified(void *arg, struct pu_conn *c)
{
	struct pu_offers *o = arg;
	struct subscription *s = find(o, &c->peer);

	if (!s && !pu_host_peer_supports(o->host, &c->peer, PU_OFFERS_PROTOCOL))
		return;
	if (!s) {
		s = calloc(1, sizeof *s);
		if (!s)
			return; /* the next identify tries again */
		s->owner = o;
		s->peer = c->peer;
		pu_buf_init(&s->in, PU_OFFERS_MESSAGE_MAX + PU_UVARINT_MAX);
		pu_timer_init(&s->retry, pu_host_loop(o->host), on_retry, s);
		pu_list_append(&o->subscriptions, &s->node);
	}
	subscribe(s);
}

/* The subscription moves along: on an old connection it would be all that keeps it. */
static void on_best(void *arg, const struct pu_peerid *peer, struct pu_conn *best)
{
	struct subscription *s = find(arg, peer);

	if (!s || !best || (!s->req && !s->st) || (s->st && s->st->conn == best))
		return;
	if (s->req)
		pu_host_cancel(s->owner->host, s->req);
	if (s->st)
		pu_stream_reset(s->st, PU_STREAM_CODE_SUPPLANTED);
	s->req = NULL;
	s->st = NULL;
	pu_buf_clear(&s->in, 0);
	subscribe(s);
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct subscription *s = last ? find(arg, &c->peer) : NULL;

	if (s)
		subscription_free(s);
}

int pu_offers_new(struct pu_host *h, const struct pu_offers_events *ev, void *arg,
		  struct pu_offers **po)
{
	struct pu_offers *o = calloc(1, sizeof *o);
	int r;

	if (!o)
		return PU_ENOMEM;
	o->host = h;
	o->ev = ev;
	o->arg = arg;
	pu_list_init(&o->subscribers);
	pu_list_init(&o->subscriptions);
	pu_job_init(&o->publish, pu_host_loop(h), publish, o);
	r = pu_host_handle(h, PU_OFFERS_PROTOCOL, on_stream, o);
	if (r < 0) {
		free(o);
		return r;
	}
	o->observer.on_identified = on_identified;
	o->observer.on_disconnected = on_disconnected;
	o->observer.on_best = on_best;
	o->observer.arg = o;
	pu_host_observe(h, &o->observer);
	*po = o;
	return 0;
}

void pu_offers_free(struct pu_offers *o)
{
	if (!o)
		return;
	pu_host_unobserve(o->host, &o->observer);
	pu_host_unhandle(o->host, PU_OFFERS_PROTOCOL);
	pu_job_cancel(&o->publish);
	PU_LIST_FOREACH (it, tmp, &o->subscribers) {
		struct subscriber *s = PU_CONTAINER_OF(it, struct subscriber, node);

		pu_stream_close(s->st);
		subscriber_free(s);
	}
	PU_LIST_FOREACH (it2, tmp2, &o->subscriptions)
		subscription_free(PU_CONTAINER_OF(it2, struct subscription, node));
	free(o);
}
