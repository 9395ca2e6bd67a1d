#include "overlay/member_batch.h"

#include "base/err.h"
#include "overlay/member_rewrite.h"

static struct pu_member_change *find(struct pu_member_change *v, size_t n, struct pu_bytes line,
				     struct pu_member_line *l)
{
	if (pu_member_line_parse(line, l) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (pu_peerid_eq(&v[i].peer, &l->peer))
			return &v[i];
	return NULL;
}

static int put_old_lines(struct pu_member_rewrite *e, struct pu_member_change *v, size_t n)
{
	struct pu_bytes rest = pu_bytes(e->text, e->len), line;
	struct pu_member_line l;
	bool lf = true;
	int r = 0;

	while (r == 0 && pu_member_next_line(&rest, &line, &lf)) {
		struct pu_member_change *c = find(v, n, line, &l);

		if (!c) {
			r = pu_member_rewrite_put_line(e, line, lf);
			continue;
		}
		c->listed = true;
		if (!c->remove)
			r = pu_member_rewrite_put_changed(
				e, &(struct pu_member_line_change){ c->set, c->n, NULL, line, l },
				lf);
		else
			lf = true;
	}
	return r == 0 && !lf ? pu_member_rewrite_put(e, "\n") : r;
}

static int put_new_line(struct pu_member_rewrite *e, const struct pu_member_change *c)
{
	char id[PU_PEERID_TEXT_MAX];
	int r = pu_member_rewrite_put(e, pu_peerid_text(&c->peer, id));

	for (size_t i = 0; i < c->n && r == 0; i++)
		r = pu_member_rewrite_put_attr(e, &c->set[i]);
	if (r == 0 && c->comment)
		r = pu_member_rewrite_put_comment(e, c->comment);
	return r == 0 ? pu_member_rewrite_put(e, "\n") : r;
}

static int check(struct pu_member_change *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		v[i].listed = false;
		if (v[i].n > PU_MEMBER_SET_MAX ||
		    !pu_member_rewrite_settings_ok(v[i].set, v[i].n))
			return PU_EINVAL;
	}
	return 0;
}

int pu_member_batch(const char *path, struct pu_member_change *v, size_t n,
		    const struct pu_file_owner *owner)
{
	struct pu_member_rewrite e;
	int r = check(v, n);

	if (r < 0)
		return r;
	r = pu_member_rewrite_open(&e, path, owner);
	if (r == 0)
		r = put_old_lines(&e, v, n);
	for (size_t i = 0; i < n && r == 0; i++)
		if (!v[i].listed && !v[i].remove)
			r = put_new_line(&e, &v[i]);
	return pu_member_rewrite_close(&e, r);
}
