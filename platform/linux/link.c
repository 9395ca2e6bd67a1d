#include "platform/linux/link.h"

#include <linux/if_link.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>

#include "base/err.h"

/* Sends what change says about the device to the kernel. Takes change. */
static int apply(struct nl_sock *sk, const char *ifname, struct rtnl_link *change)
{
	struct rtnl_link *link = NULL;
	int r;

	if (!change)
		return PU_ENOMEM;
	r = rtnl_link_get_kernel(sk, 0, ifname, &link);
	if (r == 0)
		r = rtnl_link_change(sk, link, change, 0);
	rtnl_link_put(link);
	rtnl_link_put(change);
	return pu_linux_netlink_err(r);
}

/* No link-local address: it would only send router solicitations and multicast
 * reports into the tunnel. Without IPv6 in the kernel this fails, and is not needed. */
static void no_link_local(struct nl_sock *sk, const char *ifname)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (change && rtnl_link_inet6_set_addr_gen_mode(change, IN6_ADDR_GEN_MODE_NONE) < 0) {
		rtnl_link_put(change);
		return;
	}
	(void)apply(sk, ifname, change);
}

int pu_linux_link_up(struct nl_sock *sk, const char *ifname, unsigned mtu, unsigned txqueuelen)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (!change)
		return PU_ENOMEM;
	no_link_local(sk, ifname);
	rtnl_link_set_mtu(change, mtu);
	if (txqueuelen)
		rtnl_link_set_txqlen(change, txqueuelen);
	rtnl_link_set_flags(change, IFF_UP);
	return apply(sk, ifname, change);
}

int pu_linux_link_set_mtu(struct nl_sock *sk, const char *ifname, unsigned mtu)
{
	struct rtnl_link *change = rtnl_link_alloc();

	if (change)
		rtnl_link_set_mtu(change, mtu);
	return apply(sk, ifname, change);
}
