/* Paths that stay below a folder, whoever else changes things there meanwhile: component by
 * component, no link is followed. */
#ifndef PU_CLI_FILES_BENEATH_H
#define PU_CLI_FILES_BENEATH_H

#include "overlay/files/path.h"

/* Opens the folder that holds path's last component, which is copied to name. make: folders
 * that are missing are made. PU_ENOENT; PU_EEXIST: something else than a folder is in the way,
 * a link for instance; PU_EPERM, PU_ESYS, … */
int pu_files_beneath_parent(int root, const char *path, bool make, int *pdir,
			    char name[PU_FILES_NAME_MAX + 1]);
/* Opens, and with make makes, the folder path itself. */
int pu_files_beneath_folder(int root, const char *path, bool make, int *pdir);

#endif
