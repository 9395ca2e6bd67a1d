/* What questions and event streams share. */
#ifndef PU_DAEMON_ASK_INTERNAL_H
#define PU_DAEMON_ASK_INTERNAL_H

#include "base/buf.h"
#include "daemon/ask.h"

/* Connects and sends the request; the cookie is fresh. */
int pu_ask_begin(const struct pu_ask_target *to, const char *method, const char *path,
		 const char *body, pu_time deadline, int *pfd, struct pu_failure *why);
/* More of the answer. 0 at its end, 1 when something came. */
int pu_ask_receive(int fd, struct pu_buf *in, pu_time deadline);
/* Cuts status line and headers off. PU_EAGAIN: they are not complete; PU_EPROTO. */
int pu_ask_take_head(struct pu_buf *in, int *pstatus);
/* Tells why an answer is no success: PU_EDENIED, PU_ENOTSUP or PU_EPROTO. */
int pu_ask_refusal(int status, const char *body, size_t len, struct pu_failure *why);
pu_time pu_ask_deadline(const struct pu_ask_target *to);
/* The failure of an exchange that broke off. */
int pu_ask_broken(int err, struct pu_failure *why);

#endif
