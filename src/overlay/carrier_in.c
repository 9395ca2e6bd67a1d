#include "overlay/carrier.h"

#include "base/err.h"
#include "base/wire.h"

enum { EARLY_AGE_MS = 1000 };

void pu_carrier_deliver(struct pu_session *s, struct pu_bytes body)
{
	struct pu_sessions *o = s->owner;
	struct pu_frame_packet pkt;
	int r = pu_frame_decode(&s->halves, body, pu_session_now(o), &pkt);

	if (r < 0)
		s->stats.dropped_malformed++;
	if (r <= 0)
		return;
	s->stats.rx_packets++;
	s->stats.rx_bytes += pkt.data.len;
	o->ev->on_packet(o->arg, &s->peer, pkt.data.p, pkt.data.len, pkt.flags);
}

struct pu_carrier *pu_carrier_find(struct pu_session *s, const struct pu_conn *conn, uint64_t sid)
{
	PU_LIST_FOREACH (it, tmp, &s->controls) {
		struct pu_carrier *c = PU_CONTAINER_OF(it, struct pu_carrier, node);

		if (c->st->conn == conn && c->st->id == sid && c->kind == PU_CARRIER_DATAGRAM &&
		    c->ready)
			return c;
	}
	return NULL;
}

/* The stream that a datagram belongs to may be a packet behind it: without patience
 * the first packet of every session would be lost. */
void pu_carrier_keep_early(struct pu_session *s, struct pu_bytes dg)
{
	struct pu_pkt pkt = { .head = dg };

	if (pu_pktq_push(&s->early, &pkt, pu_session_now(s->owner)) < 0)
		s->stats.dropped_full++;
}

void pu_carrier_deliver_early(struct pu_session *s, const struct pu_conn *conn)
{
	struct pu_sessions *o = s->owner;
	struct pu_pktq_item item;
	uint64_t sid;
	int n;

	if (s->early.n == 0)
		return;
	for (; pu_pktq_peek(&s->early, &item); pu_pktq_pop(&s->early)) {
		n = pu_frame_quic_varint_decode(item.data, &sid);
		if (n > 0 && pu_session_now(o) - item.queued_at < PU_MS(EARLY_AGE_MS) &&
		    pu_carrier_find(s, conn, sid))
			pu_carrier_deliver(s, pu_bytes(item.data.p + n, item.data.len - (size_t)n));
	}
	pu_pktq_trim(&s->early);
	o->ev->on_batch_end(o->arg);
}

/* Delivers every complete frame; returns the bytes they took. */
static size_t take_frames(struct pu_carrier *c, const uint8_t *p, size_t len)
{
	size_t used = 0;

	while (len - used >= 2) {
		size_t n = pu_get_be16(p + used);

		if (len - used - 2 < n)
			break;
		pu_carrier_deliver(c->session, pu_bytes(p + used + 2, n));
		used += 2 + n;
	}
	return used;
}

void pu_carrier_recv_packets(struct pu_carrier *c, const uint8_t *p, size_t len)
{
	size_t used = 0;

	if (c->in.len == 0)
		used = take_frames(c, p, len);
	if (pu_buf_append(&c->in, p + used, len - used) < 0) {
		pu_carrier_reset(c, PU_STREAM_CODE_LIMIT);
		return;
	}
	if (c->in.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&c->in);

		pu_buf_consume(&c->in, take_frames(c, b.p, b.len));
	}
	c->session->owner->ev->on_batch_end(c->session->owner->arg);
}

/* /dg/1: uvarint length ‖ application protocol, then nothing. */
void pu_carrier_recv_name(struct pu_carrier *c, const uint8_t *p, size_t len)
{
	struct pu_bytes b;
	uint64_t name_len;
	int n;

	if (c->ready || pu_buf_append(&c->in, p, len) < 0) {
		pu_carrier_reset(c, PU_STREAM_CODE_PROTOCOL);
		return;
	}
	b = pu_buf_bytes(&c->in);
	n = pu_uvarint_decode(b.p, b.len, &name_len);
	if (n == PU_EAGAIN || (n > 0 && name_len <= PU_HOST_PROTOCOL_MAX &&
			       b.len < (size_t)n + name_len))
		return;
	if (n < 0 || b.len != (size_t)n + name_len ||
	    !pu_bytes_eq_str(pu_bytes(b.p + n, (size_t)name_len), PU_SESSION_PROTOCOL)) {
		pu_carrier_reset(c, PU_STREAM_CODE_NEGOTIATION);
		return;
	}
	pu_carrier_ready(c);
}
