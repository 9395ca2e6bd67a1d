#include "p2p/yamux/ring.h"

#include <assert.h>
#include <stdlib.h>

enum { CAP_MIN = 4096 };

void pu_yamux_ring_init(struct pu_yamux_ring *r, size_t max)
{
	*r = (struct pu_yamux_ring){ .max = max };
}

void pu_yamux_ring_deinit(struct pu_yamux_ring *r)
{
	free(r->mem);
	pu_yamux_ring_init(r, r->max);
}

static void copy_out(const struct pu_yamux_ring *r, uint8_t *out, size_t n)
{
	size_t first = pu_min(n, r->cap - r->off);

	memcpy(out, r->mem + r->off, first);
	if (n > first)
		memcpy(out + first, r->mem, n - first);
}

static void grow(struct pu_yamux_ring *r, size_t need)
{
	size_t cap = r->cap ? r->cap : CAP_MIN;
	uint8_t *mem;

	if (need <= r->cap)
		return;
	while (cap < need)
		cap *= 2;
	cap = pu_min(cap, r->max);
	mem = malloc(cap);
	if (!mem)
		return;
	if (r->len)
		copy_out(r, mem, r->len);
	free(r->mem);
	r->mem = mem;
	r->cap = cap;
	r->off = 0;
}

size_t pu_yamux_ring_write(struct pu_yamux_ring *r, const uint8_t *p, size_t n)
{
	size_t at, first;

	n = pu_min(n, pu_yamux_ring_room(r));
	if (n == 0)
		return 0;
	grow(r, r->len + n);
	n = pu_min(n, r->cap - r->len);
	if (n == 0)
		return 0;
	at = r->off + r->len;
	if (at >= r->cap)
		at -= r->cap;
	first = pu_min(n, r->cap - at);
	memcpy(r->mem + at, p, first);
	if (n > first)
		memcpy(r->mem, p + first, n - first);
	r->len += n;
	return n;
}

void pu_yamux_ring_read(struct pu_yamux_ring *r, uint8_t *out, size_t n)
{
	assert(n <= r->len);
	if (n == 0)
		return;
	copy_out(r, out, n);
	r->off += n;
	if (r->off >= r->cap)
		r->off -= r->cap;
	r->len -= n;
	if (r->len == 0)
		r->off = 0;
}

void pu_yamux_ring_trim(struct pu_yamux_ring *r)
{
	if (r->len == 0)
		pu_yamux_ring_deinit(r);
}
