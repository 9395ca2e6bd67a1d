#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "platform/null/null.h"

enum { LOG_MAX = 8192, PREFIX_TEXT = 64 };

struct pu_platform {
	struct pu_privops privops;
	char log[LOG_MAX];
	int fail[PU_PRIVOP_COUNT];
};

static void note(struct pu_platform *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void note(struct pu_platform *p, const char *fmt, ...)
{
	size_t len = strlen(p->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->log + len, sizeof p->log - len, fmt, ap);
	va_end(ap);
	len = strlen(p->log);
	snprintf(p->log + len, sizeof p->log - len, "\n");
}

static const char *prefix_text(const struct pu_prefix *x, char out[PREFIX_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "?";

	inet_ntop(x->family, x->addr, ip, sizeof ip);
	snprintf(out, PREFIX_TEXT, "%s/%u", ip, x->bits);
	return out;
}

/* --- what tests say --- */

const char *pu_null_log(const struct pu_platform *p)
{
	return p->log;
}

void pu_null_fail(struct pu_platform *p, enum pu_privop op, int err)
{
	p->fail[op] = err;
}

/* --- requests --- */

int pu_privops_do_link_up(struct pu_platform *p, const struct pu_privreq *rq)
{
	note(p, "link_up %s %u %u", rq->ifname, rq->mtu, rq->txqueuelen);
	return p->fail[PU_PRIVOP_LINK_UP];
}

int pu_privops_do_set_mtu(struct pu_platform *p, const struct pu_privreq *rq)
{
	note(p, "set_mtu %s %u", rq->ifname, rq->mtu);
	return p->fail[PU_PRIVOP_SET_MTU];
}

int pu_privops_do_addr_add(struct pu_platform *p, const struct pu_privreq *rq)
{
	char text[PREFIX_TEXT];

	note(p, "addr_add %s %s", rq->ifname, prefix_text(rq->prefix, text));
	return p->fail[PU_PRIVOP_ADDR_ADD];
}

int pu_privops_do_route_add(struct pu_platform *p, const struct pu_privreq *rq)
{
	char text[PREFIX_TEXT];

	note(p, "route_add %s %s", rq->ifname, prefix_text(rq->prefix, text));
	return p->fail[PU_PRIVOP_ROUTE_ADD];
}

int pu_privops_do_dns_set(struct pu_platform *p, const struct pu_privreq *rq)
{
	char servers[256] = "", ip[INET6_ADDRSTRLEN];
	size_t len = 0;

	for (size_t i = 0; i < rq->n_servers && len < sizeof servers; i++) {
		inet_ntop(rq->servers[i].family, rq->servers[i].addr, ip, sizeof ip);
		len += (size_t)snprintf(servers + len, sizeof servers - len, "%s%s", i ? "," : "",
					ip);
	}
	note(p, "dns_set %s %s %s %s %s", rq->ifname, rq->mode, rq->suffix, servers, rq->state_dir);
	*rq->pmethod = "none";
	return p->fail[PU_PRIVOP_DNS_SET];
}

/* --- the contract --- */

int pu_platform_new(struct pu_loop *loop, const struct pu_platform_events *ev, void *arg,
		    struct pu_platform **pp)
{
	struct pu_platform *p = calloc(1, sizeof *p);

	if (!p)
		return PU_ENOMEM;
	pu_privops_init(&p->privops, p);
	*pp = p;
	return 0;
}

void pu_platform_free(struct pu_platform *p)
{
	free(p);
}

int pu_platform_link_up(struct pu_platform *p, const char *ifname, unsigned mtu,
			unsigned txqueuelen)
{
	struct pu_privreq rq = { .ifname = ifname, .mtu = mtu, .txqueuelen = txqueuelen };

	return pu_privops_call(&p->privops, PU_PRIVOP_LINK_UP, &rq);
}

int pu_platform_set_mtu(struct pu_platform *p, const char *ifname, unsigned mtu)
{
	struct pu_privreq rq = { .ifname = ifname, .mtu = mtu };

	return pu_privops_call(&p->privops, PU_PRIVOP_SET_MTU, &rq);
}

int pu_platform_addr_add(struct pu_platform *p, const char *ifname, const struct pu_prefix *addr)
{
	struct pu_privreq rq = { .ifname = ifname, .prefix = addr };

	return pu_privops_call(&p->privops, PU_PRIVOP_ADDR_ADD, &rq);
}

int pu_platform_route_add(struct pu_platform *p, const char *ifname, const struct pu_prefix *dst)
{
	struct pu_privreq rq = { .ifname = ifname, .prefix = dst };

	return pu_privops_call(&p->privops, PU_PRIVOP_ROUTE_ADD, &rq);
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

int pu_platform_route_overlap(struct pu_platform *p, const char *ifname,
			      const struct pu_prefix *prefix, char *out, size_t cap)
{
	return 0;
}

int pu_platform_watch_routes(struct pu_platform *p, const char *ifname)
{
	note(p, "watch_routes %s", ifname);
	return 0;
}

size_t pu_platform_addrs(struct pu_platform *p, const char *ifname_except, struct pu_prefix *out,
			 size_t cap)
{
	return 0;
}

size_t pu_platform_dns_upstreams(struct pu_platform *p, struct pu_prefix *out, size_t cap)
{
	return 0;
}

void pu_platform_seal(struct pu_platform *p)
{
	note(p, "seal");
	pu_privops_seal(&p->privops);
}

void pu_platform_dns_recover(const char *state_dir)
{
}

bool pu_platform_has_rights(void)
{
	return false;
}

int pu_platform_drop(unsigned uid, unsigned gid)
{
	return 0;
}

int pu_platform_seccomp(void)
{
	return 0;
}

int pu_platform_no_rings(void)
{
	return 0;
}

void pu_platform_notify(const char *state)
{
}

bool pu_platform_has_journal(void)
{
	return false;
}

void pu_platform_journal(enum pu_log_level level, const char *module, const char *text,
			 const struct pu_kv *kv, size_t n)
{
}
