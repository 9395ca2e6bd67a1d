/* The way out of this LAN. */
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/route/route.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/wire.h"
#include "platform/linux/netlink.h"
#include "platform/linux/portmap_job.h"
#include "platform/linux/route.h"

struct best {
	struct in_addr gateway;
	uint32_t metric;
	bool found;
};

static void look_at(struct best *b, struct rtnl_route *rt)
{
	uint32_t metric = rtnl_route_get_priority(rt);
	struct pu_prefix dst, gw;

	if (rtnl_route_get_table(rt) != RT_TABLE_MAIN ||
	    rtnl_route_get_type(rt) != RTN_UNICAST || !pu_linux_route_dst(rt, &dst) ||
	    dst.bits != 0 || (b->found && metric >= b->metric) || rtnl_route_get_nnexthops(rt) < 1)
		return;
	pu_linux_route_gateway(rtnl_route_nexthop_n(rt, 0), &gw);
	if (gw.family != AF_INET)
		return;
	memcpy(&b->gateway, gw.addr, sizeof b->gateway);
	b->metric = metric;
	b->found = true;
}

static int on_route_msg(struct nl_msg *msg, void *arg)
{
	struct rtnl_route *rt = NULL;

	if (rtnl_route_parse(nlmsg_hdr(msg), &rt) == 0)
		look_at(arg, rt);
	rtnl_route_put(rt);
	return NL_OK;
}

/* No packet is sent: the kernel only chooses. */
static int local_towards(struct in_addr gateway, struct in_addr *local)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = gateway,
				  .sin_port = htons(PU_PCP_PORT) };
	socklen_t len = sizeof sa;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = PU_EUNREACH;

	if (fd < 0)
		return PU_ESYS;
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0 &&
	    getsockname(fd, (struct sockaddr *)&sa, &len) == 0) {
		*local = sa.sin_addr;
		r = 0;
	}
	close(fd);
	return r;
}

int pu_linux_gateway_find(struct in_addr *gateway, struct in_addr *local)
{
	struct best b = { 0 };
	struct nl_sock *sk;
	int r = pu_linux_netlink_open(&sk);

	if (r < 0)
		return r;
	r = pu_linux_netlink_dump(sk, RTM_GETROUTE, AF_INET, on_route_msg, &b);
	nl_socket_free(sk);
	if (r < 0)
		return r;
	r = b.found ? local_towards(b.gateway, local) : PU_EUNREACH;
	if (r == 0)
		*gateway = b.gateway;
	return r;
}

bool pu_linux_gateway_is_private(struct in_addr ip)
{
	uint32_t v = ntohl(ip.s_addr);

	return v >> 24 == 10 || v >> 20 == 0xac1 || v >> 16 == 0xc0a8 || v >> 16 == 0xa9fe ||
	       v >> 22 == 0x191; /* 172.16/12, 192.168/16, 169.254/16, 100.64/10 */
}
