#include "cli/files_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/files_beneath.h"

struct walk {
	struct pu_files_source *s;
	pu_files_skip_fn *skip;
	void *arg;
	char path[PU_FILES_PATH_MAX + 1];
	size_t len;
};

void pu_files_source_init(struct pu_files_source *s)
{
	*s = (struct pu_files_source){ 0 };
	pu_files_manifest_init(&s->manifest);
}

void pu_files_source_deinit(struct pu_files_source *s)
{
	for (unsigned i = 0; i < s->n_roots; i++)
		close(s->root[i]);
	free(s->root_of);
	pu_files_manifest_deinit(&s->manifest);
	pu_files_source_init(s);
}

static int grow(struct pu_files_source *s)
{
	size_t cap = s->cap ? 2 * s->cap : 64;
	uint8_t *v;

	if (s->manifest.n < s->cap)
		return 0;
	v = realloc(s->root_of, cap);
	if (!v)
		return PU_ENOMEM;
	s->root_of = v;
	s->cap = cap;
	return 0;
}

static struct pu_files_entry entry_of(const struct stat *st)
{
	bool file = S_ISREG(st->st_mode);

	return (struct pu_files_entry){
		.kind = file ? PU_FILES_FILE : PU_FILES_FOLDER,
		.size = file ? (uint64_t)st->st_size : 0,
		.executable = file && st->st_mode & S_IXUSR,
		.mtime = file && st->st_mtime > 0 ? st->st_mtime : 0,
	};
}

static int scan_folder(struct walk *w, int fd);

/* PU_EINVAL: left out. */
static int add(struct walk *w, int dir, const char *name)
{
	struct pu_files_source *s = w->s;
	struct pu_files_entry e;
	struct stat st;
	int r, fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		w->skip(w->arg, w->path, "it cannot be read");
		return PU_EINVAL;
	}
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		w->skip(w->arg, w->path, S_ISLNK(st.st_mode) ? "it is a symbolic link" :
							       "it is no file");
		return PU_EINVAL;
	}
	e = entry_of(&st);
	r = grow(s);
	if (r == 0)
		r = pu_files_manifest_add(&s->manifest, &e, pu_bytes(w->path, w->len));
	if (r == PU_EINVAL || r == PU_E2BIG)
		w->skip(w->arg, w->path, r == PU_EINVAL ? "such a name cannot be sent" :
							  "it is too big, or too deep");
	if (r < 0)
		return r == PU_E2BIG ? PU_EINVAL : r;
	s->root_of[s->manifest.n - 1] = (uint8_t)(s->n_roots - 1);
	if (e.kind == PU_FILES_FILE)
		return 0;
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return scan_folder(w, fd);
	w->skip(w->arg, w->path, "it cannot be read");
	return 0;
}

static int add_child(struct walk *w, int dir, const char *name)
{
	size_t len = w->len, n = strlen(name);
	int r;

	if (len + 1 + n >= sizeof w->path) {
		w->skip(w->arg, name, "its path is too long");
		return 0;
	}
	w->path[w->len++] = '/';
	memcpy(w->path + w->len, name, n + 1);
	w->len += n;
	r = add(w, dir, name);
	w->len = len;
	w->path[len] = '\0';
	return r == PU_EINVAL ? 0 : r;
}

static int no_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

/* Takes fd. As deep as paths may be: the manifest refuses what is below. */
static int scan_folder(struct walk *w, int fd)
{
	struct dirent **list;
	int n = scandirat(fd, ".", &list, no_dots, alphasort), r = 0;

	if (n < 0) {
		w->skip(w->arg, w->path, "it cannot be read");
		n = 0;
		list = NULL;
	}
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_child(w, fd, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	close(fd);
	return r;
}

int pu_files_source_add(struct pu_files_source *s, const char *path, pu_files_skip_fn *skip,
			void *arg)
{
	struct walk w = { .s = s, .skip = skip, .arg = arg };
	char *real = realpath(path, NULL), *name;
	int dir, r = PU_EINVAL;

	if (!real)
		return pu_err_from_errno(errno);
	name = strrchr(real, '/') + 1;
	w.len = strlen(name);
	if (w.len == 0 || w.len >= sizeof w.path || s->n_roots == PU_FILES_ROOTS_MAX)
		goto out;
	memcpy(w.path, name, w.len + 1);
	name[-1] = '\0';
	dir = open(real[0] ? real : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		r = pu_err_from_errno(errno);
		goto out;
	}
	s->root[s->n_roots++] = dir;
	r = add(&w, dir, name);
out:
	free(real);
	return r;
}

bool pu_files_source_same(const struct pu_files_source *s, size_t i, int fd)
{
	const struct pu_files_entry *e = &s->manifest.v[i];
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->size &&
	       (st.st_mtime == e->mtime || st.st_mtime < 0);
}

int pu_files_source_open(const struct pu_files_source *s, size_t i, int *pfd)
{
	char name[PU_FILES_NAME_MAX + 1];
	int dir, fd, r;

	r = pu_files_beneath_parent(s->root[s->root_of[i]], s->manifest.v[i].path, false, &dir,
				    name);
	if (r < 0)
		return r;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	r = fd < 0 ? pu_err_from_errno(errno) : 0;
	close(dir);
	if (r == 0 && !pu_files_source_same(s, i, fd)) {
		close(fd);
		r = PU_EINVAL;
	}
	if (r == 0)
		*pfd = fd;
	return r;
}
