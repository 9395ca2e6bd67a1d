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

/* Root also works in directories of others: a link there leads to what its owner has, and no
 * further. st: of what was found at path. */
static bool is_led_astray(const char *path, const struct stat *st)
{
	struct stat link;

	return geteuid() == 0 && lstat(path, &link) == 0 && link.st_uid != 0 &&
	       link.st_uid != st->st_uid;
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
	else if (is_led_astray(path, &st))
		r = PU_EPERM;
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

int pu_file_target(const char *path, char **ptarget)
{
	char *target = realpath(path, NULL);
	struct stat st;

	if (!target || stat(target, &st) < 0) {
		int r = pu_err_from_errno(errno);

		free(target);
		return r;
	}
	if (is_led_astray(path, &st)) {
		free(target);
		return PU_EPERM;
	}
	*ptarget = target;
	return 0;
}

static int replace(const char *path, struct pu_bytes data, uint32_t mode,
		   const struct pu_file_owner *owner)
{
	char *target = NULL;
	int r = pu_file_target(path, &target);

	if (r == 0 || r == PU_ENOENT)
		r = replace_at(target ? target : path, data, mode, owner);
	free(target);
	return r;
}

/* As the owner, who can move directories and links under our feet as he likes: what he could not
 * do himself is not done for him. */
static int replace_as(const char *path, struct pu_bytes data, uint32_t mode,
		      const struct pu_file_owner *owner)
{
	const gid_t gid = getegid();
	int r = PU_EPERM;

	if (setegid(owner->gid) < 0)
		return PU_EPERM;
	if (seteuid(owner->uid) == 0) {
		r = replace(path, data, mode, NULL);
		if (seteuid(0) < 0)
			abort();
	}
	if (setegid(gid) < 0)
		abort();
	return r;
}

int pu_file_replace(const char *path, struct pu_bytes data, uint32_t mode,
		    const struct pu_file_owner *owner)
{
	struct stat st;
	int r = PU_EPERM;

	if (geteuid() != 0 || !owner || !owner->set || owner->uid == 0)
		return replace(path, data, mode, owner);
	r = replace_as(path, data, mode, owner);
	/* In a directory that is not the owner's there are no links of his either. */
	if (r != PU_EPERM || (lstat(path, &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid != 0))
		return r;
	return replace(path, data, mode, owner);
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
		if (owner && owner->set && lchown(path, owner->uid, owner->gid) < 0)
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
