/* What one transfer consists of: files and folders, in the sender's order. */
#ifndef PU_OVERLAY_FILES_MANIFEST_H
#define PU_OVERLAY_FILES_MANIFEST_H

#include "base/bytes.h"
#include "overlay/files/path.h"

enum {
	PU_FILES_ENTRIES_MAX = 100000,
	PU_FILES_PATHS_MAX = 16 * 1024 * 1024, /* bytes of all paths */
};
#define PU_FILES_SIZE_MAX ((uint64_t)1 << 50) /* of one file, and of all */

enum pu_files_kind { PU_FILES_FILE = 1, PU_FILES_FOLDER = 2 };

struct pu_files_entry {
	enum pu_files_kind kind;
	const char *path; /* checked */
	uint64_t size;    /* 0 for folders */
	bool executable;
	int64_t mtime;    /* Unix seconds, never negative */
};

struct pu_files_manifest {
	struct pu_files_entry *v; /* paths are owned */
	size_t n, cap;
	size_t path_bytes;
	uint64_t bytes; /* of all files */
	size_t n_files;
};

void pu_files_manifest_init(struct pu_files_manifest *m);
void pu_files_manifest_deinit(struct pu_files_manifest *m);
/* Copies path. PU_EINVAL, PU_E2BIG: the path, the kind or the size cannot be; PU_ELIMIT: more
 * than a manifest holds; PU_ENOMEM. */
int pu_files_manifest_add(struct pu_files_manifest *m, const struct pu_files_entry *e,
			  struct pu_bytes path);
/* PU_EEXIST: two entries of one path, or a file where others need a folder; PU_ENOMEM. */
int pu_files_manifest_check(const struct pu_files_manifest *m);

#endif
