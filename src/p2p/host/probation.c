#include "p2p/host/probation.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"

enum {
	NEGOTIATIONS_MAX = 8, /* a stranger may try identify and a few others, too */
	/* A place is kept for longer than any handshake lasts: a connection that comes
	 * when its place is gone would pass for one that the gate has let in. */
	HANDSHAKE_S = 20,
};

static void on_timer(void *arg);
static void on_promotions(void *arg);

void pu_probation_init(struct pu_probation *pb, struct pu_host *h)
{
	memset(pb, 0, sizeof *pb);
	pb->h = h;
	pu_timer_init(&pb->timer, h->loop, on_timer, pb);
	pu_job_init(&pb->promotions, h->loop, on_promotions, pb);
}

static void close_conn(struct pu_probationer *w)
{
	if (w->hc && !w->hc->c->closing)
		pu_conn_close(w->hc->c, PU_CONN_CODE_GATED);
}

static void set_timer(struct pu_probation *pb)
{
	pu_time next = PU_TIME_NEVER;

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		const struct pu_probationer *w = &pb->who[i];
		bool closing = w->hc && w->hc->c->closing;

		if (w->taken && !closing && w->until < next)
			next = w->until;
	}
	if (pb->h->state == HOST_RUNNING)
		pu_timer_set(&pb->timer, next);
	else
		pu_timer_stop(&pb->timer);
}

static void on_timer(void *arg)
{
	struct pu_probation *pb = arg;
	pu_time now = pu_loop_now(pb->h->loop);

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		struct pu_probationer *w = &pb->who[i];

		if (!w->taken || w->until > now)
			continue;
		close_conn(w);
		w->taken = w->hc != NULL;
	}
	set_timer(pb);
}

/* Rules. */

static bool in_force(const struct pu_probation *pb, const struct pu_probation_rule *r)
{
	return r->protocol && r->until > pu_loop_now(pb->h->loop);
}

/* Is there any business for those who come like that? */
static bool open_for(const struct pu_probation *pb, bool relayed)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(pb->rule); i++)
		if (in_force(pb, &pb->rule[i]) && (pb->rule[i].through_relays || !relayed))
			return true;
	return false;
}

bool pu_probation_open(const struct pu_probation *pb)
{
	return open_for(pb, false);
}

/* The rule of that protocol, or a place for it; NULL when there is none. */
static struct pu_probation_rule *rule_for(struct pu_probation *pb, const char *protocol)
{
	struct pu_probation_rule *free_one = NULL;

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->rule); i++) {
		struct pu_probation_rule *r = &pb->rule[i];

		if (r->protocol && strcmp(r->protocol, protocol) == 0)
			return r;
		if (!free_one && !in_force(pb, r))
			free_one = r;
	}
	return free_one;
}

static void close_pointless(struct pu_probation *pb)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++)
		if (!open_for(pb, pb->who[i].relayed))
			close_conn(&pb->who[i]);
	set_timer(pb);
}

int pu_probation_allow(struct pu_probation *pb, const char *protocol, bool through_relays,
		       pu_time until)
{
	struct pu_probation_rule *r = rule_for(pb, protocol);

	if (!r)
		return until == 0 ? 0 : PU_ELIMIT;
	*r = (struct pu_probation_rule){ until ? protocol : NULL, through_relays, until };
	close_pointless(pb);
	return 0;
}

void pu_probation_end(struct pu_probation *pb)
{
	memset(pb->rule, 0, sizeof pb->rule);
	pu_job_cancel(&pb->promotions);
	close_pointless(pb);
}

bool pu_probation_speaks(const struct host_conn *hc, struct pu_bytes name)
{
	const struct pu_probation *pb = &hc->h->probation;
	bool relayed = pu_multiaddr_has(&hc->c->remote, PU_MA_P2P_CIRCUIT);

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->rule); i++) {
		const struct pu_probation_rule *r = &pb->rule[i];

		if (in_force(pb, r) && (r->through_relays || !relayed) &&
		    pu_bytes_eq_str(name, r->protocol))
			return true;
	}
	return false;
}

/* Places. */

static uint64_t network_of(const struct pu_multiaddr *remote, bool relayed)
{
	return relayed || pu_multiaddr_is_loopback(remote) ? 0 : pu_listener_network(remote);
}

/* A few may come through relays, where anybody can be many; a few from one network. */
static bool has_room(const struct pu_probation *pb, bool relayed, uint64_t network)
{
	unsigned n_relayed = 0, n_near = 0;

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		const struct pu_probationer *w = &pb->who[i];

		n_relayed += w->taken && w->relayed;
		n_near += w->taken && !w->relayed && w->network == network;
	}
	if (relayed)
		return n_relayed < PU_HOST_PROBATION_RELAYED_MAX;
	return network == 0 || n_near < PU_HOST_PROBATION_PER_NET;
}

bool pu_probation_admit(struct pu_probation *pb, const struct pu_peerid *peer,
			const struct pu_multiaddr *remote)
{
	bool relayed = pu_multiaddr_has(remote, PU_MA_P2P_CIRCUIT);
	uint64_t network = network_of(remote, relayed);
	pu_time now = pu_loop_now(pb->h->loop);

	if (!open_for(pb, relayed) || !has_room(pb, relayed, network))
		return false;
	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		struct pu_probationer *w = &pb->who[i];

		if (w->taken)
			continue;
		*w = (struct pu_probationer){ .taken = true, .relayed = relayed, .peer = *peer,
					      .network = network,
					      .until = now + PU_SEC(HANDSHAKE_S) };
		set_timer(pb);
		return true;
	}
	return false;
}

/* The connection. */

static unsigned count(const struct pu_list *l)
{
	unsigned n = 0;

	PU_LIST_FOREACH(it, tmp, l)
		n++;
	return n;
}

static struct pu_probationer *probationer_of(const struct host_conn *hc)
{
	struct pu_probation *pb = &hc->h->probation;

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++)
		if (pb->who[i].hc == hc)
			return &pb->who[i];
	return NULL;
}

static void on_stream(void *arg, struct pu_conn *c, struct pu_stream *st)
{
	struct host_conn *hc = arg;
	struct pu_probationer *w = probationer_of(hc);

	if (c->closing || count(&hc->negotiations) >= NEGOTIATIONS_MAX ||
	    ++w->n_streams > PU_HOST_PROBATION_STREAMS)
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
	else
		pu_negotiation_start(hc, st);
}

void pu_probation_spoke(struct host_conn *hc)
{
	struct pu_probationer *w = probationer_of(hc);

	w->until = w->since + PU_SEC(PU_HOST_PROBATION_S);
	set_timer(&hc->h->probation);
}

static void on_closed(void *arg, struct pu_conn *c, int err, uint64_t code)
{
	struct host_conn *hc = arg;
	struct pu_host *h = hc->h;
	struct pu_probationer *w = probationer_of(hc);

	(void)c;
	(void)err;
	(void)code;
	pu_negotiation_drop_all(hc);
	w->hc = NULL;
	w->taken = false;
	free(hc);
	h->stats.n_conns--;
	set_timer(&h->probation);
	pu_host_one_less(h);
}

static const struct pu_conn_events conn_events = { .on_stream = on_stream, .on_closed = on_closed };

static struct pu_probationer *awaited(struct pu_probation *pb, const struct pu_conn *c)
{
	bool relayed = pu_multiaddr_has(&c->remote, PU_MA_P2P_CIRCUIT);

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		struct pu_probationer *w = &pb->who[i];

		if (w->taken && !w->hc && w->relayed == relayed &&
		    pu_peerid_eq(&w->peer, &c->peer))
			return w;
	}
	return NULL;
}

static struct host_conn *host_conn_new(struct pu_host *h, struct pu_conn *c)
{
	struct host_conn *hc = calloc(1, sizeof *hc);

	if (!hc)
		return NULL;
	hc->h = h;
	hc->c = c;
	pu_list_init(&hc->node);
	pu_list_init(&hc->negotiations);
	c->ev = &conn_events;
	c->arg = hc;
	h->stats.n_conns++;
	return hc;
}

bool pu_probation_adopt(struct pu_probation *pb, struct pu_conn *c)
{
	struct pu_probationer *w = awaited(pb, c);
	struct pu_host *h = pb->h;
	char peer[PU_PEERID_SHORT_MAX];

	if (!w)
		return false;
	if (open_for(pb, w->relayed) && h->stats.n_conns < h->cfg.max_conns)
		w->hc = host_conn_new(h, c);
	if (!w->hc) {
		w->taken = false;
		pu_connmgr_turn_away(h, c, PU_CONN_CODE_GATED);
	} else {
		w->since = pu_loop_now(h->loop);
		w->until = w->since + PU_SEC(PU_HOST_PROBATION_SILENT_S);
		pu_log(PU_LOG_DEBUG, "host", "on probation",
		       PU_KV_STR("peer", pu_peerid_short(&c->peer, peer)));
	}
	set_timer(pb);
	return true;
}

/* A member's connection is an ordinary one; without room for it, it goes. */
static void hand_over(struct pu_probationer *w)
{
	struct host_conn *hc = w->hc;

	w->promoted = false;
	if (hc->c->closing)
		return;
	if (pu_connmgr_promote(hc)) {
		w->hc = NULL;
		w->taken = false;
	} else {
		close_conn(w);
	}
}

static void on_promotions(void *arg)
{
	struct pu_probation *pb = arg;

	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++)
		if (pb->who[i].hc && pb->who[i].promoted)
			hand_over(&pb->who[i]);
	set_timer(pb);
}

void pu_probation_promote(struct pu_probation *pb, const struct pu_peerid *peer)
{
	for (size_t i = 0; i < PU_ARRAY_LEN(pb->who); i++) {
		struct pu_probationer *w = &pb->who[i];

		if (!w->taken || !pu_peerid_eq(&w->peer, peer))
			continue;
		w->promoted = w->hc != NULL;
		w->taken = w->promoted; /* on its way in: it arrives as what it is now */
		if (w->promoted)
			pu_job_defer(&pb->promotions);
	}
}
