/* The loop that drives hosts: let it run, or run it inside your own.
 *
 * Inside your own, each time round:
 *
 *   struct pollfd p = { peerup_loop_fd(loop), POLLIN, 0 };
 *   poll(&p, 1, peerup_loop_timeout_ms(loop));
 *   peerup_loop_step(loop);
 *
 * Ask for the timeout last before you sleep: every call that does something changes it. */
#ifndef PEERUP_LOOP_H
#define PEERUP_LOOP_H

#include "peerup/error.h"
#include "peerup/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct peerup_loop;

/* PEERUP_ENOMEM, PEERUP_ESYS. */
PEERUP_API int peerup_loop_new(struct peerup_loop **ploop);
/* Closes the hosts that are still open, running the loop until they are gone (peers are
 * told; their callbacks fire), then frees it. Not from a callback. NULL is fine. */
PEERUP_API void peerup_loop_free(struct peerup_loop *loop);

/* Runs until peerup_loop_stop(). PEERUP_EINVAL from inside a callback. */
PEERUP_API int peerup_loop_run(struct peerup_loop *loop);
/* Makes peerup_loop_run() return soon, or at once when it has not begun. From any
 * thread, also from a signal handler, as long as the loop exists. */
PEERUP_API void peerup_loop_stop(struct peerup_loop *loop);

/* Readable when there is something to do. Only to be polled. */
PEERUP_API int peerup_loop_fd(const struct peerup_loop *loop);
/* Milliseconds after which there is something to do anyway; 0: now; -1: never. */
PEERUP_API int peerup_loop_timeout_ms(const struct peerup_loop *loop);
/* Does what there is to do, without waiting. PEERUP_EINVAL from inside a callback. */
PEERUP_API int peerup_loop_step(struct peerup_loop *loop);

#ifdef __cplusplus
}
#endif
#endif
