#include "cli/files_beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

static int translate(int e)
{
	return e == ELOOP || e == ENOTDIR ? PU_EEXIST : pu_err_from_errno(e);
}

static int open_folder(int dir, const char *name, bool make, int *pfd)
{
	int fd;

	/* What was made may be gone again; then somebody else is at work and we give up. */
	if (make && mkdirat(dir, name, 0777) < 0 && errno != EEXIST)
		return translate(errno);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return translate(errno);
	*pfd = fd;
	return 0;
}

/* Takes dir; *pdir is what comes after it. */
static int step(int dir, struct pu_bytes part, bool make, int *pdir)
{
	char name[PU_FILES_NAME_MAX + 1];
	int r;

	memcpy(name, part.p, part.len);
	name[part.len] = '\0';
	r = open_folder(dir, name, make, pdir);
	close(dir);
	return r;
}

int pu_files_beneath_parent(int root, const char *path, bool make, int *pdir,
			    char name[PU_FILES_NAME_MAX + 1])
{
	struct pu_bytes rest = pu_bytes_str(path), part;
	int dir, r = pu_files_path_check(rest);

	if (r < 0)
		return r;
	dir = fcntl(root, F_DUPFD_CLOEXEC, 0);
	if (dir < 0)
		return PU_ESYS;
	while (pu_files_path_next(&rest, &part) && rest.len > 0) {
		r = step(dir, part, make, &dir);
		if (r < 0)
			return r;
	}
	memcpy(name, part.p, part.len);
	name[part.len] = '\0';
	*pdir = dir;
	return 0;
}

int pu_files_beneath_folder(int root, const char *path, bool make, int *pdir)
{
	char name[PU_FILES_NAME_MAX + 1];
	int dir, r = pu_files_beneath_parent(root, path, make, &dir, name);

	if (r < 0)
		return r;
	r = open_folder(dir, name, make, pdir);
	close(dir);
	return r;
}
