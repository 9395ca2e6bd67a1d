/* The bytes of one stream from pu_stream_write() until the peer acknowledged them. They
 * lie still in chunks, because packets under way point to them. */
#ifndef PU_P2P_TRANSPORT_QUIC_SENDQ_H
#define PU_P2P_TRANSPORT_QUIC_SENDQ_H

#include "p2p/transport/quic_shim.h"

struct quic_chunk;

/* All zero is empty. Offsets of the stream: acked <= sent <= written. */
struct quic_sendq {
	struct quic_chunk *head, *tail;
	struct quic_chunk *cursor; /* first with unsent bytes; NULL: all sent */
	size_t head_off;   /* acknowledged bytes of head */
	size_t cursor_off; /* sent bytes of cursor */
	uint64_t acked, sent, written;
};

/* Copies; returns less than len only when memory is exhausted. */
size_t pu_quic_sendq_append(struct quic_sendq *q, const uint8_t *p, size_t len);
/* The next unsent bytes in at most cap spans; returns how many. */
size_t pu_quic_sendq_unsent(const struct quic_sendq *q, ngtcp2_vec *v, size_t cap);
/* n of them are in a packet now. */
void pu_quic_sendq_sent(struct quic_sendq *q, size_t n);
/* Everything before that offset arrived; returns how many bytes that freed. */
size_t pu_quic_sendq_acked(struct quic_sendq *q, uint64_t upto);
/* Forgets what was not sent; returns how many bytes. */
size_t pu_quic_sendq_cut(struct quic_sendq *q);
/* Frees everything, acknowledged or not; returns how many bytes. */
size_t pu_quic_sendq_drop(struct quic_sendq *q);

static inline size_t pu_quic_sendq_waiting(const struct quic_sendq *q)
{
	return (size_t)(q->written - q->sent);
}

static inline size_t pu_quic_sendq_held(const struct quic_sendq *q)
{
	return (size_t)(q->written - q->acked);
}

#endif
