/* A relay takes members in by pairing codes: groups, the members that come of them, and who
 * is told of whom. */
#ifndef PU_DAEMON_RELAY_PAIRING_H
#define PU_DAEMON_RELAY_PAIRING_H

#include "daemon/relay_server.h"
#include "overlay/invite/code.h"
#include "overlay/pair/group.h"

struct pu_relay_pairing;

struct pu_relay_pairing_order {
	unsigned n;          /* codes */
	int64_t ttl;         /* seconds that they are good for */
	int64_t member_ttl;  /* seconds that who used one is a member; 0: for ever */
	const char *network; /* "": the relay's */
};

/* s outlives it; its host is running. */
int pu_relay_pairing_new(struct pu_relay_server *s, struct pu_relay_pairing **pp);
/* NULL is fine. */
void pu_relay_pairing_free(struct pu_relay_pairing *p);

struct pu_groups *pu_relay_pairing_groups(const struct pu_relay_pairing *p);
/* A new group and, in codes[], its codes, which the caller wipes. Errors of pu_groups_add();
 * PU_ENOENT: the relay does not know where it is (relay_announce.h). why is filled. */
int pu_relay_pairing_make(struct pu_relay_pairing *p, const struct pu_relay_pairing_order *o,
			  struct pu_group **pg, char (*codes)[PU_CODE_TEXT_MAX + 1],
			  struct pu_failure *why);

#endif
