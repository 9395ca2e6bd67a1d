/* Remembers conversations that this machine began, so that answers from peers that
 * may not begin any themselves are let in. A fixed table: under pressure the entry
 * that would expire first is forgotten. */
#ifndef PU_TUN_TRACK_H
#define PU_TUN_TRACK_H

#include "tun/packet.h"

enum {
	PU_TRACK_TCP_S = 3600,
	PU_TRACK_UDP_S = 180,
	PU_TRACK_OTHER_S = 30,
};

struct pu_track;

/* key: 16 random bytes. PU_ENOMEM. */
int pu_track_new(const uint8_t key[16], struct pu_track **pt);
void pu_track_free(struct pu_track *t);
/* A packet to the peer behind handle leaves. */
void pu_track_out(struct pu_track *t, uint32_t handle, const struct pu_packet *info, pu_time now);
/* True when a packet from that peer answers one that left, with the addresses as this
 * machine sees them. ICMP errors are not looked into. */
bool pu_track_answers(struct pu_track *t, uint32_t handle, const struct pu_packet *info,
		      pu_time now);

#endif
