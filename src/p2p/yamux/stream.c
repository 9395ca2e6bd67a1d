#include "p2p/yamux/stream.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/yamux/session_internal.h"

#define LINGER PU_SEC(PU_YAMUX_LINGER_S)

/* Empty buffers are kept for the next burst until the streams of a session hold more
 * than this. */
enum { HELD_MAX = PU_YAMUX_UNSENT_MAX };

/* Stands in until a consumer sets its events: everything stays in the stream. */
static size_t nobody_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return 0;
}

static void nobody_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
}

static const struct pu_stream_events nobody = {
	.on_recv = nobody_recv,
	.on_closed = nobody_closed,
};

static struct pu_yamux_stream *stream(struct pu_stream *st)
{
	return PU_CONTAINER_OF(st, struct pu_yamux_stream, base);
}

/* Puts the stream where pu_yamux_output() will find what it has to send. */
static void schedule_data(struct pu_yamux_stream *st)
{
	bool data = st->unsent.len > 0 && st->send_credit > 0;
	bool fin = st->unsent.len == 0 && st->tx == PU_YAMUX_TX_CLOSING;

	if (!data && !fin)
		return;
	if (pu_list_empty(&st->data_node))
		pu_list_append(&st->ym->data_streams, &st->data_node);
	pu_yamux_wake_output(st->ym);
}

void pu_yamux_stream_schedule_ctl(struct pu_yamux_stream *st)
{
	if (pu_list_empty(&st->ctl_node))
		pu_list_append(&st->ym->ctl_streams, &st->ctl_node);
	pu_yamux_wake_output(st->ym);
}

static void schedule_todo(struct pu_yamux_stream *st, unsigned what)
{
	st->todo |= what;
	if (pu_list_empty(&st->todo_node))
		pu_list_append(&st->ym->todo, &st->todo_node);
	pu_yamux_wake(st->ym);
}

void pu_yamux_stream_count_held(struct pu_yamux_stream *st)
{
	size_t held = st->unsent.cap + st->received.cap;

	st->ym->stats.held += held - st->held;
	st->held = held;
}

void pu_yamux_stream_trim(struct pu_yamux_stream *st)
{
	pu_yamux_ring_trim(&st->unsent);
	if (st->received.len == 0)
		pu_buf_clear(&st->received, 0);
	pu_yamux_stream_count_held(st);
}

void pu_yamux_stream_trim_if_tight(struct pu_yamux_stream *st)
{
	if (st->ym->stats.held > HELD_MAX)
		pu_yamux_stream_trim(st);
}

static void forget_id(struct pu_yamux_stream *st)
{
	if (!st->known)
		return;
	st->known = false;
	pu_htab_remove(&st->ym->by_id, &st->by_id);
	if (st->ym->in.st == st)
		st->ym->in.st = NULL;
}

/* The memory stays until the job: a callback of the stream may be up the call stack,
 * reading from its buffer. */
/* Takes the stream out of everything but the graveyard. */
static void bury(struct pu_yamux_stream *st)
{
	struct pu_yamux *ym = st->ym;

	pu_yamux_stream_on_accepted(st);
	forget_id(st);
	st->owned = false;
	st->base.ev = &nobody;
	st->rx = PU_YAMUX_RX_ENDED;
	st->tx = PU_YAMUX_TX_CLOSED;
	st->send_credit = 0;
	pu_list_remove(&st->todo_node);
	pu_list_remove(&st->ctl_node);
	pu_list_remove(&st->data_node);
	pu_list_remove(&st->linger_node);
	pu_list_remove(&st->node);
	pu_list_append(&ym->graveyard, &st->node);
	ym->stats.buffered -= st->received.len;
	ym->stats.unsent -= st->unsent.len;
	ym->stats.held -= st->held;
	ym->stats.windows -= st->window.size;
	ym->n_streams--;
	if (st->base.inbound)
		ym->n_inbound--;
	if (ym->conn)
		ym->conn->n_streams--;
	pu_yamux_wake(ym);
}

void pu_yamux_stream_settle(struct pu_yamux_stream *st)
{
	if (st->rx == PU_YAMUX_RX_OPEN || st->tx != PU_YAMUX_TX_CLOSED)
		return;
	forget_id(st);
	if (!st->owned)
		bury(st);
}

void pu_yamux_stream_send_rst(struct pu_yamux_stream *st, uint32_t code)
{
	/* The peer has never heard of it. */
	if (st->ctl_flags & PU_YAMUX_SYN)
		return;
	st->ym->stats.resets_out++;
	pu_yamux_queue_frame(st->ym, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST,
			     pu_yamux_stream_id(st), code);
}

void pu_yamux_stream_end(struct pu_yamux_stream *st, int err, uint32_t code)
{
	const struct pu_stream_events *ev = st->base.ev;
	bool owned = st->owned;

	bury(st);
	if (owned && err < 0)
		ev->on_closed(st->base.arg, &st->base, err, code);
}

void pu_yamux_stream_on_rst(struct pu_yamux_stream *st, uint32_t code)
{
	st->ym->stats.resets_in++;
	pu_yamux_stream_end(st, PU_ERESET, code);
}

void pu_yamux_stream_on_accepted(struct pu_yamux_stream *st)
{
	if (st->accepted)
		return;
	st->accepted = true;
	st->ym->n_unacked--;
}

/* --- sending --- */

static void linger(struct pu_yamux_stream *st)
{
	pu_list_remove(&st->linger_node);
	pu_list_append(&st->ym->lingering, &st->linger_node);
	st->linger_until = pu_loop_now(st->ym->loop) + LINGER;
	pu_yamux_linger_arm(st->ym);
}

static void progress(struct pu_yamux_stream *st)
{
	if (!pu_list_empty(&st->linger_node))
		linger(st);
}

void pu_yamux_stream_on_credit(struct pu_yamux_stream *st, uint32_t n)
{
	st->send_credit = n > UINT32_MAX - st->send_credit ? UINT32_MAX : st->send_credit + n;
	if (n > 0 && st->unsent.len > 0)
		progress(st);
	schedule_data(st);
}

static size_t stream_room(const struct pu_stream *s)
{
	const struct pu_yamux_stream *st = PU_CONTAINER_OF(s, const struct pu_yamux_stream, base);
	size_t all = st->ym->stats.unsent, len = st->unsent.len, room;

	if (st->tx != PU_YAMUX_TX_OPEN || st->ym->state != PU_YAMUX_OPEN)
		return 0;
	room = PU_YAMUX_UNSENT_MAX - pu_min(all, PU_YAMUX_UNSENT_MAX);
	/* A stream that has nothing queued would never hear that there is room again. */
	room = pu_max(room, PU_YAMUX_UNSENT_SHARE - pu_min(len, PU_YAMUX_UNSENT_SHARE));
	return pu_min(room, pu_yamux_ring_room(&st->unsent));
}

void pu_yamux_stream_sent(struct pu_yamux_stream *st, size_t n)
{
	st->send_credit -= (uint32_t)n;
	st->ym->stats.unsent -= n;
	/* Not the other buffer: a consumer that is reading from it may have called us. */
	if (st->ym->stats.held > HELD_MAX)
		pu_yamux_ring_trim(&st->unsent);
	pu_yamux_stream_count_held(st);
	if (st->ym->conn)
		st->ym->conn->tx_bytes += n;
	progress(st);
	if (st->short_write && st->unsent.len <= st->unsent.max / 2 && stream_room(&st->base) > 0)
		schedule_todo(st, PU_YAMUX_TODO_WRITABLE);
	schedule_data(st);
}

void pu_yamux_stream_fin_sent(struct pu_yamux_stream *st)
{
	st->tx = PU_YAMUX_TX_CLOSED;
	progress(st);
	pu_yamux_stream_settle(st);
}

void pu_yamux_stream_linger_over(struct pu_yamux_stream *st)
{
	pu_yamux_stream_send_rst(st, PU_STREAM_CODE_NONE);
	bury(st);
}

/* --- the session's job --- */

void pu_yamux_stream_work(struct pu_yamux_stream *st)
{
	unsigned todo = st->todo;

	st->todo = 0;
	if (todo & PU_YAMUX_TODO_DROP)
		pu_yamux_stream_trim(st);
	if (todo & PU_YAMUX_TODO_OFFER)
		pu_yamux_stream_offer(st);
	if (!(todo & PU_YAMUX_TODO_WRITABLE) || !st->owned || !st->short_write)
		return;
	st->short_write = false;
	if (st->base.ev->on_writable && st->tx == PU_YAMUX_TX_OPEN)
		st->base.ev->on_writable(st->base.arg, &st->base);
}

/* --- struct pu_stream_ops --- */

static size_t stream_write(struct pu_stream *s, const uint8_t *p, size_t len)
{
	struct pu_yamux_stream *st = stream(s);
	size_t want = pu_min(len, stream_room(s));
	size_t n = pu_yamux_ring_write(&st->unsent, p, want);

	st->ym->stats.unsent += n;
	pu_yamux_stream_count_held(st);
	if (n < len)
		st->short_write = true;
	/* Without memory there may be nothing whose sending would wake the writer. */
	if (n < want)
		pu_yamux_fail(st->ym, PU_ENOMEM);
	schedule_data(st);
	return n;
}

static void stream_shutdown(struct pu_stream *s)
{
	struct pu_yamux_stream *st = stream(s);

	if (st->tx != PU_YAMUX_TX_OPEN)
		return;
	st->tx = PU_YAMUX_TX_CLOSING;
	schedule_data(st);
}

static void stream_resume(struct pu_stream *s)
{
	/* Even with nothing there yet: inside of on_recv the rest is not kept so far. */
	if (stream(s)->owned)
		schedule_todo(stream(s), PU_YAMUX_TODO_OFFER);
}

static void stream_close(struct pu_stream *s)
{
	struct pu_yamux_stream *st = stream(s);

	if (!st->owned)
		return;
	if (st->ym->state != PU_YAMUX_OPEN) {
		bury(st);
		return;
	}
	st->owned = false;
	st->base.ev = &nobody;
	if (st->rx == PU_YAMUX_RX_FIN)
		st->rx = PU_YAMUX_RX_ENDED;
	if (st->received.len > 0) {
		st->ym->stats.buffered -= st->received.len;
		pu_yamux_stream_discard(st, st->received.len);
		pu_buf_consume(&st->received, st->received.len);
		schedule_todo(st, PU_YAMUX_TODO_DROP);
	}
	stream_shutdown(s);
	linger(st);
	pu_yamux_stream_settle(st);
}

static void stream_reset(struct pu_stream *s, uint32_t code)
{
	struct pu_yamux_stream *st = stream(s);

	if (!st->owned)
		return;
	if (st->known && st->ym->state == PU_YAMUX_OPEN)
		pu_yamux_stream_send_rst(st, code);
	bury(st);
}

static const struct pu_stream_ops stream_ops = {
	.write = stream_write,
	.shutdown = stream_shutdown,
	.resume = stream_resume,
	.close = stream_close,
	.reset = stream_reset,
	.room = stream_room,
};

/* --- life --- */

static uint64_t id_hash(const struct pu_yamux *ym, uint32_t id)
{
	return pu_htab_hash(&ym->by_id, &id, sizeof id);
}

struct pu_yamux_stream *pu_yamux_find(struct pu_yamux *ym, uint32_t id)
{
	struct pu_hnode *n = pu_htab_first(&ym->by_id, id_hash(ym, id));

	for (; n; n = pu_htab_next(n)) {
		struct pu_yamux_stream *st = PU_CONTAINER_OF(n, struct pu_yamux_stream, by_id);

		if (pu_yamux_stream_id(st) == id)
			return st;
	}
	return NULL;
}

static void stream_init(struct pu_yamux_stream *st, struct pu_yamux *ym, uint32_t id,
			bool inbound)
{
	st->base.ops = &stream_ops;
	st->base.conn = ym->conn;
	st->base.id = id;
	st->base.inbound = inbound;
	st->base.ev = &nobody;
	st->ym = ym;
	st->owned = true;
	st->accepted = inbound;
	st->ctl_flags = inbound ? PU_YAMUX_ACK : PU_YAMUX_SYN;
	st->send_credit = PU_YAMUX_WINDOW_INITIAL;
	pu_list_init(&st->node);
	pu_list_init(&st->todo_node);
	pu_list_init(&st->ctl_node);
	pu_list_init(&st->data_node);
	pu_list_init(&st->linger_node);
	pu_yamux_window_init(&st->window, ym->max_window, pu_loop_now(ym->loop));
	/* The window is the limit; room for it is what growth may ever reach. */
	pu_buf_init(&st->received, ym->max_window);
	pu_yamux_ring_init(&st->unsent, ym->max_send);
}

int pu_yamux_stream_new(struct pu_yamux *ym, uint32_t id, bool inbound,
			struct pu_yamux_stream **pst)
{
	struct pu_yamux_stream *st = calloc(1, sizeof *st);
	int r;

	if (!st)
		return PU_ENOMEM;
	stream_init(st, ym, id, inbound);
	r = pu_htab_add(&ym->by_id, &st->by_id, id_hash(ym, id));
	if (r < 0) {
		free(st);
		return r;
	}
	st->known = true;
	pu_list_append(&ym->streams, &st->node);
	ym->stats.windows += st->window.size;
	ym->n_streams++;
	if (inbound)
		ym->n_inbound++;
	else
		ym->n_unacked++;
	if (ym->conn)
		ym->conn->n_streams++;
	pu_yamux_stream_schedule_ctl(st);
	*pst = st;
	return 0;
}

void pu_yamux_stream_free(struct pu_yamux_stream *st)
{
	pu_buf_deinit(&st->received);
	pu_yamux_ring_deinit(&st->unsent);
	free(st);
}
