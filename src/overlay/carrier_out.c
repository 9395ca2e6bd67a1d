#include "overlay/carrier.h"

#include "base/err.h"
#include "base/wire.h"

enum {
	HEAD_MAX = 8 + 1 + PU_FRAME_HALF_HEAD, /* of one datagram frame */
	STREAM_HEAD = 3,		       /* length and type */
};

static int send_datagram(struct pu_session *s, struct pu_carrier *c, const struct pu_pkt *pkt,
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

static int send_halves(struct pu_session *s, struct pu_carrier *c, const struct pu_pkt *pkt,
		       size_t max)
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
static int stream_put(struct pu_carrier *c, struct pu_bytes b)
{
	size_t n = c->out.len == 0 ? pu_stream_write(c->st, b.p, b.len) : 0;

	return pu_buf_append(&c->out, b.p + n, b.len - n);
}

static int send_stream(struct pu_carrier *c, const struct pu_pkt *pkt)
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
		pu_carrier_reset(c, PU_STREAM_CODE_LIMIT);
		return PU_ENOMEM;
	}
	return 0;
}

int pu_carrier_send(struct pu_session *s, const struct pu_pkt *pkt)
{
	struct pu_carrier *c = s->tx;
	uint8_t type = pkt->flags & PU_PKT_CSUM_PARTIAL ? PU_FRAME_CSUM_PARTIAL : 0;
	size_t len = pu_pkt_len(pkt), max;
	int r;

	if (c->kind == PU_CARRIER_STREAM) {
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

void pu_carrier_flush(struct pu_session *s, pu_time max_age)
{
	pu_time now = pu_session_now(s->owner);
	struct pu_pktq_item item;

	while (s->tx && pu_pktq_peek(&s->queue, &item)) {
		struct pu_pkt pkt = { .head = item.data, .flags = item.flags };

		if (now - item.queued_at > max_age)
			s->stats.dropped_old++;
		else if (pu_carrier_send(s, &pkt) == PU_EAGAIN)
			return;
		pu_pktq_pop(&s->queue);
	}
}
