#include "p2p/proto/message.h"

#include <protobuf-c/protobuf-c.h>

#include "base/err.h"
#include "base/wire.h"

static int put(const ProtobufCMessage *m, size_t max, bool with_length, struct pu_buf *out)
{
	size_t len = protobuf_c_message_get_packed_size(m), n = 0;
	uint8_t *p;
	int r;

	if (len > max)
		return PU_ELIMIT;
	r = pu_buf_reserve(out, len + (with_length ? pu_uvarint_len(len) : 0), &p);
	if (r < 0)
		return r;
	if (with_length)
		n = pu_uvarint_encode(p, len);
	protobuf_c_message_pack(m, p + n);
	pu_buf_commit(out, n + len);
	return 0;
}

int pu_message_pack(const struct ProtobufCMessage *m, size_t max, struct pu_buf *out)
{
	return put(m, max, false, out);
}

int pu_message_append(const struct ProtobufCMessage *m, size_t max, struct pu_buf *out)
{
	return put(m, max, true, out);
}

int pu_message_split(struct pu_bytes in, size_t max, struct pu_bytes *pbody, size_t *pused)
{
	uint64_t len;
	int n = pu_uvarint_decode(in.p, in.len, &len);

	if (n < 0)
		return n;
	if (len > max)
		return PU_E2BIG;
	if (in.len - (size_t)n < len)
		return PU_EAGAIN;
	*pbody = pu_bytes(in.p + n, (size_t)len);
	*pused = (size_t)n + (size_t)len;
	return 0;
}
