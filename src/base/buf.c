#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

enum { BUF_MIN_CAP = 256 };

static void wipe(void *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
}

void pu_buf_init(struct pu_buf *b, size_t max)
{
	*b = (struct pu_buf){ .max = max };
}

static void release(struct pu_buf *b)
{
	if (b->secret)
		wipe(b->mem, b->cap);
	free(b->mem);
	b->mem = NULL;
	b->cap = 0;
	b->off = 0;
}

void pu_buf_deinit(struct pu_buf *b)
{
	release(b);
	b->len = 0;
}

/* Makes room for front bytes before and back bytes behind the content. */
static int make_room(struct pu_buf *b, size_t front, size_t back)
{
	size_t need, cap;
	uint8_t *mem;

	if (back > b->max - b->len || front > b->max - b->len - back)
		return PU_ELIMIT;
	if (b->mem && b->off >= front && b->cap - b->off - b->len >= back)
		return 0;
	need = front + b->len + back;
	if (b->mem && need <= b->cap && b->len <= b->cap / 2) {
		/* Moving at most half of the memory keeps appends amortised. */
		memmove(b->mem + front, b->mem + b->off, b->len);
		b->off = front;
		return 0;
	}
	cap = pu_max(BUF_MIN_CAP, need + need / 2);
	mem = malloc(cap);
	if (!mem)
		return PU_ENOMEM;
	if (b->len)
		memcpy(mem + front, b->mem + b->off, b->len);
	release(b);
	b->mem = mem;
	b->cap = cap;
	b->off = front;
	return 0;
}

int pu_buf_reserve(struct pu_buf *b, size_t n, uint8_t **pp)
{
	int r = make_room(b, 0, n);

	if (r < 0)
		return r;
	*pp = b->mem + b->off + b->len;
	return 0;
}

void pu_buf_commit(struct pu_buf *b, size_t n)
{
	assert(n <= b->cap - b->off - b->len);
	b->len += n;
}

int pu_buf_append(struct pu_buf *b, const void *p, size_t n)
{
	uint8_t *to;
	int r;

	if (n == 0)
		return 0;
	r = pu_buf_reserve(b, n, &to);
	if (r < 0)
		return r;
	memcpy(to, p, n);
	b->len += n;
	return 0;
}

int pu_buf_prepend(struct pu_buf *b, const void *p, size_t n)
{
	int r;

	if (n == 0)
		return 0;
	r = make_room(b, n, 0);
	if (r < 0)
		return r;
	b->off -= n;
	b->len += n;
	memcpy(b->mem + b->off, p, n);
	return 0;
}

void pu_buf_consume(struct pu_buf *b, size_t n)
{
	assert(n <= b->len);
	b->off += n;
	b->len -= n;
	if (b->len == 0)
		b->off = 0;
}

void pu_buf_clear(struct pu_buf *b, size_t keep)
{
	b->len = 0;
	b->off = 0;
	if (b->cap > keep)
		release(b);
}
