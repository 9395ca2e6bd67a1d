/* Addresses of interfaces. */
#ifndef PU_PLATFORM_LINUX_ADDR_H
#define PU_PLATFORM_LINUX_ADDR_H

#include "platform/linux/netlink.h"

/* Adds the address without the on-link route that the kernel would make of its prefix
 * length: routes are pu_linux_route_add()'s, under our protocol number. Adding it again
 * is no error. */
int pu_linux_addr_add(struct nl_sock *sk, const char *ifname, const struct pu_prefix *addr);
/* Usable addresses (not tentative, not deprecated, not link-local: those mean nothing
 * without an interface) of interfaces that are up, except one. Returns the number. */
size_t pu_linux_addr_list(struct nl_sock *sk, const char *ifname_except, struct pu_prefix *out,
			  size_t cap);

#endif
