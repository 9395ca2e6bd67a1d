#include "p2p/autonat/candidates.h"

enum { ADDRS_MAX = 64 };

void pu_autonat_candidates_init(struct pu_autonat_candidates *cs, struct pu_host *h,
				bool private_addrs)
{
	memset(cs, 0, sizeof *cs);
	cs->h = h;
	cs->private_addrs = private_addrs;
}

static bool worth_asking(const struct pu_autonat_candidates *cs, const struct pu_multiaddr *ma)
{
	enum pu_ma_kind kind = pu_multiaddr_kind(ma);
	union pu_sockaddr sa;

	if ((kind != PU_MA_KIND_TCP && kind != PU_MA_KIND_QUIC) ||
	    pu_multiaddr_to_sockaddr(ma, &sa) < 0 || pu_multiaddr_is_unspecified(ma))
		return false;
	return pu_multiaddr_is_public(ma) ||
	       (cs->private_addrs && !pu_multiaddr_is_loopback(ma));
}

static struct pu_autonat_candidate *find(struct pu_autonat_candidates *cs,
					 const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < cs->n; i++)
		if (pu_multiaddr_eq(&cs->c[i].v.addr, ma))
			return &cs->c[i];
	return NULL;
}

static void restart(struct pu_autonat_candidate *c, pu_time at)
{
	c->n_votes = 0;
	c->v.yes = c->v.no = 0;
	c->asked = 0;
	c->data = false;
	c->next_at = c->due_at = at;
	c->interval = PU_SEC(PU_AUTONAT_UNSURE_S);
}

static void note(struct pu_autonat_candidates *cs, const struct pu_multiaddr *ma, bool observed)
{
	struct pu_autonat_candidate *c = find(cs, ma);

	if (c) {
		c->present = true;
		return;
	}
	if (cs->n == PU_AUTONAT_CANDIDATES_MAX || !worth_asking(cs, ma))
		return;
	c = &cs->c[cs->n++];
	*c = (struct pu_autonat_candidate){
		.v = { .addr = *ma },
		.observed_only = observed,
		.present = true,
	};
	restart(c, pu_loop_now(pu_host_loop(cs->h)) + PU_MS(PU_AUTONAT_FIRST_MS));
}

static void drop_absent(struct pu_autonat_candidates *cs)
{
	size_t n = 0;

	for (size_t i = 0; i < cs->n; i++)
		if (cs->c[i].present && n++ < i)
			cs->c[n - 1] = cs->c[i];
	cs->n = n;
}

/* Addresses that only others see can be made up by them: few of these, and the host's own
 * before. */
static void note_observed(struct pu_autonat_candidates *cs)
{
	struct pu_multiaddr ma[ADDRS_MAX];
	size_t n = pu_host_observed_addrs(cs->h, 1, ma, ADDRS_MAX);
	unsigned taken = 0;

	for (size_t i = 0; i < n && taken < PU_AUTONAT_OBSERVED_MAX; i++) {
		const struct pu_autonat_candidate *c = find(cs, &ma[i]);

		if (c && c->present)
			continue;
		note(cs, &ma[i], true);
		taken++;
	}
}

void pu_autonat_candidates_renew(struct pu_autonat_candidates *cs)
{
	struct pu_multiaddr ma[ADDRS_MAX];
	size_t n = pu_host_addrs(cs->h, ma, ADDRS_MAX);

	for (size_t i = 0; i < cs->n; i++)
		cs->c[i].present = false;
	for (size_t i = 0; i < n; i++)
		note(cs, &ma[i], false);
	note_observed(cs);
	drop_absent(cs);
}

void pu_autonat_candidates_restart(struct pu_autonat_candidates *cs, pu_time at)
{
	for (size_t i = 0; i < cs->n; i++)
		restart(&cs->c[i], at);
}

void pu_autonat_candidates_new_server(struct pu_autonat_candidates *cs, pu_time at)
{
	for (size_t i = 0; i < cs->n; i++) {
		struct pu_autonat_candidate *c = &cs->c[i];

		if (c->v.yes + c->v.no < PU_AUTONAT_ROUND_MAX && at < c->next_at)
			c->next_at = at;
	}
}

void pu_autonat_candidate_begin(struct pu_autonat_candidate *c, pu_time now)
{
	if (now < c->due_at)
		return;
	c->round_at = now;
	c->due_at = PU_TIME_NEVER;
}

/* Votes. */

static struct pu_autonat_vote *vote_of(const struct pu_autonat_candidate *c,
				       const struct pu_peerid *server)
{
	for (size_t i = 0; i < c->n_votes; i++)
		if (pu_peerid_eq(&c->votes[i].server, server))
			return (struct pu_autonat_vote *)&c->votes[i];
	return NULL;
}

bool pu_autonat_candidate_heard_of(const struct pu_autonat_candidate *c,
				   const struct pu_peerid *server)
{
	const struct pu_autonat_vote *v = vote_of(c, server);

	return v && (v->asked_at >= c->round_at || v->said == PU_AUTONAT_WONT);
}

static void forget_old(struct pu_autonat_candidate *c, pu_time now)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_votes; i++)
		if (now - c->votes[i].at < PU_SEC(PU_AUTONAT_VOTE_TTL_S))
			c->votes[n++] = c->votes[i];
	c->n_votes = n;
}

static bool counts(enum pu_autonat_outcome o)
{
	return o == PU_AUTONAT_YES || o == PU_AUTONAT_NO;
}

static struct pu_autonat_vote *new_vote(struct pu_autonat_candidate *c)
{
	struct pu_autonat_vote *worst = &c->votes[0];

	if (c->n_votes < PU_AUTONAT_VOTES_MAX)
		return &c->votes[c->n_votes++];
	for (size_t i = 1; i < c->n_votes; i++) {
		struct pu_autonat_vote *v = &c->votes[i];

		if (counts(v->said) != counts(worst->said) ? counts(worst->said)
							   : v->at < worst->at)
			worst = v;
	}
	return worst;
}

/* As many on both sides say nothing. */
static enum pu_reachable judge(struct pu_autonat_candidate *c)
{
	c->v.yes = c->v.no = 0;
	for (size_t i = 0; i < c->n_votes; i++) {
		c->v.yes += c->votes[i].said == PU_AUTONAT_YES;
		c->v.no += c->votes[i].said == PU_AUTONAT_NO;
	}
	if (c->v.yes == c->v.no)
		return PU_REACHABLE_UNKNOWN;
	return c->v.yes > c->v.no ? PU_REACHABLE_YES : PU_REACHABLE_NO;
}

static bool rejudge(struct pu_autonat_candidate *c, pu_time now)
{
	enum pu_reachable was = c->v.reachable;

	forget_old(c, now);
	c->v.reachable = judge(c);
	return c->v.reachable != was;
}

bool pu_autonat_candidate_vote(struct pu_autonat_candidate *c, const struct pu_peerid *server,
			       enum pu_autonat_outcome o, pu_time now)
{
	struct pu_autonat_vote *v = vote_of(c, server);
	bool had = v != NULL;

	c->asked++;
	if (!v)
		v = new_vote(c);
	v->asked_at = now;
	if (counts(o) || !had || !counts(v->said)) {
		v->server = *server;
		v->said = o;
		v->at = now;
	}
	if (!counts(o))
		return false;
	c->v.checked_at = now;
	return rejudge(c, now);
}

static bool settled(const struct pu_autonat_candidate *c)
{
	return c->v.reachable != PU_REACHABLE_UNKNOWN && (c->v.yes == 0 || c->v.no == 0);
}

bool pu_autonat_candidate_end_round(struct pu_autonat_candidate *c, pu_time now)
{
	bool changed = rejudge(c, now);

	if (!settled(c) || changed || c->asked == 0)
		c->interval = PU_SEC(PU_AUTONAT_UNSURE_S);
	else if (2 * c->interval < PU_SEC(PU_AUTONAT_SETTLED_S))
		c->interval *= 2;
	else
		c->interval = PU_SEC(PU_AUTONAT_SETTLED_S);
	c->next_at = c->due_at = now + c->interval;
	c->asked = 0;
	c->data = false;
	return changed;
}
