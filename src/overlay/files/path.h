/* Names of files as peers may give them: relative, with "/" between components. What passes
 * stays below the folder it is put into, and does not steer a terminal that shows it. */
#ifndef PU_OVERLAY_FILES_PATH_H
#define PU_OVERLAY_FILES_PATH_H

#include "base/bytes.h"

enum {
	PU_FILES_PATH_MAX = 1024,
	PU_FILES_NAME_MAX = 255, /* of one component */
	PU_FILES_DEPTH_MAX = 32,
};

/* Files that are not complete are called ".peerup-<32 hex digits>.part". */
#define PU_FILES_PART_PREFIX ".peerup-"
#define PU_FILES_PART_SUFFIX ".part"

/* One component: not empty, ".", "..", nor the name of a file that is not complete; UTF-8
 * without control characters and without those that reverse the direction of text. */
bool pu_files_name_ok(struct pu_bytes name);
/* 0; PU_E2BIG: too long or too deep; PU_EINVAL: anything else that is wrong. */
int pu_files_path_check(struct pu_bytes path);

/* The first component of *rest, which goes on behind it; false: there is none left. For paths
 * that were checked. */
bool pu_files_path_next(struct pu_bytes *rest, struct pu_bytes *name);

/* The n-th (from 2) other name for a file: "photo (2).jpg", "notes (3)". PU_E2BIG: it would be
 * too long. */
int pu_files_path_other(const char *name, unsigned n, char out[PU_FILES_NAME_MAX + 1]);

#endif
