/* PeerRecord, the payload of a signed envelope; see crypto/envelope.h. */
#include "crypto/envelope.h"

#include "base/err.h"
#include "crypto/pb.h"

enum {
	FIELD_PEER_ID = 1,
	FIELD_SEQ = 2,
	FIELD_ADDRESSES = 3,
	FIELD_MULTIADDR = 1,
	SEQ_LEN_MAX = 1 + PU_UVARINT_MAX,
};

int pu_peer_record_encode(const struct pu_peerid *peer, uint64_t seq,
			  const struct pu_bytes *addrs, size_t n_addrs, struct pu_buf *out)
{
	size_t need = pu_pb_bytes_len(peer->len) + SEQ_LEN_MAX;
	struct pu_wr w;
	uint8_t *to;
	int r;

	if (n_addrs > PU_PEER_RECORD_ADDRS_MAX || seq > INT64_MAX)
		return PU_ELIMIT;
	for (size_t i = 0; i < n_addrs; i++) {
		if (addrs[i].len > PU_ENVELOPE_MAX)
			return PU_ELIMIT;
		need += pu_pb_bytes_len(pu_pb_bytes_len(addrs[i].len));
	}
	if (need > PU_ENVELOPE_MAX)
		return PU_ELIMIT;
	r = pu_buf_reserve(out, need, &to);
	if (r < 0)
		return r;
	w = pu_wr_init(to, need);
	pu_pb_put_bytes(&w, FIELD_PEER_ID, pu_peerid_bytes(peer));
	pu_pb_put_varint(&w, FIELD_SEQ, seq);
	for (size_t i = 0; i < n_addrs; i++) {
		pu_wr_uvarint(&w, FIELD_ADDRESSES << 3 | PU_PB_BYTES);
		pu_wr_uvarint(&w, pu_pb_bytes_len(addrs[i].len));
		pu_pb_put_bytes(&w, FIELD_MULTIADDR, addrs[i]);
	}
	pu_buf_commit(out, w.len);
	return 0;
}

/* The multiaddr inside an AddressInfo; empty when it has none. */
static int decode_address(struct pu_bytes info, struct pu_bytes *addr)
{
	struct pu_rd r = pu_rd_init(info.p, info.len);
	struct pu_pb_field f;

	*addr = pu_bytes(NULL, 0);
	while (pu_pb_next(&r, &f))
		if (pu_pb_is(&f, FIELD_MULTIADDR, PU_PB_BYTES))
			*addr = f.bytes;
	return pu_rd_end(&r);
}

int pu_peer_record_decode(struct pu_bytes payload, struct pu_peerid *peer, uint64_t *pseq,
			  struct pu_bytes *addrs, size_t cap, size_t *pn)
{
	struct pu_rd r = pu_rd_init(payload.p, payload.len);
	struct pu_peerid id = { 0 };
	struct pu_pb_field f;
	struct pu_bytes addr;
	uint64_t seq = 0;
	size_t n = 0;

	while (pu_pb_next(&r, &f)) {
		if (pu_pb_is(&f, FIELD_PEER_ID, PU_PB_BYTES)) {
			if (pu_peerid_from_bytes(&id, f.bytes) < 0)
				return PU_EPROTO;
		} else if (pu_pb_is(&f, FIELD_SEQ, PU_PB_VARINT)) {
			seq = f.value;
		} else if (pu_pb_is(&f, FIELD_ADDRESSES, PU_PB_BYTES)) {
			if (decode_address(f.bytes, &addr) < 0)
				return PU_EPROTO;
			if (addr.len > 0 && n < cap)
				addrs[n++] = addr;
		}
	}
	if (pu_rd_end(&r) < 0 || pu_peerid_empty(&id))
		return PU_EPROTO;
	*peer = id;
	*pseq = seq;
	*pn = n;
	return 0;
}
