/* A new relay's files: config, key, authorized keys. */
#ifndef PU_CLI_RELAY_SETUP_H
#define PU_CLI_RELAY_SETUP_H

#include "cli/cli.h"

/* `relay setup`: 0 or an exit code. */
int pu_relay_setup(struct pu_cli *c);

#endif
