/* A frame of the device, understood once: virtio-net header, IP header and what the
 * frame will be cut into. */
#ifndef PU_TUN_FRAME_H
#define PU_TUN_FRAME_H

#include "tun/device.h"
#include "tun/packet.h"

struct pu_tun_frame {
	uint8_t *base;         /* the virtio-net header */
	size_t len;            /* with it */
	struct pu_packet info; /* of the super-packet, see pu_tun_frame_ip() */
	unsigned flags;        /* enum pu_pkt_flags, for every packet of the frame */
	unsigned n_packets;    /* 1: the frame is one packet */
	uint16_t head_len;     /* IP and transport header that every packet repeats */
	uint16_t payload_max;  /* of one packet; only when n_packets > 1 */
	uint16_t packet_max;   /* length of the longest packet */
};

static inline uint8_t *pu_tun_frame_ip(const struct pu_tun_frame *f)
{
	return f->base + PU_TUN_VNET_LEN;
}

/* base: as read from the device, borrowed as long as f is used; checked completely.
 * A checksum that the kernel left to us and that is not the TCP or UDP checksum of
 * the outermost header (tunnels inside the tunnel) is completed in place.
 * PU_EPROTO: malformed, or an offload that was never agreed. */
int pu_tun_frame_parse(struct pu_tun_frame *f, uint8_t *base, size_t len);

#endif
