/* Routes of the main table. */
#ifndef PU_PLATFORM_LINUX_ROUTE_H
#define PU_PLATFORM_LINUX_ROUTE_H

#include <netlink/route/route.h>

#include "platform/linux/netlink.h"

/* On-link route with our protocol number. That it is there already is no error;
 * PU_EEXIST: somebody else's route has exactly this destination. */
int pu_linux_route_add(struct nl_sock *sk, const char *ifname, const struct pu_prefix *dst);
/* See pu_platform_route_overlap(). */
int pu_linux_route_overlap(struct nl_sock *sk, const char *ifname, const struct pu_prefix *prefix,
			   char *out, size_t cap);
/* Destination of a route; false for families that we do not know. */
bool pu_linux_route_dst(struct rtnl_route *rt, struct pu_prefix *out);
/* Gateway of a next hop (either family), family 0 when it has none. */
void pu_linux_route_gateway(struct rtnl_nexthop *nh, struct pu_prefix *out);

#endif
