/* The config file in use of a running program: what it was when it was loaded, whether it is
 * on trial (config_pending.h), and when it is archived (config_archive.h). */
#ifndef PU_DAEMON_TRIAL_H
#define PU_DAEMON_TRIAL_H

#include <uv.h>

#include "base/loop.h"
#include "daemon/failure.h"

enum { PU_TRIAL_RESTARTS = 1 };

struct pu_trial_ops {
	/* The file has another text than that in use. 0: in use from now on; PU_TRIAL_RESTARTS:
	 * it will be, the parts of the program start anew; < 0: it cannot be used. text is
	 * borrowed. */
	int (*apply)(void *arg, struct pu_bytes text);
	/* what: "confirmed" or "reverted". May be NULL. */
	void (*on_end)(void *arg, const char *what);
};

struct pu_trial {
	struct pu_loop *loop;
	const char *config; /* path, borrowed */
	const struct pu_trial_ops *ops;
	void *arg;
	char *text; /* in use */
	size_t len;
	bool good; /* it has proved to work, and may be archived */
	bool pending;
	bool touched; /* a command made or removed a marker */
	int64_t marker;	  /* deadline as the marker has it: which trial this is */
	pu_time deadline; /* of this process's clock, which nobody sets */
	struct pu_timer timer;
	struct pu_gap_watch gaps;
	/* The directory, for markers that commands make and remove. */
	uv_fs_event_t watch;
	bool watching;
	struct pu_timer settle;
};

/* Before all other calls. Nothing is watched yet. */
void pu_trial_init(struct pu_trial *t, struct pu_loop *loop, const char *config,
		   const struct pu_trial_ops *ops, void *arg);
/* This text is in use now. works: with all that is in it, and not only in parts. */
int pu_trial_loaded(struct pu_trial *t, struct pu_bytes text, bool works);
/* The program is ready with what it loaded: archives that unless it is on trial, and looks
 * after the trial from now on. Needs a pu_loop_uv loop to notice commands by itself. */
void pu_trial_start(struct pu_trial *t, bool watch);
/* Looks at the marker and at the file; the watch calls it. */
void pu_trial_check(struct pu_trial *t);
void pu_trial_stop(struct pu_trial *t);
/* The program could not start, or died. A config on trial gives way to the one of before:
 * true, and another start is worth it. why may be NULL. */
bool pu_trial_has_failed(const char *config, const struct pu_failure *why);

#endif
