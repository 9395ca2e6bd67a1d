/* TCP segments between the device and lwIP.
 *
 * The device's side is IPv4 or IPv6 with the addresses that programs use. Inside
 * lwIP every flow is IPv4, from an address made of the flow's number to one address
 * and port of lwIP's own. So one listener serves every service of every peer, flows
 * cannot be confused, and lwIP never meets IPv6. */
#ifndef PU_TUN_FLOW_SEGMENT_H
#define PU_TUN_FLOW_SEGMENT_H

#include "tun/device.h"
#include "tun/packet.h"

enum {
	PU_FLOW_STACK_PORT = 1,
	PU_FLOW_STACK_HEAD_MAX = 20 + 60,                         /* IPv4 and TCP */
	PU_FLOW_FRAME_HEAD_MAX = PU_TUN_VNET_LEN + 40 + 60,       /* virtio, IPv6, TCP */
	PU_FLOW_MSS_MIN = 256, /* of what we believe in a SYN */
	PU_FLOW_SEGMENT_MAX = 60000,
};

/* The packet's addresses and ports as programs on this machine see them. */
struct pu_flow_tuple {
	struct pu_ip local, remote;
	uint16_t local_port, remote_port;
};

/* lwIP's own address, in host order. */
#define PU_FLOW_STACK_ADDR 0x0affffffu

/* Head of a segment for lwIP, from flow number from; payload is not looked at.
 * Options are dropped, but for those of a SYN: none is in use later. out has
 * PU_FLOW_STACK_HEAD_MAX bytes. Returns the length of the head. The TCP checksum is
 * left blank. */
size_t pu_flow_segment_to_stack(uint8_t *out, const uint8_t *ip, const struct pu_packet *info,
				uint32_t from);

/* Writes the checksum that lwIP verifies unless told not to (tun/flow/checksum.h)
 * into a whole segment for lwIP. */
void pu_flow_segment_complete(uint8_t *packet, size_t len);

/* Head of a frame for the device: virtio header, IP header, TCP header of a packet
 * that lwIP wrote (IPv4 without options; tcp_len: header and payload). The checksum
 * is left to the kernel; more payload than mss becomes a super-packet. out has
 * PU_FLOW_FRAME_HEAD_MAX bytes. Returns the length of the head and in *pskip how many
 * bytes of the packet it stands for; 0 when the packet is malformed. */
size_t pu_flow_segment_to_device(uint8_t *out, const uint8_t *packet, size_t len,
				 const struct pu_flow_tuple *t, uint16_t mss, size_t *pskip);

/* Value of the MSS option of a SYN (or what holds without one), at least
 * PU_FLOW_MSS_MIN. */
uint16_t pu_flow_segment_mss(const uint8_t *ip, const struct pu_packet *info);

#endif
