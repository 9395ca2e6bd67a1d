#include "overlay/member_batch.h"

#include "base/err.h"
#include "overlay/member_edit_internal.h"

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

static int put_old_lines(struct pu_member_edit *e, struct pu_member_change *v, size_t n)
{
	struct pu_bytes rest = pu_bytes(e->text, e->len);
	struct pu_member_rewrite w = { .lf = true };
	int r = 0;

	while (r == 0 && pu_member_next_line(&rest, &w.line, &w.lf)) {
		struct pu_member_change *c = find(v, n, w.line, &w.l);

		if (!c) {
			r = pu_member_edit_put_line(e, w.line, true);
			continue;
		}
		c->listed = true;
		w.lf = true;
		w.v = c->set;
		w.n = c->n;
		if (!c->remove)
			r = pu_member_edit_put_changed(e, &w);
	}
	return r;
}

static int check(struct pu_member_change *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		v[i].listed = false;
		if (v[i].n > PU_MEMBER_SET_MAX)
			return PU_EINVAL;
		for (size_t j = 0; j < v[i].n; j++)
			if (!pu_member_edit_set_ok(&v[i].set[j]))
				return PU_EINVAL;
	}
	return 0;
}

int pu_member_batch(const char *path, struct pu_member_change *v, size_t n,
		    const struct pu_file_owner *owner)
{
	struct pu_member_edit e;
	int r = check(v, n);

	if (r < 0)
		return r;
	r = pu_member_edit_open(&e, path, owner);
	if (r == 0)
		r = put_old_lines(&e, v, n);
	for (size_t i = 0; i < n && r == 0; i++)
		if (!v[i].listed && !v[i].remove)
			r = pu_member_edit_put_new(&e, &v[i].peer, v[i].set, v[i].n,
						   v[i].comment);
	if (r == 0)
		r = pu_member_edit_commit(&e);
	pu_member_edit_close(&e);
	return r;
}
