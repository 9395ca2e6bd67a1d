#include "crypto/pb.h"

#include "base/err.h"

enum { PB_VARINT_MAX = 10 };

/* Protobuf varints carry 64 bits and may be padded, unlike those of libp2p. */
static uint64_t read_varint(struct pu_rd *r)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < PB_VARINT_MAX; i++) {
		uint8_t b = pu_rd_u8(r);

		if (i == PB_VARINT_MAX - 1 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << (7 * i);
		if (!(b & 0x80))
			return v;
	}
	r->err = PU_EPROTO;
	return 0;
}

static struct pu_bytes read_bytes(struct pu_rd *r)
{
	uint64_t n = read_varint(r);

	if (n > r->left)
		r->err = PU_EPROTO;
	return pu_rd_bytes(r, r->err ? 0 : (size_t)n);
}

bool pu_pb_next(struct pu_rd *r, struct pu_pb_field *f)
{
	uint64_t tag;

	if (r->err || r->left == 0)
		return false;
	tag = read_varint(r);
	if (tag >> 3 == 0 || tag > UINT32_MAX)
		r->err = PU_EPROTO;
	*f = (struct pu_pb_field){ .number = (uint32_t)(tag >> 3), .wire = tag & 7 };
	switch (tag & 7) {
	case PU_PB_VARINT:
		f->value = read_varint(r);
		break;
	case PU_PB_FIXED64:
		f->bytes = pu_rd_bytes(r, 8);
		break;
	case PU_PB_BYTES:
		f->bytes = read_bytes(r);
		break;
	case PU_PB_FIXED32:
		f->bytes = pu_rd_bytes(r, 4);
		break;
	default:
		r->err = PU_EPROTO;
	}
	return r->err == 0;
}


void pu_pb_put_varint(struct pu_wr *w, uint32_t number, uint64_t v)
{
	pu_wr_uvarint(w, (uint64_t)number << 3 | PU_PB_VARINT);
	pu_wr_uvarint(w, v);
}

void pu_pb_put_bytes(struct pu_wr *w, uint32_t number, struct pu_bytes b)
{
	pu_wr_uvarint(w, (uint64_t)number << 3 | PU_PB_BYTES);
	pu_wr_lp(w, b);
}
