#include "p2p/transport/quic_sendq.h"

#include <stdlib.h>

struct quic_chunk {
	struct quic_chunk *next;
	size_t cap, len;
	uint8_t data[];
};

enum {
	CHUNK_MIN = 1024 - sizeof(struct quic_chunk),
	CHUNK_MAX = 16384 - sizeof(struct quic_chunk),
};

static struct quic_chunk *add_chunk(struct quic_sendq *q, size_t len)
{
	size_t cap = pu_min(pu_max(len, CHUNK_MIN), CHUNK_MAX);
	struct quic_chunk *k = malloc(sizeof *k + cap);

	if (!k)
		return NULL;
	k->next = NULL;
	k->cap = cap;
	k->len = 0;
	if (q->tail)
		q->tail->next = k;
	else
		q->head = k;
	q->tail = k;
	return k;
}

size_t pu_quic_sendq_append(struct quic_sendq *q, const uint8_t *p, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct quic_chunk *k = q->tail;
		size_t n;

		if (!k || k->len == k->cap)
			k = add_chunk(q, len - done);
		if (!k)
			break;
		if (!q->cursor) {
			q->cursor = k;
			q->cursor_off = k->len;
		}
		n = pu_min(len - done, k->cap - k->len);
		memcpy(k->data + k->len, p + done, n);
		k->len += n;
		done += n;
	}
	q->written += done;
	return done;
}

size_t pu_quic_sendq_unsent(const struct quic_sendq *q, ngtcp2_vec *v, size_t cap)
{
	struct quic_chunk *k = q->cursor;
	size_t n = 0, off = q->cursor_off;

	for (; k && n < cap; k = k->next, off = 0)
		v[n++] = (ngtcp2_vec){ k->data + off, k->len - off };
	return n;
}

void pu_quic_sendq_sent(struct quic_sendq *q, size_t n)
{
	q->sent += n;
	while (n > 0) {
		size_t part = pu_min(n, q->cursor->len - q->cursor_off);

		q->cursor_off += part;
		n -= part;
		if (q->cursor_off == q->cursor->len) {
			q->cursor = q->cursor->next;
			q->cursor_off = 0;
		}
	}
}

size_t pu_quic_sendq_acked(struct quic_sendq *q, uint64_t upto)
{
	const uint64_t before = q->acked;

	if (upto > q->sent)
		upto = q->sent;
	while (q->acked < upto) {
		struct quic_chunk *k = q->head;
		size_t n = pu_min(k->len - q->head_off, (size_t)(upto - q->acked));

		q->head_off += n;
		q->acked += n;
		if (q->head_off < k->len)
			break;
		/* All of it is acknowledged, so all was sent: the cursor is past it. */
		q->head = k->next;
		q->head_off = 0;
		if (!q->head)
			q->tail = NULL;
		free(k);
	}
	return (size_t)(q->acked - before);
}

size_t pu_quic_sendq_cut(struct quic_sendq *q)
{
	const size_t n = pu_quic_sendq_waiting(q);
	struct quic_chunk *k = q->cursor, *next, **pp = &q->head;

	if (!k)
		return 0;
	q->tail = NULL;
	for (; *pp != k; pp = &(*pp)->next)
		q->tail = *pp;
	if (q->cursor_off > 0) { /* its front is under way */
		k->len = q->cursor_off;
		q->tail = k;
		pp = &k->next;
		k = k->next;
	}
	*pp = NULL;
	for (; k; k = next) {
		next = k->next;
		free(k);
	}
	q->cursor = NULL;
	q->cursor_off = 0;
	q->written = q->sent;
	return n;
}

size_t pu_quic_sendq_drop(struct quic_sendq *q)
{
	const size_t held = pu_quic_sendq_held(q);
	struct quic_chunk *next;

	for (struct quic_chunk *k = q->head; k; k = next) {
		next = k->next;
		free(k);
	}
	q->head = q->tail = q->cursor = NULL;
	q->head_off = q->cursor_off = 0;
	q->acked = q->sent = q->written;
	return held;
}
