/* How a connection begins: settings, transport parameters, and the two kinds of
 * birth, by a dial and by an Initial packet. */
#include "p2p/transport/quic_internal.h"

#include <stdlib.h>

/* The connection's window leaves room for several streams that nobody reads. */
enum { STREAMS_PER_CONN_WINDOW = 6, STREAMS_PER_CONN_WINDOW_MAX = 12 };

uint64_t pu_quic_stream_window(const struct quic_conn *c, uint64_t most)
{
	size_t memory = c->q->cfg.stream_memory;

	return memory ? pu_min(memory, most) : most;
}

static uint64_t conn_window(const struct quic_conn *c, uint64_t most, unsigned streams)
{
	size_t memory = c->q->cfg.stream_memory;

	return memory && memory < most / streams ? memory * streams : most;
}

static void set_settings(const struct quic_conn *c, ngtcp2_settings *s)
{
	ngtcp2_settings_default(s);
	s->cc_algo = PU_NG_CC_BBR2;
	s->initial_ts = quic_now(c);
	/* A dial has a deadline of its own. */
	s->handshake_timeout = c->c.inbound ? PU_MS(QUIC_HANDSHAKE_MS) : UINT64_MAX;
	s->max_tx_udp_payload_size = QUIC_MAX_UDP;
	s->max_window = conn_window(c, QUIC_CONN_WINDOW_MAX, STREAMS_PER_CONN_WINDOW_MAX);
	/* Streams' windows grow in quic_stream_rx.c: ngtcp2 0.12 forgets what it has
	 * announced when the announcement did not fit into its packet, and then takes the
	 * peer's use of it for a violation. */
	s->max_stream_window = 0;
	s->rand_ctx.native_handle = c->q->cfg.loop;
}

static void set_params(const struct quic_conn *c, ngtcp2_transport_params *p)
{
	ngtcp2_transport_params_default(p);
	p->initial_max_data = conn_window(c, QUIC_CONN_WINDOW, STREAMS_PER_CONN_WINDOW);
	p->initial_max_stream_data_bidi_local = pu_quic_stream_window(c, QUIC_STREAM_WINDOW);
	p->initial_max_stream_data_bidi_remote = p->initial_max_stream_data_bidi_local;
	p->initial_max_streams_bidi = c->q->cfg.max_streams;
	p->max_idle_timeout = PU_MS(QUIC_IDLE_MS);
	p->active_connection_id_limit = QUIC_CIDS;
	p->max_datagram_frame_size = 65535;
	p->grease_quic_bit = 1;
}

static struct quic_conn *conn_new(struct pu_quic *q, struct quic_endpoint *ep, bool inbound)
{
	struct quic_conn *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->q = q;
	c->ep = ep;
	c->udp_cap = QUIC_MAX_UDP;
	c->probe_at = PU_TIME_NEVER;
	c->c.ops = &pu_quic_conn_ops;
	c->c.security = "quic";
	c->c.muxer = "quic";
	c->c.early_muxer = true;
	c->c.inbound = c->pinned = inbound;
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
	pu_timer_init(&c->timer, q->cfg.loop, pu_quic_conn_timer, c);
	pu_job_init(&c->job, q->cfg.loop, pu_quic_conn_job, c);
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
	pu_quic_callbacks(&callbacks);
	set_settings(c, &settings);
	if (dial->punch) /* the first packet may be there before the hole is */
		settings.initial_rtt = PU_MS(QUIC_PUNCH_RTT_MS);
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
	pu_quic_callbacks(&callbacks);
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
	/* The TLS session is made when the packet proves to be more than noise. */
	*pc = c;
	return 0;
fail:
	pu_quic_conn_destroy(c, false);
	return r;
}
