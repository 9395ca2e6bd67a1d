/* Bytes waiting to be sent: a ring that grows to a limit. Nothing is moved when
 * bytes leave, which a steady bulk stream would pay for. */
#ifndef PU_P2P_YAMUX_RING_H
#define PU_P2P_YAMUX_RING_H

#include "base/bytes.h"

struct pu_yamux_ring {
	uint8_t *mem; /* cap bytes, NULL while cap is 0 */
	size_t cap;
	size_t off; /* first used byte */
	size_t len; /* used bytes, may wrap */
	size_t max; /* limit of len */
};

void pu_yamux_ring_init(struct pu_yamux_ring *r, size_t max);
void pu_yamux_ring_deinit(struct pu_yamux_ring *r);
static inline size_t pu_yamux_ring_room(const struct pu_yamux_ring *r)
{
	return r->max - r->len;
}
/* Copies in as much as fits under max; less only when memory is short. Returns that
 * number. */
size_t pu_yamux_ring_write(struct pu_yamux_ring *r, const uint8_t *p, size_t n);
/* Moves n bytes (n <= len) out. The memory is kept: a busy stream empties its ring
 * many times a second. */
void pu_yamux_ring_read(struct pu_yamux_ring *r, uint8_t *out, size_t n);
/* Gives the memory of an empty ring back. */
void pu_yamux_ring_trim(struct pu_yamux_ring *r);

#endif
