/* What the users of libnl here share: a request socket, prefixes, error codes. */
#ifndef PU_PLATFORM_LINUX_NETLINK_H
#define PU_PLATFORM_LINUX_NETLINK_H

#include <netlink/addr.h>
#include <netlink/socket.h>

#include "platform/platform.h"

/* A NETLINK_ROUTE socket for requests that are answered at once. PU_ENOMEM, PU_ESYS. */
int pu_linux_netlink_open(struct nl_sock **psk);
/* The code that says the same as a libnl error (negative NLE_…); 0 stays 0. */
int pu_linux_netlink_err(int nlerr);
/* NULL when memory is exhausted. */
struct nl_addr *pu_linux_netlink_addr(const struct pu_prefix *p);
/* False for families other than IPv4 and IPv6. A NULL address is the empty prefix of
 * that family ("default"). */
bool pu_linux_netlink_prefix(struct nl_addr *a, int family, struct pu_prefix *out);
/* Index of a device, or PU_ENOENT. */
int pu_linux_netlink_ifindex(const char *ifname);
/* Asks for a dump of rtnetlink messages of that type; each one goes to on_msg. */
typedef int pu_linux_netlink_msg_fn(struct nl_msg *msg, void *arg);
int pu_linux_netlink_dump(struct nl_sock *sk, int type, int family,
			  pu_linux_netlink_msg_fn *on_msg, void *arg);

#endif
