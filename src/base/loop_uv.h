/* The real driver: a pu_loop on top of libuv, the monotonic clock and the
 * kernel's random numbers. */
#ifndef PU_BASE_LOOP_UV_H
#define PU_BASE_LOOP_UV_H

#include <uv.h>

#include "base/loop.h"

struct pu_loop_uv;

/* PU_ENOMEM, PU_ESYS. */
int pu_loop_uv_new(struct pu_loop_uv **pl);
/* All handles of the uv loop must be closed or closing. */
void pu_loop_uv_free(struct pu_loop_uv *l);
struct pu_loop *pu_loop_uv_loop(struct pu_loop_uv *l);

/* libuv's loop below a pu_loop that this driver made. */
uv_loop_t *pu_loop_uv_of(struct pu_loop *l);
/* Runs until pu_loop_uv_stop(). */
int pu_loop_uv_run(struct pu_loop_uv *l);
void pu_loop_uv_stop(struct pu_loop_uv *l);

/* Every libuv callback of ours begins and ends with these. They nest. */
void pu_loop_uv_enter(struct pu_loop *l);
void pu_loop_uv_leave(struct pu_loop *l);
/* Between turns: brings "now" up to date for a call from outside. Within a turn: nothing. */
void pu_loop_uv_sample(struct pu_loop *l);

/* The time of a turn that would begin now. */
pu_time pu_loop_uv_clock(struct pu_loop *l);
/* The clocks below this driver. */
pu_time pu_clock_monotonic(void);
int64_t pu_clock_wall_ns(void);

#endif
