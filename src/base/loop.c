#include "base/loop.h"

#include <assert.h>
#include <stdlib.h>

enum { JOBS_PER_TURN_MAX = 100000 };

void pu_loop_init(struct pu_loop *l, pu_time now, int64_t wall_offset,
		  pu_random_fn *random, void *random_arg)
{
	*l = (struct pu_loop){
		.now = now,
		.wall_offset = wall_offset,
		.random = random,
		.random_arg = random_arg,
	};
	pu_list_init(&l->jobs);
	pu_list_init(&l->gap_watches);
}

void pu_loop_deinit(struct pu_loop *l)
{
	assert(l->n_timers == 0);
	assert(pu_list_empty(&l->jobs));
	free(l->heap);
	l->heap = NULL;
	l->cap_timers = 0;
}

int64_t pu_loop_unix(const struct pu_loop *l)
{
	return ((int64_t)l->now + l->wall_offset) / 1000000000;
}

void pu_loop_random(struct pu_loop *l, void *p, size_t n)
{
	l->random(l->random_arg, p, n);
}

static void heap_put(struct pu_loop *l, size_t i, struct pu_timer *t)
{
	l->heap[i] = t;
	t->index = i;
}

static void heap_up(struct pu_loop *l, size_t i)
{
	struct pu_timer *t = l->heap[i];

	for (; i > 0 && l->heap[(i - 1) / 2]->deadline > t->deadline; i = (i - 1) / 2)
		heap_put(l, i, l->heap[(i - 1) / 2]);
	heap_put(l, i, t);
}

static void heap_down(struct pu_loop *l, size_t i)
{
	struct pu_timer *t = l->heap[i];

	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= l->n_timers)
			break;
		if (c + 1 < l->n_timers &&
		    l->heap[c + 1]->deadline < l->heap[c]->deadline)
			c++;
		if (l->heap[c]->deadline >= t->deadline)
			break;
		heap_put(l, i, l->heap[c]);
		i = c;
	}
	heap_put(l, i, t);
}

void pu_timer_init(struct pu_timer *t, struct pu_loop *l, pu_job_fn *fn, void *arg)
{
	*t = (struct pu_timer){ .loop = l, .deadline = PU_TIME_NEVER,
				.index = SIZE_MAX, .fn = fn, .arg = arg };
}

void pu_timer_stop(struct pu_timer *t)
{
	struct pu_loop *l = t->loop;
	size_t i = t->index;

	if (i == SIZE_MAX)
		return;
	t->index = SIZE_MAX;
	t->deadline = PU_TIME_NEVER;
	l->n_timers--;
	if (i == l->n_timers)
		return;
	heap_put(l, i, l->heap[l->n_timers]);
	heap_down(l, i);
	heap_up(l, i);
}

void pu_timer_set(struct pu_timer *t, pu_time deadline)
{
	struct pu_loop *l = t->loop;

	if (deadline == PU_TIME_NEVER) {
		pu_timer_stop(t);
		return;
	}
	if (t->index != SIZE_MAX) {
		t->deadline = deadline;
		heap_down(l, t->index);
		heap_up(l, t->index);
		return;
	}
	if (l->n_timers == l->cap_timers) {
		size_t cap = l->cap_timers ? l->cap_timers * 2 : 64;
		void *p = realloc(l->heap, cap * sizeof *l->heap);

		if (!p)
			abort();
		l->heap = p;
		l->cap_timers = cap;
	}
	t->deadline = deadline;
	l->n_timers++;
	heap_put(l, l->n_timers - 1, t);
	heap_up(l, t->index);
}

void pu_job_init(struct pu_job *j, struct pu_loop *l, pu_job_fn *fn, void *arg)
{
	*j = (struct pu_job){ .loop = l, .fn = fn, .arg = arg };
	pu_list_init(&j->node);
}

void pu_job_defer(struct pu_job *j)
{
	if (pu_list_empty(&j->node))
		pu_list_append(&j->loop->jobs, &j->node);
}

void pu_job_cancel(struct pu_job *j)
{
	pu_list_remove(&j->node);
}

void pu_loop_enter(struct pu_loop *l, pu_time now)
{
	if (now > l->now)
		l->now = now;
}

static void run_timers(struct pu_loop *l)
{
	/* A timer set for "now" by another timer waits for the next turn, so one
	 * that re-arms itself cannot hold the loop. */
	size_t budget = l->n_timers;

	while (budget-- > 0 && l->n_timers > 0 && l->heap[0]->deadline <= l->now) {
		struct pu_timer *t = l->heap[0];

		pu_timer_stop(t);
		t->fn(t->arg);
	}
}

static void run_jobs(struct pu_loop *l)
{
	struct pu_list *n;

	for (int i = 0; i < JOBS_PER_TURN_MAX && (n = pu_list_first(&l->jobs)); i++) {
		struct pu_job *j = PU_CONTAINER_OF(n, struct pu_job, node);

		pu_list_remove(n);
		j->fn(j->arg);
	}
}

void pu_loop_leave(struct pu_loop *l)
{
	run_timers(l);
	run_jobs(l);
}

void pu_loop_gap(struct pu_loop *l, pu_time gap)
{
	PU_LIST_FOREACH(it, tmp, &l->gap_watches) {
		struct pu_gap_watch *w = PU_CONTAINER_OF(it, struct pu_gap_watch, node);

		w->fn(w->arg, gap);
	}
}

void pu_loop_watch_gaps(struct pu_loop *l, struct pu_gap_watch *w,
			void (*fn)(void *arg, pu_time gap), void *arg)
{
	w->fn = fn;
	w->arg = arg;
	pu_list_append(&l->gap_watches, &w->node);
}

void pu_loop_unwatch_gaps(struct pu_gap_watch *w)
{
	if (w->fn)
		pu_list_remove(&w->node);
	w->fn = NULL;
}

pu_time pu_loop_next_timeout(const struct pu_loop *l)
{
	if (!pu_list_empty(&l->jobs))
		return l->now;
	return l->n_timers ? l->heap[0]->deadline : PU_TIME_NEVER;
}
