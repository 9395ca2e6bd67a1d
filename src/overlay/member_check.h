/* What is wrong in an authorized_keys file, for the person who wrote it. Reading the file for use
 * (member.h) forgives more: what it cannot understand only grants nothing. */
#ifndef PU_OVERLAY_MEMBER_CHECK_H
#define PU_OVERLAY_MEMBER_CHECK_H

#include "overlay/member.h"

struct pu_member_finding {
	unsigned line, column; /* from 1; columns count bytes */
	const char *text;      /* borrowed until return */
};

typedef void pu_member_finding_fn(void *arg, const struct pu_member_finding *f);

/* Tells every finding in file order. key: 16 bytes for the hash table; *pn_peers: how many lines
 * grant something. PU_ELIMIT: too many members; PU_ENOMEM. */
int pu_member_check(struct pu_bytes text, const uint8_t key[16], pu_member_finding_fn *fn,
		    void *arg, size_t *pn_peers);

#endif
