/* Shared by tcp_uv.c and tcp_listen_uv.c. */
#ifndef PU_P2P_TRANSPORT_TCP_UV_INTERNAL_H
#define PU_P2P_TRANSPORT_TCP_UV_INTERNAL_H

#include <uv.h>

#include "base/buf.h"
#include "p2p/transport/tcp_uv.h"

struct pu_tcp {
	struct pu_tcp_uv *uv;
	uv_poll_t poll;
	int fd;
	int watched; /* events asked of libuv */
	bool connecting, want_write;
	bool paused; /* the consumer left something behind, or is new */
	bool ended;  /* end of input or an error was told */
	bool closed;
	struct pu_buf rest; /* what it left */
	struct pu_job offer;
	const struct pu_tcp_events *ev;
	void *arg;
};

/* A handle for a connected or connecting descriptor, which is closed on failure. */
int pu_tcp_uv_wrap(struct pu_tcp_uv *u, int fd, struct pu_tcp **pt);

#endif
