/* A bounded queue of packets in one ring of bytes: nothing is allocated per packet,
 * nothing at all while it stays empty. */
#ifndef PU_OVERLAY_PKTQ_H
#define PU_OVERLAY_PKTQ_H

#include "base/pkt.h"

struct pu_pktq {
	uint8_t *ring; /* NULL while unused */
	size_t size;   /* of the ring when it is allocated */
	size_t head, tail;
	size_t wrap; /* where the bytes end when tail is before head */
	size_t n;    /* packets */
	size_t bytes;
};

struct pu_pktq_item {
	struct pu_bytes data; /* whole packet, valid until it is popped */
	unsigned flags;
	pu_time queued_at;
};

void pu_pktq_init(struct pu_pktq *q, size_t size);
void pu_pktq_deinit(struct pu_pktq *q);
/* Copies the packet. PU_ELIMIT: no room; PU_ENOMEM. */
int pu_pktq_push(struct pu_pktq *q, const struct pu_pkt *pkt, pu_time now);
/* The oldest packet; false when the queue is empty. */
bool pu_pktq_peek(const struct pu_pktq *q, struct pu_pktq_item *out);
void pu_pktq_pop(struct pu_pktq *q);
/* Gives the ring back to the system; the queue must be empty. */
void pu_pktq_trim(struct pu_pktq *q);

#endif
