/* Peers that have the code and our answer, but have not said yet that they have stored us.
 * They are members for a short while; what makes them members for good is their word, or that
 * they speak to us as one of theirs. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/pairing_internal.h"

enum { LOOK_S = 2 };

struct newcomer {
	struct pu_list node;
	struct pu_peerid peer;
	pu_time until;
	uint64_t invite;
};

static struct newcomer *find(const struct pu_pairing *p, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH (it, tmp, &p->newcomers) {
		struct newcomer *n = PU_CONTAINER_OF(it, struct newcomer, node);

		if (pu_peerid_eq(&n->peer, peer))
			return n;
	}
	return NULL;
}

static void drop(struct newcomer *n)
{
	pu_list_remove(&n->node);
	free(n);
}

static void set_timer(struct pu_pairing *p)
{
	pu_timer_set(&p->newcomer_timer, pu_list_empty(&p->newcomers) ?
						 PU_TIME_NEVER :
						 pu_loop_now(p->loop) + PU_SEC(LOOK_S));
}

int pu_newcomer_add(struct pu_pairing *p, const struct pu_peerid *peer, int64_t expires,
		    uint64_t invite)
{
	struct pu_roster_peer *r = pu_roster_find(p->node->roster, peer);
	struct newcomer *n = find(p, peer);
	int64_t left = expires - pu_loop_unix(p->loop);

	if (!n) {
		n = calloc(1, sizeof *n);
		if (!n)
			return PU_ENOMEM;
		pu_list_append(&p->newcomers, &n->node);
	}
	n->peer = *peer;
	n->invite = invite;
	/* By our own time: a clock that is set back gives nobody more of it. */
	left = left < 0 ? 0 : left > PU_PAIRING_UNCONFIRMED_S ? PU_PAIRING_UNCONFIRMED_S : left;
	n->until = pu_loop_now(p->loop) + PU_SEC(left);
	/* What it offered when it was a member before says nothing now. */
	if (r)
		pu_roster_clear_offer(r);
	set_timer(p);
	return 0;
}

static const char lapsed[] = "the other machine took the code, but never said that it is done; it "
			     "has been removed again";

static void tell_invite(struct pu_pairing *p, uint64_t id, bool forever, const char *text)
{
	struct invite *i = pu_pairing_invite_find(p, id);

	if (!i || i->pub.state != PU_INVITE_USED)
		return;
	i->pub.confirmed = forever;
	if (!forever) {
		i->pub.state = PU_INVITE_FAILED;
		pu_failure_set(&i->pub.why, PU_ETIMEDOUT, "invitation", "peerup-vpn invite", "%s",
			       text);
	}
	pu_invite_tell(i);
}

/* n is gone afterwards, unless the disk refuses. text: why it is taken back. */
static int settle(struct pu_pairing *p, struct newcomer *n, bool forever, const char *text)
{
	struct pu_failure why = { .what = "" };
	char id[PU_PEERID_SHORT_MAX];
	uint64_t invite = n->invite;
	int r = pu_enrolment_settle(p->node->cfg, &n->peer, forever);

	if (r < 0 && r != PU_ENOENT) {
		pu_log(PU_LOG_ERROR, "pairing", "cannot store who has joined",
		       PU_KV_STR("peer", pu_peerid_short(&n->peer, id)), PU_KV_ERR(r));
		return r; /* tried again soon; expires= holds meanwhile */
	}
	pu_log(PU_LOG_INFO, "pairing", forever ? "joined for good" : "taken back",
	       PU_KV_STR("peer", pu_peerid_short(&n->peer, id)));
	drop(n);
	r = pu_pairing_reload(p, &why);
	tell_invite(p, invite, forever, text);
	return r;
}

int pu_newcomer_confirm(struct pu_pairing *p, const struct pu_peerid *peer)
{
	struct newcomer *n = find(p, peer);

	return n ? settle(p, n, true, NULL) : 0;
}

void pu_newcomer_refused(struct pu_pairing *p, const struct pu_peerid *peer, const char *text)
{
	struct newcomer *n = find(p, peer);

	if (n)
		settle(p, n, false, text ? text : lapsed);
}

/* Its offer is given to members only: whoever sends us one has stored us. */
static bool has_shown_itself(const struct pu_pairing *p, const struct newcomer *n)
{
	const struct pu_roster_peer *r = pu_roster_find(p->node->roster, &n->peer);

	return r && r->offer_known;
}

static void look(void *arg)
{
	struct pu_pairing *p = arg;
	pu_time now = pu_loop_now(p->loop);

	PU_LIST_FOREACH (it, tmp, &p->newcomers) {
		struct newcomer *n = PU_CONTAINER_OF(it, struct newcomer, node);

		/* Whoever comes too late, comes too late. */
		if (now >= n->until)
			settle(p, n, false, lapsed);
		else if (has_shown_itself(p, n))
			settle(p, n, true, NULL);
	}
	set_timer(p);
}

static void add_stored(void *arg, const struct pu_peerid *peer, int64_t expires)
{
	pu_newcomer_add(arg, peer, expires, 0);
}

void pu_newcomers_load(struct pu_pairing *p)
{
	pu_timer_init(&p->newcomer_timer, p->loop, look, p);
	pu_enrolment_each_provisional(p->node->cfg, add_stored, p);
}

void pu_newcomers_gap(struct pu_pairing *p, pu_time gap)
{
	PU_LIST_FOREACH (it, tmp, &p->newcomers) {
		struct newcomer *n = PU_CONTAINER_OF(it, struct newcomer, node);

		n->until -= gap < n->until ? gap : n->until;
	}
}

void pu_newcomers_free(struct pu_pairing *p)
{
	pu_timer_stop(&p->newcomer_timer);
	PU_LIST_FOREACH (it, tmp, &p->newcomers)
		drop(PU_CONTAINER_OF(it, struct newcomer, node));
}
