/* The relay as a process: loop, signals, files that change, HTTP, service manager. */
#ifndef PU_DAEMON_RELAYD_H
#define PU_DAEMON_RELAYD_H

#include "base/file.h"
#include "daemon/failure.h"

struct pu_relay_server;

struct pu_relayd_options {
	const char *config;         /* path of the config file */
	int lifeline;               /* from the keeper; 0: there is none */
	struct pu_file_owner owner; /* who is behind sudo: of new files, and whom to become */
	/* Called once, when it listens. May be NULL. */
	void (*on_ready)(void *arg, const struct pu_relay_server *s);
	void *arg;
	struct pu_failure *why; /* filled when it cannot start */
};

/* Runs a relay until SIGINT or SIGTERM: 0. < 0: could not start. PU_KEEPER_AGAIN: it wants
 * to start again with another config. SIGHUP loads the config again; changes of it and of the
 * authorized keys file are noticed by themselves. */
int pu_relayd_run(const struct pu_relayd_options *opt);

#endif
