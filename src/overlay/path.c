#include "overlay/path.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/renewal.h"

enum {
	BUSY_MS = 1000,	   /* somebody else dials the peer */
	AGAIN_MS = 1000,   /* between tries that events ask for */
	RENEW_LATER_S = 5, /* a circuit was not to be had */
	LEAVE_S = 2,	   /* between looks at circuits that were followed by another */
	PATHS_MAX = 8,
};

struct target {
	struct pu_list node;
	struct pu_path *owner;
	struct pu_peerid peer;
	struct pu_host_request *req;
	enum pu_path_goal trying; /* what req is for */
	struct pu_timer timer;
	enum pu_path_goal goal;
	unsigned step;	/* of the schedule */
	unsigned tries; /* for this goal */
	int last_error;
	pu_time try_at, tried_at;
	pu_time direct_since; /* 0: not direct */
	unsigned n_done[PU_PATH_N_GOALS];
	struct pu_renewal renewal; /* of the circuit in use */
	/* Looking for addresses. */
	unsigned n_finds;
	pu_time found_at;
};

struct pu_path {
	struct pu_host *host;
	struct pu_path_options opt;
	struct pu_host_observer observer;
	struct pu_list targets;
};

static void reconsider(struct target *t);

static pu_time now_of(const struct target *t)
{
	return pu_loop_now(pu_host_loop(t->owner->host));
}

static struct target *find(const struct pu_path *p, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH (it, tmp, &p->targets) {
		struct target *t = PU_CONTAINER_OF(it, struct target, node);

		if (pu_peerid_eq(&t->peer, peer))
			return t;
	}
	return NULL;
}

/* So that two peers do not try at the same moment for ever, nor all at once. */
static pu_time spread(const struct target *t, pu_time base)
{
	uint64_t r;

	pu_loop_random(pu_host_loop(t->owner->host), &r, sizeof r);
	return base - base / 4 + r % (base / 2);
}

/* What the path in use lacks. */
static enum pu_path_goal wanted(const struct target *t, struct pu_host_path *best)
{
	if (pu_host_paths(t->owner->host, &t->peer, best, 1) == 0)
		return PU_PATH_NONE;
	if (best->state == PU_HOST_PATH_SUSPECT)
		return PU_PATH_REPLACE;
	return best->worth == PU_WORTH_DIRECT ? PU_PATH_NONE : PU_PATH_IMPROVE;
}

/* Circuits with a limit. */

static void note_circuit(struct target *t, const struct pu_conn *c)
{
	const struct pu_path_options *o = &t->owner->opt;
	struct pu_circuit_limit limit;
	bool limited = c && c->limited && o->limit && o->limit(o->arg, c, &limit);

	if (!c || c != t->renewal.c)
		pu_renewal_begin(&t->renewal, c, limited ? &limit : NULL, now_of(t));
}

/* Circuits that were followed by another one, once their streams have ended: the relay
 * has better uses for them. True when some are still in use. */
static bool leave_old_circuits(struct target *t)
{
	struct pu_host_path v[PATHS_MAX];
	size_t n = pu_host_paths(t->owner->host, &t->peer, v, PU_ARRAY_LEN(v));
	bool any = false;

	for (size_t i = 1; t->renewal.c && i < n; i++) {
		if (!v[i].c->limited || v[i].state == PU_HOST_PATH_SUSPECT)
			continue;
		if (v[i].c->n_streams == 0 && v[i].c->opened_at < v[0].c->opened_at)
			pu_conn_close(v[i].c, PU_CONN_CODE_SUPPLANTED);
		else
			any = true;
	}
	return any;
}

/* The schedule. */

static pu_time pause_of(struct target *t)
{
	static const unsigned steps[] = { PU_PATH_TRY_1_S, PU_PATH_TRY_2_S, PU_PATH_TRY_3_S };
	pu_time replace = PU_MS(PU_PATH_REPLACE_MIN_MS) << pu_min(t->tries, 10u);

	if (t->goal == PU_PATH_REPLACE)
		return pu_min(replace, PU_MS(PU_PATH_REPLACE_MAX_MS));
	if (t->step < PU_ARRAY_LEN(steps))
		return PU_SEC(steps[t->step++]);
	return spread(t, PU_SEC(PU_PATH_TRY_EVERY_S));
}

/* It may have been closed already, and not have been told to be. */
static bool circuit_is_used(const struct target *t)
{
	return t->renewal.c && pu_host_conn(t->owner->host, &t->peer) == t->renewal.c;
}

static void arm(struct target *t)
{
	pu_time at = t->req ? PU_TIME_NEVER : t->try_at;
	bool any = false;

	if (circuit_is_used(t)) {
		at = pu_min(at, pu_renewal_next_look(&t->renewal, now_of(t)));
		any = leave_old_circuits(t);
	}
	if (any)
		at = pu_min(at, now_of(t) + PU_SEC(LEAVE_S));
	pu_timer_set(&t->timer, t->trying == PU_PATH_RENEW ? PU_TIME_NEVER : at);
}

static void try_later(struct target *t)
{
	t->try_at = t->goal == PU_PATH_NONE ? PU_TIME_NEVER : now_of(t) + pause_of(t);
	arm(t);
}

/* An event makes the next try likely to succeed. */
static void try_soon(struct target *t)
{
	pu_time soonest = t->tried_at ? t->tried_at + PU_MS(AGAIN_MS) : 0;

	if (t->goal == PU_PATH_NONE || t->req)
		return;
	t->try_at = pu_min(t->try_at, pu_max(now_of(t), soonest));
	arm(t);
}

/* Trying. */

static void punch(struct target *t)
{
	const struct pu_path_options *o = &t->owner->opt;
	const struct pu_conn *c = pu_host_conn(t->owner->host, &t->peer);

	if (t->goal == PU_PATH_IMPROVE && c && c->limited && o->punch)
		o->punch(o->arg, &t->peer);
}

static void count_success(struct target *t, enum pu_path_goal goal)
{
	char id[PU_PEERID_SHORT_MAX];

	t->n_done[goal]++;
	/* The first of its kind is news. */
	pu_log(t->n_done[goal] > 1 ? PU_LOG_DEBUG : PU_LOG_INFO, "path", "another path is up",
	       PU_KV_STR("peer", pu_peerid_short(&t->peer, id)),
	       PU_KV_STR("why", pu_path_goal_text(goal)), PU_KV_U64("tries", t->tries));
}

static void failed(struct target *t, enum pu_path_goal goal, int err)
{
	t->last_error = err;
	if (goal == PU_PATH_RENEW)
		pu_renewal_later(&t->renewal, now_of(t) + PU_SEC(RENEW_LATER_S));
	else
		punch(t);
	if (goal != PU_PATH_RENEW || t->try_at == PU_TIME_NEVER)
		try_later(t);
	else
		arm(t);
}

static void on_done(void *arg, int err, struct pu_conn *c)
{
	struct target *t = arg;
	enum pu_path_goal goal = t->trying;

	t->req = NULL;
	t->trying = PU_PATH_NONE;
	if (err < 0) {
		failed(t, goal, err);
		return;
	}
	count_success(t, goal);
	t->last_error = 0;
	reconsider(t);
}

static void try_now(struct target *t, enum pu_path_goal goal)
{
	enum pu_host_better what = goal == PU_PATH_IMPROVE ? PU_HOST_BETTER : PU_HOST_REPLACE;
	int r;

	/* The dial goes on; a circuit that is about to end cannot wait for it. */
	if (t->req)
		pu_host_cancel(t->owner->host, t->req);
	t->req = NULL;
	t->trying = PU_PATH_NONE;
	r = pu_host_connect_better(t->owner->host, &t->peer, what, on_done, t, &t->req);
	t->tried_at = now_of(t);
	if (r == PU_EEXIST) {
		if (goal == PU_PATH_RENEW)
			pu_renewal_later(&t->renewal, t->tried_at + PU_MS(BUSY_MS));
		if (goal != PU_PATH_RENEW || t->try_at == PU_TIME_NEVER)
			t->try_at = t->tried_at + PU_MS(BUSY_MS);
		arm(t);
		return;
	}
	t->tries++;
	if (r < 0) {
		failed(t, goal, r);
		return;
	}
	t->trying = goal;
	if (goal != PU_PATH_RENEW)
		t->try_at = PU_TIME_NEVER; /* set when the outcome is known */
	arm(t);
}

static void on_timer(void *arg)
{
	struct target *t = arg;

	if (circuit_is_used(t) && pu_renewal_is_due(&t->renewal, now_of(t)))
		try_now(t, PU_PATH_RENEW);
	else if (!t->req && t->goal != PU_PATH_NONE && t->try_at <= now_of(t))
		try_now(t, t->goal);
	else
		arm(t);
}

/* Something changed about the connections. */
static void reconsider(struct target *t)
{
	struct pu_host_path best = { 0 };
	enum pu_path_goal goal = wanted(t, &best);
	bool direct = best.c && !best.c->limited;
	pu_time now = now_of(t);

	note_circuit(t, best.c);
	if (direct && t->direct_since == 0)
		t->direct_since = now;
	/* Who loses it again at once is in for longer pauses. */
	if (!direct && t->direct_since) {
		if (now - t->direct_since >= PU_SEC(PU_PATH_STABLE_S))
			t->step = 0;
		t->direct_since = 0;
	}
	if (goal != t->goal) {
		t->goal = goal;
		t->tries = 0;
		t->last_error = 0;
		t->try_at = PU_TIME_NEVER;
	}
	if (goal == PU_PATH_REPLACE && t->tries == 0)
		t->try_at = now;
	if (t->try_at == PU_TIME_NEVER && !t->req)
		try_later(t);
	else
		arm(t);
}

/* What the host tells. */

static void on_best(void *arg, const struct pu_peerid *peer, struct pu_conn *best)
{
	struct target *t = find(arg, peer);

	if (t)
		reconsider(t);
}

static void on_health(void *arg, struct pu_conn *c, bool well)
{
	struct target *t = find(arg, &c->peer);

	if (t)
		reconsider(t);
}

static void on_peer_addrs(void *arg, const struct pu_peerid *peer)
{
	struct target *t = find(arg, peer);

	if (t)
		try_soon(t);
}

/* The interface. */

int pu_path_new(struct pu_host *h, const struct pu_path_options *opt, struct pu_path **pp)
{
	struct pu_path *p = calloc(1, sizeof *p);

	if (!p)
		return PU_ENOMEM;
	p->host = h;
	p->opt = *opt;
	pu_list_init(&p->targets);
	p->observer = (struct pu_host_observer){ .on_best = on_best,
						 .on_health = on_health,
						 .on_peer_addrs = on_peer_addrs,
						 .arg = p };
	pu_host_observe(h, &p->observer);
	*pp = p;
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

void pu_path_free(struct pu_path *p)
{
	if (!p)
		return;
	pu_host_unobserve(p->host, &p->observer);
	PU_LIST_FOREACH (it, tmp, &p->targets)
		target_free(PU_CONTAINER_OF(it, struct target, node));
	free(p);
}

int pu_path_want(struct pu_path *p, const struct pu_peerid *peer)
{
	struct target *t;

	if (find(p, peer))
		return 0;
	t = calloc(1, sizeof *t);
	if (!t)
		return PU_ENOMEM;
	t->owner = p;
	t->peer = *peer;
	t->try_at = PU_TIME_NEVER;
	pu_timer_init(&t->timer, pu_host_loop(p->host), on_timer, t);
	pu_list_append(&p->targets, &t->node);
	reconsider(t);
	return 0;
}

void pu_path_unwant(struct pu_path *p, const struct pu_peerid *peer)
{
	struct target *t = find(p, peer);

	if (t)
		target_free(t);
}

void pu_path_unreachable(struct pu_path *p, const struct pu_peerid *peer)
{
	struct target *t = find(p, peer);
	pu_time pause;

	if (!t || !p->opt.find)
		return;
	pause = PU_SEC(PU_PATH_FIND_MIN_S) << pu_min(t->n_finds, 10u);
	if (t->n_finds > 0 && now_of(t) - t->found_at < pu_min(pause, PU_SEC(PU_PATH_FIND_MAX_S)))
		return;
	t->found_at = now_of(t);
	t->n_finds++;
	p->opt.find(p->opt.arg, peer);
}

void pu_path_network_changed(struct pu_path *p)
{
	PU_LIST_FOREACH (it, tmp, &p->targets) {
		struct target *t = PU_CONTAINER_OF(it, struct target, node);

		t->step = 0;
		t->n_finds = 0;
		t->tried_at = 0;
		try_soon(t);
	}
}

const char *pu_path_goal_text(enum pu_path_goal g)
{
	switch (g) {
	case PU_PATH_IMPROVE:
		return "a better path";
	case PU_PATH_REPLACE:
		return "the path was silent";
	case PU_PATH_RENEW:
		return "the relay's limit was near";
	case PU_PATH_NONE:
	case PU_PATH_N_GOALS:
		break;
	}
	return "nothing";
}

bool pu_path_info(const struct pu_path *p, const struct pu_peerid *peer, struct pu_path_info *out)
{
	const struct target *t = find(p, peer);

	if (!t)
		return false;
	*out = (struct pu_path_info){ .goal = t->req ? t->trying : t->goal,
				      .trying = t->req != NULL,
				      .tries = t->tries,
				      .last_error = t->last_error,
				      .next_try = t->req ? PU_TIME_NEVER : t->try_at,
				      .improved = t->n_done[PU_PATH_IMPROVE],
				      .replaced = t->n_done[PU_PATH_REPLACE],
				      .renewed = t->n_done[PU_PATH_RENEW] };
	return true;
}
