#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

enum { TEMP_STALE_S = 60 };

static int read_all(int fd, size_t max, char **pdata, size_t *plen)
{
	size_t cap = 4096, len = 0;
	char *data = malloc(cap), *grown;
	ssize_t n;

	if (!data)
		return PU_ENOMEM;
	for (;;) {
		/* One byte more than allowed tells a file at the limit from one beyond. */
		n = read(fd, data + len, pu_min(cap - 1, max + 1) - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		if (len > max)
			break;
		if (len < cap - 1)
			continue;
		cap *= 2;
		grown = realloc(data, cap);
		if (!grown) {
			free(data);
			return PU_ENOMEM;
		}
		data = grown;
	}
	if (n < 0 || len > max) {
		free(data);
		return n < 0 ? pu_err_from_errno(errno) : PU_E2BIG;
	}
	data[len] = '\0';
	*pdata = data;
	*plen = len;
	return 0;
}

int pu_file_read(const char *path, size_t max, char **pdata, size_t *plen,
		 struct pu_file_info *info)
{
	struct stat st;
	int fd, r;

	/* Without O_NONBLOCK the open of a FIFO would hang. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return pu_err_from_errno(errno);
	if (fstat(fd, &st) < 0)
		r = pu_err_from_errno(errno);
	else if (!S_ISREG(st.st_mode))
		r = PU_EINVAL;
	else
		r = read_all(fd, max, pdata, plen);
	if (r == 0 && info)
		*info = (struct pu_file_info){ .uid = st.st_uid, .gid = st.st_gid,
					       .mode = st.st_mode & 07777 };
	close(fd);
	return r;
}

static int write_all(int fd, struct pu_bytes data)
{
	while (data.len > 0) {
		ssize_t n = write(fd, data.p, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return pu_err_from_errno(errno);
		data.p += n;
		data.len -= (size_t)n;
	}
	return 0;
}

static int fill_temp(int fd, struct pu_bytes data, uint32_t mode,
		     const struct pu_file_owner *owner)
{
	int r;

	if (fchmod(fd, mode) < 0)
		return pu_err_from_errno(errno);
	if (owner && owner->set && fchown(fd, owner->uid, owner->gid) < 0)
		return pu_err_from_errno(errno);
	r = write_all(fd, data);
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? pu_err_from_errno(errno) : 0;
}

/* The rename itself must survive a power cut. Some file systems refuse to sync
 * directories; the new content is visible by then, so that is no failure. */
static void sync_dir(const char *file)
{
	char dir[PATH_MAX];
	char *slash;
	int fd;

	snprintf(dir, sizeof dir, "%s", file);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* --- temporary files -------------------------------------------------------------- */

static const char temp_end[] = ".peerup-XXXXXX";

/* .<anything>.peerup-XXXXXX, whatever stands for the X. */
static bool is_temp(const char *name)
{
	const size_t fixed = strlen(".peerup-"), end = strlen(temp_end), len = strlen(name);

	return name[0] == '.' && len > end && memcmp(name + len - end, temp_end, fixed) == 0;
}

/* Nobody takes that long to write a small file. */
static void remove_stale(const char *dir)
{
	DIR *d = opendir(dir);
	time_t limit = time(NULL) - TEMP_STALE_S;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)))
		if (is_temp(e->d_name) &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode) && st.st_mtime < limit)
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

int pu_file_temp(const char *path, char *temp, int *pfd)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char dir[PATH_MAX];
	int fd, n;

	n = snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash + 1 - path) : 1,
		     slash ? path : ".");
	if (n >= (int)sizeof dir || snprintf(temp, PATH_MAX, "%.*s.%s%s", (int)(name - path), path,
					     name, temp_end) >= PATH_MAX)
		return PU_ELIMIT;
	remove_stale(dir);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return pu_err_from_errno(errno);
	*pfd = fd;
	return 0;
}

static int replace_at(const char *path, struct pu_bytes data, uint32_t mode,
		      const struct pu_file_owner *owner)
{
	char tmp[PATH_MAX];
	int fd, r;

	r = pu_file_temp(path, tmp, &fd);
	if (r < 0)
		return r;
	r = fill_temp(fd, data, mode, owner);
	if (close(fd) < 0 && r == 0)
		r = pu_err_from_errno(errno);
	if (r == 0 && rename(tmp, path) < 0)
		r = pu_err_from_errno(errno);
	if (r < 0)
		unlink(tmp);
	else
		sync_dir(path);
	return r;
}

int pu_file_replace(const char *path, struct pu_bytes data, uint32_t mode,
		    const struct pu_file_owner *owner)
{
	char *target = realpath(path, NULL);
	int r;

	if (!target && errno != ENOENT)
		return pu_err_from_errno(errno);
	r = replace_at(target ? target : path, data, mode, owner);
	free(target);
	return r;
}

int pu_file_remove(const char *path)
{
	if (unlink(path) < 0)
		return pu_err_from_errno(errno);
	sync_dir(path);
	return 0;
}

static int make_one(const char *path, uint32_t mode, const struct pu_file_owner *owner)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		if (owner && owner->set && chown(path, owner->uid, owner->gid) < 0)
			return pu_err_from_errno(errno);
		return 0;
	}
	if (errno != EEXIST)
		return pu_err_from_errno(errno);
	if (stat(path, &st) < 0)
		return pu_err_from_errno(errno);
	return S_ISDIR(st.st_mode) ? 0 : PU_EEXIST;
}

int pu_file_make_dirs(const char *path, uint32_t mode, const struct pu_file_owner *owner)
{
	char dir[PATH_MAX];
	int r;

	if (snprintf(dir, sizeof dir, "%s", path) >= (int)sizeof dir)
		return PU_ELIMIT;
	for (char *p = dir + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		r = make_one(dir, mode, owner);
		if (r < 0)
			return r;
		*p = '/';
	}
	return make_one(dir, mode, owner);
}
