#include "overlay/pair/introducer.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

static const char nameless[] = PU_INTRODUCER_NAMELESS;

/* One who is told of others. */
struct recipient {
	struct pu_list node;
	struct pu_introducer *owner;
	struct pu_peerid peer;
	char group[PU_GROUP_ID_MAX + 1];
	bool remembered;        /* all that it was ever told is in told */
	struct pu_peerid *told; /* n_told of them; behind them n_sending under way */
	size_t n_told, n_sending;
	struct pu_notify_sending *sending;
	struct pu_timer again;
	pu_time tried_at;
	bool tried;
};

struct pu_introducer {
	struct pu_introducer_options opt;
	struct pu_loop *loop;
	struct pu_host_observer observer;
	struct pu_list recipients;
	struct pu_notify message; /* too large for a stack frame */
};

static void recipient_free(struct recipient *r)
{
	pu_timer_stop(&r->again);
	if (r->sending)
		pu_notify_cancel(r->sending);
	pu_list_remove(&r->node);
	free(r->told);
	free(r);
}

/* What it heard in another group says nothing about this one. */
static void join_group(struct recipient *r, const char *group, bool remembered)
{
	if (r->sending)
		pu_notify_cancel(r->sending);
	r->sending = NULL;
	r->n_told = r->n_sending = 0;
	r->remembered = remembered;
	memcpy(r->group, group, strlen(group) + 1);
}

static struct recipient *find(const struct pu_introducer *i, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH (it, tmp, &i->recipients) {
		struct recipient *r = PU_CONTAINER_OF(it, struct recipient, node);

		if (pu_peerid_eq(&r->peer, peer))
			return r;
	}
	return NULL;
}

static void on_again(void *arg);

/* group: pu_group_id_ok(). NULL: no memory. */
static struct recipient *find_or_add(struct pu_introducer *i, const struct pu_peerid *peer,
				     const char *group)
{
	struct recipient *r = find(i, peer);

	if (r && strcmp(r->group, group) == 0)
		return r;
	if (!r) {
		r = calloc(1, sizeof *r);
		if (!r)
			return NULL;
		r->owner = i;
		r->peer = *peer;
		pu_timer_init(&r->again, i->loop, on_again, r);
		pu_list_append(&i->recipients, &r->node);
	}
	join_group(r, group, false);
	return r;
}

/* Members. */

static bool in_group(const struct pu_introducer *i, const struct pu_member *m, const char *group)
{
	return strcmp(m->group, group) == 0 && pu_member_valid(m, pu_loop_unix(i->loop));
}

static bool is_told(const struct recipient *r, const struct pu_peerid *peer)
{
	for (size_t k = 0; k < r->n_told + r->n_sending; k++)
		if (pu_peerid_eq(&r->told[k], peer))
			return true;
	return false;
}

static int tell(struct recipient *r, const struct pu_peerid *peer)
{
	size_t n = r->n_told + r->n_sending;
	struct pu_peerid *told = reallocarray(r->told, n + 1, sizeof *told);

	if (!told)
		return PU_ENOMEM;
	r->told = told;
	r->told[n] = *peer;
	r->n_sending++;
	return 0;
}

static const struct pu_group_slot *slot_of(const struct pu_group *g, const struct pu_peerid *peer)
{
	for (unsigned k = 0; g && k < g->n; k++)
		if (g->slot[k].used && pu_peerid_eq(&g->slot[k].peer, peer))
			return &g->slot[k];
	return NULL;
}

/* peer-up makes the names of what it hears keys of its config, and two keys that are the same
 * spoil the file: what is no name of one peer only is not told. */
static bool is_name(const struct pu_introducer *i, const struct pu_member *m)
{
	const struct pu_members *set = i->opt.members(i->opt.arg);

	if (strlen(m->comment) > PU_GROUP_NAME_MAX ||
	    strncmp(m->comment, nameless, sizeof nameless - 1) == 0)
		return false;
	for (size_t k = 0; k < pu_member_count(set); k++) {
		const struct pu_member *other = pu_member_at(set, k);

		if (other != m && in_group(i, other, m->group) &&
		    strcmp(other->comment, m->comment) == 0)
			return false;
	}
	return true;
}

static void fill_peer(const struct pu_introducer *i, const struct pu_member *m,
		      struct pu_notify_peer *out)
{
	const struct pu_group_slot *slot;

	memset(out, 0, sizeof *out);
	out->id = m->peer;
	if (is_name(i, m))
		memcpy(out->name, m->comment, strlen(m->comment));
	slot = slot_of(pu_groups_find(i->opt.groups, m->group), &m->peer);
	if (slot)
		memcpy(out->proof, slot->proof, sizeof out->proof);
}

/* Whom r has not been told of, as many as one message may name. Returns the size of the group. */
static unsigned gather(struct recipient *r, struct pu_notify *m)
{
	struct pu_introducer *i = r->owner;
	const struct pu_members *set = i->opt.members(i->opt.arg);
	size_t max = r->remembered ? PU_NOTIFY_PEERS_MAX : 1;
	unsigned size = 0;

	m->n_peers = 0;
	for (size_t k = 0; k < pu_member_count(set); k++) {
		const struct pu_member *member = pu_member_at(set, k);

		if (!in_group(i, member, r->group))
			continue;
		size++;
		if (m->n_peers < max && !pu_peerid_eq(&member->peer, &r->peer) &&
		    !is_told(r, &member->peer) && tell(r, &member->peer) == 0)
			fill_peer(i, member, &m->peer[m->n_peers++]);
	}
	return size;
}

/* Sending. */

static void introduce(struct recipient *r);

static void on_sent(void *arg, int err)
{
	struct recipient *r = arg;
	char id[PU_PEERID_SHORT_MAX];

	r->sending = NULL;
	if (err < 0) {
		pu_log(PU_LOG_DEBUG, "introducer", "not told",
		       PU_KV_STR("peer", pu_peerid_short(&r->peer, id)), PU_KV_ERR(err));
		r->n_sending = 0;
		return;
	}
	pu_log(PU_LOG_INFO, "introducer", "introduced",
	       PU_KV_STR("peer", pu_peerid_short(&r->peer, id)), PU_KV_STR("group", r->group),
	       PU_KV_U64("peers", r->n_sending));
	r->n_told += r->n_sending;
	r->n_sending = 0;
	introduce(r); /* the rest, and who came meanwhile */
}

/* Does nothing when there is nobody to tell of. */
static void introduce(struct recipient *r)
{
	struct pu_introducer *i = r->owner;
	struct pu_notify *m = &i->message;
	unsigned size;

	if (r->sending || !pu_host_conn(i->opt.host, &r->peer) ||
	    !pu_host_peer_supports(i->opt.host, &r->peer, PU_NOTIFY_PROTOCOL))
		return;
	size = gather(r, m);
	if (m->n_peers == 0) {
		r->remembered = true;
		return;
	}
	/* Whom the relay has dropped meanwhile the recipient still counts. */
	m->size = (unsigned)pu_max(size, 1 + r->n_told + r->n_sending);
	memset(m->group, 0, sizeof m->group);
	memcpy(m->group, r->group, strlen(r->group));
	r->tried = true;
	r->tried_at = pu_loop_now(i->loop);
	if (pu_notify_send(i->opt.host, &r->peer, m, on_sent, r, &r->sending) < 0)
		r->n_sending = 0;
}

static void on_again(void *arg)
{
	introduce(arg);
}

static void on_identified(void *arg, struct pu_conn *c)
{
	struct pu_introducer *i = arg;
	const struct pu_member *m = pu_member_find(i->opt.members(i->opt.arg), &c->peer);
	struct recipient *r;

	if (!m || !pu_group_id_ok(pu_bytes_str(m->group)) || !in_group(i, m, m->group))
		return;
	r = find_or_add(i, &c->peer, m->group);
	if (!r)
		return;
	if (!r->tried || pu_loop_now(i->loop) - r->tried_at >= PU_SEC(PU_INTRODUCER_PAUSE_S))
		introduce(r);
	else if (!pu_timer_active(&r->again))
		pu_timer_set(&r->again, r->tried_at + PU_SEC(PU_INTRODUCER_PAUSE_S));
}

/* The newcomer was told of everybody who holds a code of the group and is a member. */
static void remember_answer(struct pu_introducer *i, const struct pu_group *g,
			    struct recipient *r)
{
	const struct pu_members *set = i->opt.members(i->opt.arg);

	join_group(r, g->id, true);
	for (unsigned k = 0; k < g->n; k++) {
		const struct pu_group_slot *s = &g->slot[k];

		if (s->used && !pu_peerid_eq(&s->peer, &r->peer) && pu_member_find(set, &s->peer))
			(void)tell(r, &s->peer);
	}
	r->n_told = r->n_sending;
	r->n_sending = 0;
}

void pu_introducer_paired(struct pu_introducer *i, const struct pu_group *g,
			  const struct pu_peerid *peer)
{
	const struct pu_members *set = i->opt.members(i->opt.arg);
	struct recipient *r = find_or_add(i, peer, g->id);

	if (r)
		remember_answer(i, g, r);
	for (size_t k = 0; k < pu_member_count(set); k++) {
		const struct pu_member *m = pu_member_at(set, k);

		if (pu_peerid_eq(&m->peer, peer) || !in_group(i, m, g->id) ||
		    !pu_host_conn(i->opt.host, &m->peer))
			continue;
		r = find_or_add(i, &m->peer, g->id);
		if (r)
			introduce(r);
	}
}

/* Who has left is forgotten, so that it is introduced anew should it come back. */
static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct pu_introducer *i = arg;
	struct recipient *r = last ? find(i, &c->peer) : NULL;

	if (r && !pu_member_find(i->opt.members(i->opt.arg), &c->peer))
		recipient_free(r);
}

int pu_introducer_new(const struct pu_introducer_options *opt, struct pu_introducer **pi)
{
	struct pu_introducer *i = calloc(1, sizeof *i);

	if (!i)
		return PU_ENOMEM;
	i->opt = *opt;
	i->loop = pu_host_loop(opt->host);
	pu_list_init(&i->recipients);
	i->observer.on_identified = on_identified;
	i->observer.on_disconnected = on_disconnected;
	i->observer.arg = i;
	pu_host_observe(opt->host, &i->observer);
	*pi = i;
	return 0;
}

void pu_introducer_free(struct pu_introducer *i)
{
	if (!i)
		return;
	pu_host_unobserve(i->opt.host, &i->observer);
	PU_LIST_FOREACH (it, tmp, &i->recipients)
		recipient_free(PU_CONTAINER_OF(it, struct recipient, node));
	free(i);
}
