/* Cutting one frame piece by piece, for callers that take packets in batches;
 * pu_tun_cut_frame() of tun/offload.h is all of it at once. */
#ifndef PU_TUN_CUT_H
#define PU_TUN_CUT_H

#include "tun/frame.h"
#include "tun/offload.h"

struct pu_tun_cutter {
	const struct pu_tun_frame *frame;
	unsigned next;         /* number of the packet that comes next */
	uint64_t ip_sum;       /* IPv4 header without length, identification, checksum */
	uint64_t pseudo_sum;   /* pseudo-header without length */
};

/* f: parsed, and its addresses rewritten if need be; borrowed while cutting. */
void pu_tun_cutter_init(struct pu_tun_cutter *c, const struct pu_tun_frame *f);
/* The next packets, at most max; 0 when there are no more. They borrow from the
 * frame and from head (one entry for each). */
size_t pu_tun_cutter_next(struct pu_tun_cutter *c, struct pu_pkt *pkt,
			  uint8_t (*head)[PU_TUN_HEAD_MAX], size_t max);

#endif
