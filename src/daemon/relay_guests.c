#include "daemon/relay_guests.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/enrolment.h"
#include "daemon/relay_server.h"
#include "overlay/invite/nameplate.h"
#include "overlay/member_batch.h"

struct pu_relay_guests {
	struct pu_relay_server *s;
	struct pu_nameplates *numbers; /* NULL: no memory to start again */
};

static bool may_allocate(void *arg, const struct pu_peerid *peer)
{
	const struct pu_relay_guests *g = arg;

	return g->s->cfg->members_may_invite && pu_relay_server_allowed(g->s, peer);
}

/* Strangers have business here, or not. */
static void on_open(void *arg, bool open)
{
	static const char *const protocols[] = { PU_NAMEPLATE_PROTOCOL, PU_HOP_PROTOCOL };
	struct pu_relay_guests *g = arg;
	pu_time until = open ? PU_TIME_NEVER : 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(protocols); i++) {
		int r = pu_host_probation(g->s->host, protocols[i], false, until);

		if (r < 0 && open)
			pu_log(PU_LOG_WARN, "relay", "strangers with a number are not let in",
			       PU_KV_ERR(r));
	}
	pu_log_msg(PU_LOG_DEBUG, "relay", open ? "strangers may ask for numbers"
					       : "strangers have no business any more");
}

/* Vouching. */

static int store(struct pu_relay_guests *g, const struct pu_peerid *owner,
		 const struct pu_peerid *peer, const char *name)
{
	char clean[PU_ENROLMENT_NAME_MAX + 1], comment[PU_ENROLMENT_NAME_MAX + 1];
	char by[PU_PEERID_SHORT_MAX];
	struct pu_member_change change = { .peer = *peer, .comment = comment, .n = 1 };

	pu_enrolment_clean_name(name, clean);
	pu_enrolment_comment(clean, "invited-", pu_loop_unix(g->s->loop), comment);
	pu_peerid_short(owner, by);
	by[strcspn(by, ".")] = '\0';
	change.set[0] = (struct pu_member_set){ "invited_by", by };
	return pu_member_batch(g->s->cfg->authorized_keys_file, &change, 1, NULL);
}

/* By what the file says now. Whoever it names and does not allow has expired: the operator's
 * word stands. */
static int may_vouch(const struct pu_relay_guests *g, const struct pu_peerid *owner,
		     const struct pu_peerid *peer)
{
	struct pu_relay_server *s = g->s;
	int r = pu_relay_server_reload_members(s);

	if (r < 0)
		return r;
	if (!s->cfg->members_may_invite || !pu_relay_server_allowed(s, owner))
		return PU_EDENIED;
	if (pu_relay_server_allowed(s, peer))
		return PU_EEXIST;
	if (pu_member_find(s->members, peer))
		return PU_EDENIED;
	return pu_member_count(s->members) < PU_MEMBER_MAX ? 0 : PU_ELIMIT;
}

static int on_vouched(void *arg, const struct pu_peerid *owner, const struct pu_peerid *peer,
		      const char *name)
{
	struct pu_relay_guests *g = arg;
	char id[PU_PEERID_TEXT_MAX], by[PU_PEERID_TEXT_MAX];
	int r = may_vouch(g, owner, peer);

	if (r < 0)
		return r;
	r = store(g, owner, peer, name);
	if (r == 0)
		r = pu_relay_server_reload_members(g->s);
	pu_log(r < 0 ? PU_LOG_ERROR : PU_LOG_INFO, "relay",
	       r < 0 ? "cannot store an invited peer" : "authorized by invitation",
	       PU_KV_STR("peer", pu_peerid_text(peer, id)),
	       PU_KV_STR("by", pu_peerid_text(owner, by)), PU_KV_ERR(r));
	if (r < 0)
		return r;
	pu_events_tell(&g->s->events, &(struct pu_event){ .kind = PU_EVENT_AUTH_CHANGE,
							  .peer = peer, .what = "added" });
	pu_host_promote(g->s->host, peer);
	return 0;
}

static int start(struct pu_relay_guests *g)
{
	const struct pu_nameplates_options opt = {
		.may_allocate = may_allocate,
		.on_vouched = on_vouched,
		.on_open = on_open,
		.arg = g,
	};

	return pu_nameplates_new(g->s->host, &opt, &g->numbers);
}

int pu_relay_guests_new(struct pu_relay_server *s, struct pu_relay_guests **pg)
{
	struct pu_relay_guests *g = calloc(1, sizeof *g);
	int r;

	if (!g)
		return PU_ENOMEM;
	g->s = s;
	r = start(g);
	if (r < 0)
		free(g);
	else
		*pg = g;
	return r;
}

void pu_relay_guests_free(struct pu_relay_guests *g)
{
	if (!g)
		return;
	pu_nameplates_free(g->numbers);
	free(g);
}

void pu_relay_guests_reload(struct pu_relay_guests *g)
{
	int r;

	if (g->s->cfg->members_may_invite && g->numbers)
		return;
	pu_nameplates_free(g->numbers);
	g->numbers = NULL;
	r = start(g);
	if (r < 0)
		pu_log(PU_LOG_WARN, "relay", "no numbers for invitations", PU_KV_ERR(r));
}

bool pu_relay_guests_may_connect(const struct pu_relay_guests *g, const struct pu_peerid *from,
				 const struct pu_peerid *to)
{
	if (pu_relay_server_allowed(g->s, from))
		return true;
	return g->numbers && pu_nameplates_owns(g->numbers, to) &&
	       pu_relay_server_allowed(g->s, to);
}

size_t pu_relay_guests_numbers(const struct pu_relay_guests *g)
{
	return g->numbers ? pu_nameplates_count(g->numbers) : 0;
}
