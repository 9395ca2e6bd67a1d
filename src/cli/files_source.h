/* Files and folders of this machine that shall be sent. */
#ifndef PU_CLI_FILES_SOURCE_H
#define PU_CLI_FILES_SOURCE_H

#include "overlay/files/manifest.h"

enum { PU_FILES_ROOTS_MAX = 64 };

struct pu_files_source {
	struct pu_files_manifest manifest;
	uint8_t *root_of; /* of each entry */
	size_t cap;
	int root[PU_FILES_ROOTS_MAX]; /* the folders that what was named lies in */
	unsigned n_roots;
};

/* Something is left out; why is a text of ours. path comes from the disk as it is. */
typedef void pu_files_skip_fn(void *arg, const char *path, const char *why);

void pu_files_source_init(struct pu_files_source *s);
void pu_files_source_deinit(struct pu_files_source *s);
/* A file, or a folder with what is in it. Links are followed in path itself only. PU_ENOENT,
 * PU_EPERM, …; PU_EINVAL: its name or kind cannot be sent; PU_ELIMIT: too many; PU_ENOMEM. */
int pu_files_source_add(struct pu_files_source *s, const char *path, pu_files_skip_fn *skip,
			void *arg);
/* Opens entry i, if it still is the file it was. PU_ENOENT, PU_EPERM, …; PU_EINVAL: it is
 * another one now. */
int pu_files_source_open(const struct pu_files_source *s, size_t i, int *pfd);
/* It is still as it was when it was added. */
bool pu_files_source_same(const struct pu_files_source *s, size_t i, int fd);

#endif
