#include "p2p/host/dialer.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/dial_advice.h"
#include "p2p/host/dial_names.h"
#include "p2p/host/state.h"

enum attempt_state { ATTEMPT_WAITING, ATTEMPT_RESOLVING, ATTEMPT_DIALING, ATTEMPT_FAILED };

struct attempt {
	struct pu_list node;
	struct pu_dial_job *job;
	enum attempt_state state;
	struct pu_multiaddr ma;
	struct pu_multiaddr known_as; /* in the peerstore: ma, or the name it came from */
	unsigned depth;               /* of dnsaddr records */
	pu_time start_at;
	pu_time began_at;
	struct pu_transport *t;
	struct pu_dial *d;
	struct pu_dial_names *names;
};

/* All attempts to reach one peer. */
struct pu_dial_job {
	struct pu_host *h;
	struct pu_peer *peer;
	struct pu_list attempts; /* in order of start */
	size_t n_attempts;
	pu_time deadline;
	struct pu_timer timer;
	enum pu_worth least; /* of the addresses that are tried */
	bool direct;         /* somebody is not content with a circuit */
	int err; /* most telling failure */
};

static void pump(void *arg);

/* Which failure the user wants to hear of: the one that came furthest. */
static int telling(int err)
{
	static const int order[] = { PU_EUNREACH, PU_ENOENT, PU_ETIMEDOUT, PU_EREFUSED, PU_ERESET,
				     PU_ECLOSED, PU_ENOPROTO, PU_ELIMIT, PU_EPROTO, PU_ECRYPTO,
				     PU_EPEERID, PU_EDENIED };

	for (size_t i = 0; i < PU_ARRAY_LEN(order); i++)
		if (order[i] == err)
			return (int)i + 1;
	return 0;
}

static void note_error(struct pu_dial_job *job, int err)
{
	if (job->err == 0 || telling(err) > telling(job->err))
		job->err = err;
}

static enum pu_dial_stage stage_of(const struct attempt *a, int err)
{
	if (err == 0)
		return PU_DIAL_DONE;
	if (err == PU_ECANCELED)
		return PU_DIAL_OVERTAKEN;
	if (a->state == ATTEMPT_RESOLVING)
		return PU_DIAL_RESOLVE;
	return pu_dialer_got_answer(err) ? PU_DIAL_HANDSHAKE : PU_DIAL_CONNECT;
}

static void remember(struct attempt *a, int err)
{
	struct pu_peer_addr *known = pu_peerstore_find_addr(a->job->peer, &a->known_as);
	pu_time now = pu_loop_now(a->job->h->loop);
	struct pu_addr_attempt t = { .at = a->began_at, .took = now - a->began_at, .err = err,
				     .stage = stage_of(a, err) };

	if (known)
		pu_peerstore_remember(known, &t);
}

static void attempt_stop(struct attempt *a)
{
	if (a->d || a->names)
		remember(a, PU_ECANCELED);

	if (a->d)
		a->t->ops->dial_cancel(a->t, a->d);
	if (a->names)
		pu_dial_names_cancel(a->names);
	a->d = NULL;
	a->names = NULL;
}

static void job_free(struct pu_dial_job *job)
{
	pu_timer_stop(&job->timer);
	PU_LIST_FOREACH(it, tmp, &job->attempts) {
		struct attempt *a = PU_CONTAINER_OF(it, struct attempt, node);

		attempt_stop(a);
		pu_list_remove(&a->node);
		free(a);
	}
	job->peer->dial = NULL;
	free(job);
}

static void job_failed(struct pu_dial_job *job)
{
	struct pu_host *h = job->h;
	struct pu_peerid id = job->peer->id;
	int err = job->err ? job->err : PU_EUNREACH;
	char peer[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_DEBUG, "dialer", "unreachable",
	       PU_KV_STR("peer", pu_peerid_short(&id, peer)), PU_KV_ERR(err));
	job->peer->dial_err = err;
	job_free(job);
	pu_request_dialed(h, &id, err);
}

static void score(struct attempt *a, int err)
{
	struct pu_peerstore *ps = &a->job->h->peers;
	struct pu_peer_addr *known = pu_peerstore_find_addr(a->job->peer, &a->known_as);

	remember(a, err);
	if (a->state != ATTEMPT_RESOLVING)
		pu_dial_advice_note(a->job->h, &a->ma, err);
	if (!known)
		return;
	if (err == PU_EPEERID && !known->permanent)
		pu_peerstore_remove_addr(ps, a->job->peer, &a->known_as);
	else
		pu_peerstore_dialed(ps, known, err == 0);
}

/* The rest may have waited for this one. */
static void attempt_failed(struct attempt *a, int err)
{
	struct pu_dial_job *job = a->job;
	char addr[PU_MULTIADDR_TEXT_MAX];

	if (pu_log_enabled(PU_LOG_DEBUG))
		pu_log(PU_LOG_DEBUG, "dialer", "dial failed",
		       PU_KV_STR("addr", pu_multiaddr_text(&a->ma, addr)), PU_KV_ERR(err));
	score(a, err);
	a->state = ATTEMPT_FAILED;
	note_error(job, err);
	pu_timer_set(&job->timer, pu_loop_now(job->h->loop));
}

/* Dialling. */

static bool is_circuit(const struct attempt *a)
{
	return pu_multiaddr_kind(&a->ma) == PU_MA_KIND_CIRCUIT;
}

/* There is a circuit now, which serves meanwhile: goes on without circuits if there is
 * anything left to try. */
static bool go_on_directly(struct pu_dial_job *job)
{
	bool any = false;

	job->least = pu_max(job->least, PU_WORTH_DIRECT_STREAM);
	PU_LIST_FOREACH(it, tmp, &job->attempts) {
		struct attempt *a = PU_CONTAINER_OF(it, struct attempt, node);

		if (a->state == ATTEMPT_FAILED)
			continue;
		any |= !is_circuit(a);
		if (!is_circuit(a))
			continue;
		attempt_stop(a);
		a->state = ATTEMPT_FAILED;
	}
	pu_timer_set(&job->timer, pu_loop_now(job->h->loop));
	return any;
}

static void on_dialed(void *arg, int err, struct pu_conn *c)
{
	struct attempt *a = arg;
	struct pu_dial_job *job = a->job;
	struct pu_host *h = job->h;
	struct pu_peerid id = job->peer->id;
	bool direct = job->direct;

	a->d = NULL;
	if (err < 0) {
		h->stats.dials_failed++;
		attempt_failed(a, err);
		return;
	}
	score(a, 0);
	a->state = ATTEMPT_FAILED; /* over, that is */
	if (c->limited && go_on_directly(job)) {
		pu_connmgr_adopt(h, c);
		return;
	}
	err = job->err ? job->err : PU_EUNREACH;
	job_free(job);
	if (!pu_connmgr_adopt(h, c))
		pu_request_dialed(h, &id, PU_ELIMIT);
	else if (c->limited && direct)
		pu_request_dialed(h, &id, err);
}

struct pu_transport *pu_dialer_transport(struct pu_host *h, const struct pu_multiaddr *ma)
{
	PU_LIST_FOREACH(it, tmp, &h->transports) {
		struct pu_transport *t = PU_CONTAINER_OF(it, struct pu_transport, node);

		if (t->ops->can_dial(t, ma))
			return t;
	}
	return NULL;
}

static void attempt_start(struct attempt *a)
{
	struct pu_dial_job *job = a->job;
	struct pu_host *h = job->h;
	int r;

	h->stats.dials++;
	a->state = ATTEMPT_DIALING;
	a->began_at = pu_loop_now(h->loop);
	r = a->t->ops->dial(a->t, &a->ma, &job->peer->id, job->deadline - pu_loop_now(h->loop),
			    on_dialed, a, &a->d);
	if (r < 0) {
		h->stats.dials_failed++;
		attempt_failed(a, r);
	}
}

/* Names. */

static void on_names(void *arg, int err, const struct pu_multiaddr *ma, size_t n);

static void attempt_resolve(struct attempt *a)
{
	int r;

	a->state = ATTEMPT_RESOLVING;
	a->began_at = pu_loop_now(a->job->h->loop);
	r = pu_dial_names_start(a->job->h->cfg.net, &a->ma, &a->job->peer->id, on_names, a,
				&a->names);
	if (r < 0)
		attempt_failed(a, r);
}

bool pu_dialer_can(struct pu_host *h, const struct pu_multiaddr *ma)
{
	if (pu_dial_names_needed(ma))
		return true;
	return pu_dialer_transport(h, ma) && !pu_listener_is_ours(&h->listener, ma) &&
	       !(h->cfg.may_dial && !h->cfg.may_dial(h->cfg.may_dial_arg, ma));
}

bool pu_dialer_is_dialing(const struct pu_peer *p, const struct pu_multiaddr *ma)
{
	if (!p->dial)
		return false;
	PU_LIST_FOREACH(it, tmp, &p->dial->attempts) {
		struct attempt *a = PU_CONTAINER_OF(it, struct attempt, node);

		if (a->state != ATTEMPT_FAILED && pu_multiaddr_eq(&a->known_as, ma))
			return true;
	}
	return false;
}

static struct attempt *attempt_new(struct pu_dial_job *job, const struct pu_dial_plan *plan,
				   const struct pu_multiaddr *known_as, unsigned depth)
{
	struct attempt *a = job->n_attempts < PU_DIALER_ATTEMPTS_MAX ? calloc(1, sizeof *a) : NULL;

	if (!a)
		return NULL;
	a->job = job;
	a->ma = plan->ma;
	a->known_as = known_as ? *known_as : plan->ma;
	a->depth = depth;
	a->start_at = pu_loop_now(job->h->loop) + plan->delay;
	a->t = pu_dialer_transport(job->h, &a->ma);
	pu_list_append(&job->attempts, &a->node);
	job->n_attempts++;
	return a;
}

static void on_names(void *arg, int err, const struct pu_multiaddr *ma, size_t n)
{
	struct attempt *a = arg;
	struct pu_dial_job *job = a->job;
	struct pu_dial_plan plan[PU_DIALER_ATTEMPTS_MAX];
	size_t n_plan = 0;

	a->names = NULL;
	for (size_t i = 0; i < n && n_plan < PU_ARRAY_LEN(plan); i++)
		if (pu_dialer_can(job->h, &ma[i]) && pu_addr_worth(&ma[i]) >= job->least &&
		    a->depth < PU_DIALER_DNSADDR_DEPTH)
			plan[n_plan++] = (struct pu_dial_plan){ .ma = ma[i] };
	if (n_plan == 0) {
		attempt_failed(a, err ? err : PU_EUNREACH);
		return;
	}
	a->state = ATTEMPT_FAILED; /* its children go on */
	pu_dialer_rank(plan, n_plan);
	for (size_t i = 0; i < n_plan; i++)
		attempt_new(job, &plan[i], &a->known_as, a->depth + 1);
	pu_timer_set(&job->timer, pu_loop_now(job->h->loop));
}

/* Driving. */

static unsigned count(const struct pu_dial_job *job, enum attempt_state state)
{
	unsigned n = 0;

	PU_LIST_FOREACH(it, tmp, &job->attempts)
		n += PU_CONTAINER_OF(it, struct attempt, node)->state == state;
	return n;
}

static struct attempt *next_waiting(const struct pu_dial_job *job)
{
	struct attempt *first = NULL;

	PU_LIST_FOREACH(it, tmp, &job->attempts) {
		struct attempt *a = PU_CONTAINER_OF(it, struct attempt, node);

		if (a->state == ATTEMPT_WAITING && (!first || a->start_at < first->start_at))
			first = a;
	}
	return first;
}

static void resolve_all(struct pu_dial_job *job)
{
	PU_LIST_FOREACH(it, tmp, &job->attempts) {
		struct attempt *a = PU_CONTAINER_OF(it, struct attempt, node);

		if (a->state == ATTEMPT_WAITING && pu_dial_names_needed(&a->ma))
			attempt_resolve(a);
	}
}

/* Those that are still under way have failed, too. */
static void out_of_time(struct pu_dial_job *job)
{
	PU_LIST_FOREACH(it, tmp, &job->attempts) {
		struct attempt *a = PU_CONTAINER_OF(it, struct attempt, node);

		if (a->state != ATTEMPT_DIALING)
			continue;
		job->h->stats.dials_failed++;
		score(a, PU_ETIMEDOUT);
	}
	note_error(job, PU_ETIMEDOUT);
	job_failed(job);
}

/* Starts what is due, or early when nothing else is under way. */
static void pump(void *arg)
{
	struct pu_dial_job *job = arg;
	pu_time now = pu_loop_now(job->h->loop);
	struct attempt *a;

	if (now >= job->deadline) {
		out_of_time(job);
		return;
	}
	resolve_all(job);
	while ((a = next_waiting(job)) != NULL) {
		unsigned active = count(job, ATTEMPT_DIALING);
		bool early = active == 0 && count(job, ATTEMPT_RESOLVING) == 0;

		if (active >= PU_DIALER_PARALLEL_MAX || (a->start_at > now && !early))
			break;
		attempt_start(a);
	}
	if (!a && count(job, ATTEMPT_DIALING) == 0 && count(job, ATTEMPT_RESOLVING) == 0) {
		job_failed(job);
		return;
	}
	pu_timer_set(&job->timer, a && a->start_at > now && a->start_at < job->deadline
					  ? a->start_at : job->deadline);
}

static bool in_job(const struct pu_dial_job *job, const struct pu_multiaddr *ma)
{
	PU_LIST_FOREACH(it, tmp, &job->attempts)
		if (pu_multiaddr_eq(&PU_CONTAINER_OF(it, struct attempt, node)->known_as, ma))
			return true;
	return false;
}

/* Addresses that may be tried now and are not in the job yet. *pheld: some are kept back
 * after failures. */
static size_t collect(struct pu_dial_job *job, struct pu_dial_plan *plan, size_t cap, bool *pheld)
{
	struct pu_host *h = job->h;
	struct pu_peer *p = job->peer;
	pu_time now = pu_loop_now(h->loop);
	size_t n = 0;

	PU_LIST_FOREACH(it, tmp, &p->addrs) {
		struct pu_peer_addr *a = PU_CONTAINER_OF(it, struct pu_peer_addr, node);

		if (!a->permanent && p->n_conns == 0 && a->expires < now) {
			pu_peerstore_remove_addr(&h->peers, p, &a->ma);
			continue;
		}
		if (!pu_dialer_can(h, &a->ma) || n == cap || in_job(job, &a->ma) ||
		    pu_addr_worth(&a->ma) < job->least)
			continue;
		if (a->retry_at > now)
			*pheld = true;
		else
			plan[n++] = (struct pu_dial_plan){ .ma = a->ma };
	}
	return pu_dial_advice_filter(h, plan, n, job->least > PU_WORTH_RELAYED);
}

/* Whoever comes later may know more addresses, or be content with less. */
static size_t extend(struct pu_dial_job *job, enum pu_worth least, bool *pheld)
{
	struct pu_dial_plan plan[PU_DIALER_ATTEMPTS_MAX];
	size_t n;

	job->direct |= least > PU_WORTH_RELAYED;
	job->least = pu_min(job->least, least);
	n = collect(job, plan, PU_ARRAY_LEN(plan), pheld);
	pu_dialer_rank(plan, n);
	pu_dial_advice_order(job->h, plan, n);
	for (size_t i = 0; i < n; i++)
		attempt_new(job, &plan[i], NULL, 0);
	if (n > 0)
		pu_timer_set(&job->timer, pu_loop_now(job->h->loop));
	return n;
}

static struct pu_dial_job *job_new(struct pu_host *h, struct pu_peer *p)
{
	struct pu_dial_job *job = calloc(1, sizeof *job);

	if (!job)
		return NULL;
	job->h = h;
	job->peer = p;
	job->least = PU_WORTH_DIRECT;
	job->deadline = pu_loop_now(h->loop) + PU_SEC(PU_HOST_DIAL_TIMEOUT_S);
	pu_list_init(&job->attempts);
	pu_timer_init(&job->timer, h->loop, pump, job);
	p->dial = job;
	return job;
}

bool pu_dialer_covers(const struct pu_peer *p, enum pu_worth least)
{
	return p->dial && p->dial->least <= least;
}

int pu_dialer_start(struct pu_host *h, struct pu_peer *p, enum pu_worth least)
{
	struct pu_dial_job *job = p->dial;
	bool held = false;

	if (job) {
		extend(job, least, &held);
		return 0;
	}
	job = job_new(h, p);
	if (!job)
		return PU_ENOMEM;
	if (extend(job, least, &held) > 0)
		return 0;
	job_free(job);
	return held && p->dial_err ? p->dial_err : PU_EUNREACH;
}

void pu_dialer_stop(struct pu_host *h, struct pu_peer *p)
{
	(void)h;
	if (p->dial)
		job_free(p->dial);
}
