/* Streams of a QUIC connection: writing, ends, and who frees what. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

enum {
	ROOM_WORTH_TELLING = 64 << 10,
};

struct quic_stream *pu_quic_stream_new(struct quic_conn *c, int64_t id, bool inbound)
{
	struct quic_stream *st = calloc(1, sizeof *st);

	if (!st)
		return NULL;
	st->s.ops = &pu_quic_stream_ops;
	st->s.conn = &c->c;
	st->s.id = (uint64_t)id;
	st->s.inbound = inbound;
	st->wire_open = true;
	st->owned = !inbound;
	pu_buf_init(&st->rx, QUIC_STREAM_WINDOW_MAX);
	pu_list_init(&st->link_tx);
	pu_list_init(&st->link_rx);
	pu_list_init(&st->link_wr);
	pu_list_init(&st->link_ov);
	pu_list_append(&c->streams, &st->node);
	if (inbound)
		pu_list_append(&c->fresh, &st->link_rx);
	c->c.n_streams++;
	return st;
}

static void drop_queue(struct quic_stream *st)
{
	quic_conn_of_stream(st)->held -= pu_quic_sendq_drop(&st->tx);
}

static void stream_free(struct quic_stream *st)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	drop_queue(st);
	pu_buf_deinit(&st->rx);
	pu_list_remove(&st->node);
	pu_list_remove(&st->link_tx);
	pu_list_remove(&st->link_rx);
	pu_list_remove(&st->link_wr);
	pu_list_remove(&st->link_ov);
	c->c.n_streams--;
	if (st->s.inbound && c->ng)
		ngtcp2_conn_extend_max_streams_bidi(c->ng, 1);
	free(st);
}

/* The job looks at it: something to tell, or nothing left to live for. */
void pu_quic_stream_mark_over(struct quic_stream *st)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	if (pu_list_empty(&st->link_ov))
		pu_list_append(&c->over, &st->link_ov);
	pu_job_defer(&c->job);
}

static void mark_failed(struct quic_stream *st, int err, uint64_t code)
{
	if (st->failed || !st->owned)
		return;
	st->failed = true;
	st->fail_err = err;
	st->fail_code = (uint32_t)code;
	pu_quic_stream_mark_over(st);
}

/* Who asks again from inside a callback waits for the next round. */
void pu_quic_take_all(struct pu_list *batch, struct pu_list *from)
{
	struct pu_list *it;

	pu_list_init(batch);
	while ((it = pu_list_first(from))) {
		pu_list_remove(it);
		pu_list_append(batch, it);
	}
}

/* ---- Sending ---- */

static void mark_ready(struct quic_stream *st)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	if (!st->wire_open || st->stopped || st->reset)
		return;
	if (pu_list_empty(&st->link_tx))
		pu_list_append(&c->ready, &st->link_tx);
	pu_job_defer(&c->job);
}

static size_t room(const struct quic_stream *st)
{
	const struct quic_conn *c = quic_conn_of_stream(st);
	size_t unsent = pu_quic_sendq_waiting(&st->tx);
	size_t held = pu_quic_sendq_held(&st->tx);

	if (!c->ng || c->end.set || st->fin || unsent >= QUIC_STREAM_UNSENT_MAX ||
	    held >= QUIC_STREAM_HELD_MAX || c->held >= QUIC_CONN_HELD_MAX)
		return 0;
	return pu_min(QUIC_STREAM_UNSENT_MAX - unsent,
		      pu_min(QUIC_STREAM_HELD_MAX - held, QUIC_CONN_HELD_MAX - c->held));
}

static size_t op_write(struct pu_stream *s, const uint8_t *p, size_t len)
{
	struct quic_stream *st = quic_stream_of(s);
	struct quic_conn *c = quic_conn_of_stream(st);
	size_t n;

	if (st->stopped) { /* nobody reads it; on_closed follows once reading ends */
		st->lost = true;
		pu_quic_stream_mark_over(st);
		return len;
	}
	n = pu_quic_sendq_append(&st->tx, p, pu_min(len, room(st)));
	c->held += n;
	c->c.tx_bytes += n;
	if (n > 0)
		mark_ready(st);
	if (n < len && pu_list_empty(&st->link_wr))
		pu_list_append(&c->writers, &st->link_wr);
	return n;
}

static size_t op_room(const struct pu_stream *s)
{
	return room(quic_stream_of(s));
}

static void op_shutdown(struct pu_stream *s)
{
	struct quic_stream *st = quic_stream_of(s);

	if (st->fin)
		return;
	st->fin = true;
	pu_list_remove(&st->link_wr);
	mark_ready(st);
}

void pu_quic_stream_acked(struct quic_stream *st, uint64_t upto)
{
	quic_conn_of_stream(st)->held -= pu_quic_sendq_acked(&st->tx, upto);
	if (st->reset_later)
		pu_quic_stream_mark_over(st);
}

void pu_quic_stream_on_stopped(struct quic_stream *st)
{
	pu_list_remove(&st->link_tx);
	if (st->stopped || st->reset)
		return;
	st->stopped = true;
	st->lost = pu_quic_sendq_waiting(&st->tx) > 0;
	pu_quic_stream_mark_over(st);
}

void pu_quic_streams_tell_room(struct quic_conn *c)
{
	struct pu_list batch, *it;

	pu_quic_take_all(&batch, &c->writers);
	while ((it = pu_list_first(&batch))) {
		struct quic_stream *st = PU_CONTAINER_OF(it, struct quic_stream, link_wr);

		pu_list_remove(it);
		if (c->end.set || (!st->stopped && room(st) < ROOM_WORTH_TELLING))
			pu_list_append(&c->writers, it);
		else if (st->owned && st->s.ev && st->s.ev->on_writable)
			st->s.ev->on_writable(st->s.arg, &st->s);
	}
}

/* ---- Ends ---- */

void pu_quic_stream_on_reset(struct quic_stream *st, uint64_t code)
{
	const bool fresh = !pu_list_empty(&st->link_rx) && !st->owned;

	/* When the consumer has closed, this is the peer's answer to our wish that it
	 * stop; what we wrote is still being delivered. */
	if (!st->owned && !fresh)
		return;
	pu_quic_stream_drop_rx(st);
	if (fresh) {
		pu_list_remove(&st->link_rx);
		st->failed = true;
		pu_quic_stream_mark_over(st);
		return;
	}
	mark_failed(st, PU_ERESET, code);
}

void pu_quic_stream_on_wire_closed(struct quic_stream *st)
{
	st->wire_open = false;
	pu_list_remove(&st->link_tx);
	st->stopped = true;
	if (pu_quic_sendq_held(&st->tx) > 0 && !st->fin_sent)
		st->lost = true;
	drop_queue(st);
	pu_quic_stream_mark_over(st);
}

void pu_quic_stream_stop(struct quic_stream *st, uint64_t code)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	if (st->rx_stopped)
		return;
	if (c->reading) {
		st->stop_due = true;
		pu_quic_stream_mark_over(st);
		return;
	}
	st->rx_stopped = true;
	pu_ng_shutdown_stream_read(c->ng, (int64_t)st->s.id, code);
	pu_job_defer(&c->job);
}

static void abort_wire(struct quic_stream *st, uint32_t code)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	st->reset_code = code;
	if (c->reading) {
		st->reset_due = true;
		pu_quic_stream_mark_over(st);
		return;
	}
	st->reset = st->rx_stopped = true;
	st->reset_due = st->reset_later = false;
	pu_list_remove(&st->link_tx);
	pu_ng_shutdown_stream(c->ng, (int64_t)st->s.id, code);
	pu_job_defer(&c->job);
}

/* Tells the end, once; then frees what neither side knows any more. */
static void finish_one(struct quic_stream *st)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	/* The peer stopped reading although there was more: an end of the stream, but
	 * not before everything it sent was taken. Without more it is none: who
	 * closes after its answer stops reading too. */
	if (st->owned && st->lost && !st->failed && (st->rx_fin ? st->eof_told : !st->wire_open)) {
		st->failed = true;
		st->fail_err = PU_ERESET;
	}
	if (st->wire_open && c->ng) {
		if (st->stop_due)
			pu_quic_stream_stop(st, st->reset_code);
		if (st->reset_due || (st->reset_later && st->tx.acked > 0))
			abort_wire(st, st->reset_code);
	}
	if (st->failed) {
		if (st->wire_open && c->ng && !st->reset)
			abort_wire(st, PU_STREAM_CODE_NONE);
		if (st->owned) {
			st->owned = false;
			pu_list_remove(&st->link_rx);
			pu_list_remove(&st->link_wr);
			pu_quic_stream_drop_rx(st);
			if (st->s.ev)
				st->s.ev->on_closed(st->s.arg, &st->s, st->fail_err,
						    st->fail_code);
		}
	}
	if (!st->owned && !st->wire_open && pu_list_empty(&st->link_rx))
		stream_free(st);
}

void pu_quic_streams_finish(struct quic_conn *c)
{
	struct pu_list *it;

	while ((it = pu_list_first(&c->over))) {
		pu_list_remove(it);
		finish_one(PU_CONTAINER_OF(it, struct quic_stream, link_ov));
	}
}

void pu_quic_streams_lose(struct quic_conn *c, bool tell)
{
	struct pu_list *it;

	while ((it = pu_list_first(&c->streams))) {
		struct quic_stream *st = PU_CONTAINER_OF(it, struct quic_stream, node);

		if (tell && st->owned) {
			st->owned = false;
			if (st->s.ev)
				st->s.ev->on_closed(st->s.arg, &st->s,
						    st->failed ? st->fail_err : PU_ECLOSED,
						    st->fail_code);
		}
		stream_free(st);
	}
}

/* The consumer lets go. */
static void release(struct quic_stream *st)
{
	st->owned = false;
	pu_list_remove(&st->link_rx);
	pu_list_remove(&st->link_wr);
	pu_quic_stream_drop_rx(st);
	pu_quic_stream_mark_over(st);
}

static void op_close(struct pu_stream *s)
{
	struct quic_stream *st = quic_stream_of(s);

	op_shutdown(s);
	release(st);
}

/* A peer on ngtcp2 0.12 forgets a stream of which it hears by RESET_STREAM first, and
 * then never ends its own side, so we could never forget it. Before anything was
 * acknowledged the reset has to wait; when nothing was sent, a FIN says as much. */
static void reset_when_known(struct quic_stream *st, uint32_t code)
{
	struct quic_conn *c = quic_conn_of_stream(st);

	st->reset_code = code;
	pu_quic_stream_stop(st, code);
	c->held -= pu_quic_sendq_cut(&st->tx);
	if (st->tx.sent == 0) {
		st->fin = true;
		mark_ready(st);
		return;
	}
	st->reset_later = true;
	pu_list_remove(&st->link_tx);
	pu_job_defer(&c->job);
}

static void op_reset(struct pu_stream *s, uint32_t code)
{
	struct quic_stream *st = quic_stream_of(s);

	if (st->wire_open && quic_conn_of_stream(st)->ng && !st->reset) {
		if (st->s.inbound || st->tx.acked > 0 || st->stopped)
			abort_wire(st, code);
		else
			reset_when_known(st, code);
	}
	release(st);
}

const struct pu_stream_ops pu_quic_stream_ops = {
	.write = op_write,
	.shutdown = op_shutdown,
	.resume = pu_quic_stream_resume,
	.close = op_close,
	.reset = op_reset,
	.room = op_room,
};
