/* ICMP echo for peers that take no packets (other makes): the answer to /pingpong
 * becomes the echo reply, so that ping shows what the peer's own ping would. */
#ifndef PU_DAEMON_ECHO_H
#define PU_DAEMON_ECHO_H

#include "daemon/node.h"
#include "tun/frame.h"

enum {
	PU_ECHO_MAX = 64,	 /* requests in flight */
	PU_ECHO_PACKET_MAX = 1500, /* longer ones are not answered */
};

struct pu_echo;

int pu_echo_new(struct pu_node *n, struct pu_tun_device *dev, struct pu_echo **pe);
void pu_echo_free(struct pu_echo *e);
/* False when the frame is no echo request. Otherwise it was taken: answered later,
 * or dropped over the limits. */
bool pu_echo_request(struct pu_echo *e, const struct pu_roster_peer *p,
		     const struct pu_tun_frame *f);
uint64_t pu_echo_answered(const struct pu_echo *e);

#endif
