/* The device side of a node: TUN, addresses, routes, name server, host resolver. */
#ifndef PU_DAEMON_VPN_H
#define PU_DAEMON_VPN_H

#include "daemon/bridge.h"
#include "daemon/failure.h"
#include "daemon/node.h"
#include "daemon/vpn_routes.h"

struct pu_dns_server;
struct pu_vpn;

enum {
	PU_VPN_MTU_DEFAULT = 1400, /* one QUIC datagram on a 1500-byte path holds 1410 */
	PU_VPN_TXQUEUELEN = 1000,
};

/* Sets everything up, or nothing: on failure why says what is in the way and which
 * command helps. loop must be a pu_loop_uv loop. */
int pu_vpn_start(struct pu_node *n, struct pu_vpn **pv, struct pu_failure *why);
/* Takes everything down again. NULL is fine. */
void pu_vpn_stop(struct pu_vpn *v);
/* Start-up is over: from now on the host is only changed as a running node must. */
void pu_vpn_seal(struct pu_vpn *v);
/* The device is there and up. */
bool pu_vpn_is_up(const struct pu_vpn *v);
/* The kernel took the device away (or its module went): called at most once. */
void pu_vpn_on_lost(struct pu_vpn *v, pu_job_fn *fn, void *arg);

struct pu_vpn_info {
	const char *interface, *dns_method;
	unsigned mtu;
	char ipv4[16], ipv6[46], dns_server[16], subnet[20], ipv6_prefix[50];
};
void pu_vpn_info(const struct pu_vpn *v, struct pu_vpn_info *out);
/* Routes of the kernel through the device. */
const struct pu_vpn_routes *pu_vpn_kernel_routes(const struct pu_vpn *v);
void pu_vpn_each_counter(const struct pu_vpn *v,
			 void (*fn)(void *arg, const char *name, uint64_t value), void *arg);

#endif
