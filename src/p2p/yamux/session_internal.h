/* The session as its own files see it. */
#ifndef PU_P2P_YAMUX_SESSION_INTERNAL_H
#define PU_P2P_YAMUX_SESSION_INTERNAL_H

#include "base/htab.h"
#include "p2p/yamux/frame.h"
#include "p2p/yamux/ping.h"
#include "p2p/yamux/session.h"
#include "p2p/yamux/stream.h"

/* Frames that belong to no live stream (ping replies, resets): a peer that makes us
 * queue more does not read. */
enum { PU_YAMUX_CTL_MAX = 64 * 1024 };

enum pu_yamux_state {
	PU_YAMUX_OPEN,
	PU_YAMUX_LEAVING, /* our GoAway is queued; neither input nor data any more */
	PU_YAMUX_DEAD,    /* aborted: nobody is told anything any more */
};

/* Where the input stands: a partial header, or in the body of a Data frame. */
struct pu_yamux_input {
	uint8_t header[PU_YAMUX_HEADER_LEN];
	size_t n_header;
	uint32_t body_left;
	struct pu_yamux_stream *st; /* owner of the body; NULL: discard */
	bool fin;                   /* after the body */
};

struct pu_yamux {
	struct pu_loop *loop;
	struct pu_conn *conn; /* may be NULL */
	const struct pu_yamux_events *ev;
	void *arg;
	bool client, no_ping;
	unsigned max_inbound;
	uint32_t max_window;
	size_t max_memory, max_send;

	enum pu_yamux_state state;
	int err;           /* what pu_yamux_recv() returns */
	int failure;       /* to be told by on_dead from the job */
	bool peer_leaving; /* GoAway received */
	uint32_t next_id;
	unsigned n_streams, n_inbound, n_unacked;
	struct pu_htab by_id;
	struct pu_list streams, graveyard;
	struct pu_list todo, ctl_streams, data_streams, lingering;
	struct pu_timer linger_timer;
	struct pu_job job;
	bool output_news; /* on_output is due */
	bool spoke;       /* see pu_yamux_spoke() */
	struct pu_buf ctl;
	struct pu_yamux_input in;
	struct pu_yamux_ping ping;
	struct pu_yamux_stats stats;
};

/* Queues a frame without payload for the control queue. A full queue ends the
 * session with PU_ELIMIT, see pu_yamux_fail(). */
void pu_yamux_queue_frame(struct pu_yamux *ym, enum pu_yamux_type type, uint16_t flags,
			  uint32_t id, uint32_t len);
/* Ends the session for a reason found outside of pu_yamux_recv(): GoAway is queued,
 * on_dead comes from the job. */
void pu_yamux_fail(struct pu_yamux *ym, int err);
/* Makes the session's job run this turn. */
void pu_yamux_wake(struct pu_yamux *ym);
/* Same, with something new for pu_yamux_output(). */
void pu_yamux_wake_output(struct pu_yamux *ym);
struct pu_yamux_stream *pu_yamux_find(struct pu_yamux *ym, uint32_t id);
/* Gives back what the buffers of quiet streams hold. Called now and then. */
void pu_yamux_trim(struct pu_yamux *ym);
/* (Re-)arms the timer for the first of ym->lingering. */
void pu_yamux_linger_arm(struct pu_yamux *ym);

#endif
