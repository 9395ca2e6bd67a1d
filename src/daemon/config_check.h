/* What one key alone cannot tell: how the parts of a configuration fit together. */
#ifndef PU_DAEMON_CONFIG_CHECK_H
#define PU_DAEMON_CONFIG_CHECK_H

#include "daemon/config.h"

/* Completes a loaded configuration (ports of services, peers behind names) and adds
 * remarks to diags. PU_ENOMEM. */
int pu_config_check(struct pu_config *cfg, struct pu_config_diags *diags);

#endif
