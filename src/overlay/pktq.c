#include "overlay/pktq.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"

struct record {
	uint32_t len;
	uint32_t flags;
	pu_time queued_at;
};

static size_t record_size(size_t len)
{
	return (sizeof(struct record) + len + 7) & ~(size_t)7;
}

void pu_pktq_init(struct pu_pktq *q, size_t size)
{
	*q = (struct pu_pktq){ .size = size };
}

void pu_pktq_deinit(struct pu_pktq *q)
{
	free(q->ring);
	*q = (struct pu_pktq){ 0 };
}

void pu_pktq_trim(struct pu_pktq *q)
{
	assert(q->n == 0);
	free(q->ring);
	q->ring = NULL;
	q->head = q->tail = q->wrap = 0;
}

/* Contiguous room for need bytes, or NULL. */
static uint8_t *claim(struct pu_pktq *q, size_t need)
{
	uint8_t *at;

	if (q->n == 0)
		q->head = q->tail = 0;
	if (q->tail >= q->head) {
		if (q->size - q->tail >= need) {
			at = q->ring + q->tail;
			q->tail += need;
			return at;
		}
		if (q->n == 0 || q->head <= need)
			return NULL;
		q->wrap = q->tail;
		q->tail = need;
		return q->ring;
	}
	/* Behind the head one byte stays free: equal offsets mean "not wrapped". */
	if (q->head - q->tail <= need)
		return NULL;
	at = q->ring + q->tail;
	q->tail += need;
	return at;
}

int pu_pktq_push(struct pu_pktq *q, const struct pu_pkt *pkt, pu_time now)
{
	struct record rec = { .len = (uint32_t)pu_pkt_len(pkt), .flags = pkt->flags,
			      .queued_at = now };
	uint8_t *p;

	if (!q->ring) {
		q->ring = malloc(q->size);
		if (!q->ring)
			return PU_ENOMEM;
	}
	p = claim(q, record_size(rec.len));
	if (!p)
		return PU_ELIMIT;
	memcpy(p, &rec, sizeof rec);
	p += sizeof rec;
	memcpy(p, pkt->head.p, pkt->head.len);
	if (pkt->body.len)
		memcpy(p + pkt->head.len, pkt->body.p, pkt->body.len);
	q->n++;
	q->bytes += rec.len;
	return 0;
}

bool pu_pktq_peek(const struct pu_pktq *q, struct pu_pktq_item *out)
{
	struct record rec;

	if (q->n == 0)
		return false;
	memcpy(&rec, q->ring + q->head, sizeof rec);
	out->data = pu_bytes(q->ring + q->head + sizeof rec, rec.len);
	out->flags = rec.flags;
	out->queued_at = rec.queued_at;
	return true;
}

void pu_pktq_pop(struct pu_pktq *q)
{
	struct record rec;

	assert(q->n > 0);
	memcpy(&rec, q->ring + q->head, sizeof rec);
	q->head += record_size(rec.len);
	q->n--;
	q->bytes -= rec.len;
	if (q->tail < q->head && q->head == q->wrap)
		q->head = 0;
	if (q->n == 0)
		q->head = q->tail = 0;
}
