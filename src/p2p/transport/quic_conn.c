/* One connection: birth, ngtcp2's callbacks, input, time, the job, and the end. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

#include "base/log.h"

enum { CLOSING_MAX = 1024 };

static void conn_job(void *arg);
static void conn_timer(void *arg);

/* ---- What ngtcp2 tells us. Nothing here may write a packet or free. ---- */

static void on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
	pu_loop_random(ctx->native_handle, dest, len);
}

static int on_new_cid(ngtcp2_conn *ng, ngtcp2_cid *cid, uint8_t *token, size_t len, void *arg)
{
	struct quic_conn *c = arg;

	pu_quic_cid_random(c->q, cid);
	if (len != cid->datalen ||
	    ngtcp2_crypto_generate_stateless_reset_token(token, c->q->reset_secret,
							 QUIC_SECRET_LEN, cid) != 0 ||
	    pu_quic_cid_add(c, cid, NULL) < 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int on_remove_cid(ngtcp2_conn *ng, const ngtcp2_cid *cid, void *arg)
{
	pu_quic_cid_remove(arg, cid);
	return 0;
}

static int on_completed(ngtcp2_conn *ng, void *arg)
{
	struct quic_conn *c = arg;

	c->completed = true;
	return 0;
}

static int on_confirmed(ngtcp2_conn *ng, void *arg)
{
	struct quic_conn *c = arg;

	c->confirmed = true;
	return 0;
}

static int on_stateless_reset(ngtcp2_conn *ng, const ngtcp2_pkt_stateless_reset *sr, void *arg)
{
	struct quic_conn *c = arg;

	c->reset_seen = true;
	return 0;
}

static int on_stream_open(ngtcp2_conn *ng, int64_t id, void *arg)
{
	struct quic_stream *st = pu_quic_stream_new(arg, id, true);

	if (!st)
		return pu_ng_shutdown_stream(ng, id, PU_STREAM_CODE_LIMIT) == 0
			       ? 0
			       : NGTCP2_ERR_CALLBACK_FAILURE;
	ngtcp2_conn_set_stream_user_data(ng, id, st);
	return 0;
}

static int on_stream_data(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t offset,
			  const uint8_t *p, size_t len, void *arg, void *stream)
{
	if (!stream) { /* refused in on_stream_open() */
		ngtcp2_conn_extend_max_offset(ng, len);
		return 0;
	}
	return pu_quic_stream_recv(stream, p, len, flags & NGTCP2_STREAM_DATA_FLAG_FIN) < 0
		       ? NGTCP2_ERR_CALLBACK_FAILURE
		       : 0;
}

static int on_stream_acked(ngtcp2_conn *ng, int64_t id, uint64_t offset, uint64_t len,
			   void *arg, void *stream)
{
	if (stream) {
		pu_quic_sent_big_acked(arg);
		pu_quic_stream_acked(stream, offset + len);
	}
	return 0;
}

static int on_stream_reset(ngtcp2_conn *ng, int64_t id, uint64_t final_size, uint64_t code,
			   void *arg, void *stream)
{
	if (stream)
		pu_quic_stream_on_reset(stream, code);
	return 0;
}

static int on_stream_close(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t code,
			   void *arg, void *stream)
{
	if (stream)
		pu_quic_stream_on_wire_closed(stream);
	else if (!ngtcp2_conn_is_local_stream(ng, id))
		ngtcp2_conn_extend_max_streams_bidi(ng, 1);
	return 0;
}

static int on_stream_credit(ngtcp2_conn *ng, int64_t id, uint64_t max, void *arg, void *stream)
{
	struct quic_conn *c = arg;
	struct quic_stream *st = stream;

	if (st && !pu_list_empty(&st->link_tx)) {
		pu_list_remove(&st->link_tx);
		pu_list_append(&c->ready, &st->link_tx);
	}
	return 0;
}

static int on_datagram(ngtcp2_conn *ng, uint32_t flags, const uint8_t *p, size_t len, void *arg)
{
	struct quic_conn *c = arg;

	if (c->state != QUIC_OPEN || c->end.set || !c->c.ev || !c->c.ev->on_datagram)
		return 0;
	c->dgram_got = true;
	c->c.rx_bytes += len;
	c->c.ev->on_datagram(c->c.arg, &c->c, p, len);
	return 0;
}

static int on_datagram_acked(ngtcp2_conn *ng, uint64_t id, void *arg)
{
	if (id) /* its packet was longer than QUIC_MIN_UDP */
		pu_quic_sent_big_acked(arg);
	return 0;
}

static void set_callbacks(ngtcp2_callbacks *cb)
{
	*cb = (ngtcp2_callbacks){
		.client_initial = ngtcp2_crypto_client_initial_cb,
		.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
		.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
		.encrypt = ngtcp2_crypto_encrypt_cb,
		.decrypt = ngtcp2_crypto_decrypt_cb,
		.hp_mask = ngtcp2_crypto_hp_mask_cb,
		.recv_retry = ngtcp2_crypto_recv_retry_cb,
		.update_key = ngtcp2_crypto_update_key_cb,
		.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
		.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
		.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
		.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
		.rand = on_rand,
		.get_new_connection_id = on_new_cid,
		.remove_connection_id = on_remove_cid,
		.handshake_completed = on_completed,
		.handshake_confirmed = on_confirmed,
		.recv_stateless_reset = on_stateless_reset,
		.stream_open = on_stream_open,
		.recv_stream_data = on_stream_data,
		.acked_stream_data_offset = on_stream_acked,
		.stream_reset = on_stream_reset,
		.stream_close = on_stream_close,
		.extend_max_stream_data = on_stream_credit,
		.recv_datagram = on_datagram,
		.ack_datagram = on_datagram_acked,
	};
}

/* ---- Birth ---- */

static void set_settings(const struct quic_conn *c, ngtcp2_settings *s)
{
	ngtcp2_settings_default(s);
	s->cc_algo = PU_NG_CC_BBR2;
	s->initial_ts = quic_now(c);
	s->handshake_timeout = PU_MS(QUIC_HANDSHAKE_MS);
	s->max_tx_udp_payload_size = QUIC_MAX_UDP;
	s->max_window = QUIC_CONN_WINDOW_MAX;
	s->max_stream_window = QUIC_STREAM_WINDOW_MAX;
	s->rand_ctx.native_handle = c->q->cfg.loop;
}

static void set_params(const struct quic_conn *c, ngtcp2_transport_params *p)
{
	ngtcp2_transport_params_default(p);
	p->initial_max_data = QUIC_CONN_WINDOW;
	p->initial_max_stream_data_bidi_local = QUIC_STREAM_WINDOW;
	p->initial_max_stream_data_bidi_remote = QUIC_STREAM_WINDOW;
	p->initial_max_streams_bidi = c->q->cfg.max_streams;
	p->max_idle_timeout = PU_MS(QUIC_IDLE_MS);
	p->active_connection_id_limit = 4;
	p->max_datagram_frame_size = 65535;
	p->grease_quic_bit = 1;
}

static const struct pu_conn_ops conn_ops;

static struct quic_conn *conn_new(struct pu_quic *q, struct quic_endpoint *ep, bool inbound)
{
	struct quic_conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->q = q;
	c->ep = ep;
	c->opened = pu_loop_now(q->cfg.loop);
	c->udp_cap = QUIC_MAX_UDP;
	c->c.ops = &conn_ops;
	c->c.security = "quic";
	c->c.muxer = "quic";
	c->c.early_muxer = true;
	c->c.inbound = inbound;
	pu_list_init(&c->c.node);
	pu_list_init(&c->touched);
	pu_list_init(&c->waiting);
	pu_list_init(&c->cids);
	pu_list_init(&c->streams);
	pu_list_init(&c->fresh);
	pu_list_init(&c->ready);
	pu_list_init(&c->blocked);
	pu_list_init(&c->resumed);
	pu_list_init(&c->writers);
	pu_list_init(&c->over);
	pu_timer_init(&c->timer, q->cfg.loop, conn_timer, c);
	pu_job_init(&c->job, q->cfg.loop, conn_job, c);
	pu_list_append(&q->conns, &c->node);
	return c;
}

static void set_path(struct quic_conn *c, ngtcp2_path *path, const union pu_sockaddr *remote)
{
	*path = (ngtcp2_path){
		.local = { &c->path_local.sa, pu_sockaddr_len(&c->path_local) },
		.remote = { (struct sockaddr *)&remote->sa, pu_sockaddr_len(remote) },
		.user_data = c->ep,
	};
}

int pu_quic_conn_dial(struct pu_quic *q, struct quic_endpoint *ep,
		      const union pu_sockaddr *remote, const struct pu_peerid *expected,
		      struct pu_dial *dial, struct quic_conn **pc)
{
	struct quic_conn *c = conn_new(q, ep, false);
	ngtcp2_transport_params params;
	ngtcp2_callbacks callbacks;
	ngtcp2_settings settings;
	ngtcp2_cid scid, dcid;
	ngtcp2_path path;
	int r = PU_ENOMEM;

	if (!c)
		return PU_ENOMEM;
	set_callbacks(&callbacks);
	set_settings(c, &settings);
	set_params(c, &params);
	pu_quic_cid_random(q, &scid);
	dcid.datalen = NGTCP2_MIN_INITIAL_DCIDLEN + 4;
	pu_loop_random(q->cfg.loop, dcid.data, dcid.datalen);
	c->path_local = ep->local;
	c->remote_sa = *remote;
	set_path(c, &path, remote);
	if (ngtcp2_conn_client_new(&c->ng, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1, &callbacks,
				   &settings, &params, NULL, c) != 0)
		goto fail;
	r = pu_quic_cid_add(c, &scid, NULL);
	if (r < 0)
		goto fail;
	r = pu_quic_tls_new(c, expected, &c->tls);
	if (r < 0)
		goto fail;
	c->dial = dial;
	pu_job_defer(&c->job);
	*pc = c;
	return 0;
fail:
	pu_quic_conn_destroy(c, false);
	return r;
}

static int set_server_params(struct quic_conn *c, ngtcp2_transport_params *p,
			     const ngtcp2_pkt_hd *hd, const ngtcp2_cid *odcid,
			     const ngtcp2_cid *scid)
{
	set_params(c, p);
	pu_ng_params_odcid(p, odcid ? odcid : &hd->dcid);
	if (odcid) {
		p->retry_scid = hd->dcid;
		p->retry_scid_present = 1;
	}
	p->stateless_reset_token_present = 1;
	return ngtcp2_crypto_generate_stateless_reset_token(
		       p->stateless_reset_token, c->q->reset_secret, QUIC_SECRET_LEN, scid) != 0
		       ? PU_ECRYPTO
		       : 0;
}

int pu_quic_conn_accept(struct quic_endpoint *ep, const struct pu_dgrams *d,
			const ngtcp2_pkt_hd *hd, const ngtcp2_cid *odcid,
			struct quic_conn **pc)
{
	struct quic_conn *c = conn_new(ep->q, ep, true);
	struct pu_bytes token = pu_ng_hd_token(hd);
	ngtcp2_transport_params params;
	ngtcp2_callbacks callbacks;
	ngtcp2_settings settings;
	ngtcp2_path path;
	ngtcp2_cid scid;
	int r;

	if (!c)
		return PU_ENOMEM;
	c->pending = true;
	ep->q->n_pending++;
	set_callbacks(&callbacks);
	set_settings(c, &settings);
	if (odcid) /* the address is proved: no limit on what we send to it */
		pu_ng_settings_token(&settings, token.p, token.len);
	pu_quic_cid_random(ep->q, &scid);
	r = set_server_params(c, &params, hd, odcid, &scid);
	if (r < 0)
		goto fail;
	c->path_local = d->local.sa.sa_family ? d->local : ep->local;
	c->remote_sa = d->remote;
	set_path(c, &path, &d->remote);
	r = PU_ENOMEM;
	if (ngtcp2_conn_server_new(&c->ng, &hd->scid, &scid, &path, hd->version, &callbacks,
				   &settings, &params, NULL, c) != 0)
		goto fail;
	r = pu_quic_cid_add(c, &scid, NULL);
	if (r < 0)
		goto fail;
	r = pu_quic_cid_add(c, &hd->dcid, &c->odcid);
	if (r < 0)
		goto fail;
	r = pu_quic_tls_new(c, NULL, &c->tls);
	if (r < 0)
		goto fail;
	*pc = c;
	return 0;
fail:
	pu_quic_conn_destroy(c, false);
	return r;
}

/* ---- The end ---- */

void pu_quic_conn_end_app(struct quic_conn *c, int err, uint64_t code, const char *reason)
{
	if (c->end.set)
		return;
	c->end.set = true;
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
	c->end.set = true;
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
		c->end.err = pu_quic_tls_verdict(c->tls);
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
	if (c->c.inbound)
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

static void conn_free(struct quic_conn *c)
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
	conn_free(c);
}

static void finish(struct quic_conn *c)
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
		free(dial);
	}
	if (c->state == QUIC_DEAD)
		conn_free(c);
}

/* ---- From handshake to connection ---- */

static void set_keep_alive(struct quic_conn *c)
{
	const ngtcp2_transport_params *p = ngtcp2_conn_get_remote_transport_params(c->ng);
	pu_time idle = PU_MS(QUIC_IDLE_MS), every;

	if (p && p->max_idle_timeout && p->max_idle_timeout < idle)
		idle = p->max_idle_timeout;
	every = idle <= PU_SEC(10) ? PU_MS(QUIC_KEEP_ALIVE_SHORT_MS) : PU_MS(QUIC_KEEP_ALIVE_MS);
	if (every > idle / 2)
		every = idle / 2;
	ngtcp2_conn_set_keep_alive_timeout(c->ng, every);
	c->c.datagrams = p && p->max_datagram_frame_size > 0;
}

/* Addresses as others are told them. True when one changed. */
static bool update_addrs(struct quic_conn *c)
{
	const ngtcp2_path *path = ngtcp2_conn_get_path(c->ng);
	union pu_sockaddr local = { 0 }, remote = { 0 };

	memcpy(&remote, path->remote.addr, path->remote.addrlen);
	if (c->c.inbound)
		memcpy(&local, path->local.addr, path->local.addrlen);
	else
		local = c->seen_local.sa.sa_family ? c->seen_local : c->path_local;
	if (path->user_data)
		c->ep = path->user_data;
	if (c->c.remote.len && pu_sockaddr_eq(&remote, &c->remote_sa) &&
	    pu_sockaddr_eq(&local, &c->local_sa))
		return false;
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

	c->dial = NULL;
	c->state = QUIC_OPEN;
	c->c.opened_at = quic_now(c);
	c->dgram_max = pu_quic_max_datagram(&c->c);
	if (dial) {
		dial->on_done(dial->arg, 0, &c->c);
		free(dial);
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
	set_keep_alive(c);
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

/* RFC 9000 10.2.1: the goodbye again, ever more rarely. */
static void repeat_goodbye(struct quic_conn *c)
{
	struct pu_dgrams d = { .remote = c->remote_sa, .p = c->close_pkt, .len = c->close_len,
			       .segment = c->close_len };

	c->close_seen++;
	if (c->close_len == 0 || c->close_seen & (c->close_seen - 1) || c->ep->blocked)
		return;
	if (c->c.inbound)
		d.local = c->local_sa;
	pu_quic_endpoint_send(c->ep, &d);
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
	int r;

	if (!c->ng) {
		repeat_goodbye(c);
		return;
	}
	if (c->end.set)
		return;
	if (c->c.inbound && d->local.sa.sa_family) {
		local = d->local;
		path.local.addrlen = pu_sockaddr_len(&local);
	} else if (d->local.sa.sa_family) {
		c->seen_local = d->local;
	}
	c->reading = true;
	r = ngtcp2_conn_read_pkt(c->ng, &path, &pi, p, len, quic_now(c));
	c->reading = false;
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

	if (c->dial && c->dial->deadline < at)
		at = c->dial->deadline;
	pu_timer_set(&c->timer, at);
}

static void conn_timer(void *arg)
{
	struct quic_conn *c = arg;
	pu_time now = quic_now(c);
	int r;

	if (!c->ng) {
		conn_free(c);
		return;
	}
	pu_job_defer(&c->job);
	if (c->end.set)
		return;
	if (c->dial && c->dial->deadline <= now) {
		pu_quic_conn_end_liberr(c, NGTCP2_ERR_HANDSHAKE_TIMEOUT);
		return;
	}
	if (ngtcp2_conn_get_expiry(c->ng) > now)
		return;
	c->reading = true;
	r = ngtcp2_conn_handle_expiry(c->ng, now);
	c->reading = false;
	if (r != 0)
		pu_quic_conn_end_liberr(c, r);
	else
		pu_quic_check_black_hole(c);
}

static void check_path(struct quic_conn *c)
{
	size_t max = pu_quic_max_datagram(&c->c);
	bool moved = update_addrs(c);

	if (max == c->dgram_max && !moved)
		return;
	c->dgram_max = max;
	if (c->c.ev && c->c.ev->on_path)
		c->c.ev->on_path(c->c.arg, &c->c);
}

static void tell_datagram_room(struct quic_conn *c)
{
	if (!c->dgram_wanted || c->ep->blocked)
		return;
	c->dgram_wanted = false;
	if (c->c.ev && c->c.ev->on_datagram_room)
		c->c.ev->on_datagram_room(c->c.arg, &c->c);
}

static void conn_job(void *arg)
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
		if (!c->end.set)
			tell_datagram_room(c);
	}
	/* A proper goodbye comes after what was written; a refusal must not confirm
	 * the handshake first. */
	if (!c->end.set || (c->state == QUIC_OPEN && c->end.err == PU_ECLOSED && !c->end.by_peer))
		pu_quic_flush(c);
	if (c->state == QUIC_OPEN && !c->end.set)
		pu_quic_streams_tell_room(c);
	if (c->end.set)
		finish(c);
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

static const struct pu_conn_ops conn_ops = {
	.open_stream = op_open_stream,
	.close = op_close,
	.send_datagram = pu_quic_send_datagram,
	.max_datagram = pu_quic_max_datagram,
	.rtt = op_rtt,
};
