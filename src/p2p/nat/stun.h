/* How the NAT in front of us behaves (RFC 8489 binding requests; RFC 5780 names): every
 * server is asked from the same socket, so that mappings can be compared. Only servers
 * that the user named are ever asked: an address that a server gives is never sent to.
 *
 * The socket is one of its own, not the one that QUIC listens on. What is learnt is how the
 * NAT treats a socket, which is the same for all of them, and our outer IP address. The
 * outer port belongs to the probe and is gone soon after: nobody can be told to dial it. */
#ifndef PU_P2P_NAT_STUN_H
#define PU_P2P_NAT_STUN_H

#include "base/loop.h"
#include "p2p/transport/net.h"

struct pu_stun;

enum {
	PU_STUN_SERVERS_MAX = 8,
	PU_STUN_PORT = 3478,
	PU_STUN_RETRY_MS = 500, /* after the first request, then twice as long each time */
	PU_STUN_TIMEOUT_MS = 7000,
	PU_STUN_FILTER_TIMEOUT_MS = 3500, /* for answers that a NAT may keep out */
};

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
	/* Mappings were the same for all servers, but none of them could tell how the NAT
	 * filters: ADDRESS_RESTRICTED is only what most NATs are then. */
	bool filter_guessed;
	unsigned asked, answered;
	struct pu_multiaddr external[PU_STUN_SERVERS_MAX]; /* /ip4/…/udp/…, without doubles */
	size_t n_external;
};

/* err: 0 when any server answered, or why none did: PU_ENOENT (no such name),
 * PU_ETIMEDOUT. r is set in both cases and borrowed until return. */
typedef void pu_stun_fn(void *arg, int err, const struct pu_stun_report *r);
/* servers: "host:port" or "host" (port 3478), IPv4 addresses or names that have one. "[…]"
 * with an IPv6 address is understood, but such a server cannot be asked. on_done comes later,
 * once; the handle is gone then. PU_EINVAL (no server, or not of that form), PU_ELIMIT,
 * PU_ENOMEM, or why there is no socket. */
int pu_stun_start(struct pu_loop *loop, struct pu_net *net, const char *const *servers, size_t n,
		  pu_stun_fn *on_done, void *arg, struct pu_stun **ps);
/* on_done will not fire. */
void pu_stun_cancel(struct pu_stun *s);
/* "none", "full-cone", "address-restricted", "port-restricted", "symmetric", "unknown". */
const char *pu_nat_type_text(enum pu_nat_type t);

#endif
