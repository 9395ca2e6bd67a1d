/* What ngtcp2 tells us about one connection. It is in the middle of something when it
 * does: nothing here may write a packet, end the connection or free. */
#include "p2p/transport/quic_internal.h"

static void on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
	pu_loop_random(ctx->native_handle, dest, len);
}

/* A packet that decrypts is the first sign that a client means it; only then is it
 * worth the TLS session, by far the most expensive part of a connection. */
static int on_crypto_data(ngtcp2_conn *ng, pu_ng_level level, uint64_t offset,
			  const uint8_t *p, size_t len, void *arg)
{
	struct quic_conn *c = arg;

	if (!c->tls && pu_quic_tls_new(c, NULL, &c->tls) < 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return ngtcp2_crypto_recv_crypto_data_cb(ng, level, offset, p, len, arg);
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
		quic_note_acked(arg);
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
	quic_note_acked(arg);
	if (id) /* its packet was longer than QUIC_MIN_UDP */
		pu_quic_sent_big_acked(arg);
	return 0;
}

static int on_path_validated(ngtcp2_conn *ng, uint32_t flags, const ngtcp2_path *path,
			     PU_NG_OLD_PATH ngtcp2_path_validation_result res, void *arg)
{
	pu_quic_path_validated(arg, path, res == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS);
	return 0;
}

void pu_quic_callbacks(ngtcp2_callbacks *cb)
{
	*cb = (ngtcp2_callbacks){
		.client_initial = ngtcp2_crypto_client_initial_cb,
		.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
		.recv_crypto_data = on_crypto_data,
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
		.path_validation = on_path_validated,
		.recv_datagram = on_datagram,
		.ack_datagram = on_datagram_acked,
	};
}
