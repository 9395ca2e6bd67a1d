#include "overlay/name.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/htab.h"

/* A name hangs in two tables: by its letters in lower case, and by its peer. */
struct entry {
	struct pu_hnode by_name, by_peer;
	struct pu_peerid peer;
	size_t order;
	bool label;
	char name[];
};

struct pu_names {
	struct pu_htab by_name, by_peer;
	struct entry **v;
	size_t n;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool pu_name_is_label(const char *name)
{
	size_t len = strlen(name);

	if (len < 1 || len > PU_NAME_LABEL_MAX || name[0] == '-' || name[len - 1] == '-')
		return false;
	for (const char *p = name; *p; p++)
		if (!((lower(*p) >= 'a' && lower(*p) <= 'z') || (*p >= '0' && *p <= '9') ||
		      *p == '-'))
			return false;
	return true;
}

static uint64_t name_hash(const struct pu_names *n, const char *name)
{
	char folded[PU_NAME_MAX];
	size_t len = pu_min(strlen(name), sizeof folded);

	for (size_t i = 0; i < len; i++)
		folded[i] = lower(name[i]);
	return pu_htab_hash(&n->by_name, folded, len);
}

int pu_name_new(const uint8_t key[16], struct pu_names **pn)
{
	struct pu_names *n = calloc(1, sizeof *n);

	if (!n)
		return PU_ENOMEM;
	pu_htab_init(&n->by_name, key);
	pu_htab_init(&n->by_peer, key);
	*pn = n;
	return 0;
}

void pu_name_free(struct pu_names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++)
		free(n->v[i]);
	pu_htab_deinit(&n->by_name);
	pu_htab_deinit(&n->by_peer);
	free(n->v);
	free(n);
}

static int link_entry(struct pu_names *n, struct entry *e)
{
	struct entry **grown = realloc(n->v, (n->n + 1) * sizeof *grown);

	if (!grown)
		return PU_ENOMEM;
	n->v = grown;
	if (pu_htab_add(&n->by_name, &e->by_name, name_hash(n, e->name)) < 0)
		return PU_ENOMEM;
	if (pu_htab_add(&n->by_peer, &e->by_peer,
			pu_htab_hash(&n->by_peer, e->peer.b, e->peer.len)) < 0) {
		pu_htab_remove(&n->by_name, &e->by_name);
		return PU_ENOMEM;
	}
	e->order = n->n;
	n->v[n->n++] = e;
	return 0;
}

int pu_name_add(struct pu_names *n, const char *name, const struct pu_peerid *peer)
{
	size_t len = strlen(name);
	struct pu_peerid old;
	struct entry *e;
	int r;

	if (len < 1 || len > PU_NAME_MAX)
		return PU_EINVAL;
	if (pu_name_find(n, name, &old) == 0)
		return PU_EEXIST;
	e = calloc(1, sizeof *e + len + 1);
	if (!e)
		return PU_ENOMEM;
	memcpy(e->name, name, len + 1);
	e->peer = *peer;
	e->label = pu_name_is_label(name);
	r = link_entry(n, e);
	if (r < 0)
		free(e);
	return r;
}

size_t pu_name_count(const struct pu_names *n)
{
	return n->n;
}

const char *pu_name_at(const struct pu_names *n, size_t i, struct pu_peerid *peer)
{
	*peer = n->v[i]->peer;
	return n->v[i]->name;
}

static bool same_folded(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) == lower(*b);
}

int pu_name_find(const struct pu_names *n, const char *name, struct pu_peerid *peer)
{
	uint64_t hash = name_hash(n, name);

	for (struct pu_hnode *h = pu_htab_first(&n->by_name, hash); h; h = pu_htab_next(h)) {
		const struct entry *e = PU_CONTAINER_OF(h, struct entry, by_name);

		if (strcmp(e->name, name) == 0) {
			*peer = e->peer;
			return 0;
		}
	}
	return PU_ENOENT;
}

int pu_name_find_label(const struct pu_names *n, const char *label, struct pu_peerid *peer)
{
	uint64_t hash = name_hash(n, label);
	const struct entry *best = NULL;

	for (struct pu_hnode *h = pu_htab_first(&n->by_name, hash); h; h = pu_htab_next(h)) {
		const struct entry *e = PU_CONTAINER_OF(h, struct entry, by_name);

		if (e->label && same_folded(e->name, label) && (!best || e->order < best->order))
			best = e;
	}
	if (!best)
		return PU_ENOENT;
	*peer = best->peer;
	return 0;
}

static const struct entry *first_of(const struct pu_names *n, const struct pu_peerid *peer,
				    bool label)
{
	uint64_t hash = pu_htab_hash(&n->by_peer, peer->b, peer->len);
	const struct entry *best = NULL;

	for (struct pu_hnode *h = pu_htab_first(&n->by_peer, hash); h; h = pu_htab_next(h)) {
		const struct entry *e = PU_CONTAINER_OF(h, struct entry, by_peer);

		if (pu_peerid_eq(&e->peer, peer) && (e->label || !label) &&
		    (!best || e->order < best->order))
			best = e;
	}
	return best;
}

const char *pu_name_label_of(const struct pu_names *n, const struct pu_peerid *peer)
{
	const struct entry *e = first_of(n, peer, true);

	return e ? e->name : NULL;
}

const char *pu_name_of(const struct pu_names *n, const struct pu_peerid *peer)
{
	const char *label = pu_name_label_of(n, peer);
	const struct entry *e = label ? NULL : first_of(n, peer, false);

	return e ? e->name : label;
}

/* "home.p2p" or "home.p2p." → "home"; false when the suffix is not there. */
static bool strip_suffix(const char *text, const char *suffix, char *out, size_t cap)
{
	size_t len = strlen(text), n = strlen(suffix);

	if (len > 0 && text[len - 1] == '.')
		len--;
	if (n == 0 || len < n + 2 || len - n - 1 >= cap || text[len - n - 1] != '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (lower(text[len - n + i]) != lower(suffix[i]))
			return false;
	memcpy(out, text, len - n - 1);
	out[len - n - 1] = '\0';
	return true;
}

int pu_name_resolve(const struct pu_names *n, const char *suffix, const char *text,
		    struct pu_peerid *peer, enum pu_name_source *psource)
{
	char label[PU_NAME_LABEL_MAX + 1];

	*psource = PU_NAME_FROM_LIST;
	if (pu_name_find(n, text, peer) == 0)
		return 0;
	if (pu_peerid_from_text(peer, text) == 0) {
		*psource = PU_NAME_FROM_ID;
		return 0;
	}
	if (suffix && strip_suffix(text, suffix, label, sizeof label))
		return pu_name_find_label(n, label, peer);
	return PU_ENOENT;
}

const char *pu_name_source_text(enum pu_name_source source)
{
	switch (source) {
	case PU_NAME_FROM_LIST:
		return "local_config";
	case PU_NAME_FROM_ID:
		return "peer_id";
	}
	return "";
}
