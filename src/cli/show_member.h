/* The list of authorised peers, as `auth list` and `relay list-peers` print it. */
#ifndef PU_CLI_SHOW_MEMBER_H
#define PU_CLI_SHOW_MEMBER_H

#include "cli/cli.h"
#include "overlay/member.h"
#include "overlay/name.h"

/* As JSON when c says so. now: Unix seconds; names may be NULL. self: whose list it is, for
 * telling who was verified; NULL leaves that out. Returns an exit code. */
int pu_show_members(const struct pu_cli *c, const struct pu_members *set, int64_t now,
		    const struct pu_names *names, const struct pu_peerid *self);

#endif
