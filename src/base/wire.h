/* Reader and writer with a sticky error: parse ten fields, check once. */
#ifndef PU_BASE_WIRE_H
#define PU_BASE_WIRE_H

#include "base/bytes.h"

/* Longest unsigned varint on any libp2p wire: 9 bytes, 63 bits. */
enum { PU_UVARINT_MAX = 9 };

struct pu_rd {
	const uint8_t *p;
	size_t left;
	int err; /* 0 or PU_EPROTO; after an error every read gives 0 or empty */
};

struct pu_rd pu_rd_init(const void *p, size_t len);
uint8_t pu_rd_u8(struct pu_rd *r);
uint16_t pu_rd_be16(struct pu_rd *r);
uint32_t pu_rd_be32(struct pu_rd *r);
uint64_t pu_rd_be64(struct pu_rd *r);
/* LEB128, minimal form only, at most 63 bits. */
uint64_t pu_rd_uvarint(struct pu_rd *r);
/* Next n bytes, borrowed from the input. */
struct pu_bytes pu_rd_bytes(struct pu_rd *r, size_t n);
/* uvarint length ‖ bytes; an error when the length exceeds max. */
struct pu_bytes pu_rd_lp(struct pu_rd *r, size_t max);
/* 0 when everything was read without error; PU_EPROTO for short, oversized or
 * trailing input. */
int pu_rd_end(const struct pu_rd *r);

/* Decodes one uvarint at the start of a stream buffer: number of bytes used,
 * PU_EAGAIN when more input is needed, PU_EPROTO when it is malformed. */
int pu_uvarint_decode(const uint8_t *p, size_t len, uint64_t *pv);
/* Encodes into p (PU_UVARINT_MAX bytes); returns the length. */
size_t pu_uvarint_encode(uint8_t *p, uint64_t v);
size_t pu_uvarint_len(uint64_t v);

struct pu_wr {
	uint8_t *p;
	size_t cap, len;
	int err; /* 0 or PU_ELIMIT; after an error nothing is written */
};

struct pu_wr pu_wr_init(void *p, size_t cap);
void pu_wr_u8(struct pu_wr *w, uint8_t v);
void pu_wr_be16(struct pu_wr *w, uint16_t v);
void pu_wr_be32(struct pu_wr *w, uint32_t v);
void pu_wr_be64(struct pu_wr *w, uint64_t v);
void pu_wr_uvarint(struct pu_wr *w, uint64_t v);
void pu_wr_bytes(struct pu_wr *w, struct pu_bytes b);
void pu_wr_lp(struct pu_wr *w, struct pu_bytes b);
/* Bytes written, or PU_ELIMIT. */
int pu_wr_end(const struct pu_wr *w);

static inline uint16_t pu_get_be16(const void *p)
{
	const uint8_t *b = p;
	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t pu_get_be32(const void *p)
{
	const uint8_t *b = p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint64_t pu_get_be64(const void *p)
{
	return (uint64_t)pu_get_be32(p) << 32 | pu_get_be32((const uint8_t *)p + 4);
}

static inline void pu_put_be16(void *p, uint16_t v)
{
	uint8_t *b = p;
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void pu_put_be32(void *p, uint32_t v)
{
	pu_put_be16(p, (uint16_t)(v >> 16));
	pu_put_be16((uint8_t *)p + 2, (uint16_t)v);
}

static inline void pu_put_be64(void *p, uint64_t v)
{
	pu_put_be32(p, (uint32_t)(v >> 32));
	pu_put_be32((uint8_t *)p + 4, (uint32_t)v);
}

#endif
