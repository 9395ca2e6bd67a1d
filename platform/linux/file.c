#include "platform/linux/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

static int read_all(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	for (;;) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pu_err_from_errno(errno);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len == cap)
			return PU_E2BIG;
	}
	buf[len] = '\0';
	return 0;
}

int pu_linux_file_read(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return pu_err_from_errno(errno);
	r = read_all(fd, buf, cap);
	close(fd);
	return r;
}

int pu_linux_file_read_own(const char *path, char *buf, size_t cap)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int r = PU_EDENIED;

	if (fd < 0)
		return errno == ELOOP ? PU_EDENIED : pu_err_from_errno(errno);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    st.st_nlink == 1 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		r = read_all(fd, buf, cap);
	close(fd);
	return r;
}

static int write_all(int fd, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pu_err_from_errno(errno);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void pu_linux_file_sync_dir(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd;

	snprintf(dir, sizeof dir, "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		return;
	slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	close(fd);
}

static int write_into(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int r;

	if (fd < 0)
		return pu_err_from_errno(errno);
	r = write_all(fd, content, strlen(content));
	if (r == 0 && fsync(fd) < 0)
		r = pu_err_from_errno(errno);
	close(fd);
	return r;
}

int pu_linux_file_replace(const char *path, const char *content, mode_t mode)
{
	char tmp[PATH_MAX];
	int fd, r;

	r = pu_file_temp(path, tmp, &fd);
	if (r < 0)
		return r;
	r = write_all(fd, content, strlen(content));
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = pu_err_from_errno(errno);
	close(fd);
	if (r == 0 && rename(tmp, path) < 0)
		r = errno == EBUSY ? write_into(path, content) : pu_err_from_errno(errno);
	else if (r == 0)
		tmp[0] = '\0';
	if (tmp[0])
		unlink(tmp);
	pu_linux_file_sync_dir(path);
	return r;
}
