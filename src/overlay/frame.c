#include "overlay/frame.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/wire.h"

size_t pu_frame_quic_varint(uint8_t out[8], uint64_t v)
{
	unsigned log2 = v < 1u << 6 ? 0 : v < 1u << 14 ? 1 : v < 1u << 30 ? 2 : 3;
	size_t len = (size_t)1 << log2;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
	out[0] |= (uint8_t)(log2 << 6);
	return len;
}

int pu_frame_quic_varint_decode(struct pu_bytes in, uint64_t *pv)
{
	uint64_t v;
	size_t len;

	if (in.len == 0)
		return PU_EPROTO;
	len = (size_t)1 << (in.p[0] >> 6);
	if (in.len < len)
		return PU_EPROTO;
	v = in.p[0] & 0x3f;
	for (size_t i = 1; i < len; i++)
		v = v << 8 | in.p[i];
	*pv = v;
	return (int)len;
}

void pu_frame_halves_deinit(struct pu_frame_halves *h)
{
	for (size_t i = 0; i < PU_FRAME_HALVES; i++)
		free(h->slot[i].data);
	free(h->whole);
	*h = (struct pu_frame_halves){ 0 };
}

static int keep_half(struct pu_frame_half *s, uint16_t id, uint8_t index, struct pu_bytes half,
		     pu_time now)
{
	if (!s->data) {
		s->data = malloc(PU_FRAME_HALF_MAX);
		if (!s->data)
			return PU_ENOMEM;
	}
	memcpy(s->data, half.p, half.len);
	s->len = (uint16_t)half.len;
	s->id = id;
	s->index = index;
	s->at = now;
	s->used = true;
	return 0;
}

static int join_halves(struct pu_frame_halves *h, struct pu_frame_half *s, struct pu_bytes half,
		       struct pu_bytes *out)
{
	struct pu_bytes other = pu_bytes(s->data, s->len);
	struct pu_bytes first = s->index == 0 ? other : half;
	struct pu_bytes second = s->index == 0 ? half : other;

	if (!h->whole) {
		h->whole = malloc(2 * PU_FRAME_HALF_MAX);
		if (!h->whole)
			return PU_ENOMEM;
	}
	memcpy(h->whole, first.p, first.len);
	memcpy(h->whole + first.len, second.p, second.len);
	s->used = false;
	*out = pu_bytes(h->whole, first.len + second.len);
	return 1;
}

static int decode_half(struct pu_frame_halves *h, struct pu_rd *r, pu_time now,
		       struct pu_bytes *out)
{
	uint16_t id = pu_rd_be16(r);
	uint8_t index = pu_rd_u8(r);
	struct pu_bytes half = pu_rd_bytes(r, r->left);
	struct pu_frame_half *s = &h->slot[id % PU_FRAME_HALVES];

	if (r->err || index > 1 || half.len == 0 || half.len > PU_FRAME_HALF_MAX)
		return PU_EPROTO;
	if (s->used && s->id == id && s->index != index &&
	    now - s->at < PU_MS(PU_FRAME_HALF_AGE_MS))
		return join_halves(h, s, half, out);
	return keep_half(s, id, index, half, now);
}

int pu_frame_decode(struct pu_frame_halves *h, struct pu_bytes body, pu_time now,
		    struct pu_frame_packet *out)
{
	struct pu_rd r = pu_rd_init(body.p, body.len);
	uint8_t type = pu_rd_u8(&r);

	if (r.err || r.left == 0 || (type & ~PU_FRAME_TYPE_MASK))
		return PU_EPROTO;
	out->flags = type & PU_FRAME_CSUM_PARTIAL ? PU_PKT_CSUM_PARTIAL : 0;
	if (type & PU_FRAME_HALF)
		return decode_half(h, &r, now, &out->data);
	out->data = pu_rd_bytes(&r, r.left);
	return 1;
}
