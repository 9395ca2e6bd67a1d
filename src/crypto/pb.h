/* Fields of a protobuf message whose bytes are signed or hashed, where a generated
 * decoder would hide what was on the wire. */
#ifndef PU_CRYPTO_PB_H
#define PU_CRYPTO_PB_H

#include "base/wire.h"

enum pu_pb_wire { PU_PB_VARINT = 0, PU_PB_FIXED64 = 1, PU_PB_BYTES = 2, PU_PB_FIXED32 = 5 };

struct pu_pb_field {
	uint32_t number;
	enum pu_pb_wire wire;
	uint64_t value;        /* PU_PB_VARINT */
	struct pu_bytes bytes; /* PU_PB_BYTES and the fixed ones; borrowed from the input */
};

/* Next field of any number; false at the end and after an error, which r->err (or
 * pu_rd_end()) tells apart. Groups are errors. */
bool pu_pb_next(struct pu_rd *r, struct pu_pb_field *f);
/* True when f is that field with that wire type. */
static inline bool pu_pb_is(const struct pu_pb_field *f, uint32_t number, enum pu_pb_wire wire)
{
	return f->number == number && f->wire == wire;
}

void pu_pb_put_varint(struct pu_wr *w, uint32_t number, uint64_t v);
void pu_pb_put_bytes(struct pu_wr *w, uint32_t number, struct pu_bytes b);
/* Bytes that pu_pb_put_bytes() writes for a field number below 16. */
static inline size_t pu_pb_bytes_len(size_t len)
{
	return 1 + pu_uvarint_len(len) + len;
}

#endif
