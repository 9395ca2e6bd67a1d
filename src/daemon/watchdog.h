/* What the service manager hears of a running daemon: that it works (WATCHDOG=1, as often
 * as it asked for), and how it is doing (STATUS=, at most every 10 seconds). A turn of the
 * loop, the daemon's own checks and an answer of the control socket are all needed for a
 * sign of life; whoever is missing is named in the log, once. No peer and no relay is asked
 * for: an empty network is no fault of the daemon.
 *
 * Outside a service nothing is watched. */
#ifndef PU_DAEMON_WATCHDOG_H
#define PU_DAEMON_WATCHDOG_H

#include "base/loop.h"

struct pu_watchdog;

struct pu_watchdog_options {
	struct pu_loop *loop; /* driven by base/loop_uv.c */
	/* GET /v1/status there, with that cookie, must be answered; NULL: there is none. */
	const char *socket_path, *cookie_path;
	/* NULL when all is well, else the name of what is not, static. */
	const char *(*check)(void *arg);
	/* One line for people. */
	void (*describe)(void *arg, char *out, size_t cap);
	void *arg;
};

/* *pw stays NULL when nobody wants to hear anything. PU_ENOMEM. */
int pu_watchdog_start(const struct pu_watchdog_options *opt, struct pu_watchdog **pw);
/* NULL is fine. */
void pu_watchdog_stop(struct pu_watchdog *w);
/* "I take over another configuration": until READY=1 is sent again. */
void pu_watchdog_reloading(void);
/* The end of this process; again: another one takes over with another configuration. */
void pu_watchdog_stopping(bool again);

#endif
