/* Small text files of the host, read whole and replaced whole. */
#ifndef PU_PLATFORM_LINUX_FILE_H
#define PU_PLATFORM_LINUX_FILE_H

#include <sys/types.h>

#include "base/bytes.h"

/* Whole content, terminated, into buf. PU_ENOENT; PU_E2BIG: longer than cap - 1;
 * PU_EPERM, PU_EIO, PU_ESYS. */
int pu_linux_file_read(const char *path, char *buf, size_t cap);
/* The same for a file that we wrote: no link, and nobody else's. PU_EDENIED otherwise. */
int pu_linux_file_read_own(const char *path, char *buf, size_t cap);
/* Puts a file with that content in the place of whatever path names, durably and in one
 * step; where that cannot be (a bind mount of a container), writes into it. */
int pu_linux_file_replace(const char *path, const char *content, mode_t mode);
/* Makes changes of the directory of path durable. */
void pu_linux_file_sync_dir(const char *path);

#endif
