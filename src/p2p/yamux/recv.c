/* Input of a session: frames are taken apart as they trickle in, bodies are handed
 * on without waiting for their end. */
#include "base/err.h"
#include "p2p/yamux/session_internal.h"

/* New stream of the peer. *pst stays NULL when it was refused. */
static int on_syn(struct pu_yamux *ym, uint32_t id, struct pu_yamux_stream **pst)
{
	struct pu_yamux_stream *st;
	bool theirs = (id % 2 == 0) == ym->client;
	int r;

	if (!theirs || pu_yamux_find(ym, id))
		return PU_EPROTO;
	if (ym->n_inbound >= ym->max_inbound) {
		ym->stats.streams_refused++;
		pu_yamux_queue_frame(ym, PU_YAMUX_WINDOW_UPDATE, PU_YAMUX_RST, id,
				     PU_STREAM_CODE_LIMIT);
		return 0;
	}
	r = pu_yamux_stream_new(ym, id, true, &st);
	if (r < 0)
		return r;
	ym->stats.streams_in++;
	ym->ev->on_stream(ym->arg, &st->base);
	/* The owner may have reset it at once. */
	if (st->known)
		*pst = st;
	return 0;
}

/* The stream a Data or WindowUpdate frame is about; *pst is NULL when the rest of the
 * frame is to be ignored: streams end at different times on the two sides. */
static int find_stream(struct pu_yamux *ym, const struct pu_yamux_frame *f,
		       struct pu_yamux_stream **pst)
{
	struct pu_yamux_stream *st;

	*pst = NULL;
	if (f->id == 0)
		return PU_EPROTO;
	if ((f->flags & PU_YAMUX_SYN) && !(f->flags & PU_YAMUX_RST))
		return on_syn(ym, f->id, pst);
	st = pu_yamux_find(ym, f->id);
	if (!st)
		return 0;
	pu_yamux_stream_on_accepted(st);
	if (f->flags & PU_YAMUX_RST) {
		/* Only a WindowUpdate has its length to spare for a code. */
		pu_yamux_stream_on_rst(st, f->type == PU_YAMUX_WINDOW_UPDATE ? f->len : 0);
		return 0;
	}
	*pst = st;
	return 0;
}

static int on_data(struct pu_yamux *ym, const struct pu_yamux_frame *f)
{
	struct pu_yamux_stream *st;
	int r;

	/* Nobody was ever allowed to send that much, not even to a stream we forgot. */
	if (f->len > ym->max_window)
		return PU_EPROTO;
	r = find_stream(ym, f, &st);
	if (r < 0)
		return r;
	if (st) {
		r = pu_yamux_window_recv(&st->window, f->len);
		if (r < 0)
			return r;
		/* Data after FIN is charged, then ignored. */
		if (st->rx != PU_YAMUX_RX_OPEN)
			st = NULL;
	}
	ym->in.body_left = f->len;
	ym->in.st = st;
	ym->in.fin = f->flags & PU_YAMUX_FIN;
	if (st && f->len == 0 && ym->in.fin)
		pu_yamux_stream_on_fin(st);
	return 0;
}

static int on_window_update(struct pu_yamux *ym, const struct pu_yamux_frame *f)
{
	struct pu_yamux_stream *st;
	int r;

	r = find_stream(ym, f, &st);
	if (r < 0 || !st)
		return r;
	pu_yamux_stream_on_credit(st, f->len);
	if (f->flags & PU_YAMUX_FIN)
		pu_yamux_stream_on_fin(st);
	return 0;
}

static int on_frame(struct pu_yamux *ym, const struct pu_yamux_frame *f)
{
	switch (f->type) {
	case PU_YAMUX_DATA:
		return on_data(ym, f);
	case PU_YAMUX_WINDOW_UPDATE:
		return on_window_update(ym, f);
	case PU_YAMUX_PING:
		if (f->flags & PU_YAMUX_SYN)
			pu_yamux_queue_frame(ym, PU_YAMUX_PING, PU_YAMUX_ACK, 0, f->len);
		else
			pu_yamux_ping_on_reply(&ym->ping, f->len);
		return 0;
	case PU_YAMUX_GO_AWAY:
		if (!ym->peer_leaving) {
			ym->peer_leaving = true;
			ym->ev->on_goaway(ym->arg, f->len);
		}
		return 0;
	}
	return PU_EPROTO;
}

/* Returns the bytes used, or why the session is over. */
static int take_header(struct pu_yamux *ym, const uint8_t *p, size_t len)
{
	struct pu_yamux_input *in = &ym->in;
	size_t n = pu_min(len, PU_YAMUX_HEADER_LEN - in->n_header);
	struct pu_yamux_frame f;
	int r;

	memcpy(in->header + in->n_header, p, n);
	in->n_header += n;
	if (in->n_header < PU_YAMUX_HEADER_LEN)
		return (int)n;
	in->n_header = 0;
	r = pu_yamux_frame_decode(&f, in->header);
	if (r == 0)
		r = on_frame(ym, &f);
	return r < 0 ? r : (int)n;
}

static int take_body(struct pu_yamux *ym, const uint8_t *p, size_t len)
{
	struct pu_yamux_input *in = &ym->in;
	size_t n = pu_min(len, in->body_left);
	int r = 0;

	in->body_left -= (uint32_t)n;
	if (in->st)
		r = pu_yamux_stream_on_data(in->st, p, n);
	if (r < 0)
		return r;
	/* Delivery may have ended the stream, which clears in->st. */
	if (in->st && in->body_left == 0 && in->fin)
		pu_yamux_stream_on_fin(in->st);
	return (int)n;
}

static int broken(struct pu_yamux *ym, int err)
{
	pu_yamux_close(ym, err == PU_EPROTO ? PU_YAMUX_GOAWAY_PROTOCOL :
					      PU_YAMUX_GOAWAY_INTERNAL);
	ym->err = err;
	return err;
}

int pu_yamux_recv(struct pu_yamux *ym, const uint8_t *in, size_t len)
{
	ym->ping.last_input = pu_loop_now(ym->loop);
	/* A callback may close the session in between. */
	while (len > 0 && ym->state == PU_YAMUX_OPEN) {
		int n = ym->in.body_left ? take_body(ym, in, len) : take_header(ym, in, len);

		if (n < 0)
			return broken(ym, n);
		in += n;
		len -= (size_t)n;
	}
	/* Told once. */
	if (ym->err < 0)
		ym->failure = 0;
	return ym->err;
}
