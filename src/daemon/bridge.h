/* Joins the device to the peers: whose packet is it, may it pass, by which carrier,
 * under which addresses. Everything that decides about a packet is here; everything
 * that moves bytes is in tun/ and src/overlay/. */
#ifndef PU_DAEMON_BRIDGE_H
#define PU_DAEMON_BRIDGE_H

#include "daemon/node.h"
#include "platform/platform.h"
#include "tun/device.h"

enum { PU_BRIDGE_PAUSE_US = 1000 };

struct pu_bridge;

struct pu_bridge_stats {
	uint64_t rx_spoofed;	 /* inner source is not the sender's */
	uint64_t rx_not_allowed; /* no right, or not for us */
	uint64_t rx_malformed;
	uint64_t tx_no_route;	 /* no peer has that address */
	uint64_t tx_not_allowed; /* the peer grants no such access */
	uint64_t tx_too_big;	 /* told to the sender, delivered in halves */
	uint64_t tx_unreachable; /* the peer could not be connected */
	uint64_t echo_answered;	 /* for peers without packet sessions */
	uint64_t icmp_limited;	 /* errors not sent */
};

/* Takes over the node's events. dev outlives the bridge. */
int pu_bridge_new(struct pu_node *n, struct pu_tun_device *dev, struct pu_bridge **pb);
void pu_bridge_free(struct pu_bridge *b);
/* The device is readable. PU_EAGAIN: a peer's path is full; read again in
 * PU_BRIDGE_PAUSE_US, so that programs are slowed down rather than robbed of packets. The
 * pause is too short for other peers to notice. PU_EIO: the device is gone. */
int pu_bridge_readable(struct pu_bridge *b);
/* A kernel route on the device with a peer as gateway came or went. */
void pu_bridge_route(struct pu_bridge *b, const struct pu_route_event *ev);
void pu_bridge_stats(const struct pu_bridge *b, struct pu_bridge_stats *out);
/* name and value of every counter of the data plane. */
void pu_bridge_each_counter(const struct pu_bridge *b,
			    void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

#endif
