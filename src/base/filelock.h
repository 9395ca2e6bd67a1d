/* One writer at a time for a file that is replaced as a whole: a lock beside it, ".<name>.lock",
 * which stays there (removing it would let two hold "the" lock). */
#ifndef PU_BASE_FILELOCK_H
#define PU_BASE_FILELOCK_H

#include "base/file.h"

/* Waits at most wait for others to finish. Whoever replaces path, or wants nobody else to do so
 * between its reading and its writing, holds *pfd until pu_filelock_release(). path is no
 * symbolic link. owner (may be NULL) is for a lock that did not exist. PU_ETIMEDOUT, PU_EPERM,
 * PU_ENOENT (directory), … */
int pu_filelock_take(const char *path, const struct pu_file_owner *owner, pu_time wait, int *pfd);
/* The same for several files beside path at once: their directory is locked itself. */
int pu_filelock_take_dir(const char *path, pu_time wait, int *pfd);
/* fd -1 is fine. */
void pu_filelock_release(int fd);

#endif
