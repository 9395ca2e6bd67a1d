/* The receive window of one stream: what the peer may still send, what it gets
 * back for bytes that the consumer took, and when the window grows.
 *
 * Always: allowed + credit + (received and not taken) == size. */
#ifndef PU_P2P_YAMUX_WINDOW_H
#define PU_P2P_YAMUX_WINDOW_H

#include "base/bytes.h"

struct pu_yamux_window {
	uint32_t size;
	uint32_t max;     /* size never grows beyond */
	uint32_t allowed; /* the peer may send that much now */
	uint32_t credit;  /* to be announced */
	uint32_t taken;   /* by the consumer in this epoch; an epoch is one full window */
	pu_time epoch;    /* when it began */
};

/* Starts with PU_YAMUX_WINDOW_INITIAL. */
void pu_yamux_window_init(struct pu_yamux_window *w, uint32_t max, pu_time now);
/* n bytes arrived. PU_EPROTO when the peer was not allowed to send them. */
int pu_yamux_window_recv(struct pu_yamux_window *w, uint32_t n);
/* The consumer took n bytes. A full window taken within four round trips means that
 * the window holds the sender back: it doubles, by budget at most. Returns the
 * growth. */
uint32_t pu_yamux_window_take(struct pu_yamux_window *w, uint32_t n, pu_time now, pu_time rtt,
			      size_t budget);
/* True when there is enough credit (half a window) to be worth a frame. */
bool pu_yamux_window_due(const struct pu_yamux_window *w);
/* All credit, which counts as announced from now on. */
uint32_t pu_yamux_window_announce(struct pu_yamux_window *w);

#endif
