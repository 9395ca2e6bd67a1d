/* What the node's daemon and the relay have in common as processes: the loop, signals,
 * and giving up rights. */
#ifndef PU_DAEMON_PROCESS_H
#define PU_DAEMON_PROCESS_H

#include "base/file.h"
#include "base/loop_uv.h"
#include "daemon/config.h"

enum { PU_PROCESS_SIGNALS = 3 };

struct pu_net;

struct pu_process {
	struct pu_loop_uv *driver; /* NULL until started */
	struct pu_loop *loop;
	struct pu_net *net;
	uv_signal_t signals[PU_PROCESS_SIGNALS];
	/* SIGINT, SIGTERM and SIGHUP, inside a turn of the loop. */
	void (*on_signal)(void *arg, int signum);
	void *arg;
	uv_poll_t lifeline;
	bool following;
};

/* Loop, network and signals; pu_process_end() in any case. */
int pu_process_start(struct pu_process *p, void (*on_signal)(void *arg, int signum), void *arg);
/* Ends (SIGTERM to on_signal) when fd reads as its end: keeper.h. */
void pu_process_follow(struct pu_process *p, int fd);
/* All other handles of the loop are closed or closing. */
void pu_process_end(struct pu_process *p);

/* Root keeps what a running daemon needs and becomes the user behind it, if any; others keep
 * what they have of that. */
int pu_process_drop_rights(const struct pu_file_owner *user, struct pu_failure *why);

/* "text", "json" or "journal"; NULL: the journal where standard error leads to it, else
 * text. PU_EINVAL. */
int pu_process_log_format(const char *format);
/* The text of a config file, which is the caller's. */
int pu_process_read_config(const char *path, char **ptext, size_t *plen, struct pu_failure *why);
/* The warnings among the remarks about a config file, to the log. */
void pu_process_log_warnings(const struct pu_config_diags *d, const char *path);

#endif
