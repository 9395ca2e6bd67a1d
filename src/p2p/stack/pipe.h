/* The contract of an ordered byte pipe below the security channel: a TCP socket
 * (transport/tcp.c), a WebSocket or a relayed stream.
 *
 * All callbacks come from the loop, never from inside a call. After close() no
 * callback fires and the pipe is gone. */
#ifndef PU_P2P_STACK_PIPE_H
#define PU_P2P_STACK_PIPE_H

#include "base/bytes.h"

struct pu_pipe;
struct pu_tcp_progress; /* p2p/transport/net.h */

struct pu_pipe_events {
	/* Borrowed bytes; returns how many were taken. Fewer than len pauses reading
	 * until resume(); the rest is offered again then. */
	size_t (*on_recv)(void *arg, const uint8_t *p, size_t len);
	/* The peer ended its direction and everything was taken. */
	void (*on_eof)(void *arg);
	/* After a short write. */
	void (*on_writable)(void *arg);
	/* Broken; close() is still to be called. */
	void (*on_error)(void *arg, int err);
};

struct pu_pipe_ops {
	/* Takes what fits: number of bytes, possibly 0 (on_writable follows), or
	 * PU_ECLOSED. */
	int (*write)(struct pu_pipe *p, const uint8_t *b, size_t len);
	void (*resume)(struct pu_pipe *p);
	/* Ends our direction behind what was written. */
	void (*shutdown)(struct pu_pipe *p);
	/* abort: forget what is not sent yet. */
	void (*close)(struct pu_pipe *p, bool abort);
	/* What the other end's system acknowledges. False, or NULL: not known. */
	bool (*progress)(struct pu_pipe *p, struct pu_tcp_progress *out);
};

/* Common head of every implementation. */
struct pu_pipe {
	const struct pu_pipe_ops *ops;
	const struct pu_pipe_events *ev; /* set by the consumer before the next turn */
	void *arg;
};

#endif
