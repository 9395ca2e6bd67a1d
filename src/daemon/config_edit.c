#include "daemon/config_edit_internal.h"

#include <stdlib.h>

#include "base/err.h"
#include "daemon/config_snippet.h"

static const char *text_of(const struct pu_config_edit *e)
{
	return (const char *)pu_buf_bytes(&e->text).p;
}

/* Where a path leads: the node, its key, and how many keys of the path exist. */
struct spot {
	const struct pu_config_node *parent; /* mapping that holds the key */
	struct pu_config_node *key, *value;
	size_t depth;
};

/* Follows the path as far as it exists. PU_ENOTSUP on the way through an alias or a
 * value that is not a mapping. */
static int follow(const struct pu_config_edit *e, const char *const *path, struct spot *s)
{
	struct pu_config_node *n = e->tree.root;

	*s = (struct spot){ .value = n };
	for (; path[s->depth]; s->depth++) {
		if (pu_config_node_is_null(n))
			return 0;
		if (n->kind != PU_CONFIG_MAPPING)
			return PU_ENOTSUP;
		s->value = pu_config_node_get(n, path[s->depth], &s->key);
		if (!s->value) {
			s->value = n;
			return 0;
		}
		s->parent = n;
		n = s->value;
	}
	return 0;
}

bool pu_config_edit_has(const struct pu_config_edit *e, const char *const *path)
{
	struct spot s;

	return follow(e, path, &s) == 0 && s.depth == pu_config_path_len(path);
}

/* Offset just behind the line feed of the line that offset is in. */
static size_t line_end(const struct pu_config_edit *e, size_t offset)
{
	const char *t = text_of(e);
	const char *lf = offset < e->text.len ? memchr(t + offset, '\n', e->text.len - offset) :
						NULL;

	return lf ? (size_t)(lf - t) + 1 : e->text.len;
}

static size_t line_start(const struct pu_config_edit *e, size_t offset)
{
	while (offset > 0 && text_of(e)[offset - 1] != '\n')
		offset--;
	return offset;
}

/* Column where children of a block collection begin. The children of a list are
 * marked behind their dashes, the list itself at the first dash. */
static size_t child_indent(const struct spot *s)
{
	const struct pu_config_node *n = s->value;

	if (!pu_config_node_is_null(n) && n->n > 0 && !n->flow)
		return (n->kind == PU_CONFIG_SEQUENCE ? n : n->child[0])->start.column - 1;
	return s->key ? s->key->start.column - 1 + PU_CONFIG_INDENT : 0;
}

/* Puts whole lines behind the line that offset is in. */
static int insert_lines(struct pu_config_edit *e, size_t offset, struct pu_config_snippet *s,
			const char *const *path)
{
	size_t at = line_end(e, offset);

	if (s->err == 0 && at > 0 && text_of(e)[at - 1] != '\n')
		s->err = pu_buf_prepend(&s->b, "\n", 1);
	return s->err < 0 ? s->err : pu_config_edit_splice(e, at, at, pu_buf_bytes(&s->b), path);
}

/* Into a block collection with children, or one that is missing altogether. */
static int insert_block(struct pu_config_edit *e, const struct spot *s, const char *const *rest,
			const struct pu_config_new *v, const char *const *path)
{
	struct pu_config_snippet sn = { 0 };
	size_t offset = s->key ? s->key->end.offset : e->text.len;
	int r;

	if (s->value && !pu_config_node_is_null(s->value))
		offset = pu_config_node_end(s->value);
	pu_buf_init(&sn.b, PU_CONFIG_FILE_MAX);
	pu_config_snippet_block(&sn, rest, v, child_indent(s));
	r = insert_lines(e, offset, &sn, path);
	pu_buf_deinit(&sn.b);
	return r;
}

/* Before the closing bracket of [a, b] or {a: b}. */
static int insert_flow(struct pu_config_edit *e, const struct spot *s, const char *const *rest,
		       const struct pu_config_new *v, const char *const *path)
{
	size_t at = pu_config_node_end(s->value->child[s->value->n - 1]);
	struct pu_config_snippet sn = { 0 };
	int r;

	pu_buf_init(&sn.b, PU_CONFIG_FILE_MAX);
	pu_config_snippet_text(&sn, ", ");
	pu_config_snippet_flow(&sn, rest, v);
	r = sn.err < 0 ? sn.err : pu_config_edit_splice(e, at, at, pu_buf_bytes(&sn.b), path);
	pu_buf_deinit(&sn.b);
	return r;
}

/* "names: {} # people" → "names: # people" and the new lines below it. Inside a flow
 * collection the brackets are filled instead. */
static int fill_empty(struct pu_config_edit *e, const struct spot *s, const char *const *rest,
		      const struct pu_config_new *v, const char *const *path)
{
	bool in_flow = s->parent && s->parent->flow;
	size_t from = s->value->start.offset, to = s->value->end.offset, eol;
	struct pu_config_snippet sn = { 0 };
	int r;

	pu_buf_init(&sn.b, PU_CONFIG_FILE_MAX);
	if (in_flow || !s->key) {
		pu_config_snippet_text(&sn, v->item && !rest[0] ? "[" : "{");
		pu_config_snippet_flow(&sn, rest, v);
		pu_config_snippet_text(&sn, v->item && !rest[0] ? "]" : "}");
	} else {
		while (from > 0 && text_of(e)[from - 1] == ' ')
			from--;
		eol = line_end(e, to);
		pu_config_snippet_bytes(&sn, text_of(e) + to, eol - to);
		if (eol == to || text_of(e)[eol - 1] != '\n')
			pu_config_snippet_text(&sn, "\n");
		pu_config_snippet_block(&sn, rest, v, child_indent(s));
		to = eol;
	}
	r = sn.err < 0 ? sn.err : pu_config_edit_splice(e, from, to, pu_buf_bytes(&sn.b), path);
	pu_buf_deinit(&sn.b);
	return r;
}

static int insert(struct pu_config_edit *e, const struct spot *s, const char *const *path,
		  const struct pu_config_new *v)
{
	const char *const *rest = path + s->depth;
	const struct pu_config_node *n = s->value;

	/* follow() stops below the deepest existing key: value is what it holds. */
	if (!n || pu_config_node_is_null(n)) {
		if (n && n->end.offset > n->start.offset)
			return fill_empty(e, s, rest, v, path); /* ~ or null, written out */
		if (s->parent && s->parent->flow)
			return PU_ENOTSUP;
		return insert_block(e, s, rest, v, path);
	}
	if (n->kind == PU_CONFIG_ALIAS || n->kind == PU_CONFIG_SCALAR || n->named)
		return PU_ENOTSUP;
	if (n->n == 0)
		return fill_empty(e, s, rest, v, path);
	return n->flow ? insert_flow(e, s, rest, v, path) : insert_block(e, s, rest, v, path);
}

static bool value_ok(const char *value)
{
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

static int replace_scalar(struct pu_config_edit *e, const struct spot *s,
			  const struct pu_config_new *v, const char *const *path)
{
	const struct pu_config_node *n = s->value;
	size_t from = n->start.offset, to = n->end.offset;
	struct pu_config_snippet sn = { 0 };
	int r;

	if (n->kind != PU_CONFIG_SCALAR || n->named)
		return PU_ENOTSUP;
	pu_buf_init(&sn.b, PU_CONFIG_FILE_MAX);
	if (from == to) { /* "key:" without anything */
		from = to = s->key->end.offset + 1;
		pu_config_snippet_text(&sn, " ");
	}
	pu_config_snippet_value(&sn, v);
	r = sn.err < 0 ? sn.err : pu_config_edit_splice(e, from, to, pu_buf_bytes(&sn.b), path);
	pu_buf_deinit(&sn.b);
	return r;
}

static int check_path(const char *const *path)
{
	if (pu_config_path_len(path) < 1 || pu_config_path_len(path) > PU_CONFIG_EDIT_DEPTH)
		return PU_EINVAL;
	for (; *path; path++)
		if (!**path || strlen(*path) > PU_CONFIG_KEY_MAX || !value_ok(*path))
			return PU_EINVAL;
	return 0;
}

int pu_config_edit_set(struct pu_config_edit *e, const char *const *path, const char *value,
		       bool quoted)
{
	struct pu_config_new v = { .text = value, .quoted = quoted };
	struct spot s;
	int r = check_path(path);

	if (r < 0 || !value_ok(value))
		return PU_EINVAL;
	r = follow(e, path, &s);
	if (r < 0)
		return r;
	return path[s.depth] ? insert(e, &s, path, &v) : replace_scalar(e, &s, &v, path);
}

/* The span of a child with its comma, in a flow collection of n children where the
 * child covers [from, to). */
static void widen_flow(const struct pu_config_edit *e, bool last, size_t *pfrom, size_t *pto)
{
	const char *t = text_of(e);

	if (!last) {
		*pto += strcspn(t + *pto, ",") + 1;
		*pto += strspn(t + *pto, " ");
		return;
	}
	while (*pfrom > 0 && strchr(" \n\r\t,", t[*pfrom - 1]))
		(*pfrom)--;
}

/* Takes one of several children out: its lines, or its span with a comma. */
static int cut_child(struct pu_config_edit *e, const struct pu_config_node *coll, size_t from,
		     size_t to, bool last, const char *const *path)
{
	if (coll->flow) {
		widen_flow(e, last, &from, &to);
	} else {
		from = line_start(e, from);
		to = line_end(e, to);
	}
	return pu_config_edit_splice(e, from, to, pu_bytes(NULL, 0), path);
}

/* Takes the only child out and leaves {} or []: behind the key's colon, before a
 * comment there, so that lines between key and child survive. */
static int cut_only_child(struct pu_config_edit *e, const struct pu_config_node *coll,
			  const struct pu_config_node *key, size_t from, size_t to,
			  const char *const *path)
{
	const char *empty = coll->kind == PU_CONFIG_MAPPING ? "{}" : "[]";
	struct pu_config_snippet sn = { 0 };
	size_t colon, start;
	int r;

	if (coll->flow)
		return pu_config_edit_splice(e, coll->start.offset, coll->end.offset,
					     pu_bytes_str(empty), path);
	if (!key) {
		start = line_start(e, from);
		return pu_config_edit_splice(e, start, line_end(e, to), pu_bytes(NULL, 0), path);
	}
	colon = key->end.offset + 1;
	start = line_start(e, from);
	if (start < colon)
		return PU_ENOTSUP;
	pu_buf_init(&sn.b, PU_CONFIG_FILE_MAX);
	pu_config_snippet_text(&sn, " ");
	pu_config_snippet_text(&sn, empty);
	pu_config_snippet_bytes(&sn, text_of(e) + colon, start - colon);
	r = sn.err < 0 ? sn.err :
			 pu_config_edit_splice(e, colon, line_end(e, to), pu_buf_bytes(&sn.b),
					       path);
	pu_buf_deinit(&sn.b);
	return r;
}

/* Child number i of coll, which is the value of key (NULL: the whole document). */
static int cut(struct pu_config_edit *e, const struct pu_config_node *coll,
	       const struct pu_config_node *key, size_t i, const char *const *path)
{
	size_t step = coll->kind == PU_CONFIG_MAPPING ? 2 : 1, from, to;

	if (coll->named)
		return PU_ENOTSUP;
	from = coll->child[i]->start.offset;
	to = pu_config_node_end(coll->child[i + step - 1]);
	if (to < coll->child[i]->end.offset + step - 1) /* "key:" without a value */
		to = coll->child[i]->end.offset + step - 1;
	if (coll->n == step)
		return cut_only_child(e, coll, key, from, to, path);
	return cut_child(e, coll, from, to, i + step == coll->n, path);
}

/* The collection that holds the last key of path, and the key whose value it is. */
static int find_holder(const struct pu_config_edit *e, const char *const *path,
		       struct spot *holder, size_t *pindex)
{
	const char *up[PU_CONFIG_EDIT_DEPTH + 1] = { NULL };
	size_t depth = pu_config_path_len(path);
	int r;

	for (size_t i = 0; i + 1 < depth; i++)
		up[i] = path[i];
	r = follow(e, up, holder);
	if (r < 0)
		return r;
	if (up[holder->depth] || !holder->value || holder->value->kind != PU_CONFIG_MAPPING)
		return PU_ENOENT;
	if (holder->depth == 0)
		holder->key = NULL;
	for (*pindex = 0; *pindex < holder->value->n; *pindex += 2)
		if (strcmp(holder->value->child[*pindex]->text, path[depth - 1]) == 0)
			return 0;
	return PU_ENOENT;
}

int pu_config_edit_remove(struct pu_config_edit *e, const char *const *path)
{
	struct spot holder;
	size_t i;
	int r = check_path(path);

	if (r == 0)
		r = find_holder(e, path, &holder, &i);
	return r < 0 ? r : cut(e, holder.value, holder.key, i, path);
}

static bool list_find(const struct pu_config_node *list, const char *value, size_t *pindex)
{
	for (*pindex = 0; *pindex < list->n; (*pindex)++) {
		const struct pu_config_node *item =
			pu_config_node_real(list->child[*pindex]);

		if (item->kind == PU_CONFIG_SCALAR && strcmp(item->text, value) == 0)
			return true;
	}
	return false;
}

int pu_config_edit_list_add(struct pu_config_edit *e, const char *const *path, const char *value)
{
	struct pu_config_new v = { .text = value, .quoted = true, .item = true };
	struct spot s;
	size_t i;
	int r = check_path(path);

	if (r < 0 || !value_ok(value))
		return PU_EINVAL;
	r = follow(e, path, &s);
	if (r < 0)
		return r;
	if (!path[s.depth] && s.value && !pu_config_node_is_null(s.value)) {
		if (s.value->kind != PU_CONFIG_SEQUENCE)
			return PU_ENOTSUP;
		if (list_find(s.value, value, &i))
			return PU_EEXIST;
	}
	return insert(e, &s, path, &v);
}

int pu_config_edit_list_remove(struct pu_config_edit *e, const char *const *path,
			       const char *value)
{
	struct spot s;
	size_t i;
	int r = check_path(path);

	if (r < 0)
		return r;
	r = follow(e, path, &s);
	if (r < 0)
		return r;
	if (path[s.depth] || !s.value || s.value->kind != PU_CONFIG_SEQUENCE ||
	    !list_find(s.value, value, &i))
		return PU_ENOENT;
	return cut(e, s.value, s.key, i, path);
}
