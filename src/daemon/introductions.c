#include "daemon/introductions.h"

#include <stdlib.h>

#include "base/codec.h"
#include "base/err.h"
#include "base/log.h"
#include "daemon/enrolment.h"
#include "overlay/pair/introducer.h"
#include "overlay/pair/notify.h"

struct pu_introductions {
	struct pu_node *node;
	struct pu_notify_receiver *receiver;
	struct pu_job reload;
};

static bool is_relay(const struct pu_config *cfg, const struct pu_peerid *peer)
{
	struct pu_multiaddr rest;
	struct pu_peerid id;

	for (size_t i = 0; i < cfg->relays.n; i++)
		if (pu_multiaddr_split_peer(&cfg->relays.v[i], &rest, &id) == 0 &&
		    pu_peerid_eq(&id, peer))
			return true;
	return false;
}

/* What the members file says about a group. */
struct company {
	const struct pu_config *cfg;
	const struct pu_members *set;
	const char *group;
};

static bool is_in(const struct company *c, const struct pu_peerid *peer)
{
	const struct pu_member *m = pu_member_find(c->set, peer);

	return m && strcmp(m->group, c->group) == 0;
}

/* The others in it. */
static size_t count(const struct company *c, const struct pu_peerid *self)
{
	size_t n = 0;

	for (size_t i = 0; i < pu_member_count(c->set); i++) {
		const struct pu_member *m = pu_member_at(c->set, i);

		n += strcmp(m->group, c->group) == 0 && !is_relay(c->cfg, &m->peer) &&
		     !pu_peerid_eq(&m->peer, self);
	}
	return n;
}

static void fill_peer(const struct pu_notify_peer *from, const char *group,
		      struct pu_enrolment_peer *to)
{
	static const char nameless[] = PU_INTRODUCER_NAMELESS;
	static const uint8_t no_proof[PU_GROUP_PROOF_LEN];
	/* peer-up's relays tell what they wrote down for want of a name. */
	bool named = strncmp(from->name, nameless, sizeof nameless - 1) != 0;

	*to = (struct pu_enrolment_peer){ .id = from->id, .access = PU_ACCESS_SERVICES,
					  .expires = PU_MEMBER_NO_EXPIRY };
	memcpy(to->group, group, strlen(group) + 1);
	if (memcmp(from->proof, no_proof, sizeof no_proof) != 0)
		pu_hex_encode(pu_bytes(from->proof, sizeof from->proof), to->hmac_proof,
			      sizeof to->hmac_proof);
	pu_enrolment_call(&from->id, named ? from->name : "", to);
}

/* Listed, but its time is over: what the user has said stands. */
static bool is_expired(const struct company *c, const struct pu_peerid *peer, int64_t now)
{
	const struct pu_member *m = pu_member_find(c->set, peer);

	return m && !pu_member_valid(m, now);
}

/* Those who are not in the group yet. */
static size_t newcomers(struct pu_introductions *i, const struct company *c,
			const struct pu_notify *m, struct pu_enrolment_peer *out)
{
	int64_t now = pu_loop_unix(i->node->loop);
	size_t n = 0;

	for (size_t k = 0; k < m->n_peers; k++) {
		const struct pu_peerid *id = &m->peer[k].id;

		if (!pu_peerid_eq(id, &i->node->key.peer) && !is_relay(c->cfg, id) &&
		    !is_in(c, id) && !is_expired(c, id, now))
			fill_peer(&m->peer[k], m->group, &out[n++]);
	}
	return n;
}

static void tell(struct pu_introductions *i, const struct pu_peerid *from,
		 const struct pu_enrolment *e)
{
	char id[PU_PEERID_TEXT_MAX], relay[PU_PEERID_SHORT_MAX];

	for (size_t k = 0; k < e->n_peers; k++) {
		const struct pu_enrolment_peer *p = &e->peer[k];

		pu_log(PU_LOG_INFO, "introductions", "peer introduced",
		       PU_KV_STR("peer", pu_peerid_text(&p->id, id)), PU_KV_STR("name", p->name),
		       PU_KV_STR("group", p->group),
		       PU_KV_STR("by", pu_peerid_short(from, relay)));
		pu_events_tell(&i->node->events,
			       &(struct pu_event){ .kind = PU_EVENT_AUTH_CHANGE, .peer = &p->id,
						   .what = p->was_member ? "changed" : "added",
						   .detail = "introduced" });
	}
}

static int enrol(struct pu_introductions *i, const struct pu_peerid *from,
		 struct pu_enrolment *e)
{
	struct pu_failure why = { .what = "" };
	int r;

	if (e->n_peers == 0)
		return 0;
	e->now = pu_loop_unix(i->node->loop);
	r = pu_enrolment_apply(i->node->cfg, &i->node->paths.owner, e, &why);
	if (r < 0) {
		pu_log(PU_LOG_ERROR, "introductions", "introduced peers cannot be stored",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
		return r;
	}
	tell(i, from, e);
	pu_job_defer(&i->reload);
	return 0;
}

static void reject(const struct pu_peerid *from, const struct pu_notify *m, const char *why)
{
	char id[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_WARN, "introductions", why, PU_KV_STR("from", pu_peerid_short(from, id)),
	       PU_KV_STR("group", m->group), PU_KV_U64("size", m->size));
}

/* False: it should have been stored and could not be. */
static bool believe(struct pu_introductions *i, const struct company *c,
		    const struct pu_peerid *from, const struct pu_notify *m)
{
	struct pu_enrolment_peer *peers = calloc(m->n_peers + 1, sizeof *peers);
	struct pu_enrolment e = { .peer = peers };
	size_t known;
	bool ok = true;

	if (!peers)
		return false;
	known = count(c, &i->node->key.peer);
	e.n_peers = newcomers(i, c, m, peers);
	/* Joining has left the group in the relay's entry: no other relay speaks for it. */
	if (!is_in(c, from))
		reject(from, m, "introduction to a group that we have not joined at this relay");
	else if (known + e.n_peers + 1 > m->size)
		reject(from, m, "introduction of more peers than the group has");
	else
		ok = enrol(i, from, &e) == 0;
	free(peers);
	return ok;
}

static bool on_notify(void *arg, const struct pu_peerid *from, const struct pu_notify *m)
{
	struct pu_introductions *i = arg;
	struct company c = { .cfg = i->node->cfg, .group = m->group };
	struct pu_members *set;
	bool ok;

	if (!is_relay(c.cfg, from)) {
		reject(from, m, "introduction by somebody who is no relay of ours");
		return true;
	}
	if (pu_member_load(c.cfg->authorized_keys_file, i->node->hash_key, NULL, NULL, &set) < 0)
		return false;
	c.set = set;
	ok = believe(i, &c, from, m);
	pu_member_free(set);
	return ok;
}

static void on_reload(void *arg)
{
	struct pu_introductions *i = arg;
	struct pu_config_diags *d = calloc(1, sizeof *d);
	struct pu_failure why = { .what = "" };
	struct pu_config *cfg = NULL;
	int r = d ? pu_config_load(i->node->cfg->path, &cfg, d) : PU_ENOMEM;

	if (r < 0 && d)
		pu_config_diags_failure(d, i->node->cfg->path, &why);
	free(d);
	if (r == 0) {
		r = pu_node_reload(i->node, cfg, &why);
		if (r < 0)
			pu_config_free(cfg);
	}
	if (r < 0)
		pu_log(PU_LOG_ERROR, "introductions", "introduced peers count after a reload",
		       PU_KV_STR("what", why.what), PU_KV_STR("why", why.why));
}

int pu_introductions_new(struct pu_node *n, struct pu_introductions **pi)
{
	struct pu_introductions *i = calloc(1, sizeof *i);
	int r;

	if (!i)
		return PU_ENOMEM;
	i->node = n;
	pu_job_init(&i->reload, n->loop, on_reload, i);
	r = pu_notify_receiver_new(n->host, on_notify, i, &i->receiver);
	if (r < 0)
		free(i);
	else
		*pi = i;
	return r;
}

void pu_introductions_free(struct pu_introductions *i)
{
	if (!i)
		return;
	pu_job_cancel(&i->reload);
	pu_notify_receiver_free(i->receiver);
	free(i);
}
