/* DATAGRAM frames: sent at once or refused, never queued; who was refused is asked again
 * when there is room, and somebody sees to it that there will be. */
#include "p2p/transport/quic_internal.h"

enum {
	DATAGRAM_VECS = 8,
	DATAGRAM_TRIES = 4, /* packets that carry something else instead */
	/* Of the window, never filled by datagrams: a probe must find room. */
	WINDOW_RESERVE = QUIC_MAX_UDP + 256,
	PROBE_BACKOFF_MAX = 6,
};

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
	overhead = HEADER + ngtcp2_conn_get_dcid(c->ng)->datalen + TAG + QUIC_DATAGRAM_FRAME;
	if (p->max_datagram_frame_size <= QUIC_DATAGRAM_FRAME)
		return 0;
	return pu_min(udp - overhead, (size_t)p->max_datagram_frame_size - QUIC_DATAGRAM_FRAME);
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
		uint8_t *p = pu_quic_tx_slot(c);
		ngtcp2_ssize r = ngtcp2_conn_writev_datagram(c->ng, &ps.path, &pi, p, c->udp_cap,
							     &accepted, 0, big, v, n,
							     quic_ts(c));

		if (r < 0) {
			pu_quic_conn_end_liberr(c, (int)r);
			return PU_ECLOSED;
		}
		if (r == 0)
			break;
		pu_quic_tx_commit(c, p, (size_t)r, &ps.path, (uint8_t)pi.ecn);
		if (!pu_list_empty(&c->ready))
			c->lead += r;
		if (c->ep->blocked)
			break;
	}
	if (accepted)
		quic_note_sent(c);
	if (accepted && big)
		pu_quic_sent_big(c);
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
	c->yielded = !pu_quic_datagrams_turn(c);
	if (!c->flushing)
		pu_job_defer(&c->job);
	if (c->reading || c->ep->blocked || c->yielded || !pu_quic_burst_left(c) ||
	    ngtcp2_conn_get_cwnd_left(c->ng) < WINDOW_RESERVE ||
	    write_datagram(c, v, n_vecs, len > QUIC_MIN_UDP) < 0)
		return c->end.set ? PU_ECLOSED : datagram_blocked(c);
	pc->tx_bytes += len;
	return 0;
}

void pu_quic_tell_datagram_room(struct quic_conn *c)
{
	if (!c->dgram_wanted || c->end.set || c->dgram_after >= quic_now(c) || !c->worthy ||
	    ngtcp2_conn_get_cwnd_left(c->ng) < WINDOW_RESERVE)
		return;
	c->dgram_wanted = c->yielded = false;
	if (c->c.ev && c->c.ev->on_datagram_room)
		c->c.ev->on_datagram_room(c->c.arg, &c->c);
}

/* Datagrams are not repeated, so ngtcp2 starts no timer for them. When the last ones of
 * a window are lost, they count as under way for ever: no acknowledgement comes that
 * would show the loss, and nothing more may be sent. A PING behind them brings one. */
void pu_quic_probe(struct quic_conn *c)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = { 0 };
	uint8_t *p = pu_quic_tx_slot(c);
	ngtcp2_ssize r;

	c->probe_due = false;
	c->probe_at = PU_TIME_NEVER;
	ngtcp2_path_storage_zero(&ps);
	/* As a keep-alive that is due, two nanoseconds after whatever was sent now. */
	c->ts_floor = quic_ts(c) + 2;
	ngtcp2_conn_set_keep_alive_timeout(c->ng, 1);
	r = ngtcp2_conn_writev_stream(c->ng, &ps.path, &pi, p, c->udp_cap, NULL, 0, -1, NULL, 0,
				      c->ts_floor);
	ngtcp2_conn_set_keep_alive_timeout(c->ng, c->keep_alive);
	if (r < 0)
		pu_quic_conn_end_liberr(c, (int)r);
	else if (r > 0)
		pu_quic_tx_commit(c, p, (size_t)r, &ps.path, (uint8_t)pi.ecn);
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
