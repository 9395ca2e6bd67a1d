#include "platform/privops.h"

#include <stdio.h>

#include "base/err.h"
#include "base/log.h"

enum permission {
	STARTUP, /* until the table is sealed */
	ONCE,    /* during start-up, one time */
	ALWAYS,
};

struct entry {
	const char *name;
	enum permission permission;
	int (*handler)(struct pu_platform *p, const struct pu_privreq *rq);
};

static const struct entry table[PU_PRIVOP_COUNT] = {
	[PU_PRIVOP_LINK_UP] = { "link up", STARTUP, pu_privops_do_link_up },
	[PU_PRIVOP_SET_MTU] = { "set mtu", ALWAYS, pu_privops_do_set_mtu },
	[PU_PRIVOP_ADDR_ADD] = { "add address", STARTUP, pu_privops_do_addr_add },
	[PU_PRIVOP_ROUTE_ADD] = { "add route", ALWAYS, pu_privops_do_route_add },
	[PU_PRIVOP_DNS_SET] = { "set dns", ONCE, pu_privops_do_dns_set },
};

void pu_privops_init(struct pu_privops *po, struct pu_platform *p)
{
	memset(po, 0, sizeof *po);
	po->p = p;
}

static bool permitted(const struct pu_privops *po, enum pu_privop op)
{
	switch (table[op].permission) {
	case STARTUP:
		return !po->sealed;
	case ONCE:
		return !po->sealed && po->calls[op] == 0;
	case ALWAYS:
		return true;
	}
	return false;
}

/* Once sealed, no device but ours is touched. */
static bool our_device(const struct pu_privops *po, const struct pu_privreq *rq)
{
	return !po->sealed || strcmp(rq->ifname, po->ifname) == 0;
}

int pu_privops_call(struct pu_privops *po, enum pu_privop op, const struct pu_privreq *rq)
{
	if (!rq->ifname || rq->ifname[0] == '\0' || strlen(rq->ifname) >= sizeof po->ifname)
		return PU_EINVAL;
	if (!permitted(po, op) || !our_device(po, rq)) {
		pu_log(PU_LOG_ERROR, "platform", "privileged request refused",
		       PU_KV_STR("request", table[op].name), PU_KV_STR("device", rq->ifname));
		return PU_EDENIED;
	}
	po->calls[op]++;
	if (op == PU_PRIVOP_LINK_UP && po->ifname[0] == '\0')
		snprintf(po->ifname, sizeof po->ifname, "%s", rq->ifname);
	return table[op].handler(po->p, rq);
}

void pu_privops_seal(struct pu_privops *po)
{
	po->sealed = true;
}
