/* The two ends of a transfer over a local socket: messages in, messages out, blocking, until
 * somebody wants to stop. */
#ifndef PU_CLI_FILES_CONN_H
#define PU_CLI_FILES_CONN_H

#include "overlay/files/message.h"

enum {
	PU_FILES_IDLE_S = 120,  /* the other side says something within that time */
	PU_FILES_DECIDE_S = 900, /* a person over there decides */
	PU_FILES_WAIT_S = 10,   /* who is busy says WAIT that often */
};

struct pu_files_conn {
	int fd;
	int stop_fd; /* readable: enough; -1: never */
	struct pu_buf in, out;
	size_t used; /* of in, by the message that was given out last */
	int64_t said_ms; /* when we last wrote */
};

/* fd stays the caller's; it becomes non-blocking. */
void pu_files_conn_init(struct pu_files_conn *c, int fd, int stop_fd);
void pu_files_conn_deinit(struct pu_files_conn *c);

/* Sends sooner or later. PU_ECANCELED: stop_fd; PU_ERESET, PU_ETIMEDOUT, PU_ENOMEM. */
int pu_files_conn_send(struct pu_files_conn *c, const struct pu_files_message *m);
int pu_files_conn_flush(struct pu_files_conn *c);
/* Flushes, then waits for the next message that is no WAIT; what it points to is valid until
 * the next call. As above, and PU_EEOF, PU_EPROTO. */
int pu_files_conn_recv(struct pu_files_conn *c, int idle_s, struct pu_files_message *m);
/* The same without flushing and waiting; PU_EAGAIN: there is none. */
int pu_files_conn_try(struct pu_files_conn *c, struct pu_files_message *m);
/* For long work between messages: keeps the other side patient, and looks at stop_fd. */
int pu_files_conn_busy(struct pu_files_conn *c);
/* Nothing more will be said. Waits a little until the other side has left: who closes with
 * something unread resets, and a node that ends takes along what it did not send yet. */
void pu_files_conn_finish(struct pu_files_conn *c);
/* Says why it ends, and finishes. */
void pu_files_conn_fail(struct pu_files_conn *c, enum pu_files_status s);

#endif
