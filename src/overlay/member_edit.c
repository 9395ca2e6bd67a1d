#include "overlay/member_edit.h"

#include "base/err.h"
#include "overlay/member_rewrite.h"

static bool is_peer(struct pu_bytes line, const struct pu_peerid *peer, struct pu_member_line *l)
{
	return pu_member_line_parse(line, l) == 0 && pu_peerid_eq(&l->peer, peer);
}

static int append_peer(struct pu_member_rewrite *e, const struct pu_peerid *peer, enum pu_access access,
		       const struct pu_member_setting *v, size_t n, const char *comment)
{
	static const struct pu_member_setting network = { "access", "network" };
	char id[PU_PEERID_TEXT_MAX];
	int r = 0;

	if (e->len)
		r = pu_member_rewrite_put_line(e, pu_bytes(e->text, e->len), e->text[e->len - 1] != '\n');
	if (r == 0)
		r = pu_member_rewrite_put(e, pu_peerid_text(peer, id));
	/* Without the attribute the Go program's own lines mean the same. */
	if (r == 0 && access == PU_ACCESS_NETWORK)
		r = pu_member_rewrite_put_attr(e, &network);
	for (size_t i = 0; i < n && r == 0; i++)
		r = pu_member_rewrite_put_attr(e, &v[i]);
	if (r == 0 && comment)
		r = pu_member_rewrite_put_comment(e, comment);
	return r == 0 ? pu_member_rewrite_put(e, "\n") : r;
}

int pu_member_edit_add_with(const char *path, const struct pu_peerid *peer,
			    enum pu_access access, const struct pu_member_setting *v, size_t n,
			    const char *comment, const struct pu_file_owner *owner)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct pu_member_rewrite e;
	bool lf;
	int r;

	if (!pu_member_rewrite_settings_ok(v, n))
		return PU_EINVAL;
	r = pu_member_rewrite_open(&e, path, owner);
	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf))
		if (is_peer(line, peer, &l))
			r = PU_EEXIST;
	if (r == 0)
		r = append_peer(&e, peer, access, v, n, comment);
	return pu_member_rewrite_close(&e, r);
}

int pu_member_edit_add(const char *path, const struct pu_peerid *peer, enum pu_access access,
		       const char *comment, const struct pu_file_owner *owner)
{
	return pu_member_edit_add_with(path, peer, access, NULL, 0, comment, owner);
}

int pu_member_edit_remove(const char *path, const struct pu_peerid *peer)
{
	struct pu_bytes rest, line;
	struct pu_member_line l;
	struct pu_member_rewrite e;
	bool lf, found = false;
	int r = pu_member_rewrite_open(&e, path, NULL);

	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &line, &lf)) {
		if (is_peer(line, peer, &l))
			found = true;
		else
			r = pu_member_rewrite_put_line(&e, line, lf);
	}
	if (r == 0 && !found)
		r = PU_ENOENT;
	return pu_member_rewrite_close(&e, r);
}

int pu_member_edit_set(const char *path, const struct pu_peerid *peer,
		       const struct pu_member_setting *v, size_t n, const char *comment)
{
	struct pu_member_line_change c = { .v = v, .n = n, .comment = comment };
	struct pu_bytes rest;
	struct pu_member_rewrite e;
	bool lf, found = false;
	int r;

	if (!pu_member_rewrite_settings_ok(v, n))
		return PU_EINVAL;
	r = pu_member_rewrite_open(&e, path, NULL);
	rest = pu_bytes(e.text, e.len);
	while (r == 0 && pu_member_next_line(&rest, &c.line, &lf)) {
		if (is_peer(c.line, peer, &c.l)) {
			found = true;
			r = pu_member_rewrite_put_changed(&e, &c, lf);
		} else {
			r = pu_member_rewrite_put_line(&e, c.line, lf);
		}
	}
	if (r == 0 && !found)
		r = PU_ENOENT;
	return pu_member_rewrite_close(&e, r);
}

int pu_member_edit_set_attr(const char *path, const struct pu_peerid *peer, const char *key,
			     const char *value)
{
	const struct pu_member_setting s = { key, value };

	return pu_member_edit_set(path, peer, &s, 1, NULL);
}
