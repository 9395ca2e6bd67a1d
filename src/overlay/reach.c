#include "overlay/reach.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"

struct target {
	struct pu_list node;
	struct pu_reach *owner;
	struct pu_peerid peer;
	struct pu_host_request *req;
	struct pu_timer timer;
	unsigned failures;
	int last_error;
	pu_time started; /* the attempt under way */
};

struct pu_reach {
	struct pu_host *host;
	struct pu_host_observer observer;
	struct pu_list targets;
	pu_reach_failed_fn *on_failed;
	void *arg;
	pu_reach_dialed_fn *on_dialed;
	void *dialed_arg;
};

static pu_time now_of(const struct target *t)
{
	return pu_loop_now(pu_host_loop(t->owner->host));
}

static struct target *find(const struct pu_reach *r, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH (it, tmp, &r->targets) {
		struct target *t = PU_CONTAINER_OF(it, struct target, node);

		if (pu_peerid_eq(&t->peer, peer))
			return t;
	}
	return NULL;
}

/* Spread by a quarter to both sides, so that a restarted network is not met by all
 * its nodes at the same moment. */
static pu_time backoff(struct target *t)
{
	unsigned shift = t->failures > 7 ? 7 : t->failures ? t->failures - 1 : 0;
	pu_time base = PU_MS(PU_REACH_BACKOFF_MIN_MS) << shift;
	uint64_t r;

	if (base > PU_MS(PU_REACH_BACKOFF_MAX_MS))
		base = PU_MS(PU_REACH_BACKOFF_MAX_MS);
	pu_loop_random(pu_host_loop(t->owner->host), &r, sizeof r);
	return base - base / 4 + r % (base / 2);
}

static void retry_later(struct target *t)
{
	pu_timer_set(&t->timer, now_of(t) + backoff(t));
}

static void on_connect(void *arg, int err, struct pu_conn *c)
{
	struct target *t = arg;
	char id[PU_PEERID_SHORT_MAX];

	t->req = NULL;
	t->last_error = err;
	if (t->owner->on_dialed)
		t->owner->on_dialed(t->owner->dialed_arg, &t->peer, c, now_of(t) - t->started);
	if (err == 0)
		return;
	/* The first failure of a row is news, the rest is not. */
	if (t->owner->on_failed)
		t->owner->on_failed(t->owner->arg, &t->peer);
	pu_log(t->failures++ ? PU_LOG_DEBUG : PU_LOG_INFO, "reach", "peer is not reachable",
	       PU_KV_STR("peer", pu_peerid_short(&t->peer, id)), PU_KV_ERR(err));
	retry_later(t);
}

static void attempt(void *arg)
{
	struct target *t = arg;
	struct pu_host *h = t->owner->host;
	int r;

	if (t->req || pu_host_conn(h, &t->peer))
		return;
	t->started = now_of(t);
	r = pu_host_connect(h, &t->peer, on_connect, t, &t->req);
	if (r < 0) {
		t->failures++;
		t->last_error = r;
		retry_later(t);
	}
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct target *t = last ? find(arg, &c->peer) : NULL;

	if (!t)
		return;
	/* A peer that lets us in and drops us again backs off like one that is away. */
	if (now_of(t) - c->opened_at >= PU_SEC(PU_REACH_STABLE_S))
		t->failures = 0;
	t->failures++;
	retry_later(t);
}

/* Somebody told where it may be. */
static void on_peer_addrs(void *arg, const struct pu_peerid *peer)
{
	struct target *t = find(arg, peer);

	if (t && !t->req && pu_timer_active(&t->timer))
		pu_timer_set(&t->timer, now_of(t));
}

int pu_reach_new(struct pu_host *h, struct pu_reach **pr)
{
	struct pu_reach *r = calloc(1, sizeof *r);

	if (!r)
		return PU_ENOMEM;
	r->host = h;
	pu_list_init(&r->targets);
	r->observer.on_disconnected = on_disconnected;
	r->observer.on_peer_addrs = on_peer_addrs;
	r->observer.arg = r;
	pu_host_observe(h, &r->observer);
	*pr = r;
	return 0;
}

static void target_free(struct target *t)
{
	pu_timer_stop(&t->timer);
	pu_list_remove(&t->node);
	if (t->req)
		pu_host_cancel(t->owner->host, t->req);
	free(t);
}

void pu_reach_free(struct pu_reach *r)
{
	if (!r)
		return;
	pu_host_unobserve(r->host, &r->observer);
	PU_LIST_FOREACH (it, tmp, &r->targets)
		target_free(PU_CONTAINER_OF(it, struct target, node));
	free(r);
}

int pu_reach_want(struct pu_reach *r, const struct pu_peerid *peer)
{
	struct target *t = find(r, peer);

	if (t)
		return 0;
	t = calloc(1, sizeof *t);
	if (!t)
		return PU_ENOMEM;
	t->owner = r;
	t->peer = *peer;
	pu_timer_init(&t->timer, pu_host_loop(r->host), attempt, t);
	pu_list_append(&r->targets, &t->node);
	pu_host_protect(r->host, peer, true);
	pu_timer_set(&t->timer, now_of(t));
	return 0;
}

void pu_reach_unwant(struct pu_reach *r, const struct pu_peerid *peer)
{
	struct target *t = find(r, peer);

	if (!t)
		return;
	pu_host_protect(r->host, peer, false);
	target_free(t);
}

void pu_reach_network_changed(struct pu_reach *r)
{
	PU_LIST_FOREACH (it, tmp, &r->targets) {
		struct target *t = PU_CONTAINER_OF(it, struct target, node);

		t->failures = 0;
		pu_timer_set(&t->timer, now_of(t));
	}
}

void pu_reach_on_failed(struct pu_reach *r, pu_reach_failed_fn *fn, void *arg)
{
	r->on_failed = fn;
	r->arg = arg;
}

void pu_reach_on_dialed(struct pu_reach *r, pu_reach_dialed_fn *fn, void *arg)
{
	r->on_dialed = fn;
	r->dialed_arg = arg;
}

bool pu_reach_info(const struct pu_reach *r, const struct pu_peerid *peer,
		   struct pu_reach_info *out)
{
	struct target *t = find(r, peer);

	if (!t)
		return false;
	out->failures = t->failures;
	out->last_error = t->last_error;
	out->next_attempt = t->timer.deadline;
	return true;
}
