#include "base/filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

static const pu_time STEP = PU_MS(5);

static int lock_path(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	int dir = slash ? (int)(slash + 1 - path) : 0;

	return snprintf(out, PATH_MAX, "%.*s.%s.lock", dir, path, path + dir) < PATH_MAX ?
		       0 : PU_ELIMIT;
}

/* Root works in directories of users: no link is followed, and nothing but a file opened. */
static int open_lock(const char *path, const struct pu_file_owner *owner, int *pfd)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool made = fd >= 0;
	struct stat st;

	if (!made && errno == EEXIST)
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return pu_err_from_errno(errno);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (made && owner && owner->set && fchown(fd, owner->uid, owner->gid) < 0)) {
		close(fd);
		return PU_EPERM;
	}
	*pfd = fd;
	return 0;
}

/* Closes fd when it cannot be had. */
static int wait_for(int fd, pu_time wait, int *pfd)
{
	struct timespec step = { .tv_nsec = (long)STEP };

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		/* A file system without locks has no two writers worth the name. */
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		if (wait < STEP) {
			close(fd);
			return PU_ETIMEDOUT;
		}
		wait -= STEP;
		nanosleep(&step, NULL);
	}
	*pfd = fd;
	return 0;
}

int pu_filelock_take(const char *path, const struct pu_file_owner *owner, pu_time wait, int *pfd)
{
	char name[PATH_MAX];
	int fd, r = lock_path(path, name);

	if (r == 0)
		r = open_lock(name, owner, &fd);
	return r < 0 ? r : wait_for(fd, wait, pfd);
}

int pu_filelock_take_dir(const char *path, pu_time wait, int *pfd)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	int fd;

	if (snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1,
		     slash ? path : ".") >= (int)sizeof dir)
		return PU_ELIMIT;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? pu_err_from_errno(errno) : wait_for(fd, wait, pfd);
}

void pu_filelock_release(int fd)
{
	if (fd >= 0)
		close(fd);
}
