#include "overlay/member_rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/filelock.h"

enum { MODE = 0600 };

/* Where the file really is. A link that leads nowhere is not replaced by a file. */
static int find_target(const char *path, char **ptarget)
{
	char *target = realpath(path, NULL);
	struct stat st;

	if (!target && errno != ENOENT)
		return pu_err_from_errno(errno);
	if (!target && lstat(path, &st) == 0)
		return PU_ENOENT;
	*ptarget = target ? target : strdup(path);
	return *ptarget ? 0 : PU_ENOMEM;
}

static int read_target(struct pu_member_rewrite *e)
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

int pu_member_rewrite_open(struct pu_member_rewrite *e, const char *path, const struct pu_file_owner *owner)
{
	int r;

	*e = (struct pu_member_rewrite){ .lock = -1 };
	pu_buf_init(&e->out, PU_MEMBER_FILE_MAX);
	if (owner)
		e->owner = *owner;
	r = find_target(path, &e->path);
	return r == 0 ? read_target(e) : r;
}

/* r: result of the edit so far. Nothing is written when it failed. */
int pu_member_rewrite_close(struct pu_member_rewrite *e, int r)
{
	if (r == 0)
		r = pu_file_replace(e->path, pu_buf_bytes(&e->out), MODE, &e->owner);
	pu_filelock_release(e->lock);
	free(e->path);
	free(e->text);
	pu_buf_deinit(&e->out);
	return r;
}

int pu_member_rewrite_put(struct pu_member_rewrite *e, const char *s)
{
	return pu_buf_append(&e->out, s, strlen(s));
}

static int put_bytes(struct pu_member_rewrite *e, const uint8_t *from, const uint8_t *to)
{
	return to > from ? pu_buf_append(&e->out, from, (size_t)(to - from)) : 0;
}

int pu_member_rewrite_put_line(struct pu_member_rewrite *e, struct pu_bytes line, bool lf)
{
	int r = put_bytes(e, line.p, line.p + line.len);

	return r == 0 && lf ? pu_member_rewrite_put(e, "\n") : r;
}

int pu_member_rewrite_put_comment(struct pu_member_rewrite *e, const char *comment)
{
	size_t n = 0;
	int r = 0;

	for (const char *p = comment; *p && n < PU_MEMBER_COMMENT_MAX && r == 0; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			continue;
		r = n++ ? 0 : pu_member_rewrite_put(e, "  # ");
		if (r == 0)
			r = pu_buf_append(&e->out, p, 1);
	}
	return r;
}

int pu_member_rewrite_put_attr(struct pu_member_rewrite *e, const struct pu_member_setting *s)
{
	int r = s->value[0] ? pu_member_rewrite_put(e, "  ") : 0;

	if (r < 0 || !s->value[0])
		return r;
	r = pu_member_rewrite_put(e, s->key);
	if (r == 0)
		r = pu_member_rewrite_put(e, "=");
	return r == 0 ? pu_member_rewrite_put(e, s->value) : r;
}

static bool word_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return false;
	return strlen(s) <= PU_MEMBER_ATTR_MAX;
}

bool pu_member_rewrite_settings_ok(const struct pu_member_setting *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!v[i].key[0] || strchr(v[i].key, '=') || !word_ok(v[i].key) ||
		    !word_ok(v[i].value))
			return false;
	return true;
}

/* i of the setting for this key, n when there is none. */
static size_t find_setting(const struct pu_member_line_change *c, struct pu_bytes key)
{
	size_t i = 0;

	while (i < c->n && !pu_bytes_eq_str(key, c->v[i].key))
		i++;
	return i;
}

static bool is_first(const struct pu_member_line_change *c, const struct pu_member_attr *a)
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
static int put_fields(struct pu_member_rewrite *e, const struct pu_member_line_change *c)
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
				r = pu_member_rewrite_put(e, c->v[i].value);
		} else {
			for (cut = a.key.p; pu_member_line_blank(cut[-1]); cut--)
				;
			r = put_bytes(e, done, cut);
		}
		done = a.value.p + a.value.len;
	}
	return r == 0 ? put_bytes(e, done, c->l.fields.p + c->l.fields.len) : r;
}

static bool has_attr(const struct pu_member_line_change *c, const char *key)
{
	struct pu_member_attr a;
	size_t off = 0;

	while (pu_member_line_next(&c->l, &off, &a))
		if (pu_bytes_eq_str(a.key, key))
			return true;
	return false;
}

/* What stands behind the fields: blanks, a comment, a carriage return. */
static int put_tail(struct pu_member_rewrite *e, const struct pu_member_line_change *c)
{
	const uint8_t *tail = c->l.fields.p + c->l.fields.len, *end = c->line.p + c->line.len;
	int r;

	if (!c->comment)
		return put_bytes(e, tail, end);
	r = pu_member_rewrite_put_comment(e, c->comment);
	return r == 0 && end > tail && end[-1] == '\r' ? pu_member_rewrite_put(e, "\r") : r;
}

int pu_member_rewrite_put_changed(struct pu_member_rewrite *e, const struct pu_member_line_change *c, bool lf)
{
	int r = put_fields(e, c);

	for (size_t i = 0; i < c->n && r == 0; i++)
		if (!has_attr(c, c->v[i].key))
			r = pu_member_rewrite_put_attr(e, &c->v[i]);
	if (r == 0)
		r = put_tail(e, c);
	return r == 0 && lf ? pu_member_rewrite_put(e, "\n") : r;
}
