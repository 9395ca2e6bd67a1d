/* Cutting super-packets from the device into packets (segmentation) and joining
 * packets from peers into super-packets (receive offload). No checksum is ever
 * computed over payload here: it stays partial (PU_PKT_CSUM_PARTIAL) and the
 * kernel on the far side is told so. */
#ifndef PU_TUN_OFFLOAD_H
#define PU_TUN_OFFLOAD_H

#include "base/pkt.h"
#include "tun/device.h"

enum {
	PU_TUN_HEAD_MAX = 128,    /* longest IP + TCP header that is cut */
	PU_TUN_SEGMENTS_MAX = 256 /* of one super-packet */
};

/* Scratch for one cut frame. */
struct pu_tun_cut {
	struct pu_pkt pkt[PU_TUN_SEGMENTS_MAX];
	uint8_t head[PU_TUN_SEGMENTS_MAX][PU_TUN_HEAD_MAX];
};

/* frame: as read from the device, checked completely. Fills cut->pkt (borrowing
 * from frame and cut) and returns the number of packets; PU_EPROTO when the frame
 * is malformed or has more than PU_TUN_SEGMENTS_MAX segments. */
int pu_tun_cut_frame(struct pu_tun_cut *cut, uint8_t *frame, size_t len);

/* Joins packets into frames. Packets are copied in; frames go to the device when
 * a packet does not continue the current one, and at flush. Several flows at a
 * time are kept open; the order of packets within one flow (and of fragments and
 * other packets between the same two addresses) never changes. Partial checksums
 * are made anew here, complete ones are verified before a packet is joined: nothing
 * that the far side says about a checksum reaches the kernel as a promise. */
struct pu_tun_join;
int pu_tun_join_new(struct pu_tun_device *d, struct pu_tun_join **pj);
void pu_tun_join_free(struct pu_tun_join *j);
/* An IP packet in one span; borrowed until return. flags: pu_pkt_flags. 0; or, the
 * packet or one before it dropped and counted: PU_EAGAIN when the device would not
 * take it, PU_EPROTO when it is malformed or its checksum cannot be partial. */
int pu_tun_join_add(struct pu_tun_join *j, const uint8_t *ip, size_t len, unsigned flags);
/* The same for a packet already parsed; its addresses may have been rewritten since. */
struct pu_packet;
int pu_tun_join_add_parsed(struct pu_tun_join *j, const uint8_t *ip, unsigned flags,
			   const struct pu_packet *info);
/* Everything collected goes to the device. To be called at the end of each batch. */
void pu_tun_join_flush(struct pu_tun_join *j);

struct pu_tun_join_stats {
	uint64_t packets, frames, dropped;
};
void pu_tun_join_stats(const struct pu_tun_join *j, struct pu_tun_join_stats *out);

#endif
