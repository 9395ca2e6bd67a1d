/* What packets look like between two nodes (docs/protocols/packets.md).
 *
 *   datagram  QUIC varint: control stream ID ‖ type ‖ content
 *   stream    u16be: length of what follows ‖ type ‖ content
 *
 *   type bit 0: the transport checksum holds only the pseudo-header sum
 *   type bit 1: half of a packet; content = u16be id ‖ u8 index (0, 1) ‖ half
 *   other bits: reserved, such a frame is dropped
 */
#ifndef PU_OVERLAY_FRAME_H
#define PU_OVERLAY_FRAME_H

#include "base/pkt.h"

enum {
	PU_FRAME_CSUM_PARTIAL = 1u << 0,
	PU_FRAME_HALF = 1u << 1,
	PU_FRAME_TYPE_MASK = 3,
	PU_FRAME_HALF_HEAD = 3, /* id and index */
	PU_FRAME_HALVES = 64,	/* packets that wait for their other half */
	PU_FRAME_HALF_MAX = 1500,
	PU_FRAME_HALF_AGE_MS = 2000,
};

/* Packets in halves, per sender. Embedded storage is small; buffers are allocated
 * when halves arrive, and at most PU_FRAME_HALVES × PU_FRAME_HALF_MAX bytes. */
struct pu_frame_half {
	uint8_t *data; /* PU_FRAME_HALF_MAX bytes */
	pu_time at;
	uint16_t id, len;
	uint8_t index;
	bool used;
};

struct pu_frame_halves {
	struct pu_frame_half slot[PU_FRAME_HALVES];
	uint8_t *whole; /* 2 × PU_FRAME_HALF_MAX bytes, the packet put together */
};

/* What one frame held. */
struct pu_frame_packet {
	struct pu_bytes data; /* borrowed from the frame or from the halves */
	unsigned flags;	      /* pu_pkt_flags */
};

void pu_frame_halves_deinit(struct pu_frame_halves *h);
/* body: type ‖ content. 1: a packet in *out, valid until the next call; 0: a half that
 * waits; PU_EPROTO: malformed; PU_ENOMEM. */
int pu_frame_decode(struct pu_frame_halves *h, struct pu_bytes body, pu_time now,
		    struct pu_frame_packet *out);

/* QUIC variable-length integer (RFC 9000 §16): bytes written (1, 2, 4, 8) / used;
 * decode gives PU_EPROTO when it is cut off. */
size_t pu_frame_quic_varint(uint8_t out[8], uint64_t v);
int pu_frame_quic_varint_decode(struct pu_bytes in, uint64_t *pv);

#endif
