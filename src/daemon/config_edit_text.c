#include "daemon/config_edit_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/filelock.h"

enum { MODE = 0600 };

int pu_config_edit_open_text(struct pu_bytes text, struct pu_config_edit **pe,
			     struct pu_config_diags *diags)
{
	struct pu_config_edit *e = calloc(1, sizeof *e);
	int r;

	if (!e)
		return PU_ENOMEM;
	e->lock = -1;
	pu_buf_init(&e->text, PU_CONFIG_FILE_MAX);
	r = text.len ? pu_buf_append(&e->text, text.p, text.len) : 0;
	if (r == 0)
		r = pu_config_tree_parse(pu_buf_bytes(&e->text), &e->tree, diags);
	if (r < 0) {
		pu_config_edit_close(e);
		return r;
	}
	*pe = e;
	return 0;
}

int pu_config_edit_open_held(const char *path, struct pu_config_edit **pe,
			     struct pu_config_diags *diags)
{
	struct pu_config_edit *e;
	struct pu_file_info info;
	char *text;
	size_t len;
	int r = pu_config_read(path, &text, &len, &info, diags);

	if (r < 0)
		return r;
	r = pu_config_edit_open_text(pu_bytes(text, len), &e, diags);
	free(text);
	if (r < 0)
		return r;
	e->path = strdup(path);
	e->owner = (struct pu_file_owner){ .set = geteuid() == 0, .uid = info.uid,
					   .gid = info.gid };
	if (!e->path) {
		pu_config_edit_close(e);
		return PU_ENOMEM;
	}
	*pe = e;
	return 0;
}

int pu_config_edit_open(const char *path, struct pu_config_edit **pe,
			struct pu_config_diags *diags)
{
	int lock, r = pu_filelock_take_dir(path, PU_MS(PU_CONFIG_EDIT_WAIT_MS), &lock);

	if (r < 0) {
		pu_config_diags_add(diags, false, 0, 0, "cannot lock its folder: %s",
				    pu_err_text(r));
		return r;
	}
	r = pu_config_edit_open_held(path, pe, diags);
	if (r < 0)
		pu_filelock_release(lock);
	else
		(*pe)->lock = lock;
	return r;
}

void pu_config_edit_close(struct pu_config_edit *e)
{
	if (!e)
		return;
	pu_config_tree_deinit(&e->tree);
	pu_buf_deinit(&e->text);
	pu_filelock_release(e->lock);
	free(e->path);
	free(e);
}

struct pu_bytes pu_config_edit_text(const struct pu_config_edit *e)
{
	return pu_buf_bytes(&e->text);
}

int pu_config_edit_commit(struct pu_config_edit *e, struct pu_config_diags *diags)
{
	struct pu_config *cfg;
	int r;

	if (!e->path)
		return PU_EINVAL;
	r = pu_config_parse(e->path, pu_buf_bytes(&e->text), &cfg, diags);
	if (r < 0)
		return r;
	pu_config_free(cfg);
	return pu_file_replace(e->path, pu_buf_bytes(&e->text), MODE, &e->owner);
}

/* Equality of what two trees say, but for the value at one path (skip, NULL: none).
 * An empty or absent map or list there counts as absent. */
static bool same(const struct pu_config_node *a, const struct pu_config_node *b,
		 const char *const *skip);

static bool is_void(const struct pu_config_node *n)
{
	return pu_config_node_is_null(n) || (n->kind != PU_CONFIG_SCALAR &&
					     n->kind != PU_CONFIG_ALIAS && n->n == 0);
}

/* Every key of a is in b with the same value. */
static bool contains(const struct pu_config_node *a, const struct pu_config_node *b,
		     const char *const *skip)
{
	for (size_t i = 0; a && i + 1 < a->n; i += 2) {
		const char *key = a->child[i]->text;
		bool on_path = skip && skip[0] && strcmp(skip[0], key) == 0;

		if (on_path && !skip[1])
			continue;
		if (!same(a->child[i + 1], pu_config_node_get(b, key, NULL),
			  on_path ? skip + 1 : NULL))
			return false;
	}
	return true;
}

static bool same(const struct pu_config_node *a, const struct pu_config_node *b,
		 const char *const *skip)
{
	if (skip && (!a || is_void(a) || a->kind == PU_CONFIG_MAPPING) &&
	    (!b || is_void(b) || b->kind == PU_CONFIG_MAPPING))
		return contains(a && a->kind == PU_CONFIG_MAPPING ? a : NULL, b, skip) &&
		       contains(b && b->kind == PU_CONFIG_MAPPING ? b : NULL, a, skip);
	if (!a || !b)
		return a == b;
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case PU_CONFIG_SCALAR:
		return a->plain == b->plain && strcmp(a->text, b->text) == 0;
	case PU_CONFIG_ALIAS:
		return same(a->target, b->target, NULL);
	case PU_CONFIG_SEQUENCE:
		if (a->n != b->n)
			return false;
		for (size_t i = 0; i < a->n; i++)
			if (!same(a->child[i], b->child[i], NULL))
				return false;
		return true;
	case PU_CONFIG_MAPPING:
		return a->n == b->n && contains(a, b, NULL);
	}
	return false;
}

int pu_config_edit_splice(struct pu_config_edit *e, size_t from, size_t to,
			  struct pu_bytes with, const char *const *path)
{
	struct pu_config_diags *ignored = calloc(1, sizeof *ignored);
	struct pu_config_tree tree = { 0 };
	struct pu_bytes old = pu_buf_bytes(&e->text);
	struct pu_buf out;
	int r = ignored ? 0 : PU_ENOMEM;

	pu_buf_init(&out, PU_CONFIG_FILE_MAX);
	if (r == 0 && from)
		r = pu_buf_append(&out, old.p, from);
	if (r == 0 && with.len)
		r = pu_buf_append(&out, with.p, with.len);
	if (r == 0 && old.len > to)
		r = pu_buf_append(&out, old.p + to, old.len - to);
	if (r == 0)
		r = pu_config_tree_parse(pu_buf_bytes(&out), &tree, ignored);
	if (r == PU_ECONFIG || (r == 0 && !same(e->tree.root, tree.root, path)))
		r = PU_ENOTSUP;
	free(ignored);
	if (r < 0) {
		pu_buf_deinit(&out);
		pu_config_tree_deinit(&tree);
		return r;
	}
	pu_buf_deinit(&e->text);
	pu_config_tree_deinit(&e->tree);
	e->text = out;
	e->tree = tree;
	return 0;
}
