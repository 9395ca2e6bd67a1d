/* Output of a session: who sends what next. */
#include "base/err.h"
#include "p2p/yamux/session_internal.h"

enum {
	/* Competing streams take turns this long, so a keystroke does not wait for
	 * 64 KiB of each of its busy neighbours. */
	TURN_MAX = 16 * 1024,
	/* Space for less is not worth a frame of its own. */
	FRAME_MIN = 4096,
};

static size_t put_header(struct pu_buf *out, const struct pu_yamux_frame *f)
{
	uint8_t *p;

	if (pu_buf_reserve(out, PU_YAMUX_HEADER_LEN, &p) < 0)
		return 0;
	pu_yamux_frame_encode(f, p);
	pu_buf_commit(out, PU_YAMUX_HEADER_LEN);
	return PU_YAMUX_HEADER_LEN;
}

/* Frames that were queued ready-made. */
static size_t put_queue(struct pu_yamux *ym, struct pu_buf *out, size_t max)
{
	size_t n = pu_min(ym->ctl.len, max / PU_YAMUX_HEADER_LEN * PU_YAMUX_HEADER_LEN);

	if (n == 0 || pu_buf_append(out, pu_buf_bytes(&ym->ctl).p, n) < 0)
		return 0;
	pu_buf_consume(&ym->ctl, n);
	return n;
}

/* SYN, ACK and credit of one stream share a frame. */
static size_t put_ctl(struct pu_yamux_stream *st, struct pu_buf *out)
{
	struct pu_yamux_frame f = {
		.type = PU_YAMUX_WINDOW_UPDATE,
		.flags = st->ctl_flags,
		.id = pu_yamux_stream_id(st),
		.len = st->window.credit,
	};
	size_t n = put_header(out, &f);

	if (n == 0)
		return 0;
	pu_yamux_window_announce(&st->window);
	st->ctl_flags = 0;
	pu_list_remove(&st->ctl_node);
	return n;
}

static size_t put_fin(struct pu_yamux_stream *st, struct pu_buf *out)
{
	struct pu_yamux_frame f = {
		.type = PU_YAMUX_WINDOW_UPDATE,
		.flags = PU_YAMUX_FIN,
		.id = pu_yamux_stream_id(st),
	};
	size_t n = put_header(out, &f);

	if (n == 0)
		return 0;
	pu_list_remove(&st->data_node);
	pu_yamux_stream_fin_sent(st);
	return n;
}

static bool alone(const struct pu_yamux *ym)
{
	return ym->data_streams.next->next == &ym->data_streams;
}

static size_t put_data(struct pu_yamux_stream *st, struct pu_buf *out, size_t max)
{
	size_t n = pu_min(pu_min(st->unsent.len, st->send_credit),
			  alone(st->ym) ? PU_YAMUX_DATA_MAX : TURN_MAX);
	struct pu_yamux_frame f = { .type = PU_YAMUX_DATA, .id = pu_yamux_stream_id(st) };
	uint8_t *p;

	if (max < PU_YAMUX_HEADER_LEN + n) {
		if (max < FRAME_MIN)
			return 0;
		n = max - PU_YAMUX_HEADER_LEN;
	}
	if (pu_buf_reserve(out, PU_YAMUX_HEADER_LEN + n, &p) < 0)
		return 0;
	f.len = (uint32_t)n;
	pu_yamux_frame_encode(&f, p);
	pu_yamux_ring_read(&st->unsent, p + PU_YAMUX_HEADER_LEN, n);
	pu_buf_commit(out, PU_YAMUX_HEADER_LEN + n);
	/* To the end of the line, if there is more. */
	pu_list_remove(&st->data_node);
	pu_yamux_stream_sent(st, n);
	return PU_YAMUX_HEADER_LEN + n;
}

static size_t put_next(struct pu_yamux *ym, struct pu_buf *out, size_t max)
{
	struct pu_list *n;

	if (max < PU_YAMUX_HEADER_LEN)
		return 0;
	if (ym->ctl.len > 0)
		return put_queue(ym, out, max);
	if (ym->state != PU_YAMUX_OPEN)
		return 0;
	ym->spoke |= pu_yamux_has_output(ym);
	n = pu_list_first(&ym->ctl_streams);
	if (n)
		return put_ctl(PU_CONTAINER_OF(n, struct pu_yamux_stream, ctl_node), out);
	n = pu_list_first(&ym->data_streams);
	if (n) {
		struct pu_yamux_stream *st =
			PU_CONTAINER_OF(n, struct pu_yamux_stream, data_node);

		return st->unsent.len > 0 ? put_data(st, out, max) : put_fin(st, out);
	}
	return 0;
}

size_t pu_yamux_output(struct pu_yamux *ym, struct pu_buf *out, size_t max)
{
	size_t done = 0, n;

	max = pu_min(max, pu_buf_room(out));
	while ((n = put_next(ym, out, max - done)) > 0)
		done += n;
	if (!pu_yamux_has_output(ym))
		ym->output_news = false;
	return done;
}

bool pu_yamux_spoke(struct pu_yamux *ym)
{
	bool spoke = ym->spoke;

	ym->spoke = false;
	return spoke;
}

bool pu_yamux_has_output(const struct pu_yamux *ym)
{
	if (ym->ctl.len > 0)
		return true;
	return ym->state == PU_YAMUX_OPEN &&
	       (!pu_list_empty(&ym->ctl_streams) || !pu_list_empty(&ym->data_streams));
}
