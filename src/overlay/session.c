#include "overlay/session.h"

#include <stdlib.h>

#include "base/err.h"
#include "overlay/carrier.h"

enum {
	EARLY_BYTES = 64 * 1024, /* of datagrams before their control stream */
	TIDY_S = 30,
	RETIRE_S = 2, /* a carrier that is left behind has been idle so long */
};

static struct pu_session *find(struct pu_sessions *o, const struct pu_peerid *peer)
{
	struct pu_hnode *n;

	if (o->last && pu_peerid_eq(&o->last->peer, peer))
		return o->last;
	n = pu_htab_first(&o->by_peer, pu_htab_hash(&o->by_peer, peer, sizeof *peer));
	for (; n; n = pu_htab_next(n)) {
		struct pu_session *s = PU_CONTAINER_OF(n, struct pu_session, hnode);

		if (pu_peerid_eq(&s->peer, peer)) {
			o->last = s;
			return s;
		}
	}
	return NULL;
}

struct pu_session *pu_session_find_or_new(struct pu_sessions *o, const struct pu_peerid *peer)
{
	struct pu_session *s = find(o, peer);

	if (s)
		return s;
	s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->owner = o;
	s->peer = *peer;
	pu_list_init(&s->controls);
	pu_pktq_init(&s->queue, PU_SESSION_QUEUE_BYTES);
	pu_pktq_init(&s->early, EARLY_BYTES);
	if (pu_htab_add(&o->by_peer, &s->hnode, pu_htab_hash(&o->by_peer, peer, sizeof *peer))) {
		free(s);
		return NULL;
	}
	pu_list_append(&o->sessions, &s->node);
	return s;
}

size_t pu_sessions_send(struct pu_sessions *o, const struct pu_peerid *peer,
			const struct pu_pkt *pkts, size_t n)
{
	struct pu_session *s = pu_session_find_or_new(o, peer);
	size_t accepted = 0;

	if (!s)
		return 0;
	if (!s->tx)
		pu_carrier_choose(s);
	for (size_t i = 0; i < n; i++) {
		int r = s->tx && s->queue.n == 0 ? pu_carrier_send(s, &pkts[i]) : PU_EAGAIN;

		if (r == PU_EAGAIN)
			r = pu_pktq_push(&s->queue, &pkts[i], pu_session_now(o));
		if (s->queue.n > 0 && !pu_timer_active(&o->tidy))
			pu_timer_set(&o->tidy, pu_session_now(o) + PU_SEC(TIDY_S));
		if (r == PU_ELIMIT || r == PU_ENOMEM)
			s->stats.dropped_full++;
		accepted += r == 0;
	}
	if (!s->tx)
		pu_carrier_ensure(s);
	return accepted;
}

size_t pu_sessions_backlog(const struct pu_sessions *o, const struct pu_peerid *peer)
{
	const struct pu_session *s = find((struct pu_sessions *)o, peer);

	return s && s->tx ? s->queue.bytes : 0;
}

/* A burst leaves a ring of megabytes behind; an idle peer should not hold it. */
static void tidy(void *arg)
{
	struct pu_sessions *o = arg;

	PU_LIST_FOREACH (it, tmp, &o->sessions) {
		struct pu_session *s = PU_CONTAINER_OF(it, struct pu_session, node);

		if (s->queue.n == 0)
			pu_pktq_trim(&s->queue);
		else
			pu_timer_set(&o->tidy, pu_session_now(o) + PU_SEC(TIDY_S));
	}
}

/* A better path leaves a carrier that nobody uses, and the connection waits for it. */
static void retire(void *arg)
{
	struct pu_sessions *o = arg;
	unsigned left = 0;

	PU_LIST_FOREACH (it, tmp, &o->sessions)
		left += pu_carrier_retire(PU_CONTAINER_OF(it, struct pu_session, node));
	if (left > 0)
		pu_timer_set(&o->retire, pu_session_now(o) + PU_SEC(RETIRE_S));
}

size_t pu_sessions_limit(const struct pu_sessions *o, const struct pu_peerid *peer)
{
	const struct pu_session *s = find((struct pu_sessions *)o, peer);
	const struct pu_carrier *c = s ? s->tx : NULL;
	size_t max;

	if (!c || c->kind == PU_CARRIER_STREAM ||
	    pu_session_now(o) - c->st->conn->opened_at < PU_SEC(PU_SESSION_SETTLE_S))
		return PU_PKT_MAX;
	max = pu_conn_max_datagram(c->st->conn);
	return max < PU_IPV6_MIN_MTU + c->sid_len + 1 ? PU_IPV6_MIN_MTU : max - c->sid_len - 1;
}

static void on_datagram(void *arg, struct pu_conn *conn, const uint8_t *p, size_t len)
{
	struct pu_sessions *o = arg;
	struct pu_session *s = find(o, &conn->peer);
	uint64_t sid;
	int n = pu_frame_quic_varint_decode(pu_bytes(p, len), &sid);

	if (n < 0) {
		/* libp2p/specs#680 makes this a violation by the connection. */
		pu_conn_close(conn, PU_CONN_CODE_PROTOCOL);
		return;
	}
	if (!s && o->ev->allowed(o->arg, &conn->peer))
		s = pu_session_find_or_new(o, &conn->peer);
	if (!s)
		return;
	if (pu_carrier_find(s, conn, sid))
		pu_carrier_deliver(s, pu_bytes(p + n, len - (size_t)n));
	else
		pu_carrier_keep_early(s, pu_bytes(p, len));
}

static void on_batch_end(void *arg, struct pu_conn *conn)
{
	struct pu_sessions *o = arg;

	o->ev->on_batch_end(o->arg);
}

static void on_room(void *arg, struct pu_conn *conn)
{
	struct pu_session *s = find(arg, &conn->peer);

	if (s)
		pu_carrier_flush(s, PU_MS(PU_SESSION_QUEUE_AGE_MS));
}

static const struct pu_host_datagram_events datagram_events = {
	.on_datagram = on_datagram,
	.on_batch_end = on_batch_end,
	.on_room = on_room,
};

/* A better connection has come, or the best one went silent: move at once. Old carriers
 * stay for what is still on its way, and are closed when they have been idle. */
static void on_best(void *arg, const struct pu_peerid *peer, struct pu_conn *best)
{
	struct pu_sessions *o = arg;
	struct pu_session *s = find(o, peer);

	if (!s || !best || (!s->tx && !s->req))
		return;
	if (s->req) /* on a connection that may never answer */
		pu_host_cancel(o->host, s->req);
	s->req = NULL;
	pu_carrier_choose(s);
	pu_carrier_flush(s, PU_MS(PU_SESSION_CONNECT_AGE_MS));
	pu_carrier_ensure(s);
	if (!pu_timer_active(&o->retire))
		pu_timer_set(&o->retire, pu_session_now(o) + PU_SEC(RETIRE_S));
}

int pu_sessions_new(struct pu_host *h, const struct pu_session_events *ev, void *arg,
		    struct pu_sessions **ps)
{
	struct pu_sessions *o = calloc(1, sizeof *o);
	uint8_t key[16];
	int r;

	if (!o)
		return PU_ENOMEM;
	*o = (struct pu_sessions){ .host = h, .ev = ev, .arg = arg };
	pu_loop_random(pu_host_loop(h), key, sizeof key);
	pu_htab_init(&o->by_peer, key);
	pu_list_init(&o->sessions);
	pu_timer_init(&o->tidy, pu_host_loop(h), tidy, o);
	pu_timer_init(&o->retire, pu_host_loop(h), retire, o);
	r = pu_host_handle(h, PU_SESSION_CONTROL_PROTOCOL, pu_carrier_on_control_stream, o);
	if (r < 0)
		goto fail;
	r = pu_host_handle(h, PU_SESSION_PROTOCOL, pu_carrier_on_packet_stream, o);
	if (r < 0)
		goto fail_control;
	pu_host_set_datagram_events(h, &datagram_events, o);
	o->observer.on_best = on_best;
	o->observer.arg = o;
	pu_host_observe(h, &o->observer);
	*ps = o;
	return 0;
fail_control:
	pu_host_unhandle(h, PU_SESSION_CONTROL_PROTOCOL);
fail:
	free(o);
	return r;
}

static void session_free(struct pu_session *s)
{
	struct pu_sessions *o = s->owner;

	if (s->req)
		pu_host_cancel(o->host, s->req);
	PU_LIST_FOREACH (it, tmp, &s->controls) {
		struct pu_carrier *c = PU_CONTAINER_OF(it, struct pu_carrier, node);

		pu_stream_close(c->st);
		pu_carrier_free(c);
	}
	pu_htab_remove(&o->by_peer, &s->hnode);
	pu_list_remove(&s->node);
	if (o->last == s)
		o->last = NULL;
	pu_pktq_deinit(&s->queue);
	pu_pktq_deinit(&s->early);
	pu_frame_halves_deinit(&s->halves);
	free(s);
}

void pu_sessions_drop(struct pu_sessions *o, const struct pu_peerid *peer)
{
	struct pu_session *s = find(o, peer);

	if (s)
		session_free(s);
}

void pu_sessions_free(struct pu_sessions *o)
{
	if (!o)
		return;
	pu_timer_stop(&o->tidy);
	pu_timer_stop(&o->retire);
	pu_host_set_datagram_events(o->host, NULL, NULL);
	pu_host_unobserve(o->host, &o->observer);
	pu_host_unhandle(o->host, PU_SESSION_PROTOCOL);
	pu_host_unhandle(o->host, PU_SESSION_CONTROL_PROTOCOL);
	PU_LIST_FOREACH (it, tmp, &o->sessions)
		session_free(PU_CONTAINER_OF(it, struct pu_session, node));
	pu_htab_deinit(&o->by_peer);
	free(o);
}

bool pu_sessions_stats(const struct pu_sessions *o, const struct pu_peerid *peer,
		       struct pu_session_stats *out)
{
	const struct pu_session *s = find((struct pu_sessions *)o, peer);

	if (!s)
		return false;
	*out = s->stats;
	out->carrier = !s->tx ? "none" : s->tx->kind == PU_CARRIER_STREAM ? "stream" : "datagram";
	return true;
}
