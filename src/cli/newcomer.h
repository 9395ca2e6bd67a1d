/* Machines that were not part of anything before: their config, and how they come up. */
#ifndef PU_CLI_NEWCOMER_H
#define PU_CLI_NEWCOMER_H

#include "cli/cli.h"
#include "overlay/invite/code.h"
#include "overlay/member.h"

/* Makes a config like `init` when there is none, with relay and network of the code (NULL, or
 * one of version 3: without). What it says goes to stderr. 0 or an exit code. */
int pu_newcomer_ensure_config(struct pu_cli *c, const struct pu_code *code);
/* After joining, no daemon being there: brings the device up when we may (root, unless
 * --no-up), else says how. 0 or an exit code. */
int pu_newcomer_up(struct pu_cli *c);
/* --access of the command, services when it is not given. */
int pu_newcomer_access(struct pu_cli *c, enum pu_access *pa);
/* One sentence about what a peer may do here. */
const char *pu_newcomer_access_text(const char *access);

#endif
