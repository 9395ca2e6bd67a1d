#include "platform/linux/netmon.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/rtnl.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "platform/linux/addr.h"
#include "platform/linux/route.h"

/* Notifications only say that something changed; what there is now comes from a dump.
 * So a replaced route, a device that went down (the kernel does not report the IPv4
 * routes that go with it) and a socket that overflowed need no cases of their own. */

enum {
	RCVBUF = 1 << 20,
	READS_PER_TURN = 64,
	ADDRS_MAX = PU_PLATFORM_ADDRS_MAX,
};

struct route {
	struct pu_prefix dst, gateway;
};

struct route_set {
	struct route *v;
	size_t n;
};

struct pu_linux_netmon {
	struct pu_loop *loop;
	struct nl_sock *requests;
	struct nl_sock *events;
	struct pu_platform_events ev;
	void *arg;
	uv_poll_t *poll;
	int ifindex; /* of our device; 0: none yet */
	char ifname[IF_NAMESIZE];
	bool routes_changed, network_changed;
	struct route_set known;
	struct pu_timer debounce;
	struct pu_prefix addrs[ADDRS_MAX]; /* as last reported */
	size_t n_addrs;
	uint64_t links; /* digest of the links that carry traffic, and of default routes */
};

/* --- routes of our device --- */

static bool prefix_eq(const struct pu_prefix *a, const struct pu_prefix *b)
{
	return a->family == b->family && a->bits == b->bits &&
	       memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

static bool set_has(const struct route_set *s, const struct route *r)
{
	for (size_t i = 0; i < s->n; i++)
		if (prefix_eq(&s->v[i].dst, &r->dst) && prefix_eq(&s->v[i].gateway, &r->gateway))
			return true;
	return false;
}

struct collect {
	const struct pu_linux_netmon *m;
	struct route_set set;
	bool overflow;
};

/* Ours and those that the kernel makes for addresses say nothing new. */
static bool made_by_others(struct rtnl_route *rt)
{
	unsigned proto = rtnl_route_get_protocol(rt);

	return rtnl_route_get_type(rt) == RTN_UNICAST && proto != PU_ROUTE_PROTO &&
	       proto != RTPROT_KERNEL && rtnl_route_get_table(rt) != RT_TABLE_LOCAL;
}

static void collect_route(struct collect *c, struct rtnl_route *rt)
{
	struct route r;

	if (!made_by_others(rt) || !pu_linux_route_dst(rt, &r.dst))
		return;
	for (int i = 0; i < rtnl_route_get_nnexthops(rt); i++) {
		struct rtnl_nexthop *nh = rtnl_route_nexthop_n(rt, i);

		if (rtnl_route_nh_get_ifindex(nh) != c->m->ifindex)
			continue;
		pu_linux_route_gateway(nh, &r.gateway);
		if (set_has(&c->set, &r))
			continue; /* the same in another table or with another metric */
		if (c->set.n >= PU_PLATFORM_ROUTES_MAX)
			c->overflow = true;
		else
			c->set.v[c->set.n++] = r;
	}
}

static int on_route_msg(struct nl_msg *msg, void *arg)
{
	struct rtnl_route *rt = NULL;

	if (rtnl_route_parse(nlmsg_hdr(msg), &rt) == 0)
		collect_route(arg, rt);
	rtnl_route_put(rt);
	return NL_OK;
}

static void report(struct pu_linux_netmon *m, const struct route *r, bool added)
{
	struct pu_route_event ev = { .added = added, .dst = r->dst, .gateway = r->gateway };

	if (m->ev.on_route)
		m->ev.on_route(m->arg, &ev);
}

/* Removals first: a replaced route must not be seen twice. */
static void report_changes(struct pu_linux_netmon *m, struct route_set old)
{
	for (size_t i = 0; i < old.n; i++)
		if (!set_has(&m->known, &old.v[i]))
			report(m, &old.v[i], false);
	for (size_t i = 0; i < m->known.n; i++)
		if (!set_has(&old, &m->known.v[i]))
			report(m, &m->known.v[i], true);
}

static int sync_routes(struct pu_linux_netmon *m)
{
	struct collect c = { .m = m };
	struct route_set old = m->known;
	int r;

	c.set.v = calloc(PU_PLATFORM_ROUTES_MAX, sizeof *c.set.v);
	if (!c.set.v)
		return PU_ENOMEM;
	r = pu_linux_netlink_dump(m->requests, RTM_GETROUTE, AF_UNSPEC, on_route_msg, &c);
	if (r < 0) {
		free(c.set.v);
		return r;
	}
	if (c.overflow)
		pu_log(PU_LOG_WARN, "platform", "too many routes on the device, some are ignored",
		       PU_KV_U64("limit", PU_PLATFORM_ROUTES_MAX));
	m->known = c.set;
	report_changes(m, old);
	free(old.v);
	return 0;
}

/* --- the other interfaces --- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static int on_link_msg(struct nl_msg *msg, void *arg)
{
	struct pu_linux_netmon *m = arg;
	const struct ifinfomsg *ifi = nlmsg_data(nlmsg_hdr(msg));
	const unsigned up = IFF_UP | IFF_RUNNING;
	struct nlattr *a = nlmsg_find_attr(nlmsg_hdr(msg), sizeof *ifi, IFLA_CARRIER_CHANGES);
	/* A cable that was out, or another radio network, may lead elsewhere though it has
	 * the same addresses. */
	uint64_t carrier = a ? nla_get_u32(a) : 0;

	if (ifi->ifi_index != m->ifindex && (ifi->ifi_flags & up) == up)
		m->links += mix(mix(1, (uint64_t)ifi->ifi_index), carrier); /* in any order */
	return NL_OK;
}

static bool is_default_route(struct nl_msg *msg)
{
	const struct rtmsg *rtm = nlmsg_data(nlmsg_hdr(msg));

	return rtm->rtm_dst_len == 0 && rtm->rtm_table == RT_TABLE_MAIN;
}

static void add_next_hop(struct pu_linux_netmon *m, struct rtnl_route *rt,
			 struct rtnl_nexthop *nh)
{
	struct pu_prefix gw;
	uint64_t h = mix(2, rtnl_route_get_priority(rt));

	if (rtnl_route_nh_get_ifindex(nh) == m->ifindex)
		return;
	pu_linux_route_gateway(nh, &gw);
	h = mix(mix(h, (uint64_t)rtnl_route_nh_get_ifindex(nh)), gw.family);
	for (size_t i = 0; i < sizeof gw.addr; i++)
		h = mix(h, gw.addr[i]);
	m->links += h;
}

static int on_default_msg(struct nl_msg *msg, void *arg)
{
	struct rtnl_route *rt = NULL;

	if (is_default_route(msg) && rtnl_route_parse(nlmsg_hdr(msg), &rt) == 0)
		for (int i = 0; i < rtnl_route_get_nnexthops(rt); i++)
			add_next_hop(arg, rt, rtnl_route_nexthop_n(rt, i));
	rtnl_route_put(rt);
	return NL_OK;
}

/* Interfaces tell about themselves often (statistics of radios, lifetimes of
 * addresses); true only when the addresses, the running links or the ways out are others now. */
static bool network_differs(struct pu_linux_netmon *m)
{
	struct pu_prefix now[ADDRS_MAX];
	size_t n = pu_linux_addr_list(m->requests, m->ifindex ? m->ifname : NULL, now, ADDRS_MAX);
	uint64_t links = m->links;
	bool same = n == m->n_addrs;

	for (size_t i = 0; same && i < n; i++)
		same = prefix_eq(&now[i], &m->addrs[i]);
	memcpy(m->addrs, now, n * sizeof now[0]);
	m->n_addrs = n;
	m->links = 0;
	(void)pu_linux_netlink_dump(m->requests, RTM_GETLINK, AF_UNSPEC, on_link_msg, m);
	(void)pu_linux_netlink_dump(m->requests, RTM_GETROUTE, AF_UNSPEC, on_default_msg, m);
	return !same || m->links != links;
}

static void on_debounced(void *arg)
{
	struct pu_linux_netmon *m = arg;

	if (network_differs(m) && m->ev.on_network_change)
		m->ev.on_network_change(m->arg);
}

/* --- notifications --- */

static bool route_concerns_us(const struct pu_linux_netmon *m, struct nl_msg *msg)
{
	struct rtnl_route *rt = NULL;
	bool ours = false;

	/* A route that is replaced by one over another device is reported as the new
	 * one only. */
	if (m->ifindex == 0)
		return false;
	if (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_REPLACE)
		return true;
	if (rtnl_route_parse(nlmsg_hdr(msg), &rt) == 0)
		for (int i = 0; i < rtnl_route_get_nnexthops(rt); i++)
			ours |= rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(rt, i)) ==
				m->ifindex;
	rtnl_route_put(rt);
	return ours;
}

static void link_or_addr_changed(struct pu_linux_netmon *m, int ifindex)
{
	if (m->ifindex && ifindex == m->ifindex)
		m->routes_changed = true;
	else
		m->network_changed = true;
}

static int on_event_msg(struct nl_msg *msg, void *arg)
{
	struct pu_linux_netmon *m = arg;
	const struct nlmsghdr *h = nlmsg_hdr(msg);

	/* The shortest of the three headers read below; each is followed by attributes. */
	if (!nlmsg_valid_hdr(h, sizeof(struct ifaddrmsg)))
		return NL_SKIP;
	switch (h->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		m->routes_changed |= route_concerns_us(m, msg);
		m->network_changed |= is_default_route(msg);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		link_or_addr_changed(m, ((const struct ifinfomsg *)nlmsg_data(h))->ifi_index);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		link_or_addr_changed(m, (int)((const struct ifaddrmsg *)nlmsg_data(h))->ifa_index);
		break;
	}
	return NL_OK;
}

static void act(struct pu_linux_netmon *m)
{
	if (m->network_changed && !pu_timer_active(&m->debounce))
		pu_timer_set(&m->debounce,
			     pu_loop_now(m->loop) + PU_MS(PU_LINUX_NETMON_DEBOUNCE_MS));
	m->network_changed = false;
	if (m->routes_changed && m->ifindex)
		(void)sync_routes(m);
	m->routes_changed = false;
}

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct pu_linux_netmon *m = h->data;
	int r = 0;

	pu_loop_uv_enter(m->loop);
	for (int i = 0; r >= 0 && i < READS_PER_TURN; i++)
		r = nl_recvmsgs_default(m->events);
	/* Some were lost: everything may have changed. */
	if (r < 0 && r != -NLE_AGAIN)
		m->routes_changed = m->network_changed = true;
	act(m);
	pu_loop_uv_leave(m->loop);
}

/* --- life --- */

static int open_events(struct pu_linux_netmon *m)
{
	int r;

	m->events = nl_socket_alloc();
	if (!m->events)
		return PU_ENOMEM;
	nl_socket_disable_seq_check(m->events);
	nl_socket_modify_cb(m->events, NL_CB_VALID, NL_CB_CUSTOM, on_event_msg, m);
	r = nl_connect(m->events, NETLINK_ROUTE);
	if (r == 0)
		r = nl_socket_set_nonblocking(m->events);
	if (r == 0)
		r = nl_socket_add_memberships(m->events, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
					      RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
					      RTNLGRP_IPV6_ROUTE, 0);
	if (r == 0)
		nl_socket_set_buffer_size(m->events, RCVBUF, 0);
	return pu_linux_netlink_err(r);
}

static int start_poll(struct pu_linux_netmon *m)
{
	m->poll = malloc(sizeof *m->poll);
	if (!m->poll)
		return PU_ENOMEM;
	if (uv_poll_init(pu_loop_uv_of(m->loop), m->poll, nl_socket_get_fd(m->events)) < 0) {
		free(m->poll);
		m->poll = NULL;
		return PU_ESYS;
	}
	m->poll->data = m;
	return uv_poll_start(m->poll, UV_READABLE, on_readable) < 0 ? PU_ESYS : 0;
}

int pu_linux_netmon_new(struct pu_loop *loop, struct nl_sock *sk,
			const struct pu_platform_events *ev, void *arg,
			struct pu_linux_netmon **pm)
{
	struct pu_linux_netmon *m = calloc(1, sizeof *m);
	int r;

	if (!m)
		return PU_ENOMEM;
	m->loop = loop;
	m->requests = sk;
	m->ev = *ev;
	m->arg = arg;
	pu_timer_init(&m->debounce, loop, on_debounced, m);
	r = open_events(m);
	if (r == 0)
		r = start_poll(m);
	if (r < 0) {
		pu_linux_netmon_free(m);
		return r;
	}
	(void)network_differs(m); /* what there is at the start is no change */
	*pm = m;
	return 0;
}

static void on_poll_closed(uv_handle_t *h)
{
	free(h);
}

void pu_linux_netmon_free(struct pu_linux_netmon *m)
{
	if (!m)
		return;
	pu_timer_stop(&m->debounce);
	/* uv_close() takes the descriptor out of the loop at once. */
	if (m->poll)
		uv_close((uv_handle_t *)m->poll, on_poll_closed);
	nl_socket_free(m->events);
	free(m->known.v);
	free(m);
}

int pu_linux_netmon_watch(struct pu_linux_netmon *m, const char *ifname)
{
	int ifindex = pu_linux_netlink_ifindex(ifname);

	if (m->ifindex)
		return PU_EEXIST;
	if (ifindex < 0)
		return ifindex;
	m->ifindex = ifindex;
	memcpy(m->ifname, ifname, pu_min(strlen(ifname), sizeof m->ifname - 1));
	(void)network_differs(m); /* our own device leaves the picture */
	return sync_routes(m);
}
