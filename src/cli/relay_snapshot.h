/* Copies of a relay's files, kept below backups/ beside them: config, key and the list of
 * those who may use it, as they were at one time. */
#ifndef PU_CLI_RELAY_SNAPSHOT_H
#define PU_CLI_RELAY_SNAPSHOT_H

#include "base/file.h"

enum { PU_RELAY_SNAPSHOT_NAME_MAX = 32, PU_RELAY_SNAPSHOTS_MAX = 1000 };

/* backups/<YYYY-MM-DD_HHMMSS>[_NN] with what is there of the files beside config; name may
 * be NULL. PU_ENOENT: there is nothing to keep; PU_EEXIST: a hundred in one second. */
int pu_relay_snapshot_take(const char *config, const struct pu_file_owner *owner, int64_t now,
			   char name[PU_RELAY_SNAPSHOT_NAME_MAX]);
/* Names, the newest first; how many. */
size_t pu_relay_snapshot_list(const char *config,
			      char (*names)[PU_RELAY_SNAPSHOT_NAME_MAX], size_t cap);
/* Puts the files back, after another snapshot of those that are there. PU_EINVAL: not the
 * name of a snapshot; PU_ENOENT: there is none of that name, or nothing in it. */
int pu_relay_snapshot_restore(const char *config, const char *name,
			      const struct pu_file_owner *owner, int64_t now);
/* Removes the files beside config, for a new beginning. */
int pu_relay_snapshot_clear(const char *config);

#endif
