/* How a connection ends: why, the goodbye, the time in which late packets still get
 * it, and who is told. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

#include "base/log.h"

enum { CLOSING_MAX = 1024 };

void pu_quic_conn_end_app(struct quic_conn *c, int err, uint64_t code, const char *reason)
{
	if (c->end.set)
		return;
	c->end.set = c->c.closing = true;
	c->end.err = err;
	c->end.code = code;
	if (c->completed)
		pu_ng_close_app(&c->end.close, code, reason);
	else /* application codes would be shown to whoever reads the handshake */
		pu_ng_close_transport(&c->end.close, NGTCP2_NO_ERROR);
	pu_job_defer(&c->job);
}

static int err_of_transport_code(uint64_t code)
{
	if (code >= NGTCP2_CRYPTO_ERROR && code < NGTCP2_CRYPTO_ERROR + 0x100)
		return PU_ECRYPTO;
	if (code == NGTCP2_NO_ERROR)
		return PU_ECLOSED;
	if (code == NGTCP2_CONNECTION_REFUSED || code == NGTCP2_APPLICATION_ERROR)
		return PU_EREFUSED;
	return PU_EPROTO;
}

static void end_by_peer(struct quic_conn *c)
{
	bool app = false;
	uint64_t code = 0;

	c->end.by_peer = true;
	if (c->reset_seen) {
		c->end.err = PU_ERESET;
		return;
	}
	pu_ng_remote_close(c->ng, &app, &code);
	if (app) {
		c->end.code = code;
		c->end.err = code == PU_CONN_CODE_GATED && c->state == QUIC_HANDSHAKE
				     ? PU_EDENIED
				     : PU_ECLOSED;
	} else {
		c->end.err = err_of_transport_code(code);
		pu_log(PU_LOG_DEBUG, "quic", "closed by the peer", PU_KV_U64("code", code));
	}
}

void pu_quic_conn_end_liberr(struct quic_conn *c, int liberr)
{
	if (c->end.set)
		return;
	c->end.set = c->c.closing = true;
	pu_job_defer(&c->job);
	switch (liberr) {
	case NGTCP2_ERR_DRAINING:
		end_by_peer(c);
		return;
	case NGTCP2_ERR_IDLE_CLOSE:
		c->end.silent = true;
		c->end.err = PU_ETIMEDOUT;
		return;
	case NGTCP2_ERR_DROP_CONN:
		c->end.silent = true;
		c->end.err = PU_EPROTO;
		return;
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		c->end.silent = true;
		c->end.err = PU_ENOPROTO;
		return;
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		c->end.err = PU_ETIMEDOUT;
		pu_ng_close_transport(&c->end.close, NGTCP2_NO_ERROR);
		return;
	case NGTCP2_ERR_CRYPTO:
		c->end.err = c->tls ? pu_quic_tls_verdict(c->tls) : 0;
		if (c->end.err == 0)
			c->end.err = PU_ECRYPTO;
		pu_ng_close_alert(&c->end.close, ngtcp2_conn_get_tls_alert(c->ng));
		return;
	case NGTCP2_ERR_NOMEM:
		c->end.err = PU_ENOMEM;
		break;
	default:
		c->end.err = PU_EPROTO;
		break;
	}
	pu_log(PU_LOG_DEBUG, "quic", "connection failed",
	       PU_KV_STR("reason", ngtcp2_strerror(liberr)));
	pu_ng_close_liberr(&c->end.close, liberr);
}

/* Says goodbye and keeps what is needed to repeat it. */
static void write_goodbye(struct quic_conn *c)
{
	struct pu_dgrams d = { .remote = c->remote_sa };

	c->close_pkt = malloc(QUIC_CLOSE_PKT_MAX);
	if (!c->close_pkt)
		return;
	c->close_len = pu_quic_write_close(c, c->close_pkt, QUIC_CLOSE_PKT_MAX);
	if (c->close_len == 0)
		return;
	if (c->pinned)
		d.local = c->local_sa;
	d.p = c->close_pkt;
	d.len = d.segment = c->close_len;
	pu_quic_tx_flush(c->q);
	if (!c->ep->blocked)
		pu_quic_endpoint_send(c->ep, &d);
}

/* From now on only the connection IDs are kept, so that late packets of the peer get
 * the same goodbye (or silence) instead of a stateless reset. */
static void enter_closing(struct quic_conn *c, bool goodbye)
{
	pu_time linger = 3 * ngtcp2_conn_get_pto(c->ng);

	if (goodbye && !c->end.silent && !c->end.by_peer)
		write_goodbye(c);
	if (c->q->tx.owner == c)
		pu_quic_tx_flush(c->q);
	pu_list_remove(&c->waiting);
	pu_list_remove(&c->touched);
	if (c->pending) {
		c->pending = false;
		c->q->n_pending--;
	}
	pu_quic_tls_free(c->tls);
	c->tls = NULL;
	ngtcp2_conn_del(c->ng);
	c->ng = NULL;
	if (c->end.silent || !goodbye || c->q->n_closing >= CLOSING_MAX) {
		c->state = QUIC_DEAD;
		return;
	}
	c->state = c->close_len > 0 ? QUIC_CLOSING : QUIC_DRAINING;
	c->q->n_closing++;
	pu_timer_set(&c->timer, quic_now(c) + linger);
}

void pu_quic_conn_free(struct quic_conn *c)
{
	if (c->state == QUIC_CLOSING || c->state == QUIC_DRAINING)
		c->q->n_closing--;
	pu_timer_stop(&c->timer);
	pu_job_cancel(&c->job);
	pu_quic_cid_remove_all(c);
	pu_list_remove(&c->node);
	free(c->c.remote_key);
	free(c->close_pkt);
	free(c);
}

void pu_quic_conn_destroy(struct quic_conn *c, bool goodbye)
{
	pu_quic_streams_lose(c, false);
	if (c->ng) {
		if (!c->end.set)
			pu_quic_conn_end_app(c, PU_ECANCELED, PU_CONN_CODE_SHUTDOWN, "");
		if (goodbye && !c->end.silent && !c->end.by_peer)
			write_goodbye(c);
		enter_closing(c, false);
	}
	if (c->pending)
		c->q->n_pending--;
	pu_quic_conn_free(c);
}

void pu_quic_conn_finish(struct quic_conn *c)
{
	const enum quic_state was = c->state;
	const struct quic_end end = c->end;
	struct pu_quic *q = c->q;
	struct pu_dial *dial = c->dial;

	c->dial = NULL;
	enter_closing(c, true);
	if (was == QUIC_OPEN) {
		pu_quic_streams_lose(c, true);
		if (c->c.ev)
			c->c.ev->on_closed(c->c.arg, &c->c, end.err, end.code);
	} else {
		pu_quic_streams_lose(c, false);
		if (dial)
			dial->on_done(dial->arg, end.err, NULL);
		else if (c->c.inbound && q->cfg.ev->on_inbound_failed)
			q->cfg.ev->on_inbound_failed(q->cfg.arg, &c->remote_sa, end.err);
		pu_quic_dial_free(dial);
	}
	if (c->state == QUIC_DEAD)
		pu_quic_conn_free(c);
}

/* RFC 9000 10.2.1: the goodbye again, ever more rarely. */
void pu_quic_conn_repeat_goodbye(struct quic_conn *c)
{
	struct pu_dgrams d = { .remote = c->remote_sa, .p = c->close_pkt, .len = c->close_len,
			       .segment = c->close_len };

	c->close_seen++;
	if (c->close_len == 0 || c->close_seen & (c->close_seen - 1) || c->ep->blocked)
		return;
	if (c->pinned)
		d.local = c->local_sa;
	pu_quic_endpoint_send(c->ep, &d);
}
