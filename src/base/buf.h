/* An owned byte queue with a hard maximum: append at the back, consume at the
 * front, reserve headroom in front for headers. */
#ifndef PU_BASE_BUF_H
#define PU_BASE_BUF_H

#include "base/bytes.h"

struct pu_buf {
	uint8_t *mem;  /* allocation, NULL while empty */
	size_t cap;    /* bytes allocated */
	size_t off;    /* first used byte */
	size_t len;    /* used bytes */
	size_t max;    /* hard limit of len */
	bool secret;   /* wipe memory before it is returned to the allocator */
};

/* Empty buffer that never holds more than max bytes. Allocates nothing. */
void pu_buf_init(struct pu_buf *b, size_t max);
void pu_buf_deinit(struct pu_buf *b);

static inline struct pu_bytes pu_buf_bytes(const struct pu_buf *b)
{
	return pu_bytes(b->mem ? b->mem + b->off : NULL, b->len);
}

static inline size_t pu_buf_room(const struct pu_buf *b)
{
	return b->max - b->len;
}

/* Room for n more bytes behind the used ones: *pp stays valid until the next
 * call on b; pu_buf_commit() says how many were written.
 * PU_ELIMIT beyond max, PU_ENOMEM. */
int pu_buf_reserve(struct pu_buf *b, size_t n, uint8_t **pp);
void pu_buf_commit(struct pu_buf *b, size_t n);
/* Appends a copy. PU_ELIMIT beyond max (nothing appended), PU_ENOMEM. */
int pu_buf_append(struct pu_buf *b, const void *p, size_t n);
/* Puts n bytes in front of the used ones, moving them only when no headroom
 * is left. PU_ELIMIT, PU_ENOMEM. */
int pu_buf_prepend(struct pu_buf *b, const void *p, size_t n);
/* Drops n bytes (n <= len) from the front. Memory is kept for reuse. */
void pu_buf_consume(struct pu_buf *b, size_t n);
/* Forgets the content; gives memory back when more than keep bytes are held. */
void pu_buf_clear(struct pu_buf *b, size_t keep);

#endif
