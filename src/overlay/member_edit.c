#include "overlay/member_edit_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"

enum { MODE = 0600 };

int pu_member_edit_open(struct pu_member_edit *e, const char *path,
			const struct pu_file_owner *owner)
{
	struct pu_file_info info;
	int r;

	*e = (struct pu_member_edit){ .path = path };
	pu_buf_init(&e->out, PU_MEMBER_FILE_MAX);
	if (owner)
		e->owner = *owner;
	r = pu_file_read(path, PU_MEMBER_FILE_MAX, &e->text, &e->len, &info);
	if (r == PU_ENOENT)
		return 0;
	/* Root may edit a user's file; it must stay the user's. */
	if (r == 0)
		e->owner = (struct pu_file_owner){ .set = geteuid() == 0, .uid = info.uid,
						   .gid = info.gid };
	return r;
}

int pu_member_edit_commit(struct pu_member_edit *e)
{
	return pu_file_replace(e->path, pu_buf_bytes(&e->out), MODE, &e->owner);
}

void pu_member_edit_close(struct pu_member_edit *e)
{
	free(e->text);
	pu_buf_deinit(&e->out);
}

int pu_member_edit_put(struct pu_member_edit *e, const char *s)
{
	return pu_buf_append(&e->out, s, strlen(s));
}

int pu_member_edit_put_line(struct pu_member_edit *e, struct pu_bytes line, bool lf)
{
	int r = line.len ? pu_buf_append(&e->out, line.p, line.len) : 0;

	return r == 0 && lf ? pu_member_edit_put(e, "\n") : r;
}

static bool is_peer(struct pu_bytes line, const struct pu_peerid *peer, struct pu_member_line *l)
{
	return pu_member_line_parse(line, l) == 0 && pu_peerid_eq(&l->peer, peer);
}

int pu_member_edit_put_comment(struct pu_member_edit *e, const char *comment)
{
	size_t n = 0;
	int r = 0;

	for (const char *p = comment; *p && n < PU_MEMBER_COMMENT_MAX && r == 0; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			continue;
		r = n++ ? 0 : pu_member_edit_put(e, "  # ");
		if (r == 0)
			r = pu_buf_append(&e->out, p, 1);
	}
	return r;
}

static int append_peer(struct pu_member_edit *e, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment)
{
	char id[PU_PEERID_TEXT_MAX];
	int r = 0;

	if (e->len)
		r = pu_member_edit_put_line(e, pu_bytes(e->text, e->len), e->text[e->len - 1] != '\n');
	if (r == 0)
		r = pu_member_edit_put(e, pu_peerid_text(peer, id));
	/* Without the attribute the Go program's own lines mean the same. */
	if (r == 0 && access == PU_ACCESS_NETWORK)
		r = pu_member_edit_put(e, "  access=network");
	if (r == 0 && comment)
		r = pu_member_edit_put_comment(e, comment);
	return r == 0 ? pu_member_edit_put(e, "\n") : r;
}

int pu_member_edit_add(const char *path, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment, const struct pu_file_owner *owner)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct pu_member_edit e;
	bool lf;
	int r = pu_member_edit_open(&e, path, owner);

	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf))
		if (is_peer(line, peer, &l))
			r = PU_EEXIST;
	if (r == 0)
		r = append_peer(&e, peer, access, comment);
	if (r == 0)
		r = pu_member_edit_commit(&e);
	pu_member_edit_close(&e);
	return r;
}

int pu_member_edit_remove(const char *path, const struct pu_peerid *peer)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct pu_member_edit e;
	bool lf, found = false;
	int r = pu_member_edit_open(&e, path, NULL);

	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf)) {
		if (is_peer(line, peer, &l))
			found = true;
		else
			r = pu_member_edit_put_line(&e, line, lf);
	}
	if (r == 0 && !found)
		r = PU_ENOENT;
	if (r == 0)
		r = pu_member_edit_commit(&e);
	pu_member_edit_close(&e);
	return r;
}

static int put_attr(struct pu_member_edit *e, struct pu_bytes key, struct pu_bytes value)
{
	int r = pu_member_edit_put(e, "  ");

	if (r == 0)
		r = pu_member_edit_put_line(e, key, false);
	if (r == 0)
		r = pu_member_edit_put(e, "=");
	return r == 0 ? pu_member_edit_put_line(e, value, false) : r;
}

static size_t find_set(const struct pu_member_set *v, size_t n, struct pu_bytes key)
{
	size_t i = 0;

	while (i < n && !pu_bytes_eq_str(key, v[i].key))
		i++;
	return i;
}

int pu_member_edit_put_attrs(struct pu_member_edit *e, const struct pu_member_line *l,
			     const struct pu_member_set *v, size_t n)
{
	bool done[PU_MEMBER_SET_MAX] = { false };
	struct pu_member_attr a;
	size_t off = 0;
	int r = 0;

	while (l && r == 0 && pu_member_line_next(l, &off, &a)) {
		size_t i = find_set(v, n, a.key);

		if (i == n)
			r = put_attr(e, a.key, a.value);
		else if (!done[i] && *v[i].value)
			r = put_attr(e, a.key, pu_bytes_str(v[i].value));
		if (i < n)
			done[i] = true;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		if (!done[i] && *v[i].value)
			r = put_attr(e, pu_bytes_str(v[i].key), pu_bytes_str(v[i].value));
	return r;
}

/* The attribute keeps its place when it was there, else it becomes the last one.
 * Duplicates of it disappear. */
int pu_member_edit_put_changed(struct pu_member_edit *e, const struct pu_member_line *l,
			       const struct pu_member_set *v, size_t n)
{
	char id[PU_PEERID_TEXT_MAX];
	int r = pu_member_edit_put(e, pu_peerid_text(&l->peer, id));

	if (r == 0)
		r = pu_member_edit_put_attrs(e, l, v, n);
	if (r == 0 && l->comment.len) {
		r = pu_member_edit_put(e, "  # ");
		if (r == 0)
			r = pu_member_edit_put_line(e, l->comment, false);
	}
	return r == 0 ? pu_member_edit_put(e, "\n") : r;
}

static bool text_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return false;
	return strlen(s) <= PU_MEMBER_ATTR_MAX;
}

bool pu_member_edit_set_ok(const struct pu_member_set *v)
{
	return text_ok(v->key) && text_ok(v->value) && *v->key && !strchr(v->key, '=');
}

int pu_member_edit_set_attr(const char *path, const struct pu_peerid *peer, const char *key,
			     const char *value)
{
	const struct pu_member_set set = { key, value };
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct pu_member_edit e;
	bool lf, found = false;
	int r;

	if (!pu_member_edit_set_ok(&set))
		return PU_EINVAL;
	r = pu_member_edit_open(&e, path, NULL);
	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf)) {
		if (is_peer(line, peer, &l)) {
			found = true;
			r = pu_member_edit_put_changed(&e, &l, &set, 1);
		} else {
			r = pu_member_edit_put_line(&e, line, lf);
		}
	}
	if (r == 0 && !found)
		r = PU_ENOENT;
	if (r == 0)
		r = pu_member_edit_commit(&e);
	pu_member_edit_close(&e);
	return r;
}
