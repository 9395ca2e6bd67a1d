#include "overlay/pair/group.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "overlay/name.h"

enum { SWEEP_S = 60 };

struct pu_groups {
	struct pu_loop *loop;
	struct pu_list list;
	unsigned n;
	bool open; /* as it was told */
	void (*on_open)(void *arg, bool open);
	void *arg;
	struct pu_timer timer; /* while there are groups */
};

bool pu_group_id_ok(struct pu_bytes id)
{
	for (size_t i = 0; i < id.len; i++)
		if (!(id.p[i] >= 'a' && id.p[i] <= 'z') && !(id.p[i] >= '0' && id.p[i] <= '9'))
			return false;
	return id.len > 0 && id.len <= PU_GROUP_ID_MAX;
}

static bool expired(const struct pu_groups *g, const struct pu_group *group)
{
	return pu_loop_unix(g->loop) >= group->expires;
}

bool pu_groups_open(const struct pu_groups *g)
{
	PU_LIST_FOREACH (it, tmp, &g->list) {
		const struct pu_group *group = PU_CONTAINER_OF(it, struct pu_group, node);

		if (group->n_used < group->n && !expired(g, group))
			return true;
	}
	return false;
}

/* The clock of the day can be set at any time: never trust one timer for long. */
static void plan(struct pu_groups *g)
{
	int64_t now = pu_loop_unix(g->loop), wait = SWEEP_S;

	if (g->n == 0) {
		pu_timer_stop(&g->timer);
		return;
	}
	PU_LIST_FOREACH (it, tmp, &g->list) {
		const struct pu_group *group = PU_CONTAINER_OF(it, struct pu_group, node);

		if (group->expires > now && group->expires - now < wait)
			wait = group->expires - now;
	}
	pu_timer_set(&g->timer, pu_loop_now(g->loop) + PU_SEC(wait));
}

static void changed(struct pu_groups *g)
{
	bool open = pu_groups_open(g);

	plan(g);
	if (open == g->open)
		return;
	g->open = open;
	if (g->on_open)
		g->on_open(g->arg, open);
}

static void group_free(struct pu_groups *g, struct pu_group *group)
{
	pu_list_remove(&group->node);
	g->n--;
	explicit_bzero(group, sizeof *group + group->n * sizeof group->slot[0]);
	free(group);
}

/* Expired ones stay until the next round, so that their operator can look at them. */
static void sweep(void *arg)
{
	struct pu_groups *g = arg;

	PU_LIST_FOREACH (it, tmp, &g->list) {
		struct pu_group *group = PU_CONTAINER_OF(it, struct pu_group, node);

		if (pu_loop_unix(g->loop) >= group->expires + SWEEP_S)
			group_free(g, group);
	}
	changed(g);
}

int pu_groups_new(struct pu_loop *loop, struct pu_groups **pg)
{
	struct pu_groups *g = calloc(1, sizeof *g);

	if (!g)
		return PU_ENOMEM;
	g->loop = loop;
	pu_list_init(&g->list);
	pu_timer_init(&g->timer, loop, sweep, g);
	*pg = g;
	return 0;
}

void pu_groups_free(struct pu_groups *g)
{
	if (!g)
		return;
	PU_LIST_FOREACH (it, tmp, &g->list)
		group_free(g, PU_CONTAINER_OF(it, struct pu_group, node));
	pu_timer_stop(&g->timer);
	free(g);
}

static void make_id(struct pu_groups *g, char id[PU_GROUP_ID_MAX + 1])
{
	uint8_t r[PU_GROUP_ID_LEN / 2];

	do {
		pu_loop_random(g->loop, r, sizeof r);
		for (size_t i = 0; i < sizeof r; i++)
			snprintf(id + 2 * i, 3, "%02x", r[i]);
	} while (pu_groups_find(g, id));
}

static int check_new(const struct pu_groups *g, unsigned n, int64_t ttl, int64_t member_ttl,
		     const char *network)
{
	if (n == 0 || ttl <= 0 || member_ttl < 0 || (*network && !pu_name_is_label(network)))
		return PU_EINVAL;
	if (g->n == PU_GROUPS_MAX || n > PU_GROUP_CODES_MAX || ttl > PU_GROUP_TTL_MAX_S ||
	    member_ttl > PU_GROUP_MEMBER_TTL_MAX_S)
		return PU_ELIMIT;
	return 0;
}

int pu_groups_add(struct pu_groups *g, unsigned n, int64_t ttl, int64_t member_ttl,
		  const char *network, const uint8_t *tokens, struct pu_group **pgroup)
{
	struct pu_group *group;
	int r = check_new(g, n, ttl, member_ttl, network);

	if (r < 0)
		return r;
	group = calloc(1, sizeof *group + n * sizeof group->slot[0]);
	if (!group)
		return PU_ENOMEM;
	make_id(g, group->id);
	memcpy(group->network, network, strlen(network));
	group->created = pu_loop_unix(g->loop);
	group->expires = group->created + ttl;
	group->member_ttl = member_ttl;
	group->n = n;
	for (unsigned i = 0; i < n; i++)
		pu_sha256(pu_bytes(tokens + i * PU_GROUP_TOKEN_LEN, PU_GROUP_TOKEN_LEN),
			  group->slot[i].hash);
	pu_list_append(&g->list, &group->node);
	g->n++;
	*pgroup = group;
	changed(g);
	return 0;
}

int pu_groups_remove(struct pu_groups *g, const char *id)
{
	struct pu_group *group = pu_groups_find(g, id);

	if (!group)
		return PU_ENOENT;
	group_free(g, group);
	changed(g);
	return 0;
}

/* Looks at every slot of every group, whatever it finds on the way. */
static struct pu_group_slot *find_slot(const struct pu_groups *g, const uint8_t hash[32],
				       struct pu_group **pgroup)
{
	struct pu_group_slot *found = NULL;

	PU_LIST_FOREACH (it, tmp, &g->list) {
		struct pu_group *group = PU_CONTAINER_OF(it, struct pu_group, node);

		for (unsigned i = 0; i < group->n; i++) {
			if (!pu_equal(group->slot[i].hash, hash, PU_SHA256_LEN))
				continue;
			found = &group->slot[i];
			*pgroup = group;
		}
	}
	return found;
}

static void take(struct pu_groups *g, struct pu_group *group, struct pu_group_slot *slot,
		 struct pu_bytes token, const struct pu_peerid *peer, const char *name)
{
	pu_hmac_sha256(token, pu_bytes_str(group->id), slot->proof);
	slot->used = true;
	slot->used_at = pu_loop_unix(g->loop);
	slot->peer = *peer;
	memcpy(slot->name, name, strnlen(name, PU_GROUP_NAME_MAX));
	group->n_used++;
	changed(g);
}

int pu_groups_redeem(struct pu_groups *g, const uint8_t token[PU_GROUP_TOKEN_LEN],
		     const struct pu_peerid *peer, const char *name, struct pu_group **pgroup,
		     struct pu_group_slot **pslot, bool *pagain)
{
	struct pu_bytes t = pu_bytes(token, PU_GROUP_TOKEN_LEN);
	struct pu_group *group = NULL;
	struct pu_group_slot *slot;
	uint8_t hash[PU_SHA256_LEN];

	pu_sha256(t, hash);
	slot = find_slot(g, hash, &group);
	if (!slot || expired(g, group) || (slot->used && !pu_peerid_eq(&slot->peer, peer)))
		return PU_EDENIED;
	*pgroup = group;
	*pslot = slot;
	*pagain = slot->used;
	if (!slot->used)
		take(g, group, slot, t, peer, name);
	return 0;
}

void pu_groups_return(struct pu_groups *g, struct pu_group *group, struct pu_group_slot *slot)
{
	struct pu_group_slot fresh = { .used = false };

	memcpy(fresh.hash, slot->hash, sizeof fresh.hash);
	*slot = fresh;
	group->n_used--;
	changed(g);
}

void pu_groups_on_open(struct pu_groups *g, void (*fn)(void *arg, bool open), void *arg)
{
	g->on_open = fn;
	g->arg = arg;
}

struct pu_group *pu_groups_find(const struct pu_groups *g, const char *id)
{
	PU_LIST_FOREACH (it, tmp, &g->list) {
		struct pu_group *group = PU_CONTAINER_OF(it, struct pu_group, node);

		if (strcmp(group->id, id) == 0)
			return group;
	}
	return NULL;
}

void pu_groups_each(const struct pu_groups *g, void (*fn)(void *arg, const struct pu_group *g),
		    void *arg)
{
	PU_LIST_FOREACH (it, tmp, &g->list)
		fn(arg, PU_CONTAINER_OF(it, struct pu_group, node));
}
