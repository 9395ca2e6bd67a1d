/* Our device as a network interface. */
#ifndef PU_PLATFORM_LINUX_LINK_H
#define PU_PLATFORM_LINUX_LINK_H

#include "platform/linux/netlink.h"

/* PU_ENOENT: no such device; PU_EPERM; PU_EINVAL: the MTU does not suit it. */
int pu_linux_link_up(struct nl_sock *sk, const char *ifname, unsigned mtu, unsigned txqueuelen);
int pu_linux_link_set_mtu(struct nl_sock *sk, const char *ifname, unsigned mtu);

#endif
