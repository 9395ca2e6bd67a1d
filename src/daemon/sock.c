#include "daemon/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"

enum { DIR_MODE = 0700, SOCK_MODE = 0600, BACKLOG = 128, DIR_LEN = 1024 };

static int set_address(struct sockaddr_un *sa, const char *path)
{
	size_t n = strlen(path);

	*sa = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n >= sizeof sa->sun_path)
		return PU_ELIMIT;
	memcpy(sa->sun_path, path, n + 1);
	return 0;
}

int pu_sock_connect(const char *path, int *pfd)
{
	struct sockaddr_un sa;
	int fd, r = set_address(&sa, path);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return pu_err_from_errno(errno);
	if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
		r = pu_err_from_errno(errno);
		close(fd);
		return r;
	}
	*pfd = fd;
	return 0;
}

static int split_dir(const char *path, char dir[DIR_LEN])
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		return snprintf(dir, DIR_LEN, ".") > 0 ? 0 : PU_ELIMIT;
	if (n >= DIR_LEN)
		return PU_ELIMIT;
	memcpy(dir, path, n ? n : 1);
	dir[n ? n : 1] = '\0';
	return 0;
}

/* Two daemons that start together must not both find the socket stale. */
static int lock_dir(const char *dir, int *plock)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return pu_err_from_errno(errno);
	if (flock(fd, LOCK_EX) < 0) {
		close(fd);
		return pu_err_from_errno(errno);
	}
	*plock = fd;
	return 0;
}

static int remove_stale(const char *path)
{
	struct stat st;
	int fd, r;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : pu_err_from_errno(errno);
	if (!S_ISSOCK(st.st_mode))
		return PU_EEXIST;
	r = pu_sock_connect(path, &fd);
	if (r == 0) {
		close(fd);
		return PU_EEXIST;
	}
	if (r != PU_EREFUSED)
		return r;
	return unlink(path) < 0 ? pu_err_from_errno(errno) : 0;
}

static int bind_private(int fd, const struct sockaddr_un *sa, const struct pu_file_owner *owner)
{
	mode_t old = umask(0777 & ~SOCK_MODE);
	int r = bind(fd, (const struct sockaddr *)sa, sizeof *sa) < 0 ? -errno : 0;

	umask(old);
	if (r == 0 && owner && owner->set && lchown(sa->sun_path, owner->uid, owner->gid) < 0)
		r = -errno;
	if (r == 0 && listen(fd, BACKLOG) < 0)
		r = -errno;
	return r < 0 ? pu_err_from_errno(-r) : 0;
}

static int listen_locked(const char *path, const struct sockaddr_un *sa,
			 const struct pu_file_owner *owner, int *pfd)
{
	int fd, r = remove_stale(path);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return pu_err_from_errno(errno);
	r = bind_private(fd, sa, owner);
	if (r < 0) {
		close(fd);
		return r;
	}
	*pfd = fd;
	return 0;
}

int pu_sock_listen(const char *path, const struct pu_file_owner *owner, int *pfd,
		   struct pu_failure *why)
{
	struct sockaddr_un sa;
	char dir[DIR_LEN];
	int lock, r;

	r = set_address(&sa, path);
	if (r < 0 || split_dir(path, dir) < 0)
		return pu_failure_set(why, PU_ELIMIT, path, "PEERUP_RUNTIME_DIR=/run/peerup",
				      "the path is too long for a socket (%zu bytes)",
				      sizeof sa.sun_path - 1);
	r = pu_file_make_dirs(dir, DIR_MODE, owner);
	if (r == 0)
		r = lock_dir(dir, &lock);
	if (r < 0)
		return pu_failure_set(why, r, dir, NULL, "%s", pu_err_text(r));
	r = listen_locked(path, &sa, owner, pfd);
	close(lock);
	if (r == PU_EEXIST)
		return pu_failure_set(why, r, path, "peerup-vpn down",
				      "a daemon is running already");
	if (r < 0)
		return pu_failure_set(why, r, path, NULL, "%s", pu_err_text(r));
	return 0;
}
