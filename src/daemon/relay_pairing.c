#include "daemon/relay_pairing.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/err.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "daemon/enrolment.h"
#include "daemon/relay_announce.h"
#include "overlay/member_batch.h"
#include "overlay/pair/introducer.h"
#include "overlay/pair/pair.h"

enum {
	/* The last one to use a code must hear its answer before the door is shut. */
	CLOSE_AFTER_MS = 1000,
	NUMBER_MAX = 100,
};

/* Then the date: the comment of a member that came without a name. */
static const char nameless[] = PU_INTRODUCER_NAMELESS;

struct pu_relay_pairing {
	struct pu_relay_server *server;
	struct pu_groups *groups;
	struct pu_pair_server *pair;
	struct pu_introducer *introducer;
	struct pu_timer close;
};

/* Who comes with a code is a stranger. */

static void on_close(void *arg)
{
	struct pu_relay_pairing *p = arg;

	pu_log_msg(PU_LOG_INFO, "relay", "no pairing code is left, strangers are refused");
	(void)pu_host_probation(p->server->host, PU_PAIR_PROTOCOL, false, 0);
}

static void on_open(void *arg, bool open)
{
	struct pu_relay_pairing *p = arg;
	struct pu_loop *loop = p->server->loop;
	int r;

	if (!open) {
		pu_timer_set(&p->close, pu_loop_now(loop) + PU_MS(CLOSE_AFTER_MS));
		return;
	}
	pu_timer_stop(&p->close);
	r = pu_host_probation(p->server->host, PU_PAIR_PROTOCOL, false, PU_TIME_NEVER);
	if (r < 0)
		pu_log(PU_LOG_ERROR, "relay", "strangers with a pairing code cannot be let in",
		       PU_KV_ERR(r));
}

/* Members. */

static bool is_taken(const struct pu_members *set, const char *comment,
		     const struct pu_peerid *peer)
{
	for (size_t i = 0; i < pu_member_count(set); i++) {
		const struct pu_member *m = pu_member_at(set, i);

		if (!pu_peerid_eq(&m->peer, peer) && strcasecmp(m->comment, comment) == 0)
			return true;
	}
	return false;
}

/* By which the relay knows the newcomer: the name that it had here before, or the one that it
 * wants, or one like that which no other member has; "" for none. */
static void choose_name(const struct pu_members *set, const struct pu_member *before,
			const struct pu_group_slot *slot, char out[PU_GROUP_NAME_MAX + 1])
{
	char name[PU_ENROLMENT_NAME_MAX + 1];

	out[0] = '\0';
	if (before && before->comment[0] && strlen(before->comment) <= PU_GROUP_NAME_MAX &&
	    strncmp(before->comment, nameless, sizeof nameless - 1) != 0) {
		snprintf(out, PU_GROUP_NAME_MAX + 1, "%s", before->comment);
		return;
	}
	if (!pu_enrolment_clean_name(slot->name, name))
		return;
	snprintf(out, PU_GROUP_NAME_MAX + 1, "%s", name);
	for (int i = 2; is_taken(set, out, &slot->peer); i++) {
		if (i > NUMBER_MAX) {
			out[0] = '\0';
			return;
		}
		snprintf(out, PU_GROUP_NAME_MAX + 1, "%.*s-%d", PU_GROUP_NAME_MAX - 4, name, i);
	}
}

/* Nobody loses by a code what he had. */
static int64_t expiry(const struct pu_group *g, const struct pu_member *before, int64_t now)
{
	int64_t t = g->member_ttl ? now + g->member_ttl : PU_MEMBER_NO_EXPIRY;

	return before && before->expires > t ? before->expires : t;
}

static int store(struct pu_relay_pairing *p, const struct pu_members *set,
		 const struct pu_group *g, struct pu_group_slot *slot)
{
	const struct pu_member *before = pu_member_find(set, &slot->peer);
	int64_t now = pu_loop_unix(p->server->loop), expires = expiry(g, before, now);
	char name[PU_GROUP_NAME_MAX + 1], comment[PU_ENROLMENT_NAME_MAX + 1];
	char when[PU_RFC3339_MAX] = "";
	struct pu_member_change c = { .peer = slot->peer, .comment = comment, .n = 2 };

	choose_name(set, before, slot, name);
	memcpy(slot->name, name, sizeof name);
	pu_enrolment_comment(name, nameless, now, comment);
	if (expires != PU_MEMBER_NO_EXPIRY)
		pu_rfc3339_text(expires, when);
	c.set[0] = (struct pu_member_set){ "group", g->id };
	c.set[1] = (struct pu_member_set){ "expires", when };
	return pu_member_batch(p->server->cfg->authorized_keys_file, &c, 1, p->server->owner);
}

/* The file is read anew: it may have been changed a moment ago. */
static int enrol(struct pu_relay_pairing *p, const struct pu_group *g, struct pu_group_slot *slot)
{
	struct pu_relay_server *s = p->server;
	struct pu_members *set;
	int r = pu_member_load(s->cfg->authorized_keys_file, s->hash_key, NULL, NULL, &set);

	if (r < 0)
		return r;
	r = store(p, set, g, slot);
	pu_member_free(set);
	return r < 0 ? r : pu_relay_server_reload_members(s);
}

static int on_paired(void *arg, const struct pu_group *g, struct pu_group_slot *slot)
{
	struct pu_relay_pairing *p = arg;
	struct pu_relay_server *s = p->server;
	bool was_member = pu_member_find(s->members, &slot->peer) != NULL;
	int r = enrol(p, g, slot);

	if (r < 0) {
		pu_log(PU_LOG_ERROR, "relay", "a peer with a good pairing code cannot be stored",
		       PU_KV_STR("file", s->cfg->authorized_keys_file), PU_KV_ERR(r));
		return r;
	}
	pu_events_tell(&s->events, &(struct pu_event){ .kind = PU_EVENT_AUTH_CHANGE,
						       .peer = &slot->peer,
						       .what = was_member ? "changed" : "added",
						       .detail = "paired" });
	pu_host_promote(s->host, &slot->peer);
	return 0;
}

static void on_answered(void *arg, const struct pu_group *g, const struct pu_peerid *peer)
{
	struct pu_relay_pairing *p = arg;

	pu_introducer_paired(p->introducer, g, peer);
}

static bool is_member(void *arg, const struct pu_peerid *peer)
{
	const struct pu_relay_pairing *p = arg;
	enum pu_access access;

	return pu_member_allowed(p->server->members, peer, pu_loop_unix(p->server->loop), &access);
}

static const struct pu_members *members(void *arg)
{
	const struct pu_relay_pairing *p = arg;

	return p->server->members;
}

/* Codes. */

struct draft {
	uint8_t (*tokens)[PU_GROUP_TOKEN_LEN];
	struct pu_code code;
};

static int write_codes(struct pu_relay_pairing *p, const struct pu_relay_pairing_order *o,
		       struct draft *d, char (*codes)[PU_CODE_TEXT_MAX + 1],
		       struct pu_failure *why)
{
	struct pu_relay_server *s = p->server;
	int r = pu_relay_announce_for_code(s, &d->code.relay, why);

	d->code.version = PU_CODE_PAIR_V2;
	d->code.relay_id = s->key.peer;
	snprintf(d->code.network, sizeof d->code.network, "%s", o->network);
	for (unsigned i = 0; i < o->n && r == 0; i++) {
		pu_loop_random(s->loop, d->tokens[i], PU_GROUP_TOKEN_LEN);
		memcpy(d->code.token, d->tokens[i], PU_GROUP_TOKEN_LEN);
		r = pu_code_format(&d->code, codes[i]);
	}
	return r;
}

/* A group is made when nothing can fail any more: strangers are let in from then on. */
int pu_relay_pairing_make(struct pu_relay_pairing *p, const struct pu_relay_pairing_order *order,
			  struct pu_group **pg, char (*codes)[PU_CODE_TEXT_MAX + 1],
			  struct pu_failure *why)
{
	struct pu_relay_pairing_order o = *order;
	struct draft d = { .tokens = NULL };
	int r = PU_ELIMIT;

	if (!*o.network)
		o.network = p->server->cfg->network;
	if (strlen(o.network) > PU_GROUP_NETWORK_MAX)
		return pu_failure_set(why, PU_EINVAL, "namespace", NULL, "%s",
				      pu_err_text(PU_EINVAL));
	if (o.n > 0 && o.n <= PU_GROUP_CODES_MAX) {
		d.tokens = calloc(o.n, sizeof *d.tokens);
		r = d.tokens ? write_codes(p, &o, &d, codes, why) : PU_ENOMEM;
	}
	if (r == 0)
		r = pu_groups_add(p->groups, o.n, o.ttl, o.member_ttl, o.network, d.tokens[0], pg);
	if (r < 0)
		pu_failure_set(why, r, "group", NULL, "%s", pu_err_text(r));
	if (d.tokens)
		explicit_bzero(d.tokens, o.n * sizeof *d.tokens);
	free(d.tokens);
	pu_code_wipe(&d.code);
	return r;
}

struct pu_groups *pu_relay_pairing_groups(const struct pu_relay_pairing *p)
{
	return p->groups;
}

/* Life. */

static int make_parts(struct pu_relay_pairing *p)
{
	struct pu_pair_server_options pair = { .on_paired = on_paired, .on_answered = on_answered,
					       .is_member = is_member, .arg = p };
	struct pu_introducer_options in = { .host = p->server->host, .members = members,
					    .arg = p };
	int r = pu_groups_new(p->server->loop, &p->groups);

	if (r < 0)
		return r;
	pu_groups_on_open(p->groups, on_open, p);
	in.groups = p->groups;
	r = pu_introducer_new(&in, &p->introducer);
	if (r < 0)
		return r;
	pair.groups = p->groups;
	return pu_pair_server_new(p->server->host, &pair, &p->pair);
}

int pu_relay_pairing_new(struct pu_relay_server *s, struct pu_relay_pairing **pp)
{
	struct pu_relay_pairing *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return PU_ENOMEM;
	p->server = s;
	pu_timer_init(&p->close, s->loop, on_close, p);
	r = make_parts(p);
	if (r < 0)
		pu_relay_pairing_free(p);
	else
		*pp = p;
	return r;
}

void pu_relay_pairing_free(struct pu_relay_pairing *p)
{
	if (!p)
		return;
	pu_pair_server_free(p->pair);
	pu_introducer_free(p->introducer);
	pu_groups_free(p->groups);
	pu_timer_stop(&p->close);
	free(p);
}
