/* Before a start: a config that cannot be used is dealt with, not only complained about. */
#ifndef PU_CLI_HEAL_H
#define PU_CLI_HEAL_H

#include "cli/cli.h"

/* A config on trial whose time is over, or that cannot be read, gives way to the one of
 * before. One that cannot be read, or is missing, and was not on trial: with --heal the last
 * good one takes its place, and it is kept as .config.rejected.yaml; without, the failure
 * names `config rollback` where that would help. 0 or an exit code. */
int pu_heal(struct pu_cli *c, bool relay);

#endif
