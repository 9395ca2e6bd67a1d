/* A pipe on top of a pipe: what a WebSocket and a TLS client have in common.
 *
 * A filter may still be shaking hands while somebody uses it already: it takes no bytes
 * until then, and failure is told by on_error(). What it wants sent is appended to out,
 * which is empty whenever the pipe below takes everything; while it is not, nothing is
 * taken from above. */
#ifndef PU_P2P_STACK_FILTER_H
#define PU_P2P_STACK_FILTER_H

#include "base/buf.h"
#include "base/loop.h"
#include "p2p/stack/pipe.h"

struct pu_filter;

struct pu_filter_ops {
	/* Received bytes, borrowed until return. Returns how many were taken: all, unless
	 * pu_filter_busy() became true. len 0: goes on with what it kept when it was. */
	size_t (*recv)(struct pu_filter *f, const uint8_t *p, size_t len);
	/* Appends the wire form of the first bytes to out; returns how many (at least
	 * one), or PU_E… */
	int (*seal)(struct pu_filter *f, const uint8_t *b, size_t len);
	/* Appends what ends our direction. */
	void (*goodbye)(struct pu_filter *f);
	/* out has become empty. May be NULL. */
	void (*on_drained)(struct pu_filter *f);
	void (*free)(struct pu_filter *f);
};

/* Common head of every implementation. */
struct pu_filter {
	struct pu_pipe pipe; /* for those above */
	struct pu_pipe *below;
	const struct pu_filter_ops *ops;
	struct pu_buf out;
	struct pu_bytes left; /* delivered but not taken; the implementation keeps it valid */
	struct pu_job resume;
	unsigned depth;   /* of callbacks under way */
	bool open;        /* the handshake is over: bytes may pass */
	bool end_below;   /* behind our goodbye, end the pipe below, too */
	bool paused, want_write;
	bool shut, said_goodbye, ended_below;
	bool eof, told_eof;
	bool over;        /* failed: nothing passes any more */
	bool closed;      /* by its owner */
};

/* Takes over the pipe below, whose events become the filter's. out_max: of out. */
void pu_filter_init(struct pu_filter *f, struct pu_loop *loop, const struct pu_filter_ops *ops,
		    PU_TAKES struct pu_pipe *below, size_t out_max);

/* For implementations, from inside recv and on_drained. */

/* Bytes for those above, valid until the next recv. */
void pu_filter_deliver(struct pu_filter *f, const uint8_t *p, size_t len);
/* Nothing may be delivered now. */
static inline bool pu_filter_busy(const struct pu_filter *f)
{
	return f->paused || f->over || f->closed;
}
/* Handshake done. */
void pu_filter_open(struct pu_filter *f);
/* The peer ended its direction; what was delivered before comes first. */
void pu_filter_eof(struct pu_filter *f);
/* Ends our direction, as those above may: the goodbye follows what was written. */
void pu_filter_shut(struct pu_filter *f);
/* Broken: tells those above. */
void pu_filter_fail(struct pu_filter *f, int err);
/* 0 when out is empty now, PU_EAGAIN, or why the pipe below takes nothing more. */
int pu_filter_flush(struct pu_filter *f);

#endif
