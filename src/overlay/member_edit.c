#include "overlay/member_edit.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "overlay/member_line.h"

enum { MODE = 0600 };

struct edit {
	const char *path;
	char *text; /* content before, NULL when there was no file */
	size_t len;
	struct pu_file_owner owner;
	struct pu_buf out;
};

static int edit_open(struct edit *e, const char *path, const struct pu_file_owner *owner)
{
	struct pu_file_info info;
	int r;

	*e = (struct edit){ .path = path };
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

static int edit_commit(struct edit *e)
{
	return pu_file_replace(e->path, pu_buf_bytes(&e->out), MODE, &e->owner);
}

static void edit_close(struct edit *e)
{
	free(e->text);
	pu_buf_deinit(&e->out);
}

static int put(struct edit *e, const char *s)
{
	return pu_buf_append(&e->out, s, strlen(s));
}

static int put_line(struct edit *e, struct pu_bytes line, bool lf)
{
	int r = line.len ? pu_buf_append(&e->out, line.p, line.len) : 0;

	return r == 0 && lf ? put(e, "\n") : r;
}

static bool is_peer(struct pu_bytes line, const struct pu_peerid *peer, struct pu_member_line *l)
{
	return pu_member_line_parse(line, l) == 0 && pu_peerid_eq(&l->peer, peer);
}

static int put_comment(struct edit *e, const char *comment)
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

static int append_peer(struct edit *e, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment)
{
	char id[PU_PEERID_TEXT_MAX];
	int r = 0;

	if (e->len)
		r = put_line(e, pu_bytes(e->text, e->len), e->text[e->len - 1] != '\n');
	if (r == 0)
		r = put(e, pu_peerid_text(peer, id));
	/* Without the attribute the Go program's own lines mean the same. */
	if (r == 0 && access == PU_ACCESS_NETWORK)
		r = put(e, "  access=network");
	if (r == 0 && comment)
		r = put_comment(e, comment);
	return r == 0 ? put(e, "\n") : r;
}

int pu_member_edit_add(const char *path, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment, const struct pu_file_owner *owner)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct edit e;
	bool lf;
	int r = edit_open(&e, path, owner);

	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf))
		if (is_peer(line, peer, &l))
			r = PU_EEXIST;
	if (r == 0)
		r = append_peer(&e, peer, access, comment);
	if (r == 0)
		r = edit_commit(&e);
	edit_close(&e);
	return r;
}

int pu_member_edit_remove(const char *path, const struct pu_peerid *peer)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct edit e;
	bool lf, found = false;
	int r = edit_open(&e, path, NULL);

	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf)) {
		if (is_peer(line, peer, &l))
			found = true;
		else
			r = put_line(&e, line, lf);
	}
	if (r == 0 && !found)
		r = PU_ENOENT;
	if (r == 0)
		r = edit_commit(&e);
	edit_close(&e);
	return r;
}

static int put_attr(struct edit *e, struct pu_bytes key, struct pu_bytes value)
{
	int r = put(e, "  ");

	if (r == 0)
		r = put_line(e, key, false);
	if (r == 0)
		r = put(e, "=");
	return r == 0 ? put_line(e, value, false) : r;
}

/* The attribute keeps its place when it was there, else it becomes the last one.
 * Duplicates of it disappear. */
static int put_changed(struct edit *e, const struct pu_member_line *l, struct pu_bytes key,
		       struct pu_bytes value)
{
	char id[PU_PEERID_TEXT_MAX];
	struct pu_member_attr a;
	bool done = value.len == 0;
	size_t off = 0;
	int r = put(e, pu_peerid_text(&l->peer, id));

	while (r == 0 && pu_member_line_next(l, &off, &a)) {
		if (!pu_bytes_eq(a.key, key)) {
			r = put_attr(e, a.key, a.value);
		} else if (!done) {
			r = put_attr(e, key, value);
			done = true;
		}
	}
	if (r == 0 && !done)
		r = put_attr(e, key, value);
	if (r == 0 && l->comment.len) {
		r = put(e, "  # ");
		if (r == 0)
			r = put_line(e, l->comment, false);
	}
	return r == 0 ? put(e, "\n") : r;
}

static bool attr_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '#')
			return false;
	return strlen(s) <= PU_MEMBER_ATTR_MAX;
}

int pu_member_edit_set_attr(const char *path, const struct pu_peerid *peer, const char *key,
			     const char *value)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct edit e;
	bool lf, found = false;
	int r;

	if (!attr_ok(key) || !attr_ok(value) || !*key || strchr(key, '='))
		return PU_EINVAL;
	r = edit_open(&e, path, NULL);
	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf)) {
		if (is_peer(line, peer, &l)) {
			found = true;
			r = put_changed(&e, &l, pu_bytes_str(key), pu_bytes_str(value));
		} else {
			r = put_line(&e, line, lf);
		}
	}
	if (r == 0 && !found)
		r = PU_ENOENT;
	if (r == 0)
		r = edit_commit(&e);
	edit_close(&e);
	return r;
}
