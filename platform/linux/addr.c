#include "platform/linux/addr.h"

#include <linux/if_addr.h>
#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "base/err.h"

int pu_linux_addr_add(struct nl_sock *sk, const char *ifname, const struct pu_prefix *addr)
{
	struct rtnl_addr *ra = NULL;
	struct nl_addr *local = NULL;
	int ifindex = pu_linux_netlink_ifindex(ifname);
	int r = PU_ENOMEM;

	if (ifindex < 0)
		return ifindex;
	ra = rtnl_addr_alloc();
	local = pu_linux_netlink_addr(addr);
	if (!ra || !local)
		goto out;
	rtnl_addr_set_ifindex(ra, ifindex);
	rtnl_addr_set_local(ra, local);
	/* Nobody else is on this link, and port 53 is bound to the address next. */
	rtnl_addr_set_flags(ra, IFA_F_NOPREFIXROUTE | (addr->family == AF_INET6 ? IFA_F_NODAD : 0));
	r = pu_linux_netlink_err(rtnl_addr_add(sk, ra, NLM_F_CREATE | NLM_F_REPLACE));
out:
	nl_addr_put(local);
	rtnl_addr_put(ra);
	return r;
}

static bool is_link_local6(const struct pu_prefix *p)
{
	return p->family == AF_INET6 && p->addr[0] == 0xfe && (p->addr[1] & 0xc0) == 0x80;
}

static bool usable(struct rtnl_addr *ra, struct nl_cache *links, int except)
{
	struct rtnl_link *link;
	bool up;

	if (rtnl_addr_get_flags(ra) & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED))
		return false;
	if (rtnl_addr_get_ifindex(ra) == except)
		return false;
	link = rtnl_link_get(links, rtnl_addr_get_ifindex(ra));
	up = link && (rtnl_link_get_flags(link) & IFF_UP);
	rtnl_link_put(link);
	return up;
}

size_t pu_linux_addr_list(struct nl_sock *sk, const char *ifname_except, struct pu_prefix *out,
			  size_t cap)
{
	int except = ifname_except ? (int)if_nametoindex(ifname_except) : 0;
	struct nl_cache *links = NULL, *addrs = NULL;
	size_t n = 0;

	if (rtnl_link_alloc_cache(sk, AF_UNSPEC, &links) < 0 ||
	    rtnl_addr_alloc_cache(sk, &addrs) < 0)
		goto out;
	for (struct nl_object *o = nl_cache_get_first(addrs); o && n < cap;
	     o = nl_cache_get_next(o)) {
		struct rtnl_addr *ra = (struct rtnl_addr *)o;

		if (!usable(ra, links, except))
			continue;
		if (pu_linux_netlink_prefix(rtnl_addr_get_local(ra), rtnl_addr_get_family(ra),
					    &out[n]) &&
		    !is_link_local6(&out[n]))
			n++;
	}
out:
	nl_cache_free(addrs);
	nl_cache_free(links);
	return n;
}
