/* One IP packet on its way between the device and a peer: headers and payload may
 * lie apart, so that a super-packet is cut without copying its payload. */
#ifndef PU_BASE_PKT_H
#define PU_BASE_PKT_H

#include "base/bytes.h"

enum {
	PU_PKT_BATCH_MAX = 64,
	PU_PKT_MAX = 65535,
	PU_IPV6_MIN_MTU = 1280,
};

enum pu_pkt_flags {
	/* The TCP or UDP checksum field holds only the folded pseudo-header sum (as
	 * virtio's NEEDS_CSUM); whoever leaves the trusted path completes it. */
	PU_PKT_CSUM_PARTIAL = 1u << 0,
};

struct pu_pkt {
	struct pu_bytes head; /* IP header and, when cut, the transport header */
	struct pu_bytes body; /* the rest; may be empty */
	unsigned flags;
};

static inline size_t pu_pkt_len(const struct pu_pkt *p)
{
	return p->head.len + p->body.len;
}

#endif
