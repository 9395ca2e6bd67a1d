/* What the node's daemon and the relay have in common as processes: the loop, signals, giving
 * up rights, what the service manager hears, and an end that does not take for ever. */
#ifndef PU_DAEMON_PROCESS_H
#define PU_DAEMON_PROCESS_H

#include "base/file.h"
#include "base/loop_uv.h"
#include "crypto/peerid.h"
#include "daemon/failure.h"
#include "daemon/watchdog.h"

enum {
	PU_PROCESS_SIGNALS = 3,
	PU_PROCESS_STOP_LIMIT_MS = 4000, /* for peers that do not answer our goodbye */
};

struct pu_net;

struct pu_process_options {
	const char *name;           /* in the log: "daemon", "relay" */
	int lifeline;               /* its end counts as SIGTERM (keeper.h); 0: there is none */
	struct pu_file_owner owner; /* of new sockets, and whom to become */
	/* SIGINT, SIGTERM and SIGHUP, inside a turn of the loop. */
	void (*on_signal)(void *arg, int signum);
	void *arg;
};

struct pu_process {
	struct pu_process_options opt;
	struct pu_loop_uv *driver; /* NULL until started */
	struct pu_loop *loop;
	struct pu_net *net;
	uv_signal_t signals[PU_PROCESS_SIGNALS];
	uv_poll_t lifeline;
	bool following;
	struct pu_watchdog *watchdog; /* NULL: nobody listens */
	struct pu_timer stop_limit;
	bool stopping;
	bool forced; /* out of patience: what is still busy is left to the end of the process */
};

/* Loop, network and signals; pu_process_end() in any case. */
int pu_process_start(struct pu_process *p, const struct pu_process_options *opt);
/* Root keeps what a running daemon needs and becomes the user behind it, if any; others keep
 * what they have of that. */
int pu_process_drop_rights(const struct pu_process *p, struct pu_failure *why);
/* All parts run: tells the log and the service manager, who is told of its health from now on.
 * opt as for pu_watchdog_start(), without loop. */
void pu_process_ready(struct pu_process *p, const struct pu_peerid *self,
		      const struct pu_watchdog_options *opt);
/* Turns of the loop until pu_process_stopped(), or out of patience. */
void pu_process_run(struct pu_process *p);
/* The end begins: true for the first call. again: another process takes over. */
bool pu_process_stopping(struct pu_process *p, bool again);
/* All parts have ended. */
void pu_process_stopped(struct pu_process *p);
/* All other handles of the loop are closed or closing. Not when forced. */
void pu_process_end(struct pu_process *p);

/* "text", "json" or "journal"; NULL: the journal where standard error leads to it, else
 * text. PU_EINVAL. */
int pu_process_log_format(const char *format);

#endif
