#include "overlay/member.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/htab.h"
#include "base/rfc3339.h"
#include "overlay/member_line.h"

struct entry {
	struct pu_member m;
	struct pu_hnode hn;
	char *strings; /* comment, verified, group in one allocation */
};

struct pu_members {
	struct pu_htab by_peer;
	struct entry **v;
	size_t n;
};

struct reader {
	struct pu_members *set;
	pu_member_warn_fn *warn;
	void *warn_arg;
	unsigned line;
};

static void warn(const struct reader *rd, const char *text)
{
	if (rd->warn)
		rd->warn(rd->warn_arg, rd->line, text);
}

const char *pu_access_text(enum pu_access access)
{
	switch (access) {
	case PU_ACCESS_SERVICES:
		return "services";
	case PU_ACCESS_NETWORK:
		return "network";
	}
	return "";
}

const char *pu_member_access_text(const struct pu_member *m)
{
	return m->barred ? "none" : pu_access_text(m->access);
}

int pu_access_parse(const char *text, enum pu_access *paccess)
{
	if (strcmp(text, "services") == 0)
		*paccess = PU_ACCESS_SERVICES;
	else if (strcmp(text, "network") == 0)
		*paccess = PU_ACCESS_NETWORK;
	else
		return PU_EINVAL;
	return 0;
}

static struct entry *find_entry(const struct pu_members *set, const struct pu_peerid *peer)
{
	uint64_t hash = pu_htab_hash(&set->by_peer, peer->b, peer->len);

	for (struct pu_hnode *h = pu_htab_first(&set->by_peer, hash); h; h = pu_htab_next(h)) {
		struct entry *e = PU_CONTAINER_OF(h, struct entry, hn);

		if (pu_peerid_eq(&e->m.peer, peer))
			return e;
	}
	return NULL;
}

static int parse_expires(struct pu_bytes value, int64_t *pv)
{
	char text[PU_RFC3339_MAX + 16];

	if (value.len >= sizeof text || memchr(value.p, '\0', value.len))
		return PU_EINVAL;
	memcpy(text, value.p, value.len);
	text[value.len] = '\0';
	return pu_rfc3339_parse(text, pv);
}

struct attrs {
	struct pu_bytes verified, group;
};

/* A later duplicate wins. PU_EINVAL when the line shall not count: somebody meant to
 * limit this peer and was misunderstood, so nothing is granted. */
static int read_attrs(struct reader *rd, const struct pu_member_line *l, struct pu_member *m,
		      struct attrs *attrs)
{
	struct pu_member_attr a;
	size_t off = 0;

	while (pu_member_line_next(l, &off, &a)) {
		if (pu_bytes_eq_str(a.key, "access")) {
			if (pu_bytes_eq_str(a.value, "network")) {
				m->access = PU_ACCESS_NETWORK;
				m->barred = false;
				continue;
			}
			m->access = PU_ACCESS_SERVICES;
			m->barred = pu_bytes_eq_str(a.value, "none");
			if (!m->barred && !pu_bytes_eq_str(a.value, "services"))
				warn(rd, "access= is none of services, network and none, taken as "
					 "services");
		} else if (pu_bytes_eq_str(a.key, "expires")) {
			if (a.value.len && parse_expires(a.value, &m->expires) < 0) {
				warn(rd, "expires= is not a time like 2026-03-01T12:00:00Z, "
					 "line ignored");
				return PU_EINVAL;
			}
		} else if (pu_bytes_eq_str(a.key, "verified")) {
			attrs->verified = a.value;
		} else if (pu_bytes_eq_str(a.key, "group")) {
			attrs->group = a.value;
		}
	}
	return 0;
}

/* Texts end on terminals: what could move the cursor is left out. */
static const char *copy_clean(char **pto, struct pu_bytes from)
{
	char *start = *pto;

	for (size_t i = 0; i < from.len; i++)
		if (from.p[i] >= ' ' && from.p[i] != 0x7f)
			*(*pto)++ = (char)from.p[i];
	*(*pto)++ = '\0';
	return start;
}

static int add_entry(struct pu_members *set, struct entry *e)
{
	struct entry **grown;

	if ((set->n & (set->n - 1)) == 0) { /* full at each power of two */
		grown = realloc(set->v, (set->n ? 2 * set->n : 1) * sizeof *grown);
		if (!grown)
			return PU_ENOMEM;
		set->v = grown;
	}
	if (pu_htab_add(&set->by_peer, &e->hn,
			pu_htab_hash(&set->by_peer, e->m.peer.b, e->m.peer.len)) < 0)
		return PU_ENOMEM;
	set->v[set->n++] = e;
	return 0;
}

static int new_entry(struct reader *rd, const struct pu_member_line *l, struct entry **pe)
{
	struct attrs attrs = { 0 };
	struct pu_member m = { .peer = l->peer, .access = PU_ACCESS_SERVICES,
			       .expires = PU_MEMBER_NO_EXPIRY, .line = rd->line };
	struct entry *e;
	char *to;
	int r = read_attrs(rd, l, &m, &attrs);

	if (r < 0)
		return r;
	e = calloc(1, sizeof *e);
	if (!e)
		return PU_ENOMEM;
	e->strings = malloc(l->comment.len + attrs.verified.len + attrs.group.len + 3);
	if (!e->strings) {
		free(e);
		return PU_ENOMEM;
	}
	e->m = m;
	to = e->strings;
	e->m.comment = copy_clean(&to, l->comment);
	e->m.verified = copy_clean(&to, attrs.verified);
	e->m.group = copy_clean(&to, attrs.group);
	*pe = e;
	return 0;
}

static void free_entry(struct entry *e)
{
	free(e->strings);
	free(e);
}

static int read_line(struct reader *rd, struct pu_bytes text)
{
	struct pu_member_line l;
	struct entry *e;
	int r = pu_member_line_parse(text, &l);

	if (r == PU_ENOENT)
		return 0;
	if (r < 0) {
		warn(rd, r == PU_E2BIG ? "line too long, ignored" :
					 "does not begin with a peer ID, line ignored");
		return 0;
	}
	if (find_entry(rd->set, &l.peer)) {
		warn(rd, "peer is listed above already, line ignored");
		return 0;
	}
	if (rd->set->n >= PU_MEMBER_MAX)
		return PU_ELIMIT;
	r = new_entry(rd, &l, &e);
	if (r == PU_EINVAL)
		return 0;
	if (r < 0)
		return r;
	r = add_entry(rd->set, e);
	if (r < 0)
		free_entry(e);
	return r;
}

int pu_member_parse(struct pu_bytes text, const uint8_t key[16], pu_member_warn_fn *warn_fn,
		    void *warn_arg, struct pu_members **pset)
{
	struct reader rd = { .warn = warn_fn, .warn_arg = warn_arg };
	struct pu_bytes line;
	bool lf;
	int r = 0;

	rd.set = calloc(1, sizeof *rd.set);
	if (!rd.set)
		return PU_ENOMEM;
	pu_htab_init(&rd.set->by_peer, key);
	while (r == 0 && pu_member_next_line(&text, &line, &lf)) {
		rd.line++;
		r = read_line(&rd, line);
	}
	if (r < 0) {
		pu_member_free(rd.set);
		return r;
	}
	*pset = rd.set;
	return 0;
}

int pu_member_load(const char *path, const uint8_t key[16], pu_member_warn_fn *warn_fn,
		   void *warn_arg, struct pu_members **pset)
{
	char *text = NULL;
	size_t len = 0;
	int r = pu_file_read(path, PU_MEMBER_FILE_MAX, &text, &len, NULL);

	if (r < 0 && r != PU_ENOENT)
		return r;
	r = pu_member_parse(pu_bytes(text, len), key, warn_fn, warn_arg, pset);
	free(text);
	return r;
}

void pu_member_free(struct pu_members *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		free_entry(set->v[i]);
	pu_htab_deinit(&set->by_peer);
	free(set->v);
	free(set);
}

const struct pu_member *pu_member_find(const struct pu_members *set, const struct pu_peerid *peer)
{
	const struct entry *e = find_entry(set, peer);

	return e ? &e->m : NULL;
}

bool pu_member_valid(const struct pu_member *m, int64_t now)
{
	return m && !m->barred && now < m->expires;
}

bool pu_member_allowed(const struct pu_members *set, const struct pu_peerid *peer, int64_t now,
		       enum pu_access *paccess)
{
	const struct pu_member *m = pu_member_find(set, peer);

	if (!pu_member_valid(m, now))
		return false;
	*paccess = m->access;
	return true;
}

size_t pu_member_count(const struct pu_members *set)
{
	return set->n;
}

const struct pu_member *pu_member_at(const struct pu_members *set, size_t i)
{
	return &set->v[i]->m;
}
