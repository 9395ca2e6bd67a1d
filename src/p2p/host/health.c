#include "p2p/host/health.h"

#include "base/log.h"
#include "p2p/host/state.h"

#define TICK PU_MS(PU_HEALTH_TICK_MS)

static pu_time now_of(const struct host_conn *hc)
{
	return pu_loop_now(hc->h->loop);
}

static pu_time patience(const struct host_conn *hc)
{
	pu_time t = PU_SEC(1) + 3 * pu_conn_rtt(hc->c);

	if (hc->health.doubted)
		return pu_min(t, PU_MS(PU_HEALTH_SUSPECT_MAX_MS));
	return pu_min(pu_max(t, PU_MS(PU_HEALTH_SUSPECT_MIN_MS)),
		      PU_MS(PU_HEALTH_SUSPECT_MAX_MS));
}

static void enter(struct host_conn *hc, enum pu_health_state state)
{
	hc->health.state = state;
	hc->health.since = now_of(hc);
	hc->health.answering = 0;
	if (state == PU_HEALTH_WELL)
		hc->health.doubted = false;
}

static void tell(struct host_conn *hc, const char *what)
{
	char peer[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	/* A path that flaps is news once. */
	pu_log(hc->health.n_suspected > 1 ? PU_LOG_DEBUG : PU_LOG_INFO, "health", what,
	       PU_KV_STR("peer", pu_peerid_short(&hc->c->peer, peer)),
	       PU_KV_STR("addr", pu_multiaddr_text(&hc->c->remote, addr)),
	       PU_KV_U64("silent_ms", hc->health.silent / 1000000));
	pu_connmgr_health_changed(hc);
}

/* How long nothing has come, as far as we could have noticed: after a long sleep of ours
 * the answers may be waiting in the socket. */
static void measure(struct host_conn *hc)
{
	struct pu_health *he = &hc->health;
	pu_time now = now_of(hc), owed = pu_conn_unanswered(hc->c);
	pu_time passed = pu_min(now - he->looked_at, 2 * TICK);

	he->silent = pu_min(owed, he->silent + passed);
	he->looked_at = now;
}

/* Calls fn for the well connections of the same peer. */
static void each_sibling(struct host_conn *hc, void (*fn)(struct host_conn *sibling))
{
	PU_LIST_FOREACH(it, tmp, &hc->peer->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);

		if (c != hc->c && !c->closing &&
		    host_conn_of(c)->health.state != PU_HEALTH_SUSPECT)
			fn(host_conn_of(c));
	}
}

static void ask_sibling(struct host_conn *hc)
{
	pu_conn_probe(hc->c);
}

static void suspect(struct host_conn *hc)
{
	hc->health.n_suspected++;
	hc->h->stats.went_silent++;
	enter(hc, PU_HEALTH_SUSPECT);
	pu_timer_set(&hc->health.timer, now_of(hc) + TICK);
}

/* It was asked all the while, too: often the same wire, and as dead. */
static void suspect_sibling(struct host_conn *hc)
{
	pu_time owed = pu_conn_unanswered(hc->c);

	if (owed < PU_MS(PU_HEALTH_DOUBT_MS) || owed < 3 * pu_conn_rtt(hc->c))
		return;
	hc->health.silent = owed;
	hc->health.looked_at = now_of(hc);
	suspect(hc);
}

/* All of them before anybody hears of it and looks for the best that is left. */
static void suspect_all(struct host_conn *hc)
{
	suspect(hc);
	each_sibling(hc, suspect_sibling);
	PU_LIST_FOREACH(it, tmp, &hc->peer->conns) {
		struct pu_conn *c = PU_CONTAINER_OF(it, struct pu_conn, node);
		const struct pu_health *he = &host_conn_of(c)->health;

		if (he->state == PU_HEALTH_SUSPECT && he->since == now_of(hc))
			tell(host_conn_of(c), "the path went silent");
	}
}

/* Whoever was doubted has to answer the question that was asked then. */
static bool has_answered(const struct host_conn *hc)
{
	const struct pu_health *he = &hc->health;

	return he->silent < (he->doubted ? now_of(hc) - he->since : PU_MS(PU_CONN_QUIET_MS) / 2);
}

static void look_at_watched(struct host_conn *hc)
{
	struct pu_health *he = &hc->health;

	if (he->silent >= patience(hc)) {
		suspect_all(hc);
		return;
	}
	if (has_answered(hc)) {
		enter(hc, PU_HEALTH_WELL);
		return;
	}
	pu_conn_probe(hc->c); /* some of these may get lost */
	each_sibling(hc, ask_sibling);
	pu_timer_set(&he->timer, now_of(hc) + TICK);
}

static pu_time proof(const struct pu_health *he)
{
	return PU_MS(PU_HEALTH_RECOVER_MS)
	       << pu_min(he->n_suspected - 1, (unsigned)PU_HEALTH_RECOVER_DOUBLINGS);
}

/* A lost connection breaks the streams that are on it, and what is silent may speak
 * again: it goes only when another one has taken its place. */
static bool is_replaced(const struct host_conn *hc)
{
	const struct pu_conn *best = pu_connmgr_best(hc->peer);

	return best && best != hc->c && host_conn_of(best)->health.state != PU_HEALTH_SUSPECT;
}

static void look_at_suspect(struct host_conn *hc)
{
	struct pu_health *he = &hc->health;
	pu_time now = now_of(hc);

	if (he->silent >= PU_MS(PU_HEALTH_CLOSE_MS) && is_replaced(hc)) {
		hc->h->stats.closed_silent++;
		pu_conn_close(hc->c, PU_CONN_CODE_GC);
		return;
	}
	if (he->silent >= PU_MS(PU_CONN_QUIET_MS))
		he->answering = 0;
	else if (he->answering == 0)
		he->answering = now;
	if (he->answering && now - he->answering >= proof(he)) {
		hc->h->stats.recovered++;
		enter(hc, PU_HEALTH_WELL);
		tell(hc, "the path answers again");
		return;
	}
	if (now - he->asked_at >= PU_MS(PU_HEALTH_ASK_MS)) {
		he->asked_at = now;
		pu_conn_probe(hc->c);
	}
	pu_timer_set(&he->timer, now + TICK);
}

static void tick(void *arg)
{
	struct host_conn *hc = arg;

	if (hc->c->closing)
		return;
	measure(hc);
	switch (hc->health.state) {
	case PU_HEALTH_WELL:
		break;
	case PU_HEALTH_WATCHED:
		look_at_watched(hc);
		break;
	case PU_HEALTH_SUSPECT:
		look_at_suspect(hc);
		break;
	}
}

void pu_health_init(struct host_conn *hc)
{
	hc->health = (struct pu_health){ .since = now_of(hc) };
	pu_timer_init(&hc->health.timer, hc->h->loop, tick, hc);
}

void pu_health_stop(struct host_conn *hc)
{
	pu_timer_stop(&hc->health.timer);
}

static void watch(struct host_conn *hc, pu_time silent)
{
	enter(hc, PU_HEALTH_WATCHED);
	hc->health.looked_at = hc->health.since;
	hc->health.silent = silent;
	pu_timer_set(&hc->health.timer, hc->health.since + TICK);
}

static bool is_watchable(const struct host_conn *hc)
{
	return hc->health.state == PU_HEALTH_WELL && hc->peer->protections > 0 && !hc->c->closing;
}

void pu_health_quiet(struct host_conn *hc)
{
	if (is_watchable(hc))
		watch(hc, pu_min(pu_conn_unanswered(hc->c), PU_MS(PU_CONN_QUIET_MS)));
}

void pu_health_doubt(struct host_conn *hc)
{
	if (!is_watchable(hc))
		return;
	pu_conn_probe(hc->c);
	watch(hc, 0);
	hc->health.doubted = true;
}
