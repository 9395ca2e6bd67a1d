/* How the NAT in front of us behaves (RFC 8489 binding requests; RFC 5780 names): every
 * server is asked from the same socket, so that mappings can be compared. Only servers
 * that the user named are ever asked. */
#ifndef PU_P2P_NAT_STUN_H
#define PU_P2P_NAT_STUN_H

#include "base/loop.h"
#include "p2p/transport/net.h"

struct pu_stun;

enum { PU_STUN_SERVERS_MAX = 8 };

enum pu_nat_type {
	PU_NAT_UNKNOWN,
	PU_NAT_NONE,
	PU_NAT_FULL_CONE,
	PU_NAT_ADDRESS_RESTRICTED,
	PU_NAT_PORT_RESTRICTED,
	PU_NAT_SYMMETRIC,
};

struct pu_stun_report {
	enum pu_nat_type type;
	unsigned asked, answered;
	struct pu_multiaddr external[PU_STUN_SERVERS_MAX]; /* /ip4/…/udp/…, without doubles */
	size_t n_external;
};

typedef void pu_stun_fn(void *arg, int err, const struct pu_stun_report *r);
/* servers: "host:port" or "host" (port 3478). on_done comes later, once. */
int pu_stun_start(struct pu_loop *loop, struct pu_net *net, const char *const *servers, size_t n,
		  pu_stun_fn *on_done, void *arg, struct pu_stun **ps);
void pu_stun_cancel(struct pu_stun *s);
const char *pu_nat_type_text(enum pu_nat_type t);

#endif
