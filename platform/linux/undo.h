/* A small process that stays behind to clean up the host's files.
 *
 * The daemon gives its privileges away after start-up, and can be killed; both leave it
 * unable to put back what it changed as root. So before the first such change it forks
 * this process, tells it what to undo, and both know each other by a pipe: when the pipe
 * closes, for whatever reason the daemon ended, the process undoes and exits. It hears no
 * more requests after the daemon has dropped its privileges. */
#ifndef PU_PLATFORM_LINUX_UNDO_H
#define PU_PLATFORM_LINUX_UNDO_H

#include <sys/types.h>

#include "platform/linux/marker.h"
#include "platform/linux/paths.h"

enum { PU_LINUX_UNDO_WAIT_MS = 10000 };

struct pu_linux_undo {
	const struct pu_linux_paths *paths;
	pid_t pid; /* 0: not started */
	int fd;
};

void pu_linux_undo_init(struct pu_linux_undo *u, const struct pu_linux_paths *paths);
/* What to undo at the end; each starts the process when it does not run yet. Failing to
 * is logged: then the next start cleans up. The last dns call counts. */
void pu_linux_undo_dns(struct pu_linux_undo *u, const struct pu_linux_marker *m,
		       const char *state_dir);
void pu_linux_undo_rt_proto(struct pu_linux_undo *u);
/* No more requests from here on. */
void pu_linux_undo_seal(struct pu_linux_undo *u);
/* Has everything undone and waits for it. */
void pu_linux_undo_finish(struct pu_linux_undo *u);

#endif
