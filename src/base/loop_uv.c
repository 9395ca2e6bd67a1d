#include "base/loop_uv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/err.h"

struct pu_loop_uv {
	struct pu_loop loop;
	uv_loop_t uv;
	uv_timer_t wake;
	uv_prepare_t prepare; /* sets it before the loop sleeps */
	int depth;	      /* of pu_loop_uv_enter() */
	pu_time due;	      /* we wanted to run again by then */
	pu_time asleep;	      /* of the machine since its start, by its clocks */
	pu_time stood;	      /* that we were late, in sum: our clock is so much behind */
	pu_time gap;	      /* stood still for so long, and nobody was told yet */
};

/* Later than this is a gap. Pauses of the scheduler are shorter, what others can notice is
 * longer. */
#define GAP_MIN PU_SEC(2)

static pu_time clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return PU_SEC(ts.tv_sec) + (pu_time)ts.tv_nsec;
}

pu_time pu_clock_monotonic(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t pu_clock_wall_ns(void)
{
	return (int64_t)clock_ns(CLOCK_REALTIME);
}

static void kernel_random(void *arg, void *p, size_t n)
{
	uint8_t *b = p;

	(void)arg;
	while (n > 0) {
		ssize_t r = getrandom(b, n, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			abort(); /* keys from anything less would be worse */
		b += r;
		n -= (size_t)r;
	}
}

static struct pu_loop_uv *driver(struct pu_loop *l)
{
	return l->driver;
}

uv_loop_t *pu_loop_uv_of(struct pu_loop *l)
{
	return &driver(l)->uv;
}

struct pu_loop *pu_loop_uv_loop(struct pu_loop_uv *l)
{
	return &l->loop;
}

pu_time pu_loop_uv_clock(struct pu_loop *l)
{
	return pu_clock_monotonic() - driver(l)->stood;
}

/* A stopped process is late; the monotonic clock of a suspended machine stands still, and
 * that of its uptime does not. */
static pu_time without_gap(struct pu_loop_uv *l, pu_time now)
{
	const pu_time up = clock_ns(CLOCK_BOOTTIME), mono = now + l->stood;
	const pu_time asleep = up > mono ? up - mono : 0;

	if (asleep > l->asleep && asleep - l->asleep > GAP_MIN)
		l->gap += asleep - l->asleep;
	l->asleep = asleep;
	if (now > l->due && now - l->due > GAP_MIN) {
		l->gap += now - l->due;
		l->stood += now - l->due;
		now = l->due;
	}
	return l->due = now;
}

void pu_loop_uv_sample(struct pu_loop *l)
{
	pu_time now;

	if (driver(l)->depth > 0)
		return;
	now = without_gap(driver(l), pu_loop_uv_clock(l));
	l->wall_offset = pu_clock_wall_ns() - (int64_t)now;
	pu_loop_enter(l, now);
}

void pu_loop_uv_enter(struct pu_loop *l)
{
	pu_loop_uv_sample(l);
	driver(l)->depth++;
}

void pu_loop_uv_leave(struct pu_loop *l)
{
	struct pu_loop_uv *d = driver(l);
	const pu_time gap = d->gap;

	if (d->depth == 1) {
		d->gap = 0;
		if (gap > 0)
			pu_loop_gap(l, gap);
		pu_loop_leave(l);
	}
	d->depth--;
}

static void on_wake(uv_timer_t *h)
{
	struct pu_loop_uv *l = h->data;

	pu_loop_uv_enter(&l->loop);
	pu_loop_uv_leave(&l->loop);
}

/* Milliseconds are enough: QUIC's pacing tolerates one, and a timerfd, set anew in
 * every turn, took a fifth of a busy tunnel's time in a virtual machine. */
static void on_prepare(uv_prepare_t *h)
{
	struct pu_loop_uv *l = h->data;
	pu_time deadline = pu_loop_next_timeout(&l->loop);
	uint64_t now_ms = uv_now(&l->uv), ms;

	/* A timer that was set for the past is no sign of a sleep. */
	l->due = pu_max(deadline, PU_MS(now_ms) > l->stood ? PU_MS(now_ms) - l->stood : 0);
	if (deadline == PU_TIME_NEVER) {
		uv_timer_stop(&l->wake);
		return;
	}
	/* Against libuv's own time, which is of the same clock: our "now" stands still
	 * while only others' callbacks run, and would put the timer off each time. */
	ms = (deadline + l->stood + PU_MS(1) - 1) / PU_MS(1);
	uv_timer_start(&l->wake, on_wake, ms > now_ms ? ms - now_ms : 0, 0);
}

int pu_loop_uv_new(struct pu_loop_uv **pl)
{
	struct pu_loop_uv *l = calloc(1, sizeof *l);
	pu_time now = pu_clock_monotonic();

	if (!l)
		return PU_ENOMEM;
	if (uv_loop_init(&l->uv) < 0) {
		free(l);
		return PU_ESYS;
	}
	pu_loop_init(&l->loop, now, pu_clock_wall_ns() - (int64_t)now, kernel_random,
		     NULL);
	l->loop.driver = l;
	l->asleep = clock_ns(CLOCK_BOOTTIME) - now;
	l->due = PU_TIME_NEVER;
	uv_timer_init(&l->uv, &l->wake);
	l->wake.data = l;
	uv_prepare_init(&l->uv, &l->prepare);
	l->prepare.data = l;
	uv_prepare_start(&l->prepare, on_prepare);
	*pl = l;
	return 0;
}

void pu_loop_uv_free(struct pu_loop_uv *l)
{
	if (!l)
		return;
	uv_close((uv_handle_t *)&l->wake, NULL);
	uv_close((uv_handle_t *)&l->prepare, NULL);
	/* A stop that nobody was running for makes the first call return at once. */
	while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
		;
	uv_loop_close(&l->uv);
	pu_loop_deinit(&l->loop);
	free(l);
}

int pu_loop_uv_run(struct pu_loop_uv *l)
{
	return uv_run(&l->uv, UV_RUN_DEFAULT) < 0 ? PU_ESYS : 0;
}

void pu_loop_uv_stop(struct pu_loop_uv *l)
{
	uv_stop(&l->uv);
}
