/* Pings of our own: keep-alive and round-trip samples of one session. */
#ifndef PU_P2P_YAMUX_PING_H
#define PU_P2P_YAMUX_PING_H

#include "base/loop.h"

struct pu_yamux;

struct pu_yamux_ping {
	struct pu_yamux *ym;
	struct pu_timer timer; /* next request, or the time-out of the last one */
	bool waiting;          /* for the reply to value */
	uint32_t value;
	pu_time sent;
	pu_time last_input; /* any bytes of the peer are a sign of life */
	pu_time rtt;        /* smoothed, 0 before the first sample */
};

/* Queues the first request. */
void pu_yamux_ping_start(struct pu_yamux_ping *pg, struct pu_yamux *ym);
/* Not before the next interval, but at once; nothing when one is under way. */
void pu_yamux_ping_now(struct pu_yamux_ping *pg);
void pu_yamux_ping_stop(struct pu_yamux_ping *pg);
/* A reply with that value. One that we do not wait for is ignored, as go does. */
void pu_yamux_ping_on_reply(struct pu_yamux_ping *pg, uint32_t value);

#endif
