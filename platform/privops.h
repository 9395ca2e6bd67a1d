/* Everything that needs privilege, as one table: which request is allowed when.
 *
 * The functions of platform.h that change the host go through pu_privops_call().
 * Start-up may do everything once or more; after pu_privops_seal() (privileges are
 * dropped) only the requests of the running daemon are left, and only for the device
 * that start-up brought up. An unexpected request is refused and logged.
 *
 * The handlers are the backend's (platform/linux, platform/null), chosen by linking. */
#ifndef PU_PLATFORM_PRIVOPS_H
#define PU_PLATFORM_PRIVOPS_H

#include "platform/platform.h"

enum pu_privop {
	PU_PRIVOP_LINK_UP,
	PU_PRIVOP_SET_MTU,
	PU_PRIVOP_ADDR_ADD,
	PU_PRIVOP_ROUTE_ADD,
	PU_PRIVOP_DNS_SET,
	PU_PRIVOP_COUNT,
};

/* Arguments of a request; each uses the fields that its platform.h function has. */
struct pu_privreq {
	const char *ifname;
	unsigned mtu, txqueuelen;
	const struct pu_prefix *prefix;
	const char *mode, *suffix, *state_dir;
	const struct pu_prefix *servers;
	size_t n_servers;
	const char **pmethod;
};

enum { PU_PRIVOPS_IFNAME_MAX = 16 };

struct pu_privops {
	struct pu_platform *p;
	unsigned calls[PU_PRIVOP_COUNT];
	bool sealed;
	char ifname[PU_PRIVOPS_IFNAME_MAX]; /* of the first LINK_UP */
};

void pu_privops_init(struct pu_privops *po, struct pu_platform *p);
/* The handler's result; PU_EDENIED when the table does not allow the request now. */
int pu_privops_call(struct pu_privops *po, enum pu_privop op, const struct pu_privreq *rq);
/* Start-up is over. */
void pu_privops_seal(struct pu_privops *po);

/* Handlers, implemented by the backend. */
int pu_privops_do_link_up(struct pu_platform *p, const struct pu_privreq *rq);
int pu_privops_do_set_mtu(struct pu_platform *p, const struct pu_privreq *rq);
int pu_privops_do_addr_add(struct pu_platform *p, const struct pu_privreq *rq);
int pu_privops_do_route_add(struct pu_platform *p, const struct pu_privreq *rq);
int pu_privops_do_dns_set(struct pu_platform *p, const struct pu_privreq *rq);

#endif
