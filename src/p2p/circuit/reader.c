#include "p2p/circuit/reader.h"

#include "base/err.h"
#include "p2p/circuit/message.h"

void pu_circuit_reader_init(struct pu_circuit_reader *r)
{
	memset(r, 0, sizeof *r);
	pu_buf_init(&r->body, PU_CIRCUIT_MESSAGE_MAX);
}

void pu_circuit_reader_deinit(struct pu_circuit_reader *r)
{
	pu_buf_deinit(&r->body);
}

/* Reads the length byte by byte: it ends where the message begins. */
static int feed_prefix(struct pu_circuit_reader *r, const uint8_t *p, size_t len, size_t *ptaken)
{
	uint64_t v;
	int n = PU_EAGAIN;

	while (n == PU_EAGAIN && *ptaken < len && r->n_prefix < sizeof r->prefix) {
		r->prefix[r->n_prefix++] = p[(*ptaken)++];
		n = pu_uvarint_decode(r->prefix, r->n_prefix, &v);
	}
	if (n == PU_EAGAIN)
		return r->n_prefix < sizeof r->prefix ? PU_EAGAIN : PU_EPROTO;
	if (n < 0 || v > PU_CIRCUIT_MESSAGE_MAX)
		return PU_EPROTO;
	r->len = (uint16_t)v;
	r->sized = true;
	return 0;
}

int pu_circuit_reader_feed(struct pu_circuit_reader *r, const uint8_t *p, size_t len,
			   size_t *ptaken, struct pu_bytes *pbody)
{
	size_t n;
	int err = 0;

	*ptaken = 0;
	if (!r->sized)
		err = feed_prefix(r, p, len, ptaken);
	if (err < 0)
		return err;
	n = pu_min(len - *ptaken, r->len - r->body.len);
	err = n ? pu_buf_append(&r->body, p + *ptaken, n) : 0;
	if (err < 0)
		return err;
	*ptaken += n;
	if (r->body.len < r->len)
		return PU_EAGAIN;
	*pbody = pu_buf_bytes(&r->body);
	return 0;
}
