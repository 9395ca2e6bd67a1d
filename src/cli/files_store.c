#include "cli/files_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/wire.h"
#include "cli/files_beneath.h"
#include "cli/files_hash.h"

enum { OTHER_NAMES_MAX = 1000, PART_KEY_LEN = 16 };

static enum pu_files_status status_of_errno(int e)
{
	switch (e) {
	case ENOSPC:
	case EDQUOT:
		return PU_FILES_NO_SPACE;
	case EFBIG:
		return PU_FILES_TOO_BIG;
	case EACCES:
	case EPERM:
	case EROFS:
		return PU_FILES_NO_ACCESS;
	case EEXIST:
	case EISDIR:
	case ENOTDIR:
	case ELOOP:
		return PU_FILES_IN_THE_WAY;
	case ENAMETOOLONG:
		return PU_FILES_LIMIT;
	}
	return PU_FILES_IO;
}

/* Of files_beneath.h, after which errno has more to say. */
static enum pu_files_status status_of(int err)
{
	return err == PU_EEXIST ? PU_FILES_IN_THE_WAY : status_of_errno(errno);
}

int pu_files_store_open(struct pu_files_store *s, const char *dir, const char *sender,
			bool overwrite)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return pu_err_from_errno(errno);
	*s = (struct pu_files_store){ .root = fd, .overwrite = overwrite };
	snprintf(s->sender, sizeof s->sender, "%s", sender);
	return 0;
}

void pu_files_store_close(struct pu_files_store *s)
{
	if (s->root >= 0)
		close(s->root);
	s->root = -1;
}

uint64_t pu_files_store_room(const struct pu_files_store *s)
{
	struct statvfs v;
	uint64_t room;

	if (fstatvfs(s->root, &v) < 0 || v.f_blocks == 0)
		return UINT64_MAX;
	room = (uint64_t)v.f_bavail * v.f_frsize;
	return room > PU_FILES_RESERVE ? room - PU_FILES_RESERVE : 0;
}

/* The same file of the same sender has the same part, also the next time. */
static void part_name(const struct pu_files_store *s, const struct pu_files_entry *e,
		      char out[64])
{
	uint8_t key[PU_BLAKE2B_LEN], numbers[16];
	char hex[2 * PART_KEY_LEN + 1];
	struct pu_blake2b h;
	struct pu_wr w = pu_wr_init(numbers, sizeof numbers);

	pu_wr_be64(&w, e->size);
	pu_wr_be64(&w, (uint64_t)e->mtime);
	pu_blake2b_init(&h);
	pu_blake2b_add(&h, pu_bytes(s->sender, strlen(s->sender) + 1));
	pu_blake2b_add(&h, pu_bytes(e->path, strlen(e->path) + 1));
	pu_blake2b_add(&h, pu_bytes(numbers, sizeof numbers));
	pu_blake2b_end(&h, key);
	pu_hex_encode(pu_bytes(key, PART_KEY_LEN), hex, sizeof hex);
	snprintf(out, 64, PU_FILES_PART_PREFIX "%s" PU_FILES_PART_SUFFIX, hex);
}

/* A regular file that is nobody else's; errno tells otherwise. */
static int open_own(int dir, const char *name, int flags, struct stat *st)
{
	int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) &&
	    (!(flags & O_RDWR) || (st->st_nlink == 1 && st->st_uid == geteuid())))
		return fd;
	close(fd);
	errno = EEXIST;
	return -1;
}

static int hash_found(int fd, struct pu_files_conn *c, struct pu_files_found *out)
{
	struct pu_blake2b h;
	int r;

	pu_blake2b_init(&h);
	r = pu_files_hash_start(fd, out->have, &h, c);
	pu_blake2b_end(&h, out->hash);
	if (r != PU_EIO)
		return r;
	*out = (struct pu_files_found){ .status = PU_FILES_OK }; /* as if it were not there */
	return 0;
}

static int look_at_file(const struct pu_files_store *s, const struct pu_files_entry *e, int dir,
			const char *name, struct pu_files_conn *c, struct pu_files_found *out)
{
	struct stat st;
	char part[64];
	int fd = open_own(dir, name, O_RDONLY, &st), r = 0;

	if (fd >= 0 && (uint64_t)st.st_size == e->size) {
		out->complete = true;
		out->have = e->size;
	} else {
		if (fd >= 0)
			close(fd);
		part_name(s, e, part);
		fd = open_own(dir, part, O_RDONLY, &st);
		/* Never all of it: then START and END bring it to its name. */
		if (fd >= 0 && st.st_size > 0 && e->size > 0)
			out->have = (uint64_t)st.st_size < e->size ? (uint64_t)st.st_size :
								     e->size - 1;
	}
	if (out->have > 0)
		r = hash_found(fd, c, out);
	if (fd >= 0)
		close(fd);
	return r;
}

int pu_files_store_look(const struct pu_files_store *s, const struct pu_files_entry *e,
			struct pu_files_conn *c, struct pu_files_found *out)
{
	char name[PU_FILES_NAME_MAX + 1];
	int dir, r;

	*out = (struct pu_files_found){ .status = PU_FILES_OK };
	errno = 0;
	if (e->kind == PU_FILES_FOLDER)
		r = pu_files_beneath_folder(s->root, e->path, true, &dir);
	else
		r = pu_files_beneath_parent(s->root, e->path, true, &dir, name);
	if (r < 0) {
		out->status = status_of(r);
		return 0;
	}
	r = e->kind == PU_FILES_FILE ? look_at_file(s, e, dir, name, c, out) : 0;
	close(dir);
	return r;
}

/* --- one file -------------------------------------------------------------------------- */

void pu_files_slot_init(struct pu_files_slot *t)
{
	*t = (struct pu_files_slot){ .dir = -1, .fd = -1 };
}

void pu_files_slot_keep(struct pu_files_slot *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->dir >= 0)
		close(t->dir);
	pu_files_slot_init(t);
}

void pu_files_slot_drop(struct pu_files_slot *t)
{
	if (t->fd >= 0)
		unlinkat(t->dir, t->part, 0);
	pu_files_slot_keep(t);
}

static enum pu_files_status open_part(struct pu_files_slot *t, const struct pu_files_store *s,
				      uint64_t offset)
{
	struct stat st;
	int r;

	errno = 0;
	r = pu_files_beneath_parent(s->root, t->entry->path, true, &t->dir, t->name);
	if (r < 0) {
		t->dir = -1;
		return status_of(r);
	}
	part_name(s, t->entry, t->part);
	t->fd = open_own(t->dir, t->part, O_RDWR | O_CREAT, &st);
	if (t->fd < 0)
		return status_of_errno(errno);
	if (flock(t->fd, LOCK_EX | LOCK_NB) < 0)
		return PU_FILES_IN_THE_WAY; /* another transfer of the same file */
	if ((uint64_t)st.st_size < offset)
		return PU_FILES_DAMAGED;
	return ftruncate(t->fd, (off_t)offset) < 0 ? status_of_errno(errno) : PU_FILES_OK;
}

int pu_files_slot_open(struct pu_files_slot *t, const struct pu_files_store *s,
		       const struct pu_files_entry *e, uint64_t offset, struct pu_files_conn *c,
		       enum pu_files_status *pstatus)
{
	int r;

	t->entry = e;
	t->at = offset;
	pu_blake2b_init(&t->hash);
	*pstatus = open_part(t, s, offset);
	r = *pstatus == PU_FILES_OK ? pu_files_hash_start(t->fd, offset, &t->hash, c) : 0;
	if (r == PU_EIO) {
		*pstatus = PU_FILES_IO;
		r = 0;
	}
	if (r < 0 || *pstatus != PU_FILES_OK)
		pu_files_slot_keep(t);
	return r;
}

enum pu_files_status pu_files_slot_write(struct pu_files_slot *t, struct pu_bytes b)
{
	if (b.len > t->entry->size - t->at)
		return PU_FILES_BROKEN; /* more than it said */
	pu_blake2b_add(&t->hash, b);
	while (b.len > 0) {
		ssize_t n = pwrite(t->fd, b.p, b.len, (off_t)t->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? status_of_errno(errno) : PU_FILES_NO_SPACE;
		t->at += (uint64_t)n;
		b = pu_bytes(b.p + n, b.len - (size_t)n);
	}
	return PU_FILES_OK;
}

/* Never replaces anything. Not every file system can promise that in one step; a link can. */
static int rename_new(int dir, const char *from, const char *to)
{
	if (renameat2(dir, from, dir, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(dir, from, dir, to, 0) < 0)
		return -1;
	return unlinkat(dir, from, 0);
}

static enum pu_files_status give_name(const struct pu_files_slot *t, bool overwrite,
				      char as[PU_FILES_NAME_MAX + 1])
{
	memcpy(as, t->name, sizeof t->name);
	if (overwrite && renameat(t->dir, t->part, t->dir, as) == 0)
		return PU_FILES_OK;
	if (overwrite)
		return status_of_errno(errno);
	for (unsigned n = 2; rename_new(t->dir, t->part, as) < 0; n++) {
		if (errno != EEXIST || n > OTHER_NAMES_MAX)
			return status_of_errno(errno);
		if (pu_files_path_other(t->name, n, as) < 0)
			return PU_FILES_LIMIT;
	}
	return PU_FILES_OK;
}

/* Permissions as the user's umask has them, and the sender's time. */
static enum pu_files_status settle(const struct pu_files_slot *t)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
					   { .tv_sec = t->entry->mtime } };
	struct stat st;

	if (t->entry->executable && fstat(t->fd, &st) == 0)
		/* who may read it may run it */
		fchmod(t->fd, (st.st_mode & 0666) | (st.st_mode & 0444) >> 2);
	futimens(t->fd, times);
	return fsync(t->fd) < 0 ? status_of_errno(errno) : PU_FILES_OK;
}

enum pu_files_status pu_files_slot_finish(struct pu_files_slot *t, const struct pu_files_store *s,
					  const uint8_t hash[PU_BLAKE2B_LEN],
					  char as[PU_FILES_NAME_MAX + 1])
{
	uint8_t ours[PU_BLAKE2B_LEN];
	enum pu_files_status status;

	pu_blake2b_end(&t->hash, ours);
	if (t->at != t->entry->size || memcmp(ours, hash, sizeof ours) != 0) {
		pu_files_slot_drop(t);
		return PU_FILES_DAMAGED;
	}
	status = settle(t);
	if (status == PU_FILES_OK)
		status = give_name(t, s->overwrite, as);
	if (status == PU_FILES_OK && fsync(t->dir) < 0)
		status = status_of_errno(errno);
	pu_files_slot_keep(t);
	return status;
}
