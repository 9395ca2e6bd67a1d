#include "p2p/autonat/client.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/autonat/backs.h"
#include "p2p/autonat/target.h"

enum { SOON_MS = 1000 };

/* Not to be asked before. */
struct rest {
	struct pu_peerid server;
	pu_time until;
};

struct pu_autonat_client {
	struct pu_host *h;
	struct pu_autonat_options opt;
	struct pu_autonat_stats *stats;
	struct pu_autonat_candidates candidates;
	struct rest rests[PU_AUTONAT_SERVERS_KNOWN];
	struct pu_host_observer observer;
	struct pu_timer timer;
	struct pu_autonat_backs backs;
	struct pu_autonat_ask *ask; /* one at a time; about whom and what: */
	struct pu_peerid server;
	struct pu_multiaddr addr;
};

static pu_time now_of(const struct pu_autonat_client *c)
{
	return pu_loop_now(pu_host_loop(c->h));
}

static void look_soon(struct pu_autonat_client *c)
{
	pu_time at = now_of(c) + PU_MS(SOON_MS);

	if (at < c->timer.deadline)
		pu_timer_set(&c->timer, at);
}

/* Servers. */

static pu_time rests_until(const struct pu_autonat_client *c, const struct pu_peerid *server)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(c->rests); i++)
		if (pu_peerid_eq(&c->rests[i].server, server))
			return c->rests[i].until;
	return 0;
}

static void let_rest(struct pu_autonat_client *c, const struct pu_peerid *server, unsigned s)
{
	struct rest *r = &c->rests[0];

	for (size_t i = 0; i < PU_ARRAY_LEN(c->rests); i++) {
		if (pu_peerid_eq(&c->rests[i].server, server)) {
			r = &c->rests[i];
			break;
		}
		if (c->rests[i].until < r->until)
			r = &c->rests[i];
	}
	*r = (struct rest){ *server, now_of(c) + PU_SEC(s) };
}

/* The search for somebody to ask about one address. */
struct search {
	struct pu_autonat_client *client;
	const struct pu_autonat_candidate *about;
	struct pu_conn *best;
	bool best_pays;
	pu_time free_at; /* when the next one may be asked that may not yet */
};

/* A server that knows us by another IP asks for dial data. */
static bool will_pay(const struct search *s, const struct pu_conn *c)
{
	struct pu_host_identity id;

	return !pu_host_peer_identity(s->client->h, &c->peer, &id) ||
	       !pu_autonat_target_same_ip(&id.observed, &s->about->v.addr);
}

static bool can_tell(const struct search *s, const struct pu_conn *c)
{
	if (c->limited || pu_autonat_candidate_heard_of(s->about, &c->peer) ||
	    !pu_host_peer_supports(s->client->h, &c->peer, PU_AUTONAT_REQUEST_PROTOCOL))
		return false;
	/* From inside our own network the way to the outer address proves nothing. */
	return pu_multiaddr_is_public(&c->remote) || !pu_multiaddr_is_public(&s->about->v.addr);
}

static void consider(void *arg, struct pu_conn *c)
{
	struct search *s = arg;
	pu_time until, now = now_of(s->client);
	bool pays;

	if (!can_tell(s, c))
		return;
	pays = will_pay(s, c);
	/* Dial data once a round is enough. */
	if (pays && s->about->data)
		return;
	until = rests_until(s->client, &c->peer);
	if (until > now) {
		if (until - now <= PU_SEC(PU_AUTONAT_SERVER_EVERY_S) && until < s->free_at)
			s->free_at = until;
	} else if (!s->best || (s->best_pays && !pays)) {
		s->best = c;
		s->best_pays = pays;
	}
}

/* Verdicts. */

static void tell(struct pu_autonat_client *c, const struct pu_autonat_candidate *cd)
{
	struct pu_autonat_verdict v = cd->v;
	char addr[PU_MULTIADDR_TEXT_MAX];
	static const char *const text[] = { "unknown", "no", "yes" };

	pu_log(PU_LOG_INFO, "autonat", "reachability",
	       PU_KV_STR("addr", pu_multiaddr_text(&v.addr, addr)),
	       PU_KV_STR("reachable", text[v.reachable]));
	if (c->opt.on_verdict)
		c->opt.on_verdict(c->opt.arg, &v);
}

/* An address that only others see is worth telling once somebody came through it. */
static void advertise(struct pu_autonat_client *c)
{
	struct pu_multiaddr ma[PU_AUTONAT_CANDIDATES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < c->candidates.n; i++) {
		const struct pu_autonat_candidate *cd = &c->candidates.c[i];

		if (cd->observed_only && cd->v.reachable == PU_REACHABLE_YES)
			ma[n++] = cd->v.addr;
	}
	(void)pu_host_advertise(c->h, c, ma, n);
}

static void changed(struct pu_autonat_client *c, const struct pu_autonat_candidate *cd)
{
	advertise(c);
	tell(c, cd);
}

/* Asking. */

static struct pu_autonat_candidate *find(struct pu_autonat_client *c,
					 const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < c->candidates.n; i++)
		if (pu_multiaddr_eq(&c->candidates.c[i].v.addr, ma))
			return &c->candidates.c[i];
	return NULL;
}

static void count(struct pu_autonat_client *c, enum pu_autonat_outcome o)
{
	if (o == PU_AUTONAT_YES)
		c->stats->answered_yes++;
	else if (o == PU_AUTONAT_NO)
		c->stats->answered_no++;
	else
		c->stats->failed++;
}

static void on_answer(void *arg, enum pu_autonat_outcome o)
{
	struct pu_autonat_client *c = arg;
	struct pu_autonat_candidate *cd = find(c, &c->addr);
	char peer[PU_PEERID_SHORT_MAX];

	c->ask = NULL;
	(void)pu_host_probation(c->h, PU_AUTONAT_BACK_PROTOCOL, false, 0);
	count(c, o);
	let_rest(c, &c->server, o == PU_AUTONAT_LIES   ? PU_AUTONAT_LIES_S
				: o == PU_AUTONAT_BUSY ? PU_AUTONAT_BUSY_S
						       : PU_AUTONAT_SERVER_EVERY_S);
	if (o == PU_AUTONAT_LIES)
		pu_log(PU_LOG_INFO, "autonat", "a server contradicts what happened",
		       PU_KV_STR("peer", pu_peerid_short(&c->server, peer)));
	pu_timer_set(&c->timer, now_of(c));
	if (cd && pu_autonat_candidate_vote(cd, &c->server, o, now_of(c)))
		changed(c, cd);
}

static bool ask(struct pu_autonat_client *c, struct pu_autonat_candidate *cd, struct pu_conn *conn,
		bool pays)
{
	pu_time until = now_of(c) + PU_SEC(PU_AUTONAT_ASK_TIMEOUT_S + PU_AUTONAT_NONCE_GRACE_S);

	if (pu_autonat_ask_start(c->h, conn, &cd->v.addr, on_answer, c, &c->ask) < 0)
		return false;
	c->server = conn->peer;
	c->addr = cd->v.addr;
	c->stats->asked++;
	cd->data |= pays;
	/* Who dials back is a stranger. */
	(void)pu_host_probation(c->h, PU_AUTONAT_BACK_PROTOCOL, false, until);
	return true;
}

/* True when a question is under way. */
static bool look_at(struct pu_autonat_client *c, struct pu_autonat_candidate *cd)
{
	struct search s = { .client = c, .about = cd, .free_at = PU_TIME_NEVER };
	pu_time now = now_of(c);

	if (cd->next_at > now)
		return false;
	pu_autonat_candidate_begin(cd, now);
	if (cd->asked < PU_AUTONAT_ROUND_MAX)
		pu_host_each_conn(c->h, consider, &s);
	if (s.best && ask(c, cd, s.best, s.best_pays))
		return true;
	if (s.free_at != PU_TIME_NEVER)
		cd->next_at = s.free_at;
	else if (pu_autonat_candidate_end_round(cd, now))
		changed(c, cd);
	return false;
}

static void look(void *arg)
{
	struct pu_autonat_client *c = arg;
	pu_time next = PU_TIME_NEVER;

	if (c->ask)
		return; /* its end leads here again */
	pu_autonat_candidates_renew(&c->candidates);
	advertise(c);
	for (size_t i = 0; i < c->candidates.n; i++) {
		struct pu_autonat_candidate *cd = &c->candidates.c[i];

		if (look_at(c, cd))
			return;
		if (cd->next_at < next)
			next = cd->next_at;
	}
	if (next < c->timer.deadline)
		pu_timer_set(&c->timer, next);
}

/* What the host tells. */

static void on_identified(void *arg, struct pu_conn *conn)
{
	struct pu_autonat_client *c = arg;

	if (conn->limited || !pu_host_peer_supports(c->h, &conn->peer, PU_AUTONAT_REQUEST_PROTOCOL))
		return;
	pu_autonat_candidates_new_server(&c->candidates, now_of(c) + PU_MS(SOON_MS));
	look_soon(c);
}

static void on_addrs(void *arg)
{
	look_soon(arg);
}

void pu_autonat_client_restart(struct pu_autonat_client *c)
{
	if (c->ask) {
		pu_autonat_ask_cancel(c->ask);
		c->ask = NULL;
		(void)pu_host_probation(c->h, PU_AUTONAT_BACK_PROTOCOL, false, 0);
	}
	pu_autonat_candidates_restart(&c->candidates, now_of(c) + PU_MS(SOON_MS));
	look_soon(c);
}

const struct pu_autonat_candidates *pu_autonat_client_candidates(const struct pu_autonat_client *c)
{
	return &c->candidates;
}

/* A nonce came. */
static bool on_nonce(void *arg, uint64_t nonce, const struct pu_conn *conn)
{
	struct pu_autonat_client *c = arg;

	return c->ask && pu_autonat_ask_heard(c->ask, nonce, conn);
}

int pu_autonat_client_new(struct pu_host *h, const struct pu_autonat_options *opt,
			  struct pu_autonat_stats *stats, struct pu_autonat_client **pc)
{
	struct pu_autonat_client *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return PU_ENOMEM;
	c->h = h;
	c->opt = *opt;
	c->stats = stats;
	pu_autonat_candidates_init(&c->candidates, h, opt->private_addrs);
	pu_timer_init(&c->timer, pu_host_loop(h), look, c);
	r = pu_autonat_backs_init(&c->backs, h, on_nonce, c);
	if (r < 0) {
		free(c);
		return r;
	}
	c->observer = (struct pu_host_observer){ .on_identified = on_identified,
						 .on_addrs = on_addrs, .arg = c };
	pu_host_observe(h, &c->observer);
	look_soon(c);
	*pc = c;
	return 0;
}

void pu_autonat_client_free(struct pu_autonat_client *c)
{
	if (!c)
		return;
	pu_timer_stop(&c->timer);
	pu_host_unobserve(c->h, &c->observer);
	if (c->ask)
		pu_autonat_ask_cancel(c->ask);
	(void)pu_host_probation(c->h, PU_AUTONAT_BACK_PROTOCOL, false, 0);
	pu_autonat_backs_deinit(&c->backs);
	(void)pu_host_advertise(c->h, c, NULL, 0);
	free(c);
}
