/* Everything that makes packets: datagrams at once, streams in the connection's job,
 * both one behind the other into one buffer that leaves as one GSO send per run of
 * equal length. The congestion controller decides how much (cwnd), pacing when, and
 * the burst limit how much of it in one turn. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

enum {
	STREAM_VECS = 4,
	DATAGRAM_VECS = 8,
	DATAGRAM_FRAME = 1 + 2, /* type, and a length of two bytes */
	HUGE_DATAGRAM = 16000,
	DATAGRAM_TRIES = 4, /* packets that carry something else instead */
	BURST_WORTH = 64 << 10,
	SHORT_RTT_MS = 2,
	/* Never filled by datagrams: a probe must find room, see probe(). */
	WINDOW_RESERVE = QUIC_MAX_UDP + 256,
	PROBE_BACKOFF_MAX = 6,
	TURN_BYTES = 16 << 10,
	ROUNDS_MAX = 8,
	FAST_QUANTUM = 60 << 10,
	FAST_QUANTA = 4,
	PACE_TOLERANCE = 1000000, /* ns; ngtcp2's own */
	PACE_CREDIT = 2500000,    /* ns of lateness that may be made up: a timer of the loop
				   * is up to a millisecond late, and then it is a turn's turn */
	/* A black hole is a long packet with no answer for this many PTOs (and at
	 * least a second). The first pause between tries is a minute, then doubled. */
	BLACK_HOLE_PTOS = 4,
	BLACK_HOLE_PAUSE_S = 60,
	BLACK_HOLE_DOUBLINGS = 5,
};

/* ---- One batch for the socket ---- */

/* Runs of different packets share a send only by accident, so a refusal because of
 * the length is answered by sending them alone: a probe is lost, its neighbours live. */
static void send_alone(struct quic_endpoint *ep, const struct pu_dgrams *d)
{
	const struct pu_net *net = ep->q->cfg.net;
	struct pu_dgrams one = *d;

	for (size_t off = 0; off < d->len; off += d->segment) {
		one.p = d->p + off;
		one.len = one.segment = pu_min(d->segment, d->len - off);
		if (net->ops->udp_send(ep->udp, &one) < 0)
			ep->q->stats.tx_dropped++;
	}
}

static void hold(struct quic_endpoint *ep, const struct pu_dgrams *d)
{
	if (!ep->held)
		ep->held = malloc(QUIC_TX_CAP);
	if (!ep->held || d->len > QUIC_TX_CAP) {
		ep->q->stats.tx_dropped++;
		return;
	}
	memcpy(ep->held, d->p, d->len);
	ep->held_batch = *d;
	ep->held_batch.p = ep->held;
	ep->blocked = true;
}

int pu_quic_endpoint_send(struct quic_endpoint *ep, const struct pu_dgrams *d)
{
	struct pu_quic_stats *stats = &ep->q->stats;
	int r;

	if (ep->blocked) {
		stats->tx_dropped++;
		return PU_EAGAIN;
	}
	r = ep->q->cfg.net->ops->udp_send(ep->udp, d);
	stats->tx_batches++;
	stats->tx_packets += (d->len + d->segment - 1) / d->segment;
	stats->tx_bytes += d->len;
	if (r == PU_EAGAIN)
		hold(ep, d);
	else if (r == PU_E2BIG && d->segment < d->len)
		send_alone(ep, d);
	else if (r < 0)
		stats->tx_dropped++;
	return r;
}

void pu_quic_endpoint_writable(struct quic_endpoint *ep)
{
	struct pu_list *it;

	if (!ep->blocked)
		return;
	if (ep->q->cfg.net->ops->udp_send(ep->udp, &ep->held_batch) == PU_EAGAIN)
		return;
	ep->blocked = false;
	while ((it = pu_list_first(&ep->waiting))) {
		struct quic_conn *c = PU_CONTAINER_OF(it, struct quic_conn, waiting);

		pu_list_remove(it);
		pu_job_defer(&c->job);
	}
}

void pu_quic_tx_flush(struct pu_quic *q)
{
	struct quic_tx *tx = &q->tx;
	struct quic_conn *c = tx->owner;
	struct pu_dgrams d = { .remote = tx->remote, .local = tx->local, .p = tx->mem,
			       .len = tx->len, .segment = tx->segment, .ecn = tx->ecn };
	int r;

	if (!c)
		return;
	tx->owner = NULL;
	tx->len = 0;
	tx->n = 0;
	r = pu_quic_endpoint_send(tx->ep, &d);
	/* Nobody there, says our own kernel: a dial need not wait for its timeout. */
	if (c->dial && (r == PU_EUNREACH || r == PU_EPERM)) {
		c->end.silent = true;
		pu_quic_conn_end_app(c, r, 0, "");
	}
}

/* Space for one packet of c, as long as the path may have it. */
static uint8_t *tx_slot(struct quic_conn *c)
{
	struct quic_tx *tx = &c->q->tx;

	if (tx->owner && (tx->owner != c || tx->len + QUIC_MAX_UDP > QUIC_TX_CAP ||
			  tx->n == QUIC_TX_SEGMENTS_MAX))
		pu_quic_tx_flush(c->q);
	return tx->mem + tx->len;
}

/* The n bytes at p, which came from tx_slot(), are a packet for that path. */
static void tx_commit(struct quic_conn *c, uint8_t *p, size_t n, const ngtcp2_path *path,
		      uint8_t ecn)
{
	struct quic_tx *tx = &c->q->tx;
	struct quic_endpoint *ep = path->user_data ? path->user_data : c->ep;
	union pu_sockaddr remote = { 0 }, local = { 0 };

	memcpy(&remote, path->remote.addr, path->remote.addrlen);
	if (c->c.inbound)
		memcpy(&local, path->local.addr, path->local.addrlen);
	if (tx->owner && (n > tx->segment || ecn != tx->ecn || ep != tx->ep ||
			  memcmp(&remote, &tx->remote, sizeof remote) != 0 ||
			  memcmp(&local, &tx->local, sizeof local) != 0)) {
		pu_quic_tx_flush(c->q);
		memmove(tx->mem, p, n);
	}
	if (!tx->owner) {
		tx->owner = c;
		tx->ep = ep;
		tx->remote = remote;
		tx->local = local;
		tx->ecn = ecn;
		tx->segment = n;
	}
	tx->len += n;
	tx->n++;
	c->burst += n;
	c->unpaced += n;
	if (n > QUIC_MIN_UDP && c->big_since == 0 &&
	    ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng) > QUIC_MIN_UDP)
		c->big_since = quic_now(c);
	if (n < tx->segment) /* a shorter one can only be the last */
		pu_quic_tx_flush(c->q);
}

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

static bool burst_left(struct quic_conn *c)
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
static bool datagrams_turn(const struct quic_conn *c)
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
				      (int64_t)st->s.id, v, n, quic_now(c));
	if (taken >= 0) {
		pu_quic_sendq_sent(&st->tx, (size_t)taken);
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
		    HUGE_DATAGRAM + DATAGRAM_FRAME)
		return ngtcp2_conn_writev_datagram(c->ng, &ps->path, pi, p, c->udp_cap,
						   &accepted, 0, 0, &huge, 1, quic_now(c));
	return ngtcp2_conn_writev_stream(c->ng, &ps->path, pi, p, c->udp_cap, NULL, 0, -1, NULL,
					 0, quic_now(c));
}

/* One packet with whatever is due. False: nothing (more) to write now. */
static bool write_packet(struct quic_conn *c)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = { 0 };
	uint8_t *p = tx_slot(c);
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
		tx_commit(c, p, (size_t)r, &ps.path, (uint8_t)pi.ecn);
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
		ngtcp2_conn_update_pkt_tx_time(c->ng, now);
		return;
	}
	if (c->pace_next > from)
		from = c->pace_next;
	ngtcp2_conn_update_pkt_tx_time(c->ng, from);
	c->pace_next = from + (pu_time)((double)c->unpaced / rate);
}

/* Datagrams are not repeated, so ngtcp2 starts no timer for them. When the last ones of
 * a window are lost, they count as under way for ever: no acknowledgement comes that
 * would show the loss, and nothing more may be sent. A PING behind them brings one. */
static void probe(struct quic_conn *c)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = { 0 };
	uint8_t *p = tx_slot(c);
	ngtcp2_ssize r;

	c->probe_due = false;
	c->probe_at = PU_TIME_NEVER;
	ngtcp2_path_storage_zero(&ps);
	/* As a keep-alive that is due, two nanoseconds after whatever was sent now. */
	ngtcp2_conn_set_keep_alive_timeout(c->ng, 1);
	r = ngtcp2_conn_writev_stream(c->ng, &ps.path, &pi, p, c->udp_cap, NULL, 0, -1, NULL, 0,
				      quic_now(c) + 2);
	ngtcp2_conn_set_keep_alive_timeout(c->ng, c->keep_alive);
	if (r < 0)
		pu_quic_conn_end_liberr(c, (int)r);
	else if (r > 0)
		tx_commit(c, p, (size_t)r, &ps.path, (uint8_t)pi.ecn);
}

pu_time pu_quic_next_probe(struct quic_conn *c)
{
	uint64_t left;

	if (!c->dgram_wanted || c->ep->blocked) {
		c->n_probes = 0;
		return c->probe_at = PU_TIME_NEVER;
	}
	left = ngtcp2_conn_get_cwnd_left(c->ng);
	if (c->probe_at != PU_TIME_NEVER && left == c->probe_left)
		return c->probe_at;
	/* The window moved: there is life. A probe itself makes it a little smaller. */
	c->n_probes = left > c->probe_left ? 0 : c->n_probes + 1;
	c->probe_left = left;
	return c->probe_at = quic_now(c) + (ngtcp2_conn_get_pto(c->ng)
					    << pu_min(c->n_probes, PROBE_BACKOFF_MAX));
}

static void tell_datagram_room(struct quic_conn *c)
{
	if (!c->dgram_wanted || c->end.set || c->dgram_after >= quic_now(c) || !c->worthy ||
	    ngtcp2_conn_get_cwnd_left(c->ng) < WINDOW_RESERVE)
		return;
	c->dgram_wanted = c->yielded = false;
	if (c->c.ev && c->c.ev->on_datagram_room)
		c->c.ev->on_datagram_room(c->c.arg, &c->c);
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
		tell_datagram_room(c);
		while (burst_left(c) && !c->ep->blocked && write_packet(c))
			;
	} while (c->yielded && datagrams_turn(c) && ++rounds < ROUNDS_MAX);
	if (c->probe_due && !c->end.set)
		probe(c);
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
					       quic_now(c));
	return n > 0 ? (size_t)n : 0;
}

/* ---- Datagrams ---- */

size_t pu_quic_max_datagram(const struct pu_conn *pc)
{
	/* Short header with the longest packet number; AEAD tag. */
	enum { HEADER = 1 + 4, TAG = 16 };
	const struct quic_conn *c = quic_conn_of(pc);
	const ngtcp2_transport_params *p;
	size_t udp, overhead;

	if (!c->ng || !pc->datagrams)
		return 0;
	p = ngtcp2_conn_get_remote_transport_params(c->ng);
	udp = pu_min(ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng), c->udp_cap);
	overhead = HEADER + ngtcp2_conn_get_dcid(c->ng)->datalen + TAG + DATAGRAM_FRAME;
	if (p->max_datagram_frame_size <= DATAGRAM_FRAME)
		return 0;
	return pu_min(udp - overhead, (size_t)p->max_datagram_frame_size - DATAGRAM_FRAME);
}

/* Inside of a callback, or behind streams, the end of this turn is soon enough to ask
 * again; otherwise an acknowledgement or the pacing timer has to come first, and they
 * make a new turn. */
static int datagram_blocked(struct quic_conn *c)
{
	c->dgram_wanted = true;
	c->dgram_after = c->reading || c->yielded ? 0 : quic_now(c);
	c->q->stats.datagrams_blocked++;
	return PU_EAGAIN;
}

static int write_datagram(struct quic_conn *c, const ngtcp2_vec *v, size_t n, bool big)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = { 0 };
	int accepted = 0;

	ngtcp2_path_storage_zero(&ps);
	for (int i = 0; i < DATAGRAM_TRIES && !accepted; i++) {
		uint8_t *p = tx_slot(c);
		ngtcp2_ssize r = ngtcp2_conn_writev_datagram(c->ng, &ps.path, &pi, p, c->udp_cap,
							     &accepted, 0, big, v, n,
							     quic_now(c));

		if (r < 0) {
			pu_quic_conn_end_liberr(c, (int)r);
			return PU_ECLOSED;
		}
		if (r == 0)
			break;
		tx_commit(c, p, (size_t)r, &ps.path, (uint8_t)pi.ecn);
		if (!pu_list_empty(&c->ready))
			c->lead += r;
		if (c->ep->blocked)
			break;
	}
	return accepted ? 0 : PU_EAGAIN;
}

int pu_quic_send_datagram(struct pu_conn *pc, const struct iovec *iov, int n)
{
	struct quic_conn *c = quic_conn_of(pc);
	ngtcp2_vec v[DATAGRAM_VECS];
	size_t len = 0, n_vecs = 0;

	if (!c->ng || c->end.set || c->state != QUIC_OPEN)
		return PU_ECLOSED;
	if (!pc->datagrams)
		return PU_ENOTSUP;
	if (n < 0 || n > DATAGRAM_VECS)
		return PU_EINVAL;
	for (int i = 0; i < n; i++) {
		if (iov[i].iov_len > 0) /* ngtcp2 asserts it */
			v[n_vecs++] = (ngtcp2_vec){ iov[i].iov_base, iov[i].iov_len };
		len += iov[i].iov_len;
	}
	if (len > pu_quic_max_datagram(pc))
		return PU_E2BIG;
	if (c->dgram_wanted)
		return PU_EAGAIN; /* not before those who were told to wait */
	c->yielded = !datagrams_turn(c);
	if (!c->flushing)
		pu_job_defer(&c->job);
	if (c->reading || c->ep->blocked || c->yielded || !burst_left(c) ||
	    ngtcp2_conn_get_cwnd_left(c->ng) < WINDOW_RESERVE ||
	    write_datagram(c, v, n_vecs, len > QUIC_MIN_UDP) < 0)
		return c->end.set ? PU_ECLOSED : datagram_blocked(c);
	pc->tx_bytes += len;
	return 0;
}

/* ---- Path MTU black holes ----
 * ngtcp2 raises the packet size after a probe came through and never lowers it. When
 * the path shrinks later (a route moved to a tunnel), every full packet is lost while
 * the small ones pass. So: no answer to any long packet for a while means back to
 * 1200 bytes, and a new try later. */

void pu_quic_sent_big_acked(struct quic_conn *c)
{
	c->big_since = 0;
}

void pu_quic_check_black_hole(struct quic_conn *c)
{
	pu_time now = quic_now(c), patience;
	unsigned n = c->n_black_holes;

	if (c->udp_cap == QUIC_MIN_UDP && now >= c->cap_until) {
		c->udp_cap = QUIC_MAX_UDP;
		c->big_since = 0;
	}
	if (c->big_since == 0 || c->udp_cap == QUIC_MIN_UDP)
		return;
	patience = pu_max(BLACK_HOLE_PTOS * ngtcp2_conn_get_pto(c->ng), PU_SEC(1));
	if (now - c->big_since < patience)
		return;
	c->udp_cap = QUIC_MIN_UDP;
	c->big_since = 0;
	c->cap_until = now + (PU_SEC(BLACK_HOLE_PAUSE_S) << pu_min(n, BLACK_HOLE_DOUBLINGS));
	c->n_black_holes++;
	c->q->stats.black_holes++;
}
