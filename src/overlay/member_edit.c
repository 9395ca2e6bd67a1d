#include "overlay/member_edit_internal.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/filelock.h"

enum { MODE = 0600 };

/* Where the file really is. A link that leads nowhere is not replaced by a file. */
static int find_target(const char *path, char **ptarget)
{
	int r = pu_file_target(path, ptarget);
	struct stat st;

	if (r != PU_ENOENT || lstat(path, &st) == 0)
		return r;
	*ptarget = strdup(path);
	return *ptarget ? 0 : PU_ENOMEM;
}

static int read_target(struct pu_member_edit *e)
{
	struct pu_file_info info;
	struct stat st;
	int r;

	/* Root may edit a user's file; it must stay the user's, and so must the lock. */
	if (geteuid() == 0 && stat(e->path, &st) == 0)
		e->owner = (struct pu_file_owner){ .set = true, .uid = st.st_uid,
						   .gid = st.st_gid };
	r = pu_filelock_take(e->path, &e->owner, PU_MS(PU_MEMBER_EDIT_WAIT_MS), &e->lock);
	if (r < 0)
		return r;
	r = pu_file_read(e->path, PU_MEMBER_FILE_MAX, &e->text, &e->len, &info);
	if (r == PU_ENOENT)
		return 0;
	if (r == 0)
		e->owner = (struct pu_file_owner){ .set = geteuid() == 0, .uid = info.uid,
						   .gid = info.gid };
	return r;
}

int pu_member_edit_open(struct pu_member_edit *e, const char *path,
			const struct pu_file_owner *owner)
{
	int r;

	*e = (struct pu_member_edit){ .lock = -1 };
	pu_buf_init(&e->out, PU_MEMBER_FILE_MAX);
	if (owner)
		e->owner = *owner;
	r = find_target(path, &e->path);
	return r == 0 ? read_target(e) : r;
}

int pu_member_edit_commit(struct pu_member_edit *e)
{
	return pu_file_replace(e->path, pu_buf_bytes(&e->out), MODE, &e->owner);
}

void pu_member_edit_close(struct pu_member_edit *e)
{
	pu_filelock_release(e->lock);
	free(e->path);
	free(e->text);
	pu_buf_deinit(&e->out);
}

/* r: result of the edit so far; nothing is written when it failed. */
static int finish(struct pu_member_edit *e, int r)
{
	if (r == 0)
		r = pu_member_edit_commit(e);
	pu_member_edit_close(e);
	return r;
}

static int put(struct pu_member_edit *e, const char *s)
{
	return pu_buf_append(&e->out, s, strlen(s));
}

static int put_bytes(struct pu_member_edit *e, const uint8_t *from, const uint8_t *to)
{
	return to > from ? pu_buf_append(&e->out, from, (size_t)(to - from)) : 0;
}

int pu_member_edit_put_line(struct pu_member_edit *e, struct pu_bytes line, bool lf)
{
	int r = put_bytes(e, line.p, line.p + line.len);

	return r == 0 && lf ? put(e, "\n") : r;
}

static bool is_peer(struct pu_bytes line, const struct pu_peerid *peer, struct pu_member_line *l)
{
	return pu_member_line_parse(line, l) == 0 && pu_peerid_eq(&l->peer, peer);
}

static int put_comment(struct pu_member_edit *e, const char *comment)
{
	size_t n = 0;
	int r = 0;

	for (const char *p = comment; *p && n < PU_MEMBER_COMMENT_MAX && r == 0; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			continue;
		r = n++ ? 0 : put(e, "  # ");
		if (r == 0)
			r = pu_buf_append(&e->out, p, 1);
	}
	return r;
}

static int put_attr(struct pu_member_edit *e, const struct pu_member_set *s)
{
	int r = s->value[0] ? put(e, "  ") : 0;

	if (r < 0 || !s->value[0])
		return r;
	r = put(e, s->key);
	if (r == 0)
		r = put(e, "=");
	return r == 0 ? put(e, s->value) : r;
}

static bool word_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return false;
	return strlen(s) <= PU_MEMBER_ATTR_MAX;
}

bool pu_member_edit_set_ok(const struct pu_member_set *v)
{
	return word_ok(v->key) && word_ok(v->value) && *v->key && !strchr(v->key, '=');
}

static bool sets_ok(const struct pu_member_set *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!pu_member_edit_set_ok(&v[i]))
			return false;
	return true;
}

int pu_member_edit_put_new(struct pu_member_edit *e, const struct pu_peerid *peer,
			   const struct pu_member_set *v, size_t n, const char *comment)
{
	char id[PU_PEERID_TEXT_MAX];
	int r = put(e, pu_peerid_text(peer, id));

	for (size_t i = 0; i < n && r == 0; i++)
		r = put_attr(e, &v[i]);
	if (r == 0 && comment)
		r = put_comment(e, comment);
	return r == 0 ? put(e, "\n") : r;
}

int pu_member_edit_add_with(const char *path, const struct pu_peerid *peer,
			    const struct pu_member_set *v, size_t n, const char *comment,
			    const struct pu_file_owner *owner)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct pu_member_edit e;
	bool lf = true;
	int r;

	if (!sets_ok(v, n))
		return PU_EINVAL;
	r = pu_member_edit_open(&e, path, owner);
	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf))
		r = is_peer(line, peer, &l) ? PU_EEXIST : pu_member_edit_put_line(&e, line, true);
	if (r == 0)
		r = pu_member_edit_put_new(&e, peer, v, n, comment);
	return finish(&e, r);
}

int pu_member_edit_add(const char *path, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment, const struct pu_file_owner *owner)
{
	/* Without the attribute the Go program's own lines mean the same. */
	static const struct pu_member_set network = { "access", "network" };

	return pu_member_edit_add_with(path, peer, &network, access == PU_ACCESS_NETWORK, comment,
				       owner);
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
	return finish(&e, r);
}

/* i of the setting for this key, n when there is none. */
static size_t find_setting(const struct pu_member_rewrite *c, struct pu_bytes key)
{
	size_t i = 0;

	while (i < c->n && !pu_bytes_eq_str(key, c->v[i].key))
		i++;
	return i;
}

static bool is_first(const struct pu_member_rewrite *c, const struct pu_member_attr *a)
{
	struct pu_member_attr b;
	size_t off = 0;

	while (pu_member_line_next(&c->l, &off, &b) && b.key.p != a->key.p)
		if (pu_bytes_eq(b.key, a->key))
			return false;
	return true;
}

/* An attribute keeps its place when it was there; further ones of that name disappear, with
 * the blanks before them. */
static int put_fields(struct pu_member_edit *e, const struct pu_member_rewrite *c)
{
	const uint8_t *done = c->line.p, *cut;
	struct pu_member_attr a;
	size_t off = 0, i;
	int r = 0;

	while (r == 0 && pu_member_line_next(&c->l, &off, &a)) {
		i = find_setting(c, a.key);
		if (i == c->n)
			continue;
		if (c->v[i].value[0] && is_first(c, &a)) {
			r = put_bytes(e, done, a.value.p);
			if (r == 0)
				r = put(e, c->v[i].value);
		} else {
			for (cut = a.key.p; pu_member_line_blank(cut[-1]); cut--)
				;
			r = put_bytes(e, done, cut);
		}
		done = a.value.p + a.value.len;
	}
	return r == 0 ? put_bytes(e, done, c->l.fields.p + c->l.fields.len) : r;
}

static bool has_attr(const struct pu_member_rewrite *c, const char *key)
{
	struct pu_member_attr a;
	size_t off = 0;

	while (pu_member_line_next(&c->l, &off, &a))
		if (pu_bytes_eq_str(a.key, key))
			return true;
	return false;
}

/* What stands behind the fields: blanks, a comment, a carriage return. */
static int put_tail(struct pu_member_edit *e, const struct pu_member_rewrite *c)
{
	const uint8_t *tail = c->l.fields.p + c->l.fields.len, *end = c->line.p + c->line.len;
	int r;

	if (!c->comment)
		return put_bytes(e, tail, end);
	r = put_comment(e, c->comment);
	return r == 0 && end > tail && end[-1] == '\r' ? put(e, "\r") : r;
}

int pu_member_edit_put_changed(struct pu_member_edit *e, const struct pu_member_rewrite *c)
{
	int r = put_fields(e, c);

	for (size_t i = 0; i < c->n && r == 0; i++)
		if (!has_attr(c, c->v[i].key))
			r = put_attr(e, &c->v[i]);
	if (r == 0)
		r = put_tail(e, c);
	return r == 0 && c->lf ? put(e, "\n") : r;
}

int pu_member_edit_set(const char *path, const struct pu_peerid *peer,
		       const struct pu_member_set *v, size_t n, const char *comment)
{
	struct pu_member_rewrite c = { .v = v, .n = n, .comment = comment };
	struct pu_bytes rest;
	struct pu_member_edit e;
	bool found = false;
	int r;

	if (!sets_ok(v, n))
		return PU_EINVAL;
	r = pu_member_edit_open(&e, path, NULL);
	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &c.line, &c.lf)) {
		if (is_peer(c.line, peer, &c.l)) {
			found = true;
			r = pu_member_edit_put_changed(&e, &c);
		} else {
			r = pu_member_edit_put_line(&e, c.line, c.lf);
		}
	}
	if (r == 0 && !found)
		r = PU_ENOENT;
	return finish(&e, r);
}

int pu_member_edit_set_attr(const char *path, const struct pu_peerid *peer, const char *key,
			     const char *value)
{
	const struct pu_member_set s = { key, value };

	return pu_member_edit_set(path, peer, &s, 1, NULL);
}
