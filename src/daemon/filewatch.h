/* Notices that a file changed: replaced, written in place, behind a symbolic link, or with its
 * whole directory. inotify tells at once; where it cannot (no watches left, a directory
 * further up was exchanged) a look every PU_FILEWATCH_POLL_S does. */
#ifndef PU_DAEMON_FILEWATCH_H
#define PU_DAEMON_FILEWATCH_H

#include "base/loop.h"

enum {
	PU_FILEWATCH_SETTLE_MS = 200, /* an editor writes a file in several steps */
	PU_FILEWATCH_POLL_S = 30,
};

struct pu_filewatch;

/* fn is called within a turn of the loop, when a change has settled; the file need not exist.
 * loop must be a pu_loop_uv loop. PU_ENOMEM. */
int pu_filewatch_start(struct pu_loop *loop, const char *path, pu_job_fn *fn, void *arg,
		       struct pu_filewatch **pw);
/* No call of fn follows. May be called by fn. NULL is fine. */
void pu_filewatch_stop(struct pu_filewatch *w);
/* As if the file had changed now. */
void pu_filewatch_poke(struct pu_filewatch *w);
const char *pu_filewatch_path(const struct pu_filewatch *w);

#endif
