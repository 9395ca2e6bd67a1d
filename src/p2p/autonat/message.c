#include "p2p/autonat/message.h"

#include "base/err.h"
#include "base/wire.h"
#include "p2p/autonat/autonat.pb-c.h"
#include "p2p/proto/message.h"

enum { OUT_MAX = PU_AUTONAT_MESSAGE_MAX + PU_UVARINT_MAX };

/* The four messages of a request's stream. */

static void take_request(const PuPb__AutonatDialRequest *m, struct pu_autonat_message *out)
{
	out->type = PU_AUTONAT_REQUEST;
	out->nonce = m->nonce;
	out->n_addrs = pu_min(m->n_addrs, PU_AUTONAT_ADDRS_MAX);
	for (size_t i = 0; i < out->n_addrs; i++)
		if (pu_multiaddr_from_bytes(&out->addrs[i],
					    pu_bytes(m->addrs[i].data, m->addrs[i].len)) < 0)
			out->addrs[i].len = 0;
}

static int take(const PuPb__AutonatMessage *m, struct pu_autonat_message *out)
{
	out->n_addrs = 0;
	switch (m->msg_case) {
	case PU_PB__AUTONAT_MESSAGE__MSG_DIAL_REQUEST:
		if (!m->dial_request->has_nonce)
			return PU_EPROTO;
		take_request(m->dial_request, out);
		return 0;
	case PU_PB__AUTONAT_MESSAGE__MSG_DIAL_RESPONSE:
		out->type = PU_AUTONAT_RESPONSE;
		out->status = m->dial_response->status;
		out->idx = m->dial_response->addr_idx;
		out->dial = m->dial_response->dial_status;
		return 0;
	case PU_PB__AUTONAT_MESSAGE__MSG_DATA_REQUEST:
		out->type = PU_AUTONAT_DATA_REQUEST;
		out->idx = m->data_request->addr_idx;
		out->n_bytes = m->data_request->num_bytes;
		return 0;
	case PU_PB__AUTONAT_MESSAGE__MSG_DATA:
		out->type = PU_AUTONAT_DATA;
		out->n_bytes = m->data->data.len;
		return 0;
	default: /* none, or one of the future: the enum is the generator's */
		return PU_EPROTO;
	}
}

int pu_autonat_message_decode(struct pu_bytes body, struct pu_autonat_message *out)
{
	PuPb__AutonatMessage *m;
	int r;

	if (body.len > PU_AUTONAT_MESSAGE_MAX)
		return PU_EPROTO;
	m = pu_pb__autonat_message__unpack(NULL, body.len, body.p);
	if (!m)
		return PU_EPROTO;
	r = take(m, out);
	pu_pb__autonat_message__free_unpacked(m, NULL);
	return r;
}

static int encode_request(const struct pu_autonat_message *m, struct pu_buf *out)
{
	ProtobufCBinaryData addrs[PU_AUTONAT_ADDRS_MAX];
	PuPb__AutonatDialRequest rq = PU_PB__AUTONAT_DIAL_REQUEST__INIT;
	PuPb__AutonatMessage w = PU_PB__AUTONAT_MESSAGE__INIT;

	for (size_t i = 0; i < m->n_addrs; i++)
		addrs[i] = (ProtobufCBinaryData){ m->addrs[i].len, (uint8_t *)m->addrs[i].b };
	rq.n_addrs = m->n_addrs;
	rq.addrs = addrs;
	rq.has_nonce = 1;
	rq.nonce = m->nonce;
	w.msg_case = PU_PB__AUTONAT_MESSAGE__MSG_DIAL_REQUEST;
	w.dial_request = &rq;
	return pu_message_append(&w.base, PU_AUTONAT_MESSAGE_MAX, out);
}

/* Zeros are written out: newer peers take an absent index for a missing one. */
static int encode_response(const struct pu_autonat_message *m, struct pu_buf *out)
{
	PuPb__AutonatDialResponse rs = PU_PB__AUTONAT_DIAL_RESPONSE__INIT;
	PuPb__AutonatMessage w = PU_PB__AUTONAT_MESSAGE__INIT;

	rs.has_status = rs.has_addr_idx = rs.has_dial_status = 1;
	rs.status = m->status;
	rs.addr_idx = m->idx;
	rs.dial_status = m->dial;
	w.msg_case = PU_PB__AUTONAT_MESSAGE__MSG_DIAL_RESPONSE;
	w.dial_response = &rs;
	return pu_message_append(&w.base, PU_AUTONAT_MESSAGE_MAX, out);
}

static int encode_data_request(const struct pu_autonat_message *m, struct pu_buf *out)
{
	PuPb__AutonatDataRequest dr = PU_PB__AUTONAT_DATA_REQUEST__INIT;
	PuPb__AutonatMessage w = PU_PB__AUTONAT_MESSAGE__INIT;

	dr.has_addr_idx = dr.has_num_bytes = 1;
	dr.addr_idx = m->idx;
	dr.num_bytes = m->n_bytes;
	w.msg_case = PU_PB__AUTONAT_MESSAGE__MSG_DATA_REQUEST;
	w.data_request = &dr;
	return pu_message_append(&w.base, PU_AUTONAT_MESSAGE_MAX, out);
}

static int encode_data(const struct pu_autonat_message *m, struct pu_buf *out)
{
	static const uint8_t zeros[PU_AUTONAT_CHUNK_MAX];
	PuPb__AutonatData d = PU_PB__AUTONAT_DATA__INIT;
	PuPb__AutonatMessage w = PU_PB__AUTONAT_MESSAGE__INIT;

	if (m->n_bytes > sizeof zeros)
		return PU_ELIMIT;
	d.has_data = 1;
	d.data = (ProtobufCBinaryData){ (size_t)m->n_bytes, (uint8_t *)zeros };
	w.msg_case = PU_PB__AUTONAT_MESSAGE__MSG_DATA;
	w.data = &d;
	return pu_message_append(&w.base, PU_AUTONAT_MESSAGE_MAX, out);
}

int pu_autonat_message_encode(const struct pu_autonat_message *m, struct pu_buf *out)
{
	switch (m->type) {
	case PU_AUTONAT_REQUEST:
		return encode_request(m, out);
	case PU_AUTONAT_RESPONSE:
		return encode_response(m, out);
	case PU_AUTONAT_DATA_REQUEST:
		return encode_data_request(m, out);
	case PU_AUTONAT_DATA:
		return encode_data(m, out);
	}
	return PU_EINVAL;
}

int pu_autonat_message_write(struct pu_stream *st, const struct pu_autonat_message *m)
{
	struct pu_buf out;
	int r;

	pu_buf_init(&out, OUT_MAX);
	r = pu_autonat_message_encode(m, &out);
	if (r == 0 && pu_stream_room(st) < out.len)
		r = PU_ELIMIT;
	if (r == 0)
		pu_stream_write(st, pu_buf_bytes(&out).p, out.len);
	pu_buf_deinit(&out);
	return r;
}

/* The two of the dial-back's stream. */

int pu_autonat_back_decode(struct pu_bytes body, uint64_t *pnonce)
{
	PuPb__AutonatDialBack *m;
	int r = PU_EPROTO;

	if (body.len > PU_AUTONAT_BACK_MAX)
		return PU_EPROTO;
	m = pu_pb__autonat_dial_back__unpack(NULL, body.len, body.p);
	if (!m)
		return PU_EPROTO;
	if (m->has_nonce) {
		*pnonce = m->nonce;
		r = 0;
	}
	pu_pb__autonat_dial_back__free_unpacked(m, NULL);
	return r;
}

int pu_autonat_back_encode(uint64_t nonce, struct pu_buf *out)
{
	PuPb__AutonatDialBack m = PU_PB__AUTONAT_DIAL_BACK__INIT;

	m.has_nonce = 1;
	m.nonce = nonce;
	return pu_message_append(&m.base, PU_AUTONAT_BACK_MAX, out);
}

int pu_autonat_back_response_decode(struct pu_bytes body, uint32_t *pstatus)
{
	PuPb__AutonatDialBackResponse *m;

	if (body.len > PU_AUTONAT_BACK_MAX)
		return PU_EPROTO;
	m = pu_pb__autonat_dial_back_response__unpack(NULL, body.len, body.p);
	if (!m)
		return PU_EPROTO;
	*pstatus = m->status;
	pu_pb__autonat_dial_back_response__free_unpacked(m, NULL);
	return 0;
}

/* Status OK is zero, and go's answer to "all is well" is the empty message: so is ours. */
int pu_autonat_back_response_encode(struct pu_buf *out)
{
	PuPb__AutonatDialBackResponse m = PU_PB__AUTONAT_DIAL_BACK_RESPONSE__INIT;

	return pu_message_append(&m.base, PU_AUTONAT_BACK_MAX, out);
}
