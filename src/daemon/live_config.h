/* The config of a running program, a node or a relay: read at the start, loaded again on
 * request, and put in place by `config apply` and `config rollback` (trial.h). What the program
 * can take over while it runs, it does; the log names the keys that wait for a restart. */
#ifndef PU_DAEMON_LIVE_CONFIG_H
#define PU_DAEMON_LIVE_CONFIG_H

#include "daemon/config.h"
#include "daemon/config_schema.h"
#include "daemon/trial.h"

/* cfg is what parse makes, a struct pu_config or a struct pu_relay_config. */
struct pu_live_config_ops {
	/* The kind. */
	int (*parse)(const char *path, struct pu_bytes text, void **pcfg,
		     struct pu_config_diags *diags);
	void (*free)(void *cfg);
	const struct pu_config_schema *(*schema)(void);
	const char *const *live; /* config_diff.h */
	const char *command;     /* that puts one in place: "config apply" */

	/* The program. */
	const void *(*in_use)(void *arg);
	/* From now on. cfg is taken on success only. */
	int (*use)(void *arg, PU_TAKES void *cfg, struct pu_failure *why);
	/* The one in the file needs all parts anew: end with PU_KEEPER_AGAIN, not within this
	 * call. */
	void (*restart)(void *arg);
	/* what: loaded, refused (detail: why), confirmed, reverted. May be NULL. */
	void (*tell)(void *arg, const char *what, const char *detail);
};

struct pu_live_config {
	const char *path; /* borrowed */
	const struct pu_live_config_ops *ops;
	void *arg;
	struct pu_trial trial;
	char *text; /* as read, until the trial has it */
	size_t len;
};

/* Reads the file, before there is a loop; the config is the caller's. Then, in any case,
 * pu_live_config_stop(). */
int pu_live_config_read(struct pu_live_config *l, const char *path,
			const struct pu_live_config_ops *ops, void *arg, void **pcfg,
			struct pu_failure *why);
/* What was read is what the program is made of. PU_ENOMEM. */
int pu_live_config_init(struct pu_live_config *l, struct pu_loop *loop);
/* The program is ready: from now on commands are noticed. */
void pu_live_config_start(struct pu_live_config *l);
void pu_live_config_stop(struct pu_live_config *l);
/* Loads the file again; on failure nothing changed. */
int pu_live_config_reload(struct pu_live_config *l, struct pu_failure *why);
/* The same, with the failure told in the log. */
void pu_live_config_reload_told(struct pu_live_config *l);

#endif
