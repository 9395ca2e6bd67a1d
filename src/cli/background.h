/* A daemon behind the command: fork, wait until it is ready, hear why it is not. */
#ifndef PU_CLI_BACKGROUND_H
#define PU_CLI_BACKGROUND_H

#include "daemon/daemon.h"

/* Runs the daemon in a process of its own session with stderr in log_path (appended,
 * 0600, owner from opt). Returns when it is ready (0), or could not start (< 0, why
 * filled). opt's on_ready and why are replaced. */
int pu_background_start(const struct pu_daemon_options *opt, const char *log_path,
			struct pu_failure *why);

#endif
