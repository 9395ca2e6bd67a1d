/* What the peer sent, on its way to the consumer of a stream. */
#include <assert.h>

#include "base/err.h"
#include "p2p/yamux/session_internal.h"

static bool eof_pending(const struct pu_yamux_stream *st)
{
	return st->rx == PU_YAMUX_RX_FIN && st->received.len == 0;
}

static void taken(struct pu_yamux_stream *st, size_t n)
{
	struct pu_yamux *ym = st->ym;
	uint32_t grown;

	/* Nobody sends after FIN, so credit would be noise. */
	if (n == 0 || st->rx != PU_YAMUX_RX_OPEN)
		return;
	grown = pu_yamux_window_take(&st->window, (uint32_t)n, pu_loop_now(ym->loop),
				     ym->ping.rtt, ym->max_memory > ym->stats.windows ?
				     ym->max_memory - ym->stats.windows : 0);
	ym->stats.windows += grown;
	ym->stats.window_growths += grown > 0;
	if (pu_yamux_window_due(&st->window))
		pu_yamux_stream_schedule_ctl(st);
}

static void tell_eof(struct pu_yamux_stream *st)
{
	if (!st->owned || !eof_pending(st))
		return;
	st->rx = PU_YAMUX_RX_ENDED;
	if (st->base.ev->on_eof)
		st->base.ev->on_eof(st->base.arg, &st->base);
}

void pu_yamux_stream_offer(struct pu_yamux_stream *st)
{
	while (st->owned && st->received.len > 0) {
		struct pu_bytes b = pu_buf_bytes(&st->received);
		size_t n = st->base.ev->on_recv(st->base.arg, &st->base, b.p, b.len);

		assert(n <= b.len);
		if (!st->owned)
			return;
		pu_buf_consume(&st->received, n);
		st->ym->stats.buffered -= n;
		taken(st, n);
		if (n < b.len)
			return;
	}
	pu_yamux_stream_trim_if_tight(st);
	tell_eof(st);
}

static void over_memory(struct pu_yamux_stream *st)
{
	pu_yamux_stream_send_rst(st, PU_STREAM_CODE_LIMIT);
	pu_yamux_stream_end(st, PU_ELIMIT, PU_STREAM_CODE_LIMIT);
}

static int keep(struct pu_yamux_stream *st, const uint8_t *p, size_t n)
{
	struct pu_yamux *ym = st->ym;
	int r;

	if (n > ym->max_memory - pu_min(ym->max_memory, ym->stats.buffered)) {
		over_memory(st);
		return 0;
	}
	r = pu_buf_append(&st->received, p, n);
	if (r < 0)
		return r;
	ym->stats.buffered += n;
	pu_yamux_stream_count_held(st);
	return 0;
}

/* While our own data still has to get out, what nobody wants is credited, or a peer
 * that writes before it reads would be stuck. After our FIN it may stop or be reset
 * when we have lingered long enough. */
void pu_yamux_stream_discard(struct pu_yamux_stream *st, size_t n)
{
	if (st->tx != PU_YAMUX_TX_CLOSED)
		taken(st, n);
}

int pu_yamux_stream_on_data(struct pu_yamux_stream *st, const uint8_t *p, size_t n)
{
	size_t m;
	int r;

	if (st->ym->conn)
		st->ym->conn->rx_bytes += n;
	if (!st->owned) {
		pu_yamux_stream_discard(st, n);
		return 0;
	}
	if (st->received.len > 0) {
		r = keep(st, p, n);
		if (r == 0)
			pu_yamux_stream_offer(st);
		return r;
	}
	m = st->base.ev->on_recv(st->base.arg, &st->base, p, n);
	assert(m <= n);
	if (!st->owned)
		return 0;
	taken(st, m);
	return m < n ? keep(st, p + m, n - m) : 0;
}

void pu_yamux_stream_on_fin(struct pu_yamux_stream *st)
{
	if (st->rx != PU_YAMUX_RX_OPEN)
		return;
	/* Credit that is not sent yet has become pointless. */
	st->window.credit = 0;
	if (!st->ctl_flags)
		pu_list_remove(&st->ctl_node);
	st->rx = st->owned ? PU_YAMUX_RX_FIN : PU_YAMUX_RX_ENDED;
	pu_yamux_stream_settle(st);
	tell_eof(st);
}
