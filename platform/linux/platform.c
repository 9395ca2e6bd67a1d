#include "platform/linux/platform_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "platform/linux/addr.h"
#include "platform/linux/caps.h"
#include "platform/linux/link.h"
#include "platform/linux/route.h"
#include "platform/linux/rt_proto.h"
#include "platform/linux/seccomp.h"

/* --- life --- */

int pu_linux_platform_new(struct pu_loop *loop, const struct pu_platform_events *ev, void *arg,
			  const struct pu_linux_paths *paths, struct pu_platform **pp)
{
	struct pu_platform *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return PU_ENOMEM;
	p->loop = loop;
	p->paths = paths;
	pu_privops_init(&p->privops, p);
	pu_linux_resolver_init(&p->resolver, paths);
	r = pu_linux_netlink_open(&p->nl);
	if (r == 0)
		r = pu_linux_netmon_new(loop, p->nl, ev, arg, &p->netmon);
	if (r < 0) {
		pu_platform_free(p);
		return r;
	}
	*pp = p;
	return 0;
}

int pu_platform_new(struct pu_loop *loop, const struct pu_platform_events *ev, void *arg,
		    struct pu_platform **pp)
{
	return pu_linux_platform_new(loop, ev, arg, &pu_linux_paths_default, pp);
}

void pu_platform_free(struct pu_platform *p)
{
	if (!p)
		return;
	pu_linux_resolver_stop(&p->resolver);
	if (p->rt_proto_named)
		pu_linux_rt_proto_remove(p->paths);
	pu_linux_netmon_free(p->netmon);
	nl_socket_free(p->nl);
	free(p);
}

/* --- privileged requests and their handlers --- */

int pu_platform_link_up(struct pu_platform *p, const char *ifname, unsigned mtu,
			unsigned txqueuelen)
{
	struct pu_privreq rq = { .ifname = ifname, .mtu = mtu, .txqueuelen = txqueuelen };

	return pu_privops_call(&p->privops, PU_PRIVOP_LINK_UP, &rq);
}

int pu_privops_do_link_up(struct pu_platform *p, const struct pu_privreq *rq)
{
	return pu_linux_link_up(p->nl, rq->ifname, rq->mtu, rq->txqueuelen);
}

int pu_platform_set_mtu(struct pu_platform *p, const char *ifname, unsigned mtu)
{
	struct pu_privreq rq = { .ifname = ifname, .mtu = mtu };

	return pu_privops_call(&p->privops, PU_PRIVOP_SET_MTU, &rq);
}

int pu_privops_do_set_mtu(struct pu_platform *p, const struct pu_privreq *rq)
{
	return pu_linux_link_set_mtu(p->nl, rq->ifname, rq->mtu);
}

int pu_platform_addr_add(struct pu_platform *p, const char *ifname, const struct pu_prefix *addr)
{
	struct pu_privreq rq = { .ifname = ifname, .prefix = addr };

	return pu_privops_call(&p->privops, PU_PRIVOP_ADDR_ADD, &rq);
}

int pu_privops_do_addr_add(struct pu_platform *p, const struct pu_privreq *rq)
{
	return pu_linux_addr_add(p->nl, rq->ifname, rq->prefix);
}

int pu_platform_route_add(struct pu_platform *p, const char *ifname, const struct pu_prefix *dst)
{
	struct pu_privreq rq = { .ifname = ifname, .prefix = dst };

	return pu_privops_call(&p->privops, PU_PRIVOP_ROUTE_ADD, &rq);
}

int pu_privops_do_route_add(struct pu_platform *p, const struct pu_privreq *rq)
{
	int r = pu_linux_route_add(p->nl, rq->ifname, rq->prefix);

	/* The name is a courtesy: that it cannot be written hurts nobody. */
	if (r == 0 && !p->privops.sealed)
		p->rt_proto_named = pu_linux_rt_proto_add(p->paths);
	return r;
}

int pu_platform_dns_set(struct pu_platform *p, const char *ifname, const char *mode,
			const char *suffix, const struct pu_prefix *servers, size_t n_servers,
			const char *state_dir, const char **pmethod)
{
	struct pu_privreq rq = { .ifname = ifname,
				 .mode = mode,
				 .suffix = suffix,
				 .servers = servers,
				 .n_servers = n_servers,
				 .state_dir = state_dir,
				 .pmethod = pmethod };

	return pu_privops_call(&p->privops, PU_PRIVOP_DNS_SET, &rq);
}

int pu_privops_do_dns_set(struct pu_platform *p, const struct pu_privreq *rq)
{
	return pu_linux_resolver_set(&p->resolver, rq);
}

void pu_platform_seal(struct pu_platform *p)
{
	pu_privops_seal(&p->privops);
}

bool pu_platform_has_rights(void)
{
	return pu_linux_caps_any();
}

int pu_platform_drop(unsigned uid, unsigned gid)
{
	return pu_linux_caps_drop(uid, gid);
}

int pu_platform_seccomp(void)
{
	return pu_linux_seccomp_install();
}

int pu_platform_no_rings(void)
{
	return pu_linux_seccomp_no_rings();
}

/* --- questions --- */

int pu_platform_route_overlap(struct pu_platform *p, const char *ifname,
			      const struct pu_prefix *prefix, char *out, size_t cap)
{
	return pu_linux_route_overlap(p->nl, ifname, prefix, out, cap);
}

int pu_platform_watch_routes(struct pu_platform *p, const char *ifname)
{
	return pu_linux_netmon_watch(p->netmon, ifname);
}

size_t pu_platform_addrs(struct pu_platform *p, const char *ifname_except, struct pu_prefix *out,
			 size_t cap)
{
	return pu_linux_addr_list(p->nl, ifname_except, out, cap);
}

size_t pu_platform_dns_upstreams(struct pu_platform *p, struct pu_prefix *out, size_t cap)
{
	return pu_linux_resolver_upstreams(&p->resolver, out, cap);
}

void pu_platform_dns_recover(const char *state_dir)
{
	pu_linux_resolver_recover(&pu_linux_paths_default, state_dir);
	pu_linux_rt_proto_remove(&pu_linux_paths_default);
}
