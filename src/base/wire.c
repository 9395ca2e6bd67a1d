#include "base/wire.h"

#include "base/err.h"

struct pu_rd pu_rd_init(const void *p, size_t len)
{
	return (struct pu_rd){ .p = p, .left = len };
}

struct pu_bytes pu_rd_bytes(struct pu_rd *r, size_t n)
{
	struct pu_bytes b = { NULL, 0 };

	if (r->err || n > r->left) {
		r->err = PU_EPROTO;
		return b;
	}
	b = pu_bytes(r->p, n);
	r->p += n;
	r->left -= n;
	return b;
}

uint8_t pu_rd_u8(struct pu_rd *r)
{
	struct pu_bytes b = pu_rd_bytes(r, 1);

	return b.p ? b.p[0] : 0;
}

uint16_t pu_rd_be16(struct pu_rd *r)
{
	struct pu_bytes b = pu_rd_bytes(r, 2);

	return b.p ? pu_get_be16(b.p) : 0;
}

uint32_t pu_rd_be32(struct pu_rd *r)
{
	struct pu_bytes b = pu_rd_bytes(r, 4);

	return b.p ? pu_get_be32(b.p) : 0;
}

uint64_t pu_rd_be64(struct pu_rd *r)
{
	struct pu_bytes b = pu_rd_bytes(r, 8);

	return b.p ? pu_get_be64(b.p) : 0;
}

int pu_uvarint_decode(const uint8_t *p, size_t len, uint64_t *pv)
{
	uint64_t v = 0;

	for (size_t i = 0; i < PU_UVARINT_MAX; i++) {
		if (i == len)
			return PU_EAGAIN;
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (p[i] & 0x80)
			continue;
		if (i > 0 && p[i] == 0)
			return PU_EPROTO; /* padded form */
		*pv = v;
		return (int)i + 1;
	}
	return PU_EPROTO;
}

uint64_t pu_rd_uvarint(struct pu_rd *r)
{
	uint64_t v;
	int n;

	if (r->err)
		return 0;
	n = pu_uvarint_decode(r->p, r->left, &v);
	if (n < 0) {
		r->err = PU_EPROTO;
		return 0;
	}
	r->p += n;
	r->left -= (size_t)n;
	return v;
}

struct pu_bytes pu_rd_lp(struct pu_rd *r, size_t max)
{
	uint64_t n = pu_rd_uvarint(r);

	if (n > max)
		r->err = PU_EPROTO;
	return pu_rd_bytes(r, r->err ? 0 : (size_t)n);
}

int pu_rd_end(const struct pu_rd *r)
{
	return r->err || r->left ? PU_EPROTO : 0;
}

size_t pu_uvarint_encode(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

size_t pu_uvarint_len(uint64_t v)
{
	size_t n = 1;

	while (v >>= 7)
		n++;
	return n;
}

struct pu_wr pu_wr_init(void *p, size_t cap)
{
	return (struct pu_wr){ .p = p, .cap = cap };
}

void pu_wr_bytes(struct pu_wr *w, struct pu_bytes b)
{
	if (w->err || b.len > w->cap - w->len) {
		w->err = PU_ELIMIT;
		return;
	}
	if (b.len)
		memcpy(w->p + w->len, b.p, b.len);
	w->len += b.len;
}

void pu_wr_u8(struct pu_wr *w, uint8_t v)
{
	pu_wr_bytes(w, pu_bytes(&v, 1));
}

void pu_wr_be16(struct pu_wr *w, uint16_t v)
{
	uint8_t b[2];

	pu_put_be16(b, v);
	pu_wr_bytes(w, pu_bytes(b, sizeof b));
}

void pu_wr_be32(struct pu_wr *w, uint32_t v)
{
	uint8_t b[4];

	pu_put_be32(b, v);
	pu_wr_bytes(w, pu_bytes(b, sizeof b));
}

void pu_wr_be64(struct pu_wr *w, uint64_t v)
{
	uint8_t b[8];

	pu_put_be64(b, v);
	pu_wr_bytes(w, pu_bytes(b, sizeof b));
}

void pu_wr_uvarint(struct pu_wr *w, uint64_t v)
{
	uint8_t b[PU_UVARINT_MAX + 1];

	pu_wr_bytes(w, pu_bytes(b, pu_uvarint_encode(b, v)));
}

void pu_wr_lp(struct pu_wr *w, struct pu_bytes b)
{
	pu_wr_uvarint(w, b.len);
	pu_wr_bytes(w, b);
}

int pu_wr_end(const struct pu_wr *w)
{
	return w->err ? w->err : (int)w->len;
}
