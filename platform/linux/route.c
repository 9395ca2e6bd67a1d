#include "platform/linux/route.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <stdio.h>

#include "base/err.h"

bool pu_linux_route_dst(struct rtnl_route *rt, struct pu_prefix *out)
{
	return pu_linux_netlink_prefix(rtnl_route_get_dst(rt), rtnl_route_get_family(rt), out);
}

void pu_linux_route_gateway(struct rtnl_nexthop *nh, struct pu_prefix *out)
{
	struct nl_addr *a = rtnl_route_nh_get_gateway(nh);

	if (!a)
		a = rtnl_route_nh_get_via(nh); /* IPv4 behind an IPv6 gateway */
	if (!a || !pu_linux_netlink_prefix(a, nl_addr_get_family(a), out))
		memset(out, 0, sizeof *out);
}

/* --- overlap --- */

struct overlap {
	int except;
	const struct pu_prefix *prefix;
	bool exact; /* only the very same prefix counts */
	bool found;
	char *out;
	size_t cap;
};

static bool prefixes_overlap(const struct pu_prefix *a, const struct pu_prefix *b)
{
	unsigned bits = a->bits < b->bits ? a->bits : b->bits;
	unsigned rest = bits % 8;

	if (a->family != b->family || memcmp(a->addr, b->addr, bits / 8) != 0)
		return false;
	return rest == 0 || (a->addr[bits / 8] ^ b->addr[bits / 8]) >> (8 - rest) == 0;
}

/* The names of iproute2's own rt_protos that one meets; the number otherwise. */
static const char *proto_text(unsigned proto, char buf[8])
{
	static const char *const names[] = {
		[RTPROT_REDIRECT] = "redirect", [RTPROT_KERNEL] = "kernel",
		[RTPROT_BOOT] = "boot",		[RTPROT_STATIC] = "static",
		[RTPROT_RA] = "ra",		[RTPROT_ZEBRA] = "zebra",
		[RTPROT_BIRD] = "bird",		[RTPROT_DHCP] = "dhcp",
	};

	if (proto < PU_ARRAY_LEN(names) && names[proto])
		return names[proto];
	if (proto == PU_ROUTE_PROTO)
		return "peerup";
	snprintf(buf, 8, "%u", proto);
	return buf;
}

static void describe(struct overlap *o, struct rtnl_route *rt, const struct pu_prefix *dst,
		     struct rtnl_nexthop *nh)
{
	char ip[INET6_ADDRSTRLEN] = "", gw[INET6_ADDRSTRLEN] = "", dev[IF_NAMESIZE] = "?", num[8];
	struct pu_prefix via;

	inet_ntop(dst->family, dst->addr, ip, sizeof ip);
	pu_linux_route_gateway(nh, &via);
	if (via.family)
		inet_ntop(via.family, via.addr, gw, sizeof gw);
	if_indextoname((unsigned)rtnl_route_nh_get_ifindex(nh), dev);
	snprintf(o->out, o->cap, "%s/%u%s%s dev %s proto %s", ip, dst->bits,
		 via.family ? " via " : "", gw, dev, proto_text(rtnl_route_get_protocol(rt), num));
}

static void check_overlap(struct overlap *o, struct rtnl_route *rt)
{
	struct pu_prefix dst;

	if (o->found || rtnl_route_get_table(rt) != RT_TABLE_MAIN ||
	    rtnl_route_get_type(rt) != RTN_UNICAST || !pu_linux_route_dst(rt, &dst) ||
	    dst.bits == 0 || !prefixes_overlap(&dst, o->prefix))
		return;
	if (o->exact && dst.bits != o->prefix->bits)
		return;
	for (int i = 0; i < rtnl_route_get_nnexthops(rt) && !o->found; i++) {
		struct rtnl_nexthop *nh = rtnl_route_nexthop_n(rt, i);

		if (rtnl_route_nh_get_ifindex(nh) == o->except)
			continue;
		o->found = true;
		describe(o, rt, &dst, nh);
	}
}

static int on_route_msg(struct nl_msg *msg, void *arg)
{
	struct rtnl_route *rt = NULL;

	if (rtnl_route_parse(nlmsg_hdr(msg), &rt) == 0)
		check_overlap(arg, rt);
	rtnl_route_put(rt);
	return NL_OK;
}

static int find_overlap(struct nl_sock *sk, struct overlap *o)
{
	int r = pu_linux_netlink_dump(sk, RTM_GETROUTE, o->prefix->family, on_route_msg, o);

	return r < 0 ? r : o->found;
}

int pu_linux_route_overlap(struct nl_sock *sk, const char *ifname, const struct pu_prefix *prefix,
			   char *out, size_t cap)
{
	struct overlap o = {
		.except = ifname ? (int)if_nametoindex(ifname) : 0,
		.prefix = prefix,
		.out = out,
		.cap = cap,
	};

	return find_overlap(sk, &o);
}

/* --- adding --- */

static struct rtnl_route *on_link_route(int ifindex, const struct pu_prefix *dst)
{
	struct rtnl_route *rt = rtnl_route_alloc();
	struct rtnl_nexthop *nh = rtnl_route_nh_alloc();
	struct nl_addr *a = pu_linux_netlink_addr(dst);

	if (!rt || !nh || !a) {
		if (nh)
			rtnl_route_nh_free(nh);
		rtnl_route_put(rt);
		nl_addr_put(a);
		return NULL;
	}
	rtnl_route_set_family(rt, dst->family);
	rtnl_route_set_table(rt, RT_TABLE_MAIN);
	rtnl_route_set_protocol(rt, PU_ROUTE_PROTO);
	rtnl_route_set_type(rt, RTN_UNICAST);
	rtnl_route_set_scope(rt, dst->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
	rtnl_route_set_dst(rt, a);
	rtnl_route_nh_set_ifindex(nh, ifindex);
	rtnl_route_add_nexthop(rt, nh);
	nl_addr_put(a);
	return rt;
}

int pu_linux_route_add(struct nl_sock *sk, const char *ifname, const struct pu_prefix *dst)
{
	int ifindex = pu_linux_netlink_ifindex(ifname);
	char text[160];
	struct overlap o = {
		.except = ifindex, .prefix = dst, .exact = true, .out = text, .cap = sizeof text
	};
	struct rtnl_route *rt;
	int r;

	if (ifindex < 0)
		return ifindex;
	rt = on_link_route(ifindex, dst);
	if (!rt)
		return PU_ENOMEM;
	r = pu_linux_netlink_err(rtnl_route_add(sk, rt, NLM_F_CREATE | NLM_F_EXCL));
	rtnl_route_put(rt);
	if (r != PU_EEXIST)
		return r;
	r = find_overlap(sk, &o);
	return r == 1 ? PU_EEXIST : r;
}
