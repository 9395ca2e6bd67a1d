#include "overlay/files/manifest.h"

#include <stdlib.h>

#include "base/err.h"

void pu_files_manifest_init(struct pu_files_manifest *m)
{
	*m = (struct pu_files_manifest){ 0 };
}

void pu_files_manifest_deinit(struct pu_files_manifest *m)
{
	for (size_t i = 0; i < m->n; i++)
		free((char *)m->v[i].path);
	free(m->v);
	pu_files_manifest_init(m);
}

static int grow(struct pu_files_manifest *m)
{
	size_t cap = m->cap ? 2 * m->cap : 64;
	struct pu_files_entry *v;

	if (m->n < m->cap)
		return 0;
	v = realloc(m->v, cap * sizeof *v);
	if (!v)
		return PU_ENOMEM;
	m->v = v;
	m->cap = cap;
	return 0;
}

int pu_files_manifest_add(struct pu_files_manifest *m, const struct pu_files_entry *e,
			  struct pu_bytes path)
{
	struct pu_files_entry *to;
	int r = pu_files_path_check(path);
	char *copy;

	if (r < 0)
		return r;
	if (e->mtime < 0 || (e->kind == PU_FILES_FOLDER && e->size > 0))
		return PU_EINVAL;
	if (e->size > PU_FILES_SIZE_MAX - m->bytes)
		return PU_E2BIG;
	if (m->n >= PU_FILES_ENTRIES_MAX || path.len > PU_FILES_PATHS_MAX - m->path_bytes)
		return PU_ELIMIT;
	r = grow(m);
	copy = r == 0 ? strndup((const char *)path.p, path.len) : NULL;
	if (!copy)
		return PU_ENOMEM;
	to = &m->v[m->n++];
	*to = *e;
	to->path = copy;
	m->path_bytes += path.len;
	m->bytes += e->size;
	m->n_files += e->kind == PU_FILES_FILE;
	return 0;
}

/* As if "/" were smaller than every other byte: what is below a path comes right behind it. */
static int compare(const void *a, const void *b)
{
	const unsigned char *p = (const unsigned char *)(*(struct pu_files_entry *const *)a)->path;
	const unsigned char *q = (const unsigned char *)(*(struct pu_files_entry *const *)b)->path;

	while (*p && *p == *q) {
		p++;
		q++;
	}
	return (*p == '/' ? 1 : *p) - (*q == '/' ? 1 : *q);
}

static bool clash(const struct pu_files_entry *a, const struct pu_files_entry *b)
{
	size_t len = strlen(a->path);

	if (strncmp(a->path, b->path, len) != 0)
		return false;
	return b->path[len] == '\0' || (b->path[len] == '/' && a->kind == PU_FILES_FILE);
}

int pu_files_manifest_check(const struct pu_files_manifest *m)
{
	struct pu_files_entry **by_path;
	bool bad = false;

	if (m->n < 2)
		return 0;
	by_path = calloc(m->n, sizeof(struct pu_files_entry *));
	if (!by_path)
		return PU_ENOMEM;
	for (size_t i = 0; i < m->n; i++)
		by_path[i] = &m->v[i];
	qsort(by_path, m->n, sizeof(struct pu_files_entry *), compare);
	for (size_t i = 1; i < m->n && !bad; i++)
		bad = clash(by_path[i - 1], by_path[i]);
	free(by_path);
	return bad ? PU_EEXIST : 0;
}
