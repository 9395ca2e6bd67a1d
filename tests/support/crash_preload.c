/* Preloaded into the program under test: it counts the calls that change what is on disk, and at
 * one of them ends the program like a power switch would, with all its processes, or lets that call
 * and those behind it fail as on a disk that is full, read-only or broken.
 *
 * The file named by PU_CRASH_STATE is struct state; the test maps it, arms it when it wants to,
 * and reads how many calls there were. Descriptors 0 to 2 are the test's own. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum mode { OFF, KILL_BEFORE, KILL_AFTER, FULL, READ_ONLY, BROKEN };

struct state {
	_Atomic uint32_t mode, at, seen, acted;
};

static struct state off;

static struct state *state_of(void)
{
	static _Atomic(struct state *) state;
	struct state *s = atomic_load(&state);
	const char *path = getenv("PU_CRASH_STATE");
	int fd;

	if (s)
		return s;
	fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	s = fd < 0 ? &off : mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (s == MAP_FAILED)
		abort();
	atomic_store(&state, s);
	return s;
}

static void end_all(struct state *s)
{
	atomic_store(&s->acted, 1);
	kill(0, SIGKILL);
	/* Who may not do that any more waits for the test to do it. */
	for (;;)
		if (pause() < 0)
			usleep(1000);
}

enum what { MAKES, WRITES, SYNCS, REMOVES, RENAMES };

/* What the disk says to a call of that kind; 0: it works. */
static int trouble(enum mode mode, enum what what)
{
	switch (mode) {
	case OFF:
	case KILL_BEFORE:
	case KILL_AFTER:
		return 0;
	case FULL:
		return what == MAKES || what == WRITES || what == SYNCS ? ENOSPC : 0;
	case READ_ONLY:
		return EROFS;
	case BROKEN:
		return EIO;
	}
	return 0;
}

/* Before each call: true when it fails, with errno. *pnumber is for after(). */
static bool before(enum what what, uint32_t *pnumber)
{
	struct state *s = state_of();
	uint32_t at = atomic_load(&s->at), n = atomic_fetch_add(&s->seen, 1) + 1;
	enum mode mode = (enum mode)atomic_load(&s->mode);
	int err = at && n >= at ? trouble(mode, what) : 0;

	*pnumber = n;
	if (mode == KILL_BEFORE && n == at)
		end_all(s);
	if (!err)
		return false;
	atomic_store(&s->acted, 1);
	errno = err;
	return true;
}

static void after(uint32_t n)
{
	struct state *s = state_of();

	if (atomic_load(&s->mode) == KILL_AFTER && n == atomic_load(&s->at))
		end_all(s);
}

static void *real(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	return p;
}

#define COUNTED(what, name, fail, type, ...)                          \
	do {                                                          \
		uint32_t n_;                                          \
		type r_;                                              \
		int err_;                                             \
                                                                      \
		if (before(what, &n_))                                \
			return fail;                                  \
		r_ = ((__typeof__(&name))real(#name))(__VA_ARGS__);   \
		err_ = errno;                                         \
		after(n_);                                            \
		errno = err_;                                         \
		return r_;                                            \
	} while (0)

static bool is_on_disk(int fd)
{
	struct stat st;

	return fd > STDERR_FILENO && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

int rename(const char *from, const char *to)
{
	COUNTED(RENAMES, rename, -1, int, from, to);
}

int renameat(int fd, const char *from, int to_fd, const char *to)
{
	COUNTED(RENAMES, renameat, -1, int, fd, from, to_fd, to);
}

int renameat2(int fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	COUNTED(RENAMES, renameat2, -1, int, fd, from, to_fd, to, flags);
}

int link(const char *from, const char *to)
{
	COUNTED(MAKES, link, -1, int, from, to);
}

int linkat(int fd, const char *from, int to_fd, const char *to, int flags)
{
	COUNTED(MAKES, linkat, -1, int, fd, from, to_fd, to, flags);
}

int unlink(const char *path)
{
	COUNTED(REMOVES, unlink, -1, int, path);
}

int unlinkat(int fd, const char *path, int flags)
{
	COUNTED(REMOVES, unlinkat, -1, int, fd, path, flags);
}

int mkdir(const char *path, mode_t mode)
{
	COUNTED(MAKES, mkdir, -1, int, path, mode);
}

int mkostemp(char *path, int flags)
{
	COUNTED(MAKES, mkostemp, -1, int, path, flags);
}

int mkostemps(char *path, int suffix, int flags)
{
	COUNTED(MAKES, mkostemps, -1, int, path, suffix, flags);
}

int fsync(int fd)
{
	COUNTED(SYNCS, fsync, -1, int, fd);
}

int fdatasync(int fd)
{
	COUNTED(SYNCS, fdatasync, -1, int, fd);
}

int ftruncate(int fd, off_t len)
{
	COUNTED(WRITES, ftruncate, -1, int, fd, len);
}

ssize_t write(int fd, const void *p, size_t len)
{
	if (!is_on_disk(fd))
		return ((__typeof__(&write))real("write"))(fd, p, len);
	COUNTED(WRITES, write, -1, ssize_t, fd, p, len);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

static int open_counted(const char *name, int dir, const char *path, int flags, mode_t mode)
{
	int (*open_at)(int, const char *, int, ...) =
		(int (*)(int, const char *, int, ...))real(name);
	uint32_t n = 0;
	int fd, err;

	if (flags & (O_CREAT | O_TRUNC) && before(MAKES, &n))
		return -1;
	fd = open_at(dir, path, flags, mode);
	err = errno;
	if (n)
		after(n);
	errno = err;
	return fd;
}

int open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_counted("openat", AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_counted("openat", dir, path, flags, mode);
}
