/* A yamux session (hashicorp's specification, libp2p protocol /yamux/1.0.0): many
 * streams over one reliable, ordered byte pipe. It never touches a socket: bytes
 * that arrived are pushed in with pu_yamux_recv(), bytes to send are pulled out
 * with pu_yamux_output(). Streams follow the contract of p2p/stack/stream.h.
 *
 * Callbacks of streams and of the session come from pu_yamux_recv(), from
 * pu_yamux_abort(), or from a job or timer of the loop; never from any other
 * function of this header or of p2p/stack/stream.h. Never call
 * pu_yamux_recv() or pu_yamux_free() inside of a callback, nor pu_yamux_abort()
 * inside of a stream's. */
#ifndef PU_P2P_YAMUX_SESSION_H
#define PU_P2P_YAMUX_SESSION_H

#include "base/buf.h"
#include "base/loop.h"
#include "p2p/stack/conn.h"

#define PU_YAMUX_PROTOCOL "/yamux/1.0.0"

enum {
	PU_YAMUX_HEADER_LEN = 12,
	PU_YAMUX_DATA_MAX = 64 * 1024,        /* payload of a frame we send */
	PU_YAMUX_WINDOW_INITIAL = 256 * 1024, /* fixed by the protocol, each way */
	PU_YAMUX_WINDOW_MAX = 16 * 1024 * 1024,
	PU_YAMUX_SEND_MAX = 1024 * 1024,           /* unsent bytes per stream */
	PU_YAMUX_UNSENT_MAX = 16 * 1024 * 1024,    /* unsent bytes per session, but … */
	PU_YAMUX_UNSENT_SHARE = 64 * 1024,         /* … that much is every stream's own */
	PU_YAMUX_MEMORY_MAX = 64 * 1024 * 1024,    /* received, not taken, per session */
	PU_YAMUX_INBOUND_MAX = 256,
	PU_YAMUX_STREAMS_MAX = 450, /* before we open one more: rust ends at 512 */
	PU_YAMUX_UNACKED_MAX = 100, /* opens that the peer has not accepted yet */
	PU_YAMUX_PING_INTERVAL_S = 30,
	PU_YAMUX_PING_TIMEOUT_S = 10,
	PU_YAMUX_LINGER_S = 60, /* without progress a closed stream is reset */
};

/* Codes of a GoAway frame; others are pu_conn_code. */
enum pu_yamux_goaway {
	PU_YAMUX_GOAWAY_NORMAL = 0,
	PU_YAMUX_GOAWAY_PROTOCOL = 1,
	PU_YAMUX_GOAWAY_INTERNAL = 2,
};

struct pu_yamux;

struct pu_yamux_events {
	/* The peer opened a stream; from pu_yamux_recv(). The owner takes it and sets
	 * its events before returning (or closes or resets it). */
	void (*on_stream)(void *arg, struct pu_stream *st);
	/* Something was queued since the last pu_yamux_output(); from a job, at most
	 * once per turn. An owner whose pipe is full may ignore it and pull later. */
	void (*on_output)(void *arg);
	/* The peer ends the session; from pu_yamux_recv(). No more streams can be
	 * opened; streams may still have input. The owner is expected to go on to
	 * pu_yamux_abort() and to close the pipe. */
	void (*on_goaway)(void *arg, uint32_t code);
	/* The session is over for a reason that pu_yamux_recv() does not tell; from a
	 * job, once. PU_ETIMEDOUT: nothing came back for PU_YAMUX_PING_TIMEOUT_S after a
	 * ping; PU_ELIMIT, PU_ENOMEM. GoAway is queued. The owner aborts. */
	void (*on_dead)(void *arg, int err);
};

struct pu_yamux_config {
	struct pu_loop *loop;
	bool client;          /* we dialled: odd stream ids are ours */
	struct pu_conn *conn; /* goes into pu_stream.conn; its n_streams, rx_bytes and
			       * tx_bytes are kept here. NULL for tests. */
	unsigned max_inbound_streams; /* at once, more are reset; 0: PU_YAMUX_INBOUND_MAX */
	uint32_t max_window;          /* of one stream, 0: PU_YAMUX_WINDOW_MAX */
	size_t max_memory;            /* of all streams, 0: PU_YAMUX_MEMORY_MAX */
	size_t max_send;              /* of one stream, 0: PU_YAMUX_SEND_MAX */
	bool no_ping;                 /* neither keep-alive nor round-trip samples */
	const struct pu_yamux_events *ev; /* outlives the session */
	void *arg;
};

/* PU_ENOMEM. The first ping is queued at once. */
int pu_yamux_new(const struct pu_yamux_config *cfg, struct pu_yamux **pym);
/* Frees the session and what streams are left, without a callback: call
 * pu_yamux_abort() before when streams may still have consumers. */
void pu_yamux_free(struct pu_yamux *ym);

/* Takes all len bytes. 0, or negative when the session is over: PU_EPROTO (the
 * peer broke the protocol), PU_ELIMIT (it made us queue too many replies),
 * PU_ENOMEM; a GoAway frame is queued then, the owner sends it and aborts. Later
 * input is ignored and gives the same code. */
int pu_yamux_recv(struct pu_yamux *ym, const uint8_t *in, size_t len);

/* Appends whole frames to out, not more than max bytes nor than out has room for:
 * control frames first, then data of all streams in turn. Returns how many bytes
 * were appended; 0: nothing to send, or less room than a frame with a little data
 * needs (4 KiB are always enough). Marks streams writable; they hear it later. */
size_t pu_yamux_output(struct pu_yamux *ym, struct pu_buf *out, size_t max);
/* True when pu_yamux_output() would have something to append. */
bool pu_yamux_has_output(const struct pu_yamux *ym);

/* True when something was queued or put out, since this was last asked, that is more than an
 * answer to a ping: were those answered in turn, there would be no end to it. */
bool pu_yamux_spoke(struct pu_yamux *ym);

/* A new outbound stream; the caller sets its events before returning to the loop.
 * PU_ELIMIT: too many open or not yet accepted by the peer, try later; PU_ECLOSED:
 * either side ended the session; PU_ENOMEM. */
int pu_yamux_open(struct pu_yamux *ym, struct pu_stream **pst);

/* Queues GoAway with that code; from now on input is ignored, no stream data is
 * sent and no stream can be opened. Streams hear nothing until pu_yamux_abort().
 * Does nothing when the session is over already. */
void pu_yamux_close(struct pu_yamux *ym, uint32_t code);
/* The session is over. Every stream that still has a consumer hears
 * on_closed(err, 0) before this returns; err is negative, usually PU_ECLOSED. No
 * callback comes afterwards. What is queued up to GoAway (normal, when none was
 * before) can still be pulled; then pu_yamux_free() is left, and it may come later. */
void pu_yamux_abort(struct pu_yamux *ym, int err);

/* Sends a ping now unless one is under way: something comes back soon, or on_dead. */
void pu_yamux_probe(struct pu_yamux *ym);
/* Smoothed round trip by pings, 0 when not measured yet. */
pu_time pu_yamux_rtt(const struct pu_yamux *ym);
/* Streams in both directions that are not over, closed ones that still drain
 * included. */
unsigned pu_yamux_n_streams(const struct pu_yamux *ym);

struct pu_yamux_stats {
	uint64_t streams_in, streams_out;
	uint64_t streams_refused; /* inbound, over a limit */
	uint64_t resets_in, resets_out;
	uint64_t window_growths;
	size_t buffered; /* received, not taken by consumers */
	size_t unsent;   /* written, not sent */
	size_t held;     /* memory of all stream buffers, empty ones included */
	size_t windows;  /* sum of the receive windows granted */
};
void pu_yamux_stats(const struct pu_yamux *ym, struct pu_yamux_stats *out);

#endif
