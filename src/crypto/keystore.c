#include "crypto/keystore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"

enum {
	KEY_LEN = 68,
	FILE_LEN_MAX = 4096, /* an RSA key of another program still gets a clear answer */
};

static int last_error(void)
{
	int r = pu_err_from_errno(errno);

	return r == PU_EAGAIN || r == PU_ESYS ? PU_EIO : r;
}

static int read_all(int fd, uint8_t *p, size_t cap, size_t *plen)
{
	size_t n = 0;

	while (n < cap) {
		ssize_t r = read(fd, p + n, cap - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return last_error();
		if (r == 0)
			break;
		n += (size_t)r;
	}
	*plen = n;
	return 0;
}

static int write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t r = write(fd, p, len);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return last_error();
		p += r;
		len -= (size_t)r;
	}
	return 0;
}

/* Also refuses what is not a file, so that nobody makes us wait on a pipe. */
static int check_mode(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return last_error();
	if (!S_ISREG(st.st_mode))
		return PU_EINVAL;
	return st.st_mode & (S_IRWXG | S_IRWXO) ? PU_EPERM : 0;
}

int pu_keystore_load(const char *path, struct pu_key *k)
{
	uint8_t pb[FILE_LEN_MAX + 1];
	size_t len = 0;
	int fd, r;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return last_error();
	r = check_mode(fd);
	if (r < 0)
		goto out;
	r = read_all(fd, pb, sizeof pb, &len);
	if (r < 0)
		goto out;
	r = len <= FILE_LEN_MAX ? pu_key_decode(k, pu_bytes(pb, len)) : PU_EINVAL;
out:
	sodium_memzero(pb, sizeof pb);
	close(fd);
	return r;
}

/* The rename lasts only when the directory is on disk too. */
static int sync_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd, r = 0;

	if (!dir)
		return PU_ENOMEM;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (fd < 0)
		return last_error();
	if (fsync(fd) != 0 && errno != EINVAL)
		r = last_error();
	close(fd);
	return r;
}

/* link() instead of rename() so that of two programs which start together the
 * second never replaces the identity of the first. PU_EEXIST. */
static int publish(const char *tmp, const char *path)
{
	if (link(tmp, path) == 0)
		return 0;
	if (errno == EEXIST)
		return PU_EEXIST;
	/* A file system without hard links; or without this either. */
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EINVAL && rename(tmp, path) == 0)
		return 0;
	return last_error();
}

static int save(const char *path, const struct pu_key *k)
{
	uint8_t pb[KEY_LEN];
	char tmp[PATH_MAX];
	int fd, r = pu_file_temp(path, tmp, &fd);

	if (r < 0)
		return r;
	pu_key_encode(k, pb);
	r = write_all(fd, pb, sizeof pb);
	if (r == 0 && (fchmod(fd, S_IRUSR | S_IWUSR) != 0 || fsync(fd) != 0))
		r = last_error();
	if (r == 0)
		r = publish(tmp, path);
	unlink(tmp);
	if (r == 0)
		r = sync_dir_of(path);
	close(fd);
	sodium_memzero(pb, sizeof pb);
	return r;
}

int pu_keystore_load_or_create(const char *path, uint8_t seed[32], struct pu_key *k)
{
	struct pu_key made;
	int r;

	r = pu_keystore_load(path, k);
	if (r != PU_ENOENT)
		goto out;
	r = pu_key_from_seed(&made, seed);
	if (r == 0)
		r = save(path, &made);
	if (r == 0)
		*k = made;
	else if (r == PU_EEXIST)
		r = pu_keystore_load(path, k);
	pu_key_deinit(&made);
out:
	sodium_memzero(seed, 32);
	return r;
}
