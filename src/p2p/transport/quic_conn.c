/* A connection while it lives: from handshake to ready, input, time, and the job at
 * the end of a turn. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

/* ---- From handshake to connection ---- */

static void heed_params(struct quic_conn *c)
{
	const ngtcp2_transport_params *p = ngtcp2_conn_get_remote_transport_params(c->ng);
	pu_time idle = PU_MS(QUIC_IDLE_MS), every;

	if (p && p->max_idle_timeout && p->max_idle_timeout < idle)
		idle = p->max_idle_timeout;
	every = idle <= PU_SEC(10) ? PU_MS(QUIC_KEEP_ALIVE_SHORT_MS) : PU_MS(QUIC_KEEP_ALIVE_MS);
	if (every > idle / 2)
		every = idle / 2;
	c->keep_alive = every;
	ngtcp2_conn_set_keep_alive_timeout(c->ng, every);
	c->c.datagrams = p && p->max_datagram_frame_size > 0;
	/* Such a server does not follow when the kernel takes a new temporary address. */
	c->pinned |= p && p->disable_active_migration && c->seen_local.sa.sa_family != 0;
}

/* Addresses as others are told them. True when one changed. */
static bool update_addrs(struct quic_conn *c)
{
	const ngtcp2_path *path = ngtcp2_conn_get_path(c->ng);
	union pu_sockaddr local = { 0 }, remote = { 0 };

	if (path->user_data)
		c->ep = path->user_data;
	memcpy(&remote, path->remote.addr, path->remote.addrlen);
	memcpy(&c->path_local, path->local.addr, path->local.addrlen);
	local = c->path_local;
	if (c->c.inbound)
		pu_quic_arrival_unlabel(c, &local);
	else if (c->seen_local.sa.sa_family)
		local = c->seen_local;
	if (c->c.remote.len && pu_sockaddr_eq(&remote, &c->remote_sa) &&
	    pu_sockaddr_eq(&local, &c->local_sa))
		return false;
	c->arrivals++;
	c->remote_sa = remote;
	c->local_sa = local;
	pu_multiaddr_from_sockaddr(&c->c.remote, &remote, PU_MA_KIND_QUIC);
	pu_multiaddr_from_sockaddr(&c->c.local, &local, PU_MA_KIND_QUIC);
	return true;
}

static void tell_ready(struct quic_conn *c)
{
	struct pu_quic *q = c->q;
	struct pu_dial *dial = c->dial;

	if (c->c.inbound)
		dial = pu_quic_punch_take(q, &c->c.peer);
	c->dial = NULL;
	c->state = QUIC_OPEN;
	c->c.opened_at = quic_now(c);
	c->dgram_max = pu_quic_max_datagram(&c->c);
	if (dial) {
		dial->on_done(dial->arg, 0, &c->c);
		pu_quic_dial_free(dial);
	} else if (q->cfg.ev->on_inbound) {
		q->cfg.ev->on_inbound(q->cfg.arg, &c->c);
	}
}

static void become_ready(struct quic_conn *c)
{
	struct pu_quic *q = c->q;
	const struct pu_pubkey *remote = pu_quic_tls_remote(c->tls);

	c->c.remote_key = remote ? malloc(sizeof *remote) : NULL;
	if (!c->c.remote_key) {
		pu_quic_conn_end_liberr(c, remote ? NGTCP2_ERR_NOMEM : NGTCP2_ERR_INTERNAL);
		return;
	}
	*c->c.remote_key = *remote;
	c->c.peer = remote->peer;
	if (c->pending) {
		c->pending = false;
		q->n_pending--;
	}
	if (c->odcid)
		pu_quic_cid_remove(c, &c->odcid->cid);
	heed_params(c);
	update_addrs(c);
	if (q->cfg.ev->gate &&
	    !q->cfg.ev->gate(q->cfg.arg, &c->c.peer, c->c.inbound, &c->c.remote))
		pu_quic_conn_end_app(c, PU_EDENIED, PU_CONN_CODE_GATED, "connection gated");
	else
		tell_ready(c);
}

/* ---- Input, time, job ---- */

static void note_touched(struct quic_conn *c)
{
	if (pu_list_empty(&c->touched))
		pu_list_append(&c->q->touched, &c->touched);
	pu_job_defer(&c->job);
}

void pu_quic_conn_read(struct quic_conn *c, struct quic_endpoint *ep,
		       const struct pu_dgrams *d, const uint8_t *p, size_t len)
{
	const ngtcp2_pkt_info pi = { .ecn = d->ecn };
	union pu_sockaddr local = c->path_local;
	ngtcp2_path path = {
		.local = { &local.sa, pu_sockaddr_len(&local) },
		.remote = { (struct sockaddr *)&d->remote.sa, pu_sockaddr_len(&d->remote) },
		.user_data = ep,
	};
	bool elsewhere = false;
	uint64_t window;
	int r;

	if (!c->ng) {
		pu_quic_conn_repeat_goodbye(c);
		return;
	}
	if (c->end.set)
		return;
	if (c->c.inbound && d->local.sa.sa_family) {
		elsewhere = pu_quic_arrival_label(c, d, &local);
		path.local.addrlen = pu_sockaddr_len(&local);
	} else if (d->local.sa.sa_family && c->state == QUIC_HANDSHAKE) {
		c->seen_local = d->local;
	}
	window = ngtcp2_conn_get_cwnd_left(c->ng);
	c->reading = true;
	r = ngtcp2_conn_read_pkt(c->ng, &path, &pi, p, len, quic_ts(c));
	c->reading = false;
	if (elsewhere && c->state == QUIC_OPEN)
		c->path_news |= update_addrs(c);
	/* Nothing that is received changes it but an acknowledgement. */
	if (ngtcp2_conn_get_cwnd_left(c->ng) != window)
		quic_note_acked(c);
	note_touched(c);
	if (r == NGTCP2_ERR_RETRY) {
		/* ngtcp2 wants the client's address proved: forget this attempt. */
		pu_quic_conn_end_liberr(c, NGTCP2_ERR_DROP_CONN);
	} else if (r != 0) {
		pu_quic_conn_end_liberr(c, r);
	}
}

static void arm(struct quic_conn *c)
{
	pu_time at = ngtcp2_conn_get_expiry(c->ng);

	/* ngtcp2 0.12 wakes us at the end of a retired connection ID and forgets it only
	 * after that: it would wake us for ever. */
	if (at != PU_TIME_NEVER)
		at++;
	if (c->dial && c->dial->deadline < at)
		at = c->dial->deadline;
	if (c->pace_next > quic_now(c) && c->pace_next < at)
		at = c->pace_next;
	if (pu_quic_next_probe(c) < at)
		at = c->probe_at;
	if (pu_quic_next_look(c) < at)
		at = c->look_at;
	pu_timer_set(&c->timer, at);
}

void pu_quic_conn_timer(void *arg)
{
	struct quic_conn *c = arg;
	pu_time now = quic_now(c);
	int r;

	if (!c->ng) {
		pu_quic_conn_free(c);
		return;
	}
	pu_job_defer(&c->job);
	if (c->end.set)
		return;
	if (c->dial && c->dial->deadline <= now) {
		pu_quic_conn_end_liberr(c, NGTCP2_ERR_HANDSHAKE_TIMEOUT);
		return;
	}
	if (c->probe_at <= now)
		c->probe_due = true;
	pu_quic_look(c);
	if (ngtcp2_conn_get_expiry(c->ng) > now)
		return;
	c->reading = true;
	r = ngtcp2_conn_handle_expiry(c->ng, quic_ts(c));
	c->reading = false;
	if (r != 0) {
		pu_quic_conn_end_liberr(c, r);
		return;
	}
	c->flight_unsure = true;
	pu_quic_check_black_hole(c);
	/* ngtcp2 0.12 does not say when the peer stops reading a stream; that a blocked
	 * one is over shows when it is offered again. */
	while (!pu_list_empty(&c->blocked)) {
		struct pu_list *it = pu_list_first(&c->blocked);

		pu_list_remove(it);
		pu_list_append(&c->ready, it);
	}
}

static void check_path(struct quic_conn *c)
{
	size_t max = pu_quic_max_datagram(&c->c);
	bool moved = update_addrs(c);

	if (max == c->dgram_max && !moved && !c->path_news)
		return;
	c->dgram_max = max;
	c->path_news = false;
	if (c->c.ev && c->c.ev->on_path)
		c->c.ev->on_path(c->c.arg, &c->c);
}

void pu_quic_conn_job(void *arg)
{
	struct quic_conn *c = arg;

	if (!c->ng)
		return;
	if (c->state == QUIC_HANDSHAKE && !c->end.set &&
	    (c->c.inbound ? c->completed : c->confirmed))
		become_ready(c);
	if (c->state == QUIC_OPEN) {
		pu_quic_streams_announce(c);
		pu_quic_streams_resume(c);
		pu_quic_streams_finish(c);
		if (!c->end.set)
			check_path(c);
	}
	/* A proper goodbye comes after what was written; a refusal must not confirm
	 * the handshake first. */
	if (!c->end.set || (c->state == QUIC_OPEN && c->end.err == PU_ECLOSED && !c->end.by_peer))
		pu_quic_flush(c);
	if (c->state == QUIC_OPEN && !c->end.set)
		pu_quic_streams_tell_room(c);
	if (c->end.set)
		pu_quic_conn_finish(c);
	else
		arm(c);
}

/* ---- pu_conn ---- */

static int op_open_stream(struct pu_conn *pc, struct pu_stream **pst)
{
	struct quic_conn *c = quic_conn_of(pc);
	struct quic_stream *st;
	int64_t id;
	int r;

	if (!c->ng || c->end.set)
		return PU_ECLOSED;
	r = ngtcp2_conn_open_bidi_stream(c->ng, &id, NULL);
	if (r == NGTCP2_ERR_STREAM_ID_BLOCKED)
		return PU_ELIMIT;
	if (r != 0)
		return PU_ENOMEM;
	st = pu_quic_stream_new(c, id, false);
	if (!st) {
		pu_ng_shutdown_stream(c->ng, id, PU_STREAM_CODE_LIMIT);
		return PU_ENOMEM;
	}
	ngtcp2_conn_set_stream_user_data(c->ng, id, st);
	*pst = &st->s;
	return 0;
}

static void op_close(struct pu_conn *pc, uint64_t code)
{
	struct quic_conn *c = quic_conn_of(pc);

	if (c->ng)
		pu_quic_conn_end_app(c, PU_ECLOSED, code, "");
}

static pu_time op_rtt(const struct pu_conn *pc)
{
	const struct quic_conn *c = quic_conn_of(pc);

	return c->ng ? pu_ng_srtt(c->ng) : 0;
}

const struct pu_conn_ops pu_quic_conn_ops = {
	.open_stream = op_open_stream,
	.close = op_close,
	.send_datagram = pu_quic_send_datagram,
	.max_datagram = pu_quic_max_datagram,
	.rtt = op_rtt,
	.migrate = pu_quic_migrate,
	.follow = pu_quic_follow,
	.unanswered = pu_quic_unanswered,
	.probe = pu_quic_ask,
};
