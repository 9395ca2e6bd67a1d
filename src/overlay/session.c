#include "overlay/session.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/htab.h"
#include "base/wire.h"
#include "overlay/frame.h"
#include "overlay/pktq.h"

enum {
	HEAD_MAX = 8 + 1 + PU_FRAME_HALF_HEAD, /* of one datagram frame */
	STREAM_HEAD = 3,		       /* length and type */
	EARLY_BYTES = 64 * 1024,	       /* of datagrams before their control stream */
	EARLY_AGE_MS = 1000,
};

enum carrier { CARRIER_DATAGRAM, CARRIER_STREAM };

/* One control stream (datagrams) or packet stream, opened by either side. */
struct control {
	struct pu_list node;
	struct session *session;
	struct pu_stream *st;
	enum carrier kind;
	bool ready;	  /* the application protocol was named */
	struct pu_buf in;  /* stream bytes of an incomplete frame or name */
	struct pu_buf out; /* the end of a frame that the stream did not take */
	uint8_t sid[8];
	size_t sid_len;
};

struct session {
	struct pu_hnode hnode;
	struct pu_list node;
	struct pu_sessions *owner;
	struct pu_peerid peer;
	struct pu_list controls;
	struct control *tx; /* the carrier in use, NULL when there is none */
	struct pu_host_request *req;
	struct pu_pktq queue;
	struct pu_pktq early; /* datagrams that overtook their control stream */
	struct pu_frame_halves halves;
	uint16_t half_id;
	struct pu_session_stats stats;
};

struct pu_sessions {
	struct pu_host *host;
	const struct pu_session_events *ev;
	void *arg;
	struct pu_host_observer observer;
	struct pu_htab by_peer;
	struct pu_list sessions;
	struct session *last; /* of the last packet, either direction */
};

static void ensure_carrier(struct session *s);
static void flush(struct session *s, pu_time max_age);

static pu_time now_of(const struct pu_sessions *o)
{
	return pu_loop_now(pu_host_loop(o->host));
}

static struct session *find(struct pu_sessions *o, const struct pu_peerid *peer)
{
	struct pu_hnode *n;

	if (o->last && pu_peerid_eq(&o->last->peer, peer))
		return o->last;
	n = pu_htab_first(&o->by_peer, pu_htab_hash(&o->by_peer, peer, sizeof *peer));
	for (; n; n = pu_htab_next(n)) {
		struct session *s = PU_CONTAINER_OF(n, struct session, hnode);

		if (pu_peerid_eq(&s->peer, peer)) {
			o->last = s;
			return s;
		}
	}
	return NULL;
}

static struct session *find_or_new(struct pu_sessions *o, const struct pu_peerid *peer)
{
	struct session *s = find(o, peer);

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

/* The control on the best connection; otherwise whatever works. */
static void choose_carrier(struct session *s)
{
	struct pu_conn *best = pu_host_conn(s->owner->host, &s->peer);

	s->tx = NULL;
	PU_LIST_FOREACH (it, tmp, &s->controls) {
		struct control *c = PU_CONTAINER_OF(it, struct control, node);

		if (!c->ready)
			continue;
		if (!s->tx || (c->st->conn == best && s->tx->st->conn != best))
			s->tx = c;
	}
}

static void control_free(struct control *c)
{
	pu_list_remove(&c->node);
	pu_buf_deinit(&c->in);
	pu_buf_deinit(&c->out);
	free(c);
}

static void control_forget(struct control *c)
{
	struct session *s = c->session;

	control_free(c);
	choose_carrier(s);
}

static void control_reset(struct control *c, uint32_t code)
{
	pu_stream_reset(c->st, code);
	control_forget(c);
}

static void deliver(struct session *s, struct pu_bytes body)
{
	struct pu_sessions *o = s->owner;
	struct pu_frame_packet pkt;
	int r = pu_frame_decode(&s->halves, body, now_of(o), &pkt);

	if (r < 0)
		s->stats.dropped_malformed++;
	if (r <= 0)
		return;
	s->stats.rx_packets++;
	s->stats.rx_bytes += pkt.data.len;
	o->ev->on_packet(o->arg, &s->peer, pkt.data.p, pkt.data.len, pkt.flags);
}

static struct control *find_control(struct session *s, const struct pu_conn *conn, uint64_t sid)
{
	PU_LIST_FOREACH (it, tmp, &s->controls) {
		struct control *c = PU_CONTAINER_OF(it, struct control, node);

		if (c->st->conn == conn && c->st->id == sid && c->kind == CARRIER_DATAGRAM &&
		    c->ready)
			return c;
	}
	return NULL;
}

/* The stream that a datagram belongs to may be a packet behind it: without patience
 * the first packet of every session would be lost. */
static void keep_early(struct session *s, struct pu_bytes dg)
{
	struct pu_pkt pkt = { .head = dg };

	if (pu_pktq_push(&s->early, &pkt, now_of(s->owner)) < 0)
		s->stats.dropped_full++;
}

static void deliver_early(struct session *s, const struct pu_conn *conn)
{
	struct pu_sessions *o = s->owner;
	struct pu_pktq_item item;
	uint64_t sid;
	int n;

	if (s->early.n == 0)
		return;
	for (; pu_pktq_peek(&s->early, &item); pu_pktq_pop(&s->early)) {
		n = pu_frame_quic_varint_decode(item.data, &sid);
		if (n > 0 && now_of(o) - item.queued_at < PU_MS(EARLY_AGE_MS) &&
		    find_control(s, conn, sid))
			deliver(s, pu_bytes(item.data.p + n, item.data.len - (size_t)n));
	}
	pu_pktq_trim(&s->early);
	o->ev->on_batch_end(o->arg);
}

static void control_ready(struct control *c)
{
	struct session *s = c->session;

	c->ready = true;
	choose_carrier(s);
	deliver_early(s, c->st->conn);
	flush(s, PU_MS(PU_SESSION_CONNECT_AGE_MS));
}

/* Delivers every complete frame; returns the bytes they took. */
static size_t take_frames(struct control *c, const uint8_t *p, size_t len)
{
	size_t used = 0;

	while (len - used >= 2) {
		size_t n = pu_get_be16(p + used);

		if (len - used - 2 < n)
			break;
		deliver(c->session, pu_bytes(p + used + 2, n));
		used += 2 + n;
	}
	return used;
}

static void recv_packets(struct control *c, const uint8_t *p, size_t len)
{
	size_t used = 0;

	if (c->in.len == 0)
		used = take_frames(c, p, len);
	if (pu_buf_append(&c->in, p + used, len - used) < 0) {
		control_reset(c, PU_STREAM_CODE_LIMIT);
		return;
	}
	if (c->in.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&c->in);

		pu_buf_consume(&c->in, take_frames(c, b.p, b.len));
	}
	c->session->owner->ev->on_batch_end(c->session->owner->arg);
}

/* /dg/1: uvarint length ‖ application protocol, then nothing. */
static void recv_name(struct control *c, const uint8_t *p, size_t len)
{
	struct pu_bytes b;
	uint64_t name_len;
	int n;

	if (c->ready || pu_buf_append(&c->in, p, len) < 0) {
		control_reset(c, PU_STREAM_CODE_PROTOCOL);
		return;
	}
	b = pu_buf_bytes(&c->in);
	n = pu_uvarint_decode(b.p, b.len, &name_len);
	if (n == PU_EAGAIN || (n > 0 && name_len <= PU_HOST_PROTOCOL_MAX &&
			       b.len < (size_t)n + name_len))
		return;
	if (n < 0 || b.len != (size_t)n + name_len ||
	    !pu_bytes_eq_str(pu_bytes(b.p + n, (size_t)name_len), PU_SESSION_PROTOCOL)) {
		control_reset(c, PU_STREAM_CODE_NEGOTIATION);
		return;
	}
	control_ready(c);
}

static size_t control_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct control *c = arg;

	if (c->kind == CARRIER_STREAM)
		recv_packets(c, p, len);
	else
		recv_name(c, p, len);
	return len;
}

static void control_eof(void *arg, struct pu_stream *st)
{
	struct control *c = arg;

	pu_stream_close(st);
	control_forget(c);
}

static void control_writable(void *arg, struct pu_stream *st)
{
	struct control *c = arg;
	struct pu_bytes rest = pu_buf_bytes(&c->out);

	pu_buf_consume(&c->out, pu_stream_write(st, rest.p, rest.len));
	if (c->out.len == 0)
		flush(c->session, PU_MS(PU_SESSION_QUEUE_AGE_MS));
}

static void control_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	control_forget(arg);
}

static const struct pu_stream_events control_events = {
	.on_recv = control_recv,
	.on_eof = control_eof,
	.on_writable = control_writable,
	.on_closed = control_closed,
};

static struct control *control_new(struct session *s, struct pu_stream *st, enum carrier kind)
{
	struct control *c = calloc(1, sizeof *c);

	if (!c) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return NULL;
	}
	c->session = s;
	c->st = st;
	c->kind = kind;
	c->sid_len = pu_frame_quic_varint(c->sid, st->id);
	pu_buf_init(&c->in, kind == CARRIER_STREAM ? 2 * (2 + UINT16_MAX) :
						     PU_UVARINT_MAX + PU_HOST_PROTOCOL_MAX);
	pu_buf_init(&c->out, 2 + UINT16_MAX);
	pu_list_append(&s->controls, &c->node);
	pu_stream_set_events(st, &control_events, c);
	return c;
}

static unsigned count_controls(const struct session *s)
{
	unsigned n = 0;

	PU_LIST_FOREACH (it, tmp, &s->controls)
		n++;
	return n;
}

static void accept_stream(struct pu_sessions *o, struct pu_stream *st, enum carrier kind)
{
	struct control *c;
	struct session *s;

	if (!o->ev->allowed(o->arg, &st->conn->peer)) {
		pu_stream_reset(st, PU_STREAM_CODE_GATED);
		return;
	}
	s = find_or_new(o, &st->conn->peer);
	if (!s || count_controls(s) >= PU_SESSION_CONTROLS_MAX) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	c = control_new(s, st, kind);
	if (c && kind == CARRIER_STREAM)
		control_ready(c);
}

static void on_control_stream(void *arg, struct pu_stream *st)
{
	accept_stream(arg, st, CARRIER_DATAGRAM);
}

static void on_packet_stream(void *arg, struct pu_stream *st)
{
	accept_stream(arg, st, CARRIER_STREAM);
}

static void give_up_queue(struct session *s, int err)
{
	struct pu_sessions *o = s->owner;
	struct pu_pktq_item item;

	while (pu_pktq_peek(&s->queue, &item)) {
		o->ev->on_undeliverable(o->arg, &s->peer, item.data.p, item.data.len, err);
		pu_pktq_pop(&s->queue);
	}
	pu_pktq_trim(&s->queue);
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct session *s = arg;
	uint8_t name[PU_UVARINT_MAX + sizeof PU_SESSION_PROTOCOL];
	struct pu_wr w = pu_wr_init(name, sizeof name);
	struct control *c;

	s->req = NULL;
	if (err < 0) {
		if (!s->tx)
			give_up_queue(s, err);
		return;
	}
	c = control_new(s, st,
			strcmp(st->protocol, PU_SESSION_PROTOCOL) == 0 ? CARRIER_STREAM :
									 CARRIER_DATAGRAM);
	if (!c)
		return;
	if (c->kind == CARRIER_DATAGRAM) {
		pu_wr_lp(&w, pu_bytes_str(PU_SESSION_PROTOCOL));
		pu_stream_write(st, name, w.len);
	}
	control_ready(c);
}

static void on_connect(void *arg, int err, struct pu_conn *conn)
{
	struct session *s = arg;

	s->req = NULL;
	if (err < 0)
		give_up_queue(s, err);
	else
		ensure_carrier(s);
}

/* Starts opening a carrier on the best connection unless it has one. */
static void ensure_carrier(struct session *s)
{
	static const char *const datagram[] = { PU_SESSION_CONTROL_PROTOCOL, NULL };
	static const char *const stream[] = { PU_SESSION_PROTOCOL, NULL };
	struct pu_host *h = s->owner->host;
	struct pu_conn *best = pu_host_conn(h, &s->peer);
	int r;

	if (s->req || (s->tx && (!best || s->tx->st->conn == best)))
		return;
	if (best)
		r = pu_host_open(h, &s->peer, best, best->datagrams ? datagram : stream, on_open,
				 s, &s->req);
	else
		r = pu_host_connect(h, &s->peer, on_connect, s, &s->req);
	if (r < 0 && !s->tx)
		give_up_queue(s, r);
}

static int send_datagram(struct session *s, struct control *c, const struct pu_pkt *pkt,
			 size_t off, size_t len, const uint8_t *tail, size_t tail_len)
{
	uint8_t head[HEAD_MAX];
	struct iovec iov[3] = { { .iov_base = head } };
	struct pu_bytes part = pkt->head;
	int n = 1;

	memcpy(head, c->sid, c->sid_len);
	memcpy(head + c->sid_len, tail, tail_len);
	iov[0].iov_len = c->sid_len + tail_len;
	for (int i = 0; i < 2; i++, part = pkt->body) {
		size_t skip = pu_min(off, part.len), take = pu_min(len, part.len - skip);

		off -= skip;
		len -= take;
		if (take)
			iov[n++] = (struct iovec){ (void *)(part.p + skip), take };
	}
	return pu_conn_send_datagram(c->st->conn, iov, n);
}

static int send_halves(struct session *s, struct control *c, const struct pu_pkt *pkt, size_t max)
{
	size_t len = pu_pkt_len(pkt), first = (len + 1) / 2;
	uint8_t tail[1 + PU_FRAME_HALF_HEAD];
	int r;

	if (c->sid_len + sizeof tail + first > max || first > PU_FRAME_HALF_MAX) {
		s->stats.too_big++;
		return PU_E2BIG;
	}
	tail[0] = PU_FRAME_HALF | (pkt->flags & PU_PKT_CSUM_PARTIAL ? PU_FRAME_CSUM_PARTIAL : 0);
	pu_put_be16(tail + 1, s->half_id);
	tail[3] = 0;
	r = send_datagram(s, c, pkt, 0, first, tail, sizeof tail);
	if (r < 0)
		return r;
	tail[3] = 1;
	s->half_id++;
	s->stats.halves++;
	/* When congestion takes the second half the first was sent in vain: the packet
	 * is lost, as any packet may be. */
	return send_datagram(s, c, pkt, first, len - first, tail, sizeof tail) < 0 ? PU_ELIMIT : 0;
}

/* A frame that was begun is finished from c->out before the next one starts. */
static int stream_put(struct control *c, struct pu_bytes b)
{
	size_t n = c->out.len == 0 ? pu_stream_write(c->st, b.p, b.len) : 0;

	return pu_buf_append(&c->out, b.p + n, b.len - n);
}

static int send_stream(struct control *c, const struct pu_pkt *pkt)
{
	uint8_t head[STREAM_HEAD];
	size_t len = pu_pkt_len(pkt);

	if (len + 1 > UINT16_MAX)
		return PU_E2BIG;
	if (c->out.len > 0)
		return PU_EAGAIN;
	pu_put_be16(head, (uint16_t)(len + 1));
	head[2] = pkt->flags & PU_PKT_CSUM_PARTIAL ? PU_FRAME_CSUM_PARTIAL : 0;
	if (stream_put(c, pu_bytes(head, sizeof head)) < 0 || stream_put(c, pkt->head) < 0 ||
	    stream_put(c, pkt->body) < 0) {
		/* Half a frame would garble all that follow. */
		control_reset(c, PU_STREAM_CODE_LIMIT);
		return PU_ENOMEM;
	}
	return 0;
}

static int send_one(struct session *s, const struct pu_pkt *pkt)
{
	struct control *c = s->tx;
	uint8_t type = pkt->flags & PU_PKT_CSUM_PARTIAL ? PU_FRAME_CSUM_PARTIAL : 0;
	size_t len = pu_pkt_len(pkt), max;
	int r;

	if (c->kind == CARRIER_STREAM) {
		r = send_stream(c, pkt);
	} else {
		max = pu_conn_max_datagram(c->st->conn);
		r = c->sid_len + 1 + len <= max ? send_datagram(s, c, pkt, 0, len, &type, 1) :
						  send_halves(s, c, pkt, max);
	}
	if (r == 0) {
		s->stats.tx_packets++;
		s->stats.tx_bytes += len;
	}
	return r;
}

static void flush(struct session *s, pu_time max_age)
{
	pu_time now = now_of(s->owner);
	struct pu_pktq_item item;

	while (s->tx && pu_pktq_peek(&s->queue, &item)) {
		struct pu_pkt pkt = { .head = item.data, .flags = item.flags };

		if (now - item.queued_at > max_age)
			s->stats.dropped_old++;
		else if (send_one(s, &pkt) == PU_EAGAIN)
			return;
		pu_pktq_pop(&s->queue);
	}
}

size_t pu_sessions_send(struct pu_sessions *o, const struct pu_peerid *peer,
			const struct pu_pkt *pkts, size_t n)
{
	struct session *s = find_or_new(o, peer);
	size_t accepted = 0;

	if (!s)
		return 0;
	if (!s->tx)
		choose_carrier(s);
	for (size_t i = 0; i < n; i++) {
		int r = s->tx && s->queue.n == 0 ? send_one(s, &pkts[i]) : PU_EAGAIN;

		if (r == PU_EAGAIN)
			r = pu_pktq_push(&s->queue, &pkts[i], now_of(o));
		if (r == PU_ELIMIT || r == PU_ENOMEM)
			s->stats.dropped_full++;
		accepted += r == 0;
	}
	if (!s->tx)
		ensure_carrier(s);
	return accepted;
}

size_t pu_sessions_limit(const struct pu_sessions *o, const struct pu_peerid *peer)
{
	const struct session *s = find((struct pu_sessions *)o, peer);
	const struct control *c = s ? s->tx : NULL;
	size_t max;

	if (!c || c->kind == CARRIER_STREAM ||
	    now_of(o) - c->st->conn->opened_at < PU_SEC(PU_SESSION_SETTLE_S))
		return PU_PKT_MAX;
	max = pu_conn_max_datagram(c->st->conn);
	return max < PU_IPV6_MIN_MTU + c->sid_len + 1 ? PU_IPV6_MIN_MTU : max - c->sid_len - 1;
}

static void on_datagram(void *arg, struct pu_conn *conn, const uint8_t *p, size_t len)
{
	struct pu_sessions *o = arg;
	struct session *s = find(o, &conn->peer);
	uint64_t sid;
	int n = pu_frame_quic_varint_decode(pu_bytes(p, len), &sid);

	if (n < 0) {
		/* libp2p/specs#680 makes this a violation by the connection. */
		pu_conn_close(conn, PU_CONN_CODE_PROTOCOL);
		return;
	}
	if (!s && o->ev->allowed(o->arg, &conn->peer))
		s = find_or_new(o, &conn->peer);
	if (!s)
		return;
	if (find_control(s, conn, sid))
		deliver(s, pu_bytes(p + n, len - (size_t)n));
	else
		keep_early(s, pu_bytes(p, len));
}

static void on_batch_end(void *arg, struct pu_conn *conn)
{
	struct pu_sessions *o = arg;

	o->ev->on_batch_end(o->arg);
}

static void on_room(void *arg, struct pu_conn *conn)
{
	struct session *s = find(arg, &conn->peer);

	if (s)
		flush(s, PU_MS(PU_SESSION_QUEUE_AGE_MS));
}

static const struct pu_host_datagram_events datagram_events = {
	.on_datagram = on_datagram,
	.on_batch_end = on_batch_end,
	.on_room = on_room,
};

/* A better connection may have come: move there, the old carrier stays until its
 * stream ends. */
static void on_connected(void *arg, struct pu_conn *conn)
{
	struct session *s = find(arg, &conn->peer);

	if (s && s->tx)
		ensure_carrier(s);
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
	r = pu_host_handle(h, PU_SESSION_CONTROL_PROTOCOL, on_control_stream, o);
	if (r < 0)
		goto fail;
	r = pu_host_handle(h, PU_SESSION_PROTOCOL, on_packet_stream, o);
	if (r < 0)
		goto fail_control;
	pu_host_set_datagram_events(h, &datagram_events, o);
	o->observer.on_connected = on_connected;
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

static void session_free(struct session *s)
{
	struct pu_sessions *o = s->owner;

	if (s->req)
		pu_host_cancel(o->host, s->req);
	PU_LIST_FOREACH (it, tmp, &s->controls) {
		struct control *c = PU_CONTAINER_OF(it, struct control, node);

		pu_stream_close(c->st);
		control_free(c);
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
	struct session *s = find(o, peer);

	if (s)
		session_free(s);
}

void pu_sessions_free(struct pu_sessions *o)
{
	if (!o)
		return;
	pu_host_set_datagram_events(o->host, NULL, NULL);
	pu_host_unobserve(o->host, &o->observer);
	pu_host_unhandle(o->host, PU_SESSION_PROTOCOL);
	pu_host_unhandle(o->host, PU_SESSION_CONTROL_PROTOCOL);
	PU_LIST_FOREACH (it, tmp, &o->sessions)
		session_free(PU_CONTAINER_OF(it, struct session, node));
	pu_htab_deinit(&o->by_peer);
	free(o);
}

bool pu_sessions_stats(const struct pu_sessions *o, const struct pu_peerid *peer,
		       struct pu_session_stats *out)
{
	const struct session *s = find((struct pu_sessions *)o, peer);

	if (!s)
		return false;
	*out = s->stats;
	out->carrier = !s->tx ? "none" : s->tx->kind == CARRIER_STREAM ? "stream" : "datagram";
	return true;
}
