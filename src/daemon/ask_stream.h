/* The event stream of a running daemon (GET /v1/events), read as it comes. */
#ifndef PU_DAEMON_ASK_STREAM_H
#define PU_DAEMON_ASK_STREAM_H

#include "daemon/ask.h"

enum {
	PU_ASK_EVENT_MAX = 64 * 1024, /* bytes of one event */
	PU_ASK_KIND_MAX = 64,
};

struct pu_ask_stream;

struct pu_ask_event {
	char kind[PU_ASK_KIND_MAX]; /* "peer_connected" … */
	const char *data;           /* JSON, valid until the next call */
};

/* Asks for path and waits until the daemon agreed. Errors and pstatus as pu_ask_data(). */
int pu_ask_stream_open(const struct pu_ask_target *to, const char *path,
		       struct pu_ask_stream **ps, int *pstatus, struct pu_failure *why);
void pu_ask_stream_free(struct pu_ask_stream *s);

/* Readable when pu_ask_stream_next() may have something; only to be polled. */
int pu_ask_stream_fd(const struct pu_ask_stream *s);
/* The next event; what was received already comes first. timeout_ms < 0: wait for ever.
 * PU_EAGAIN: none within that time; PU_EEOF: the daemon ended; PU_E2BIG, PU_ENOMEM, … */
int pu_ask_stream_next(struct pu_ask_stream *s, int timeout_ms, struct pu_ask_event *out);

#endif
