/* Small files: read whole with a bound, replaced atomically, owned by the user who
 * asked. */
#ifndef PU_BASE_FILE_H
#define PU_BASE_FILE_H

#include "base/bytes.h"

/* Who shall own what we create. */
struct pu_file_owner {
	bool set; /* false: leave ownership to the system */
	uint32_t uid, gid;
};

/* Facts of a file that was read. */
struct pu_file_info {
	uint32_t uid, gid;
	uint32_t mode; /* permission bits only */
};

/* Reads the regular file at path, at most max bytes. *pdata is allocated, has a
 * terminating zero behind *plen bytes and is the caller's to free. info may be NULL.
 * For root, a link of somebody else leads to files of that one only (PU_EPERM).
 * PU_ENOENT, PU_EPERM, PU_E2BIG, PU_EINVAL (not a regular file), PU_ENOMEM, PU_EIO. */
int pu_file_read(const char *path, size_t max, char **pdata, size_t *plen,
		 struct pu_file_info *info);

/* Where path leads when links are followed as for reading; *ptarget is the caller's to free.
 * PU_ENOENT, PU_EPERM, PU_ENOMEM, … */
int pu_file_target(const char *path, char **ptarget);

/* Replaces path with data: temporary file in the same directory, fsync, rename,
 * fsync of the directory. Either the old or the new content is there afterwards,
 * whatever fails. A symbolic link is followed first, so that the link stays. Root does it
 * with the rights of the owner, where those are enough, and follows links as for reading.
 * owner may be NULL. PU_EPERM, PU_ENOENT (directory), PU_EIO, … */
int pu_file_replace(const char *path, struct pu_bytes data, uint32_t mode,
		    const struct pu_file_owner *owner);

/* Makes and opens a file beside path whose content is to take its place:
 * .<name>.peerup-XXXXXX. Such files that a crash left in that directory, older than a minute,
 * are removed. temp has PATH_MAX bytes. */
int pu_file_temp(const char *path, char *temp, int *pfd);

/* Removes the file for good: the directory is on disk without it afterwards. PU_ENOENT,
 * PU_EPERM, … */
int pu_file_remove(const char *path);

/* Makes the directory and missing parents. Existing ones are left as they are.
 * Those made get mode and owner (may be NULL). */
int pu_file_make_dirs(const char *path, uint32_t mode, const struct pu_file_owner *owner);

#endif
