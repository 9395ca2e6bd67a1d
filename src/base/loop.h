/* Time, timers, deferred work and randomness of one node: no descriptors here.
 *
 * A driver owns a pu_loop: base/loop_uv.c with the real clock, or
 * tests/support/simnet.c with virtual time. Everything above takes a
 * struct pu_loop * and therefore runs under both.
 *
 * One turn, in order: the driver samples the clock with pu_loop_enter(); hands
 * ready descriptors to their owners; pu_loop_leave() runs the due timers, then
 * deferred jobs until none is left. "Now" is the same for a whole turn.
 *
 * Sometimes the process stands still between two turns, because the machine slept or
 * somebody stopped it. That time does not count: no timer takes our own absence for
 * somebody else's silence, no late answer for a slow one. Who must know watches for gaps. */
#ifndef PU_BASE_LOOP_H
#define PU_BASE_LOOP_H

#include "base/bytes.h"
#include "base/list.h"

struct pu_loop;

/* Fills p with n bytes fit for keys; must not fail. */
typedef void pu_random_fn(void *arg, void *p, size_t n);
typedef void pu_job_fn(void *arg);

struct pu_timer {
	struct pu_loop *loop;
	pu_time deadline; /* PU_TIME_NEVER while stopped */
	size_t index;     /* in the loop's heap, SIZE_MAX while stopped */
	pu_job_fn *fn;
	void *arg;
};

/* Work for the end of this turn, at most once however often it is asked for. */
struct pu_job {
	struct pu_list node;
	struct pu_loop *loop;
	pu_job_fn *fn;
	void *arg;
};

/* Hears of gaps in this process's time: how long it stood still, suspension included. */
struct pu_gap_watch {
	struct pu_list node;
	void (*fn)(void *arg, pu_time gap);
	void *arg;
};

struct pu_loop {
	pu_time now;
	int64_t wall_offset; /* Unix ns = now + wall_offset */
	struct pu_timer **heap;
	size_t n_timers, cap_timers;
	struct pu_list jobs;
	struct pu_list gap_watches;
	pu_random_fn *random;
	void *random_arg;
	void *driver; /* the driver's own object, see base/loop_uv.h */
	bool stopping;
};

void pu_loop_init(struct pu_loop *l, pu_time now, int64_t wall_offset,
		  pu_random_fn *random, void *random_arg);
/* All timers and jobs must have been stopped. */
void pu_loop_deinit(struct pu_loop *l);

static inline pu_time pu_loop_now(const struct pu_loop *l)
{
	return l->now;
}

/* Seconds since the Unix epoch by this loop's clock. */
int64_t pu_loop_unix(const struct pu_loop *l);
void pu_loop_random(struct pu_loop *l, void *p, size_t n);

/* Drivers only. enter: a turn begins at that time. leave: due timers, then jobs. */
void pu_loop_enter(struct pu_loop *l, pu_time now);
void pu_loop_leave(struct pu_loop *l);
/* Within a turn: there was a gap before it, which "now" left out. */
void pu_loop_gap(struct pu_loop *l, pu_time gap);
/* When the loop wants its next turn; PU_TIME_NEVER when nothing is planned. */
pu_time pu_loop_next_timeout(const struct pu_loop *l);

/* Timers fire once, from pu_loop_leave(), never from inside these calls.
 * The storage is the caller's; stop it before freeing it. */
void pu_timer_init(struct pu_timer *t, struct pu_loop *l, pu_job_fn *fn, void *arg);
/* Absolute deadline; PU_TIME_NEVER stops. Aborts the program only if memory for
 * the heap of timers is exhausted. */
void pu_timer_set(struct pu_timer *t, pu_time deadline);
void pu_timer_stop(struct pu_timer *t);
static inline bool pu_timer_active(const struct pu_timer *t)
{
	return t->index != SIZE_MAX;
}

/* The storage is the caller's; what is watched ends with unwatch. */
void pu_loop_watch_gaps(struct pu_loop *l, struct pu_gap_watch *w,
			void (*fn)(void *arg, pu_time gap), void *arg);
void pu_loop_unwatch_gaps(struct pu_gap_watch *w);

void pu_job_init(struct pu_job *j, struct pu_loop *l, pu_job_fn *fn, void *arg);
void pu_job_defer(struct pu_job *j);
void pu_job_cancel(struct pu_job *j);

#endif
