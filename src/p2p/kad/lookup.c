#include "p2p/kad/lookup.h"

#include <stdlib.h>

#include "base/err.h"

enum { ALPHA_DEFAULT = 10 };

struct path {
	bool done;
	unsigned asked; /* under way, slow ones left out */
};

struct pu_kad_lookup {
	struct pu_kad_lookup_config cfg;
	const struct pu_kad_lookup_events *ev;
	void *arg;
	struct pu_kad_candidate *peer[PU_KAD_LOOKUP_PEERS_MAX]; /* nearest first */
	unsigned n;
	uint32_t last_ref;
	unsigned n_paths, per_path;
	struct path path[PU_KAD_LOOKUP_PATHS];
	bool done;
	pu_time ends_at;
	struct pu_timer timer;
	struct pu_job work;
	struct pu_kad_lookup_stats stats;
};

static void work(void *arg);
static void on_timer(void *arg);

int pu_kad_lookup_new(const struct pu_kad_lookup_config *cfg, const struct pu_kad_lookup_events *ev,
		      void *arg, struct pu_kad_lookup **pl)
{
	struct pu_kad_lookup *l = calloc(1, sizeof *l);

	if (!l)
		return PU_ENOMEM;
	l->cfg = *cfg;
	if (!l->cfg.quorum)
		l->cfg.quorum = PU_KAD_K;
	if (!l->cfg.alpha)
		l->cfg.alpha = ALPHA_DEFAULT;
	if (!l->cfg.paths || l->cfg.paths > PU_KAD_LOOKUP_PATHS)
		l->cfg.paths = PU_KAD_LOOKUP_PATHS;
	if (!l->cfg.slow)
		l->cfg.slow = PU_MS(PU_KAD_LOOKUP_SLOW_MS);
	if (!l->cfg.total)
		l->cfg.total = PU_SEC(PU_KAD_LOOKUP_TOTAL_S);
	l->ev = ev;
	l->arg = arg;
	pu_timer_init(&l->timer, cfg->loop, on_timer, l);
	pu_job_init(&l->work, cfg->loop, work, l);
	*pl = l;
	return 0;
}

static void candidate_free(struct pu_kad_candidate *c)
{
	pu_kad_addrs_deinit(&c->addrs);
	free(c);
}

void pu_kad_lookup_free(struct pu_kad_lookup *l)
{
	if (!l)
		return;
	pu_timer_stop(&l->timer);
	pu_job_cancel(&l->work);
	for (unsigned i = 0; i < l->n; i++)
		candidate_free(l->peer[i]);
	free(l);
}

/* The peers of the walk. */

static struct pu_kad_candidate *find_ref(const struct pu_kad_lookup *l, uint32_t ref)
{
	for (unsigned i = 0; ref && i < l->n; i++)
		if (l->peer[i]->ref == ref)
			return l->peer[i];
	return NULL;
}

/* Where a distance is or belongs. */
static unsigned place_of(const struct pu_kad_lookup *l, const struct pu_kad_key *distance)
{
	unsigned lo = 0, hi = l->n;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (pu_kad_key_compare(&l->peer[mid]->distance, distance) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void take_out(struct pu_kad_lookup *l, unsigned i)
{
	candidate_free(l->peer[i]);
	l->n--;
	memmove(&l->peer[i], &l->peer[i + 1], (l->n - i) * sizeof l->peer[0]);
}

/* The farthest that nobody waits for makes room for a nearer one. */
static bool make_room(struct pu_kad_lookup *l, unsigned place)
{
	if (l->n < PU_KAD_LOOKUP_PEERS_MAX)
		return true;
	for (unsigned i = l->n; i > place; i--) {
		enum pu_kad_candidate_state s = l->peer[i - 1]->state;

		if (s == PU_KAD_CANDIDATE_ASKED || s == PU_KAD_CANDIDATE_SLOW)
			continue;
		take_out(l, i - 1);
		return true;
	}
	return false;
}

static struct pu_kad_candidate *insert(struct pu_kad_lookup *l, const struct pu_kad_peer *p,
				       const struct pu_kad_key *distance, unsigned place)
{
	struct pu_kad_candidate *c;

	if (!make_room(l, place))
		return NULL;
	c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->id = p->id;
	c->distance = *distance;
	c->ref = ++l->last_ref;
	memmove(&l->peer[place + 1], &l->peer[place], (l->n - place) * sizeof l->peer[0]);
	l->peer[place] = c;
	l->n++;
	return c;
}

/* A dead peer that another path names at another address deserves one more try: the
 * first address may have been a lie. */
static void reconsider(struct pu_kad_candidate *c, uint8_t paths, bool new_addrs)
{
	if (c->state != PU_KAD_CANDIDATE_FAILED || !new_addrs || c->retried || !(paths & ~c->paths))
		return;
	c->retried = true;
	c->state = PU_KAD_CANDIDATE_NEW;
}

/* Who named a peer, and where that leads. All zero: we know it ourselves. */
struct referral {
	uint32_t source;
	uint8_t hops;
	uint8_t paths;
};

static struct pu_kad_candidate *learn(struct pu_kad_lookup *l, const struct pu_kad_peer *p,
				      struct referral from)
{
	struct pu_kad_key key, distance;
	struct pu_kad_candidate *c;
	unsigned place;

	if (pu_peerid_eq(&p->id, &l->cfg.self) || pu_peerid_eq(&p->id, &l->cfg.target))
		return NULL;
	key = pu_kad_key_of_peer(&p->id);
	distance = pu_kad_key_distance(&key, &l->cfg.key);
	place = place_of(l, &distance);
	if (place < l->n && pu_kad_key_compare(&l->peer[place]->distance, &distance) == 0) {
		c = l->peer[place];
		reconsider(c, from.paths, pu_kad_addrs_add(&c->addrs, p));
		c->paths |= from.paths;
		return c;
	}
	c = insert(l, p, &distance, place);
	if (!c)
		return NULL;
	c->paths = from.paths;
	c->source = from.source;
	c->hops = from.hops;
	pu_kad_addrs_add(&c->addrs, p);
	return c;
}

int pu_kad_lookup_seed(struct pu_kad_lookup *l, const struct pu_kad_peer *p)
{
	return learn(l, p, (struct referral){ 0 }) ? 0 : PU_ELIMIT;
}

/* Liars. */

static void forget_referrals(struct pu_kad_lookup *l, const struct pu_kad_candidate *liar)
{
	for (unsigned i = l->n; i > 0; i--) {
		struct pu_kad_candidate *c = l->peer[i - 1];

		if (c->source == liar->ref && c->state == PU_KAD_CANDIDATE_NEW &&
		    c->paths == 1u << liar->path)
			take_out(l, i - 1);
	}
}

static void turned_out(struct pu_kad_lookup *l, const struct pu_kad_candidate *c, bool alive)
{
	struct pu_kad_candidate *source = find_ref(l, c->source);

	if (!source)
		return;
	if (alive)
		source->alive += source->alive < UINT8_MAX;
	else
		source->dead += source->dead < UINT8_MAX;
	if (source->alive > 0 || source->dead != PU_KAD_LOOKUP_NONSENSE)
		return;
	forget_referrals(l, source);
	if (l->ev->on_liar)
		l->ev->on_liar(l->arg, &source->id);
}

/* Asking. */

static void count_out(struct pu_kad_lookup *l, struct pu_kad_candidate *c)
{
	if (c->state == PU_KAD_CANDIDATE_ASKED)
		l->path[c->path].asked--;
}

static void failed(struct pu_kad_lookup *l, struct pu_kad_candidate *c)
{
	count_out(l, c);
	c->state = PU_KAD_CANDIDATE_FAILED;
	l->stats.failed++;
}

static void ask(struct pu_kad_lookup *l, struct pu_kad_candidate *c, unsigned path)
{
	c->state = PU_KAD_CANDIDATE_ASKED;
	c->path = (uint8_t)path;
	c->asked_at = pu_loop_now(l->cfg.loop);
	l->path[path].asked++;
	l->stats.asked++;
	/* We were not able to: nobody's lie. */
	if (l->ev->ask(l->arg, c) < 0)
		failed(l, c);
}

static unsigned n_asked(const struct pu_kad_lookup *l)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n_paths; i++)
		n += l->path[i].asked;
	return n;
}

/* What a path sees of its nearest peers. */
struct view {
	struct pu_kad_candidate *next; /* to be asked */
	unsigned waiting, answered, slow;
};

static struct view look(const struct pu_kad_lookup *l, unsigned path)
{
	struct view v = { 0 };

	for (unsigned i = 0; i < l->n && v.waiting + v.answered < l->cfg.quorum; i++) {
		struct pu_kad_candidate *c = l->peer[i];

		if (!(c->paths & 1u << path))
			continue;
		switch (c->state) {
		case PU_KAD_CANDIDATE_NEW:
			if (!v.next)
				v.next = c;
			v.waiting++;
			break;
		case PU_KAD_CANDIDATE_ASKED:
			v.waiting++;
			break;
		case PU_KAD_CANDIDATE_SLOW:
			v.slow++;
			break;
		case PU_KAD_CANDIDATE_ANSWERED:
			v.answered++;
			break;
		case PU_KAD_CANDIDATE_FAILED:
			break;
		}
	}
	return v;
}

/* True when the path has asked somebody. A path that waits only for the slow ones is
 * not at its end as long as it lacks answers. */
static bool advance(struct pu_kad_lookup *l, unsigned path)
{
	struct path *p = &l->path[path];
	struct view v = look(l, path);

	if (v.next && p->asked < l->per_path && n_asked(l) < l->cfg.alpha) {
		ask(l, v.next, path);
		return true;
	}
	if (v.waiting == 0 && (v.slow == 0 || v.answered >= l->cfg.quorum))
		p->done = true;
	return false;
}

static void set_timer(struct pu_kad_lookup *l)
{
	pu_time next = l->ends_at;

	for (unsigned i = 0; i < l->n; i++)
		if (l->peer[i]->state == PU_KAD_CANDIDATE_ASKED &&
		    l->peer[i]->asked_at + l->cfg.slow < next)
			next = l->peer[i]->asked_at + l->cfg.slow;
	pu_timer_set(&l->timer, next);
}

static void end(struct pu_kad_lookup *l)
{
	l->done = true;
	pu_timer_stop(&l->timer);
	l->ev->on_done(l->arg);
}

static void work(void *arg)
{
	struct pu_kad_lookup *l = arg;
	bool progress = true, over = true;

	if (l->done)
		return;
	while (progress) {
		progress = false;
		for (unsigned i = 0; i < l->n_paths; i++)
			if (!l->path[i].done && advance(l, i))
				progress = true;
	}
	for (unsigned i = 0; i < l->n_paths; i++)
		over &= l->path[i].done;
	if (over || pu_loop_now(l->cfg.loop) >= l->ends_at)
		end(l);
	else
		set_timer(l);
}

static void on_timer(void *arg)
{
	struct pu_kad_lookup *l = arg;
	pu_time now = pu_loop_now(l->cfg.loop);

	for (unsigned i = 0; i < l->n; i++) {
		struct pu_kad_candidate *c = l->peer[i];

		if (c->state != PU_KAD_CANDIDATE_ASKED || now < c->asked_at + l->cfg.slow)
			continue;
		count_out(l, c);
		c->state = PU_KAD_CANDIDATE_SLOW;
	}
	work(l);
}

/* Seeds are dealt out in turn, so that every path begins as near as the others. */
void pu_kad_lookup_start(struct pu_kad_lookup *l)
{
	l->n_paths = l->n / PU_KAD_LOOKUP_SEEDS_PER_PATH;
	if (l->n_paths > l->cfg.paths)
		l->n_paths = l->cfg.paths;
	if (l->n_paths == 0)
		l->n_paths = 1;
	for (unsigned i = 0; i < l->n; i++)
		l->peer[i]->paths = (uint8_t)(1u << i % l->n_paths);
	l->per_path = (l->cfg.alpha + l->n_paths - 1) / l->n_paths;
	l->ends_at = pu_loop_now(l->cfg.loop) + l->cfg.total;
	l->stats.paths = l->n_paths;
	pu_job_defer(&l->work);
}

/* What came. */

static struct pu_kad_candidate *awaited(struct pu_kad_lookup *l, uint32_t ref)
{
	struct pu_kad_candidate *c = l->done ? NULL : find_ref(l, ref);

	if (c && c->state != PU_KAD_CANDIDATE_ASKED && c->state != PU_KAD_CANDIDATE_SLOW)
		return NULL;
	return c;
}

void pu_kad_lookup_answered(struct pu_kad_lookup *l, uint32_t ref, const struct pu_kad_peer *closer,
			    size_t n)
{
	struct pu_kad_candidate *c = awaited(l, ref);
	struct referral from;
	unsigned path;

	if (!c)
		return;
	count_out(l, c);
	c->state = PU_KAD_CANDIDATE_ANSWERED;
	l->stats.answered++;
	turned_out(l, c, true);
	path = c->path;
	/* c itself may have to make room for somebody nearer. */
	from = (struct referral){ ref, (uint8_t)(c->hops + 1), (uint8_t)(1u << path) };
	for (size_t i = 0; i < n && !l->path[path].done; i++)
		if (closer[i].n_addrs > 0)
			learn(l, &closer[i], from);
	pu_job_defer(&l->work);
}

void pu_kad_lookup_failed(struct pu_kad_lookup *l, uint32_t ref)
{
	struct pu_kad_candidate *c = awaited(l, ref);

	if (!c)
		return;
	failed(l, c);
	turned_out(l, c, false);
	pu_job_defer(&l->work);
}

void pu_kad_lookup_finish(struct pu_kad_lookup *l, pu_time grace)
{
	pu_time at = pu_loop_now(l->cfg.loop) + grace;

	if (at < l->ends_at)
		l->ends_at = at;
	pu_job_defer(&l->work);
}

size_t pu_kad_lookup_closest(const struct pu_kad_lookup *l, const struct pu_kad_candidate **out,
			     size_t cap)
{
	size_t n = 0;

	for (unsigned i = 0; i < l->n && n < cap; i++)
		if (l->peer[i]->state == PU_KAD_CANDIDATE_ANSWERED)
			out[n++] = l->peer[i];
	return n;
}

void pu_kad_lookup_stats(const struct pu_kad_lookup *l, struct pu_kad_lookup_stats *out)
{
	*out = l->stats;
}

size_t pu_kad_lookup_bytes(const struct pu_kad_lookup *l)
{
	size_t n = sizeof *l;

	for (unsigned i = 0; i < l->n; i++)
		n += sizeof *l->peer[i] + l->peer[i]->addrs.len;
	return n;
}
