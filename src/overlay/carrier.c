#include "overlay/carrier.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"
#include "p2p/host/paths.h"

/* The control on the best connection; otherwise whatever works. */
void pu_carrier_choose(struct pu_session *s)
{
	struct pu_conn *best = pu_host_conn(s->owner->host, &s->peer);

	s->tx = NULL;
	PU_LIST_FOREACH (it, tmp, &s->controls) {
		struct pu_carrier *c = PU_CONTAINER_OF(it, struct pu_carrier, node);

		if (!c->ready)
			continue;
		if (!s->tx || (c->st->conn == best && s->tx->st->conn != best))
			s->tx = c;
	}
}

void pu_carrier_free(struct pu_carrier *c)
{
	pu_list_remove(&c->node);
	pu_buf_deinit(&c->in);
	pu_buf_deinit(&c->out);
	free(c);
}

static void carrier_forget(struct pu_carrier *c)
{
	struct pu_session *s = c->session;

	pu_carrier_free(c);
	pu_carrier_choose(s);
}

void pu_carrier_reset(struct pu_carrier *c, uint32_t code)
{
	pu_stream_reset(c->st, code);
	carrier_forget(c);
}

void pu_carrier_ready(struct pu_carrier *c)
{
	struct pu_session *s = c->session;

	c->ready = true;
	pu_carrier_choose(s);
	pu_carrier_deliver_early(s, c->st->conn);
	pu_carrier_flush(s, PU_MS(PU_SESSION_CONNECT_AGE_MS));
}

unsigned pu_carrier_retire(struct pu_session *s)
{
	struct pu_conn *best = pu_host_conn(s->owner->host, &s->peer);
	unsigned left = 0;

	PU_LIST_FOREACH (it, tmp, &s->controls) {
		struct pu_carrier *c = PU_CONTAINER_OF(it, struct pu_carrier, node);
		const struct pu_conn *conn = c->st->conn;
		uint64_t bytes = conn->rx_bytes + conn->tx_bytes;

		if (conn == best || c == s->tx || c->st->inbound)
			continue;
		if (bytes == c->seen_bytes) {
			pu_carrier_reset(c, PU_STREAM_CODE_SUPPLANTED);
			continue;
		}
		c->seen_bytes = bytes;
		left++;
	}
	return left;
}

static size_t carrier_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_carrier *c = arg;

	if (c->kind == PU_CARRIER_STREAM)
		pu_carrier_recv_packets(c, p, len);
	else
		pu_carrier_recv_name(c, p, len);
	return len;
}

static void carrier_eof(void *arg, struct pu_stream *st)
{
	struct pu_carrier *c = arg;

	pu_stream_close(st);
	carrier_forget(c);
}

static void carrier_writable(void *arg, struct pu_stream *st)
{
	struct pu_carrier *c = arg;
	struct pu_bytes rest = pu_buf_bytes(&c->out);

	pu_buf_consume(&c->out, pu_stream_write(st, rest.p, rest.len));
	if (c->out.len == 0)
		pu_carrier_flush(c->session, PU_MS(PU_SESSION_QUEUE_AGE_MS));
}

static void carrier_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	carrier_forget(arg);
}

static const struct pu_stream_events carrier_events = {
	.on_recv = carrier_recv,
	.on_eof = carrier_eof,
	.on_writable = carrier_writable,
	.on_closed = carrier_closed,
};

static struct pu_carrier *carrier_new(struct pu_session *s, struct pu_stream *st,
				      enum pu_carrier_kind kind)
{
	struct pu_carrier *c = calloc(1, sizeof *c);

	if (!c) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return NULL;
	}
	c->session = s;
	c->st = st;
	c->kind = kind;
	c->sid_len = pu_frame_quic_varint(c->sid, st->id);
	pu_buf_init(&c->in, kind == PU_CARRIER_STREAM ? 2 * (2 + UINT16_MAX) :
						     PU_UVARINT_MAX + PU_HOST_PROTOCOL_MAX);
	pu_buf_init(&c->out, 2 + UINT16_MAX);
	pu_list_append(&s->controls, &c->node);
	pu_stream_set_events(st, &carrier_events, c);
	return c;
}

static unsigned count_carriers(const struct pu_session *s)
{
	unsigned n = 0;

	PU_LIST_FOREACH (it, tmp, &s->controls)
		n++;
	return n;
}

static void accept_stream(struct pu_sessions *o, struct pu_stream *st, enum pu_carrier_kind kind)
{
	struct pu_carrier *c;
	struct pu_session *s;

	if (!o->ev->allowed(o->arg, &st->conn->peer)) {
		pu_stream_reset(st, PU_STREAM_CODE_GATED);
		return;
	}
	s = pu_session_find_or_new(o, &st->conn->peer);
	if (!s || count_carriers(s) >= PU_SESSION_CONTROLS_MAX) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	c = carrier_new(s, st, kind);
	if (c && pu_host_conn(o->host, &s->peer) != st->conn)
		pu_host_doubt(o->host, &s->peer);
	if (c && kind == PU_CARRIER_STREAM)
		pu_carrier_ready(c);
}

void pu_carrier_on_control_stream(void *arg, struct pu_stream *st)
{
	accept_stream(arg, st, PU_CARRIER_DATAGRAM);
}

void pu_carrier_on_packet_stream(void *arg, struct pu_stream *st)
{
	accept_stream(arg, st, PU_CARRIER_STREAM);
}

static void give_up_queue(struct pu_session *s, int err)
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
	struct pu_session *s = arg;
	uint8_t name[PU_UVARINT_MAX + sizeof PU_SESSION_PROTOCOL];
	struct pu_wr w = pu_wr_init(name, sizeof name);
	struct pu_carrier *c;

	s->req = NULL;
	if (err < 0) {
		if (!s->tx)
			give_up_queue(s, err);
		return;
	}
	c = carrier_new(s, st,
			strcmp(st->protocol, PU_SESSION_PROTOCOL) == 0 ? PU_CARRIER_STREAM :
									 PU_CARRIER_DATAGRAM);
	if (!c)
		return;
	if (c->kind == PU_CARRIER_DATAGRAM) {
		pu_wr_lp(&w, pu_bytes_str(PU_SESSION_PROTOCOL));
		pu_stream_write(st, name, w.len);
	}
	pu_carrier_ready(c);
}

static void on_connect(void *arg, int err, struct pu_conn *conn)
{
	struct pu_session *s = arg;

	s->req = NULL;
	if (err < 0)
		give_up_queue(s, err);
	else
		pu_carrier_ensure(s);
}

/* Starts opening a carrier on the best connection unless it has one. */
void pu_carrier_ensure(struct pu_session *s)
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
