/* What leaves in a turn and when: streams in the connection's job, next to the datagrams
 * that were written at once. The congestion controller decides how much (cwnd), pacing
 * when, and the burst limit how much of it in one turn. */
#include "p2p/transport/quic_internal.h"

enum {
	STREAM_VECS = 4,          /* spans of a stream offered for one packet */
	HUGE_DATAGRAM = 16000,    /* see write_rest() */
	BURST_WORTH = 64 << 10,   /* bytes; see worth_a_burst() */
	SHORT_RTT_MS = 2,
	TURN_BYTES = 16 << 10,    /* see pu_quic_datagrams_turn() */
	ROUNDS_MAX = 8,           /* such turns in one turn of the loop */
	FAST_QUANTUM = 60 << 10,  /* see burst_limit() */
	FAST_QUANTA = 4,
	PACE_TOLERANCE = 1000000, /* ns; ngtcp2's own */
	PACE_CREDIT = 2500000,    /* ns of lateness that may be made up: a timer of the loop
				   * is up to a millisecond late, and then it is a turn's turn */
};

/* ---- How much in this turn ---- */

static size_t burst_limit(const struct quic_conn *c)
{
	size_t quantum = ngtcp2_conn_get_send_quantum(c->ng);
	const pu_time now = quic_now(c);

	/* A quantum is about a millisecond of the path. Woken late, two are due. */
	if (c->pace_next > 0 && now > c->pace_next && now - c->pace_next > PACE_TOLERANCE / 2)
		quantum *= 2;
	/* The quantum stops growing at 64 KiB, one millisecond at half a Gbit/s; on
	 * faster paths a turn may carry more, for turns are not free. */
	return quantum >= FAST_QUANTUM ? FAST_QUANTA * quantum : quantum;
}

bool pu_quic_burst_left(struct quic_conn *c)
{
	const pu_time now = quic_now(c);
	size_t limit = burst_limit(c);

	/* ngtcp2 lets packets go a millisecond early, because the timers of others are
	 * no better. At 100 Mbit/s that is as long as a burst, and every one could be
	 * early: the queue at the bottleneck would never drain. */
	if (now < c->pace_next && c->pace_next - now <= PACE_TOLERANCE)
		return false;
	if (c->burst_at != now) {
		c->burst_at = now;
		c->burst = 0;
	}
	return c->burst < limit;
}

/* On a full path every acknowledgement makes room for two packets, and a send of two
 * costs as much as one of forty. Who has more waits for a quarter of the window: the
 * other three are under way and will be acknowledged. */
static bool worth_a_burst(const struct quic_conn *c)
{
	uint64_t left = ngtcp2_conn_get_cwnd_left(c->ng);

	if (left >= BURST_WORTH || left * 4 >= pu_ng_cwnd(c->ng))
		return true;
	/* Only where it will be there in a moment. On longer paths a burst is more
	 * likely to be lost in a short queue, and the wait would show. */
	return left > 0 && pu_ng_srtt(c->ng) > PU_MS(SHORT_RTT_MS);
}

/* When both wait for the congestion window, they take turns; bytes, not packets, and
 * not so often that no run of equal packets is left. */
bool pu_quic_datagrams_turn(const struct quic_conn *c)
{
	return pu_list_empty(&c->ready) || c->lead < TURN_BYTES;
}

static struct quic_stream *streams_turn(const struct quic_conn *c)
{
	struct pu_list *it = pu_list_first(&c->ready);
	struct quic_stream *st = it ? PU_CONTAINER_OF(it, struct quic_stream, link_tx) : NULL;

	if (!st || (c->dgram_wanted && c->lead <= -TURN_BYTES) ||
	    (!c->worthy && pu_quic_sendq_waiting(&st->tx) > TURN_BYTES))
		return NULL;
	return st;
}

/* ---- Streams and everything ngtcp2 itself has to say ---- */

/* What ngtcp2 wrote or why not, for the stream that was offered (or NULL). True:
 * go on with this packet. */
static bool next_stream(struct quic_conn *c, struct quic_stream *st, ngtcp2_ssize r)
{
	switch (r) {
	case NGTCP2_ERR_WRITE_MORE:
		return true;
	case NGTCP2_ERR_STREAM_DATA_BLOCKED:
		pu_list_remove(&st->link_tx);
		pu_list_append(&c->blocked, &st->link_tx);
		return true;
	case NGTCP2_ERR_STREAM_SHUT_WR:
	case NGTCP2_ERR_STREAM_NOT_FOUND:
		pu_quic_stream_on_stopped(st);
		return true;
	default:
		return false;
	}
}

static ngtcp2_ssize offer_stream(struct quic_conn *c, struct quic_stream *st,
				 ngtcp2_path_storage *ps, ngtcp2_pkt_info *pi, uint8_t *p,
				 size_t cap)
{
	ngtcp2_vec v[STREAM_VECS];
	ngtcp2_ssize taken = -1, r;
	uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE;
	size_t n = pu_quic_sendq_unsent(&st->tx, v, STREAM_VECS), len = 0;
	bool fin;

	for (size_t i = 0; i < n; i++)
		len += v[i].len;
	fin = st->fin && len == pu_quic_sendq_waiting(&st->tx);
	if (fin)
		flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
	r = ngtcp2_conn_writev_stream(c->ng, &ps->path, pi, p, cap, &taken, flags,
				      (int64_t)st->s.id, v, n, quic_ts(c));
	if (taken >= 0) {
		pu_quic_sendq_sent(&st->tx, (size_t)taken);
		c->stream_bytes += (uint64_t)taken;
		quic_note_sent(c);
		st->fin_sent = fin && (size_t)taken == len;
	}
	if (pu_quic_sendq_waiting(&st->tx) == 0 && (taken >= 0 || !st->fin)) {
		pu_list_remove(&st->link_tx);
	} else if (taken > 0) { /* the others first */
		pu_list_remove(&st->link_tx);
		pu_list_append(&c->ready, &st->link_tx);
	}
	return r;
}

/* Acknowledgements, lost data, control frames. ngtcp2 takes a call without data for
 * "the application has no more", which makes the controller distrust what it measures
 * and ignore losses. While datagrams wait for room that is wrong: then the call says
 * that there is a datagram, one too long for any packet. */
static ngtcp2_ssize write_rest(struct quic_conn *c, ngtcp2_path_storage *ps,
			       ngtcp2_pkt_info *pi, uint8_t *p)
{
	const ngtcp2_vec huge = { c->q->tx.mem, HUGE_DATAGRAM };
	int accepted = 0;

	if (PU_NG_OVERLONG_DATAGRAM && c->c.datagrams &&
	    (c->dgram_wanted || !pu_list_empty(&c->ready)) &&
	    ngtcp2_conn_get_remote_transport_params(c->ng)->max_datagram_frame_size >
		    HUGE_DATAGRAM + QUIC_DATAGRAM_FRAME)
		return ngtcp2_conn_writev_datagram(c->ng, &ps->path, pi, p, c->udp_cap,
						   &accepted, 0, 0, &huge, 1, quic_ts(c));
	return ngtcp2_conn_writev_stream(c->ng, &ps->path, pi, p, c->udp_cap, NULL, 0, -1, NULL,
					 0, quic_ts(c));
}

/* One packet with whatever is due. False: nothing (more) to write now. */
static bool write_packet(struct quic_conn *c)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = { 0 };
	uint8_t *p = pu_quic_tx_slot(c);
	uint64_t before = c->stream_bytes;
	struct quic_stream *st;
	ngtcp2_ssize r;

	ngtcp2_path_storage_zero(&ps);
	do {
		st = streams_turn(c);
		if (st)
			r = offer_stream(c, st, &ps, &pi, p, c->udp_cap);
		else
			r = write_rest(c, &ps, &pi, p);
	} while (next_stream(c, st, r));
	if (r < 0) {
		pu_quic_conn_end_liberr(c, (int)r);
		return false;
	}
	if (r > 0)
		pu_quic_tx_commit(c, p, (size_t)r, &ps.path, (uint8_t)pi.ecn);
	if (r > QUIC_MIN_UDP && c->stream_bytes > before)
		pu_quic_sent_big(c);
	if (r > 0 && c->dgram_wanted)
		c->lead -= r;
	return r > 0;
}

/* When the next burst may leave. A late one does not move the schedule, up to a point:
 * the average counts. */
static void pace(struct quic_conn *c)
{
	const double rate = pu_ng_pacing_rate(c->ng);
	const pu_time now = quic_now(c);
	pu_time from = now > PACE_CREDIT ? now - PACE_CREDIT : 0;

	if (rate <= 0) {
		ngtcp2_conn_update_pkt_tx_time(c->ng, quic_ts(c));
		return;
	}
	if (c->pace_next > from)
		from = c->pace_next;
	ngtcp2_conn_update_pkt_tx_time(c->ng, from);
	c->pace_next = from + (pu_time)((double)c->unpaced / rate);
}

void pu_quic_flush(struct quic_conn *c)
{
	int rounds = 0;

	if (c->ep->blocked) {
		if (pu_list_empty(&c->waiting))
			pu_list_append(&c->ep->waiting, &c->waiting);
		return;
	}
	c->flushing = true;
	c->worthy = !c->c.datagrams || worth_a_burst(c);
	do {
		pu_quic_tell_datagram_room(c);
		while (pu_quic_burst_left(c) && !c->ep->blocked && write_packet(c))
			;
	} while (c->yielded && pu_quic_datagrams_turn(c) && ++rounds < ROUNDS_MAX);
	if (c->probe_due && !c->end.set)
		pu_quic_probe(c);
	c->flushing = false;
	c->dgram_after = quic_now(c);
	if (pu_list_empty(&c->ready) || !c->dgram_wanted)
		c->lead = 0;
	if (c->q->tx.owner == c)
		pu_quic_tx_flush(c->q);
	/* Not before the handshake is complete: with the initial RTT guess the
	 * client's second flight would be paced out over 20 ms. */
	if (c->unpaced > 0 && c->completed)
		pace(c);
	c->unpaced = 0;
}

size_t pu_quic_write_close(struct quic_conn *c, uint8_t *p, size_t cap)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = { 0 };
	ngtcp2_ssize n;

	ngtcp2_path_storage_zero(&ps);
	n = ngtcp2_conn_write_connection_close(c->ng, &ps.path, &pi, p, cap, &c->end.close,
					       quic_ts(c));
	return n > 0 ? (size_t)n : 0;
}
