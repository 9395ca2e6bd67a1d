#include "daemon/roster.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/htab.h"

struct entry {
	struct pu_hnode hnode;
	struct pu_roster_peer peer;
};

struct pu_roster {
	struct pu_vip_table *vips;
	struct pu_htab by_id;
	struct entry **entries; /* entries[handle - 1] */
	size_t n, cap;
	struct entry *last; /* found: packets come in trains from one peer */
	bool dirty;
};

int pu_roster_new(struct pu_vip_table *vips, const uint8_t key[16], struct pu_roster **pr)
{
	struct pu_roster *r = calloc(1, sizeof *r);

	if (!r)
		return PU_ENOMEM;
	r->vips = vips;
	pu_htab_init(&r->by_id, key);
	*pr = r;
	return 0;
}

void pu_roster_free(struct pu_roster *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++) {
		pu_roster_clear_offer(&r->entries[i]->peer);
		free(r->entries[i]);
	}
	free(r->entries);
	pu_htab_deinit(&r->by_id);
	free(r);
}

struct pu_roster_peer *pu_roster_find(struct pu_roster *r, const struct pu_peerid *id)
{
	struct pu_hnode *n;

	if (r->last && pu_peerid_eq(&r->last->peer.id, id))
		return &r->last->peer;
	n = pu_htab_first(&r->by_id, pu_htab_hash(&r->by_id, id, sizeof *id));
	for (; n; n = pu_htab_next(n)) {
		struct entry *e = PU_CONTAINER_OF(n, struct entry, hnode);

		if (!pu_peerid_eq(&e->peer.id, id))
			continue;
		r->last = e;
		return &e->peer;
	}
	return NULL;
}

struct pu_roster_peer *pu_roster_at(const struct pu_roster *r, uint32_t handle)
{
	return handle == 0 || handle > r->n ? NULL : &r->entries[handle - 1]->peer;
}

size_t pu_roster_count(const struct pu_roster *r)
{
	return r->n;
}

bool pu_roster_take_dirty(struct pu_roster *r)
{
	bool dirty = r->dirty;

	r->dirty = false;
	return dirty;
}

static int make_room(struct pu_roster *r)
{
	size_t cap = r->cap ? r->cap * 2 : 16;
	struct entry **p;

	if (r->n < r->cap)
		return 0;
	if (r->n >= PU_ROSTER_MAX)
		return PU_ELIMIT;
	p = realloc(r->entries, cap * sizeof(struct entry *));
	if (!p)
		return PU_ENOMEM;
	r->entries = p;
	r->cap = cap;
	return 0;
}

int pu_roster_add(struct pu_roster *r, const struct pu_peerid *id, struct pu_roster_peer **pp)
{
	struct pu_roster_peer *p = pu_roster_find(r, id);
	struct entry *e;
	bool new_vip;
	int err;

	if (p) {
		*pp = p;
		return 0;
	}
	err = make_room(r);
	if (err < 0)
		return err;
	e = calloc(1, sizeof *e);
	if (!e)
		return PU_ENOMEM;
	p = &e->peer;
	p->id = *id;
	p->handle = (uint32_t)r->n + 1;
	err = pu_vip_assign(r->vips, id, &p->local, &new_vip);
	if (err == 0)
		err = pu_htab_add(&r->by_id, &e->hnode,
				  pu_htab_hash(&r->by_id, id, sizeof *id));
	if (err < 0) {
		free(e);
		return err;
	}
	pu_vip_canonical(id, &p->canonical);
	p->same_v4 = memcmp(p->local.v4, p->canonical.v4, sizeof p->local.v4) == 0;
	p->same_v6 = memcmp(p->local.v6, p->canonical.v6, sizeof p->local.v6) == 0;
	r->entries[r->n++] = e;
	r->dirty |= new_vip;
	*pp = p;
	return 0;
}

void pu_roster_clear_offer(struct pu_roster_peer *p)
{
	free(p->services);
	free(p->routes);
	p->services = NULL;
	p->routes = NULL;
	p->n_services = p->n_routes = 0;
	p->offer_known = false;
	p->granted = PU_ACCESS_SERVICES;
}

static int copy_array(void **pto, const void *from, size_t n, size_t size)
{
	void *to = NULL;

	if (n > 0) {
		to = malloc(n * size);
		if (!to)
			return PU_ENOMEM;
		memcpy(to, from, n * size);
	}
	*pto = to;
	return 0;
}

int pu_roster_set_offer(struct pu_roster_peer *p, const struct pu_offer *offer)
{
	void *services = NULL, *routes = NULL;

	if (copy_array(&services, offer->services, offer->n_services, sizeof *offer->services) < 0)
		return PU_ENOMEM;
	if (copy_array(&routes, offer->routes, offer->n_routes, sizeof *offer->routes) < 0) {
		free(services);
		return PU_ENOMEM;
	}
	pu_roster_clear_offer(p);
	p->services = services;
	p->n_services = offer->n_services;
	p->routes = routes;
	p->n_routes = offer->n_routes;
	p->granted = offer->access;
	p->offer_known = true;
	return 0;
}
