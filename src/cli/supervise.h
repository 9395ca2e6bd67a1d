/* The node's daemon and the relay under a keeper, as commands start them. */
#ifndef PU_CLI_SUPERVISE_H
#define PU_CLI_SUPERVISE_H

#include "daemon/daemon.h"
#include "daemon/relayd.h"

/* As pu_daemon_run() and pu_relayd_run(), but never PU_KEEPER_AGAIN. */
int pu_supervise_node(const struct pu_daemon_options *opt);
int pu_supervise_relay(const struct pu_relayd_options *opt);

#endif
