#include "p2p/transport/mcast_uv.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <unistd.h>

#include "base/err.h"
#include "p2p/transport/udp_uv.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

enum { HOP_LIMIT = 255 };

static bool same_ip(const union pu_sockaddr *a, const struct sockaddr *b)
{
	union pu_sockaddr other = { .sa.sa_family = AF_UNSPEC };

	if (!b || b->sa_family != a->sa.sa_family)
		return false;
	if (b->sa_family == AF_INET) {
		memcpy(&other.v4, b, sizeof other.v4);
		return other.v4.sin_addr.s_addr == a->v4.sin_addr.s_addr;
	}
	memcpy(&other.v6, b, sizeof other.v6);
	return IN6_ARE_ADDR_EQUAL(&other.v6.sin6_addr, &a->v6.sin6_addr);
}

/* The interface with that address, if it has these flags; else 0. */
static unsigned find_interface(const union pu_sockaddr *addr, unsigned needed)
{
	struct ifaddrs *all;
	unsigned index = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *i = all; i && !index; i = i->ifa_next)
		if (same_ip(addr, i->ifa_addr) && (i->ifa_flags & needed) == needed)
			index = if_nametoindex(i->ifa_name);
	freeifaddrs(all);
	return index;
}

unsigned pu_mcast_uv_interface_of(const union pu_sockaddr *ip)
{
	return find_interface(ip, 0);
}

static bool is_open(const struct pu_list *open, const union pu_sockaddr *group, unsigned index)
{
	PU_LIST_FOREACH(it, tmp, open) {
		const struct pu_udp_uv_entry *e = PU_CONTAINER_OF(it, struct pu_udp_uv_entry, node);

		if (e->ifindex == index && pu_sockaddr_eq(&e->group, group))
			return true;
	}
	return false;
}

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value);
}

/* Kernels before 4.20 have no such switch for IPv6; they deliver what was joined on other
 * interfaces as well, which the owner hears twice then. */
static int join6(int fd, const union pu_sockaddr *group, unsigned index)
{
	const struct ipv6_mreq mr = { group->v6.sin6_addr, index };

	set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
	if (set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0 ||
	    set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)index) < 0 ||
	    set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, HOP_LIMIT) < 0 ||
	    set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, HOP_LIMIT) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &mr, sizeof mr);
}

static int join4(int fd, const union pu_sockaddr *group, unsigned index)
{
	const struct ip_mreqn mr = { .imr_multiaddr = group->v4.sin_addr,
				     .imr_ifindex = (int)index };

	if (set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &mr, sizeof mr) < 0 ||
	    set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, HOP_LIMIT) < 0 ||
	    set_int(fd, IPPROTO_IP, IP_TTL, HOP_LIMIT) < 0)
		return -1;
	return setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mr, sizeof mr);
}

/* Bound to the group, not to the wildcard: datagrams for this host alone belong to the
 * other programs on the port. */
static int open_socket(const union pu_sockaddr *group, unsigned index)
{
	const int family = group->sa.sa_family;
	union pu_sockaddr bind_to = *group;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return pu_err_from_errno(errno);
	if (family == AF_INET6)
		bind_to.v6.sin6_scope_id = index;
	if (set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0 &&
	    set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1) == 0 &&
	    (family == AF_INET ? join4(fd, group, index) : join6(fd, group, index)) == 0 &&
	    bind(fd, &bind_to.sa, pu_sockaddr_len(&bind_to)) == 0)
		return fd;
	r = pu_err_from_errno(errno);
	close(fd);
	return r;
}

static union pu_sockaddr with_port_of(const union pu_sockaddr *iface,
				      const union pu_sockaddr *group)
{
	union pu_sockaddr sa = *iface;

	if (sa.sa.sa_family == AF_INET)
		sa.v4.sin_port = group->v4.sin_port;
	else
		sa.v6.sin6_port = group->v6.sin6_port;
	return sa;
}

int pu_mcast_uv_open(struct pu_loop *loop, struct pu_list *open, const union pu_sockaddr *group,
		     const union pu_sockaddr *iface, const struct pu_udp_events *ev, void *arg,
		     struct pu_udp **pu)
{
	union pu_sockaddr local;
	struct pu_udp_uv_entry *e;
	unsigned index;
	int r;

	if (group->sa.sa_family != iface->sa.sa_family)
		return PU_EINVAL;
	index = find_interface(iface, IFF_UP | IFF_MULTICAST);
	if (!index)
		return PU_EUNREACH;
	if (is_open(open, group, index))
		return PU_EEXIST;
	r = open_socket(group, index);
	if (r < 0)
		return r;
	local = with_port_of(iface, group);
	r = pu_udp_uv_wrap(loop, r, &local, ev, arg, pu);
	if (r < 0)
		return r;
	e = pu_udp_uv_entry(*pu);
	e->group = *group;
	e->ifindex = index;
	pu_list_append(open, &e->node);
	return 0;
}
