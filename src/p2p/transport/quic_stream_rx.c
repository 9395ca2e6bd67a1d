/* The receiving half of streams: bytes to the consumer, what it left behind, and the
 * credit that the peer gets for what was taken. */
#include "p2p/transport/quic_internal.h"

enum {
	/* A closed stream tolerates this much more before the peer is asked to stop:
	 * the echo of a multistream negotiation must not meet STOP_SENDING, or go
	 * peers take the whole stream for failed. */
	DISCARD_FREE = 4096,
};

/* A consumer that takes half a window in two round trips is held up by the window. */
static uint64_t growth(struct quic_stream *st, size_t n)
{
	struct quic_conn *c = quic_conn_of_stream(st);
	const uint64_t most = pu_quic_stream_window(c, QUIC_STREAM_WINDOW_MAX);
	const pu_time now = quic_now(c), since = now - st->grew_at;
	uint64_t more = 0;

	if (st->window == 0)
		st->window = pu_quic_stream_window(c, QUIC_STREAM_WINDOW);
	st->taken += n;
	if (st->taken < st->window / 2)
		return 0;
	if (since < 2 * pu_ng_srtt(c->ng) && st->window < most)
		more = pu_min(st->window, most - st->window);
	st->window += more;
	st->taken = 0;
	st->grew_at = now;
	return more;
}

static void credit(struct quic_stream *st, size_t n)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	if (n == 0 || !c->ng)
		return;
	if (st->wire_open)
		ngtcp2_conn_extend_max_stream_offset(c->ng, (int64_t)st->s.id,
						     n + growth(st, n));
	ngtcp2_conn_extend_max_offset(c->ng, n);
	pu_job_defer(&c->job);
}

/* Bytes for nobody: only the connection gets its credit back. */
static void discard(struct quic_stream *st, size_t n)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	if (!c->ng)
		return;
	if (n > 0)
		ngtcp2_conn_extend_max_offset(c->ng, n);
	st->discarded += n;
	if (st->rx_stopped || st->rx_fin || !st->wire_open ||
	    (!st->rx_any && st->discarded <= DISCARD_FREE))
		return;
	pu_quic_stream_stop(st, PU_STREAM_CODE_NONE);
}

void pu_quic_stream_drop_rx(struct quic_stream *st)
{
	size_t n = st->rx.len;

	pu_buf_deinit(&st->rx);
	pu_buf_init(&st->rx, QUIC_STREAM_WINDOW_MAX);
	discard(st, n);
}

/* Offers p to the consumer; returns what it took (all, when it closed the stream
 * meanwhile). */
static size_t offer(struct quic_stream *st, const uint8_t *p, size_t len)
{
	size_t n;

	if (!st->s.ev || st->failed)
		return 0;
	n = pu_min(st->s.ev->on_recv(st->s.arg, &st->s, p, len), len);
	if (!st->owned) {
		discard(st, len);
		return len;
	}
	if (n > 0)
		st->rx_any = true;
	credit(st, n);
	return n;
}

static void tell_eof(struct quic_stream *st)
{
	if (!st->owned || !st->s.ev || st->failed || !st->rx_fin || st->rx.len > 0 ||
	    st->eof_told)
		return;
	st->eof_told = true;
	if (st->s.ev->on_eof)
		st->s.ev->on_eof(st->s.arg, &st->s);
	if (st->lost)
		pu_quic_stream_mark_over(st);
}

static void offer_kept(struct quic_stream *st)
{
	struct pu_buf kept = st->rx;
	size_t n;

	if (kept.len > 0) {
		/* Out of the stream while the consumer looks at it, for it may close. */
		pu_buf_init(&st->rx, QUIC_STREAM_WINDOW_MAX);
		n = offer(st, pu_buf_bytes(&kept).p, kept.len);
		if (!st->owned) {
			pu_buf_deinit(&kept);
			return;
		}
		pu_buf_consume(&kept, n);
		if (kept.len == 0)
			pu_buf_clear(&kept, 0);
		st->rx = kept;
	}
	tell_eof(st);
}

int pu_quic_stream_recv(struct quic_stream *st, const uint8_t *p, size_t len, bool fin)
{
	struct quic_conn *c = quic_conn_of_stream(st);
	const bool fresh = !pu_list_empty(&st->link_rx) && !st->owned;
	size_t n = 0;
	int r;

	c->c.rx_bytes += len;
	if (fin)
		st->rx_fin = true;
	if (!st->owned && !fresh) {
		discard(st, len);
		return 0;
	}
	if (st->owned && st->rx.len == 0 && len > 0)
		n = offer(st, p, len);
	if (n == len) {
		tell_eof(st);
		return 0;
	}
	r = pu_buf_append(&st->rx, p + n, len - n);
	if (r < 0)
		return r;
	if (st->owned && n == 0 && st->rx.len > len)
		offer_kept(st);
	return 0;
}

void pu_quic_stream_resume(struct pu_stream *s)
{
	struct quic_stream *st = quic_stream_of(s);
	struct quic_conn *c = quic_conn_of_stream(st);

	if (pu_list_empty(&st->link_rx))
		pu_list_append(&c->resumed, &st->link_rx);
	pu_job_defer(&c->job);
}

void pu_quic_streams_resume(struct quic_conn *c)
{
	struct pu_list batch, *it;

	pu_quic_take_all(&batch, &c->resumed);
	while ((it = pu_list_first(&batch))) {
		struct quic_stream *st = PU_CONTAINER_OF(it, struct quic_stream, link_rx);

		pu_list_remove(it);
		if (st->owned && !st->failed && st->s.ev)
			offer_kept(st);
	}
}

void pu_quic_streams_announce(struct quic_conn *c)
{
	struct pu_list *it;

	/* What came before the peer's goodbye still counts; after ours nobody cares. */
	while ((!c->end.set || c->end.by_peer) && (it = pu_list_first(&c->fresh))) {
		struct quic_stream *st = PU_CONTAINER_OF(it, struct quic_stream, link_rx);

		pu_list_remove(it);
		if (!st->wire_open && !st->rx_fin) { /* reset before anybody saw it */
			pu_quic_stream_mark_over(st);
			continue;
		}
		st->owned = true;
		if (c->c.ev && c->c.ev->on_stream)
			c->c.ev->on_stream(c->c.arg, &c->c, &st->s);
		else
			pu_stream_reset(&st->s, PU_STREAM_CODE_NEGOTIATION);
	}
}
