/* The contract of a multiplexed stream: implemented by yamux and QUIC, used by
 * everyone above. Bytes are pushed to the consumer, who may leave some behind.
 *
 * Life: the consumer sets its events as soon as it gets the stream and owns the
 * handle until it calls pu_stream_close() or pu_stream_reset(), or until
 * on_closed fires; after any of these it must not touch the stream again and
 * gets no more callbacks. Callbacks come from the loop or from input being
 * processed, never from inside a pu_stream_* call. Inside its own callbacks the
 * consumer may call any pu_stream_* function, also close and reset. A stream whose
 * two directions ended properly stays with its consumer until it closes it.
 */
#ifndef PU_P2P_STACK_STREAM_H
#define PU_P2P_STACK_STREAM_H

#include "base/bytes.h"

struct pu_conn;
struct pu_stream;

/* Reset codes of the libp2p error-code registry (specs #622). */
enum pu_stream_code {
	PU_STREAM_CODE_NONE = 0,
	PU_STREAM_CODE_NEGOTIATION = 0x1001,
	PU_STREAM_CODE_LIMIT = 0x1002,
	PU_STREAM_CODE_RATE = 0x1003,
	PU_STREAM_CODE_PROTOCOL = 0x1004,
	PU_STREAM_CODE_SUPPLANTED = 0x1005,
	PU_STREAM_CODE_GC = 0x1006,
	PU_STREAM_CODE_SHUTDOWN = 0x1007,
	PU_STREAM_CODE_GATED = 0x1008,
};

struct pu_stream_events {
	/* Bytes in order. Returns how many were taken (0 to len). Taken bytes are
	 * credited to the peer at once; the rest is kept by the stream and offered
	 * again after pu_stream_resume(), or together with newly arrived bytes. */
	size_t (*on_recv)(void *arg, struct pu_stream *st, const uint8_t *p, size_t len);
	/* The peer finished writing and everything was taken. Optional. */
	void (*on_eof)(void *arg, struct pu_stream *st);
	/* After a short pu_stream_write(): there is room again. Optional. */
	void (*on_writable)(void *arg, struct pu_stream *st);
	/* The stream is over without our doing: PU_ERESET (code says why),
	 * PU_ECLOSED (connection lost). */
	void (*on_closed)(void *arg, struct pu_stream *st, int err, uint32_t code);
};

struct pu_stream_ops {
	size_t (*write)(struct pu_stream *st, const uint8_t *p, size_t len);
	void (*shutdown)(struct pu_stream *st);
	void (*resume)(struct pu_stream *st);
	void (*close)(struct pu_stream *st);
	void (*reset)(struct pu_stream *st, uint32_t code);
	size_t (*room)(const struct pu_stream *st);
};

/* Common head of every implementation. */
struct pu_stream {
	const struct pu_stream_ops *ops;
	struct pu_conn *conn;
	uint64_t id;              /* muxer's id, unique on the connection */
	bool inbound;
	char protocol[256];       /* negotiated name, terminated; "" before */
	const struct pu_stream_events *ev; /* never NULL once handed to a consumer */
	void *arg;
};

/* Notes what was negotiated. */
static inline void pu_stream_set_protocol(struct pu_stream *st, const char *protocol)
{
	size_t len = strnlen(protocol, sizeof st->protocol - 1);

	memcpy(st->protocol, protocol, len);
	st->protocol[len] = '\0';
}

/* Gives the stream a (new) consumer; pending bytes are offered soon. */
static inline void pu_stream_set_events(struct pu_stream *st, const struct pu_stream_events *ev,
					void *arg)
{
	st->ev = ev;
	st->arg = arg;
	st->ops->resume(st);
}

/* Copies as much as the bounded send buffer takes; returns that number. After a
 * short count on_writable fires once there is room. Sent by the end of the turn. */
static inline size_t pu_stream_write(struct pu_stream *st, const void *p, size_t len)
{
	return st->ops->write(st, p, len);
}

/* Bytes that pu_stream_write() would take now. */
static inline size_t pu_stream_room(const struct pu_stream *st)
{
	return st->ops->room(st);
}

/* Half-close: no more writes from us. Reading goes on. */
static inline void pu_stream_shutdown(struct pu_stream *st)
{
	st->ops->shutdown(st);
}

/* The consumer wants the bytes that it left behind; on_recv comes from a job. */
static inline void pu_stream_resume(struct pu_stream *st)
{
	st->ops->resume(st);
}

/* Done: what was written is still delivered, what arrives is discarded. */
static inline void pu_stream_close(struct pu_stream *st)
{
	st->ops->close(st);
}

/* Abort both directions at once. */
static inline void pu_stream_reset(struct pu_stream *st, uint32_t code)
{
	st->ops->reset(st, code);
}

#endif
