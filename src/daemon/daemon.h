/* The daemon: everything of one node, from the config file to the last packet. */
#ifndef PU_DAEMON_DAEMON_H
#define PU_DAEMON_DAEMON_H

#include "daemon/failure.h"
#include "daemon/paths.h"

struct pu_daemon_options {
	struct pu_paths paths; /* config is set; owner says whom to become */
	bool force_vpn;        /* `up`: the device comes up whatever vpn.enabled says */
	int lifeline;          /* from the keeper; 0: there is none */
	/* Called once, when device, routes, resolver and control socket are ready.
	 * May be NULL. The background parent is told from here. */
	void (*on_ready)(void *arg);
	void *ready_arg;
	/* Filled when the daemon cannot start; may be NULL. */
	struct pu_failure *why;
};

/* Runs a node until SIGINT, SIGTERM or POST /v1/shutdown. 0 after an orderly stop;
 * < 0 when it could not start (why is filled) or had to give up; PU_KEEPER_AGAIN when it
 * wants to start again with another config. Nothing is left on the host in any case. The log
 * level and format are the caller's business. */
int pu_daemon_run(const struct pu_daemon_options *opt);

#endif
