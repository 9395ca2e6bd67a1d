#include "crypto/envelope.h"

#include <stdlib.h>

#include "base/err.h"
#include "crypto/pb.h"

enum {
	FIELD_PUBLIC_KEY = 1,
	FIELD_PAYLOAD_TYPE = 2,
	FIELD_PAYLOAD = 3,
	FIELD_SIGNATURE = 5,
	TYPE_LEN = 2,
};

/* What is signed: the domain never travels. Caller frees *pbuf. */
static int signed_bytes(const char *domain, struct pu_bytes type, struct pu_bytes payload,
			uint8_t **pbuf, size_t *plen)
{
	size_t cap = strlen(domain) + type.len + payload.len + 3 * PU_UVARINT_MAX;
	uint8_t *p = malloc(cap);
	struct pu_wr w;

	if (!p)
		return PU_ENOMEM;
	w = pu_wr_init(p, cap);
	pu_wr_lp(&w, pu_bytes_str(domain));
	pu_wr_lp(&w, type);
	pu_wr_lp(&w, payload);
	*pbuf = p;
	*plen = w.len;
	return 0;
}

int pu_envelope_seal(const struct pu_key *k, const char *domain, unsigned payload_type,
		     struct pu_bytes payload, struct pu_buf *out)
{
	uint8_t type_be[TYPE_LEN] = { (uint8_t)(payload_type >> 8), (uint8_t)payload_type };
	uint8_t sig[64], *msg = NULL, *to;
	struct pu_bytes type = pu_bytes(type_be, sizeof type_be);
	struct pu_bytes key = pu_key_public(k);
	size_t msg_len, need;
	struct pu_wr w;
	int r;

	need = pu_pb_bytes_len(key.len) + pu_pb_bytes_len(type.len) +
	       pu_pb_bytes_len(payload.len) + pu_pb_bytes_len(sizeof sig);
	if (payload.len > PU_ENVELOPE_MAX || need > PU_ENVELOPE_MAX)
		return PU_ELIMIT;
	r = pu_buf_reserve(out, need, &to);
	if (r < 0)
		return r;
	r = signed_bytes(domain, type, payload, &msg, &msg_len);
	if (r < 0)
		return r;
	pu_key_sign(k, pu_bytes(msg, msg_len), sig);
	free(msg);
	w = pu_wr_init(to, need);
	pu_pb_put_bytes(&w, FIELD_PUBLIC_KEY, key);
	pu_pb_put_bytes(&w, FIELD_PAYLOAD_TYPE, type);
	pu_pb_put_bytes(&w, FIELD_PAYLOAD, payload);
	pu_pb_put_bytes(&w, FIELD_SIGNATURE, pu_bytes(sig, sizeof sig));
	pu_buf_commit(out, w.len);
	return 0;
}

struct envelope {
	struct pu_bytes key, type, payload, signature;
};

static int split(struct pu_bytes in, struct envelope *e)
{
	struct pu_rd r = pu_rd_init(in.p, in.len);
	struct pu_pb_field f;

	*e = (struct envelope){ 0 };
	while (pu_pb_next(&r, &f)) {
		if (pu_pb_is(&f, FIELD_PUBLIC_KEY, PU_PB_BYTES))
			e->key = f.bytes;
		else if (pu_pb_is(&f, FIELD_PAYLOAD_TYPE, PU_PB_BYTES))
			e->type = f.bytes;
		else if (pu_pb_is(&f, FIELD_PAYLOAD, PU_PB_BYTES))
			e->payload = f.bytes;
		else if (pu_pb_is(&f, FIELD_SIGNATURE, PU_PB_BYTES))
			e->signature = f.bytes;
	}
	return pu_rd_end(&r);
}

int pu_envelope_open(struct pu_bytes in, const char *domain, unsigned payload_type,
		     struct pu_pubkey *signer, struct pu_bytes *ppayload)
{
	struct envelope e;
	struct pu_pubkey key;
	uint8_t *msg = NULL;
	size_t msg_len;
	int r;

	if (in.len > PU_ENVELOPE_MAX || split(in, &e) < 0)
		return PU_EPROTO;
	if (e.type.len != TYPE_LEN || pu_get_be16(e.type.p) != payload_type)
		return PU_EPROTO;
	r = pu_pubkey_decode(&key, e.key);
	if (r < 0)
		return PU_EPROTO;
	r = signed_bytes(domain, e.type, e.payload, &msg, &msg_len);
	if (r < 0)
		return r;
	r = pu_pubkey_verify(&key, pu_bytes(msg, msg_len), e.signature);
	free(msg);
	if (r < 0)
		return r;
	*signer = key;
	*ppayload = e.payload;
	return 0;
}
