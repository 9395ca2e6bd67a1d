/* An ordered, flow-controlled byte stream to a peer.
 *
 * Life: it is yours from the callback that hands it out (peerup_stream_fn,
 * peerup_open_fn), which must call peerup_stream_set_events() before it returns, or
 * close or reset the stream; a forgotten one is reset. It stops being yours with
 * peerup_stream_close(), peerup_stream_reset() or on_closed: do not touch it after any
 * of these, it has no more callbacks either. Inside its callbacks every function below
 * is allowed. */
#ifndef PEERUP_STREAM_H
#define PEERUP_STREAM_H

#include "peerup/error.h"
#include "peerup/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct peerup_stream;

struct peerup_stream_events {
	/* Bytes in order. Returns how many were taken, 0 to len. The peer may send more as
	 * you take; the rest is offered again after peerup_stream_resume(), or together
	 * with new bytes. NULL: what arrives is thrown away. */
	size_t (*on_recv)(void *arg, struct peerup_stream *st, const uint8_t *p, size_t len);
	/* The peer finished writing and everything was taken. Writing goes on. Optional. */
	void (*on_eof)(void *arg, struct peerup_stream *st);
	/* There is room again after a short peerup_stream_write(). Optional. */
	void (*on_writable)(void *arg, struct peerup_stream *st);
	/* Over without your doing: PEERUP_ERESET (code: why, as the peer said),
	 * PEERUP_ECLOSED (the connection is lost or the host closed). Optional. */
	void (*on_closed)(void *arg, struct peerup_stream *st, int err, uint32_t code);
};

/* ev must live as long as the stream. May be called again for another consumer. */
PEERUP_API void peerup_stream_set_events(struct peerup_stream *st,
					 const struct peerup_stream_events *ev, void *arg);

/* Copies what the bounded send buffer takes; returns that number. After a short count
 * on_writable follows. */
PEERUP_API size_t peerup_stream_write(struct peerup_stream *st, const void *p, size_t len);
/* Bytes that peerup_stream_write() would take now. */
PEERUP_API size_t peerup_stream_room(const struct peerup_stream *st);
/* Offers what on_recv left behind again, soon. */
PEERUP_API void peerup_stream_resume(struct peerup_stream *st);
/* No more writing; the peer sees the end behind what was written. Reading goes on. */
PEERUP_API void peerup_stream_shutdown(struct peerup_stream *st);
/* Done: what was written is still delivered, what arrives is thrown away. */
PEERUP_API void peerup_stream_close(struct peerup_stream *st);
/* Aborts both directions at once. code: for the peer, 0 if there is nothing to say. */
PEERUP_API void peerup_stream_reset(struct peerup_stream *st, uint32_t code);

/* These live as long as the stream. */
PEERUP_API const char *peerup_stream_peer(const struct peerup_stream *st);
PEERUP_API const char *peerup_stream_protocol(const struct peerup_stream *st);
PEERUP_API bool peerup_stream_is_inbound(const struct peerup_stream *st);

#ifdef __cplusplus
}
#endif
#endif
