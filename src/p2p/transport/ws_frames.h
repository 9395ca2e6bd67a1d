/* WebSocket frames (RFC 6455 §5) in memory, no I/O: what is received is cut into pieces of
 * payload as it comes, what is sent becomes one frame per call. wslay does the bits. */
#ifndef PU_P2P_TRANSPORT_WS_FRAMES_H
#define PU_P2P_TRANSPORT_WS_FRAMES_H

#include "base/buf.h"
#include "base/loop.h"

struct pu_ws_frames;

enum {
	/* A longer frame is refused. It would cost no memory; nobody has reason to. */
	PU_WS_FRAME_MAX = 16 << 20,
	PU_WS_HEADER_MAX = 14,
	PU_WS_CONTROL_MAX = 125,
	PU_WS_CLOSE_NORMAL = 1000,
	PU_WS_CLOSE_PROTOCOL = 1002,
	PU_WS_CLOSE_UNSUPPORTED = 1003,
	PU_WS_CLOSE_NONE = 1005, /* never on the wire: no code was given */
	PU_WS_CLOSE_TOO_BIG = 1009,
};

enum pu_ws_type {
	PU_WS_DATA, /* piece of a binary message; where messages end has no meaning */
	PU_WS_PING,
	PU_WS_PONG,
	PU_WS_CLOSE,
};

struct pu_ws_piece {
	enum pu_ws_type type;
	struct pu_bytes payload; /* valid until the next call; of close: the reason */
	unsigned code;           /* of close */
};

/* client: we mask, the peer must not; else the other way round. PU_ENOMEM. */
int pu_ws_frames_new(bool client, struct pu_loop *loop, struct pu_ws_frames **pf);
void pu_ws_frames_free(struct pu_ws_frames *f);

/* Input for pu_ws_frames_next(), borrowed until the next feed. */
void pu_ws_frames_feed(struct pu_ws_frames *f, const uint8_t *p, size_t len);
/* What of the input was not read yet; some more may be kept inside. */
size_t pu_ws_frames_unread(const struct pu_ws_frames *f);
/* PU_EAGAIN: the input is used up. PU_EPROTO, PU_E2BIG: *pclose is the code for our own
 * close frame; nothing may be read afterwards. */
int pu_ws_frames_next(struct pu_ws_frames *f, struct pu_ws_piece *piece, unsigned *pclose);

/* Appends a frame of PU_WS_DATA, PU_WS_PING or PU_WS_PONG. PU_ELIMIT: out has no room for
 * payload and PU_WS_HEADER_MAX; nothing was appended. PU_E2BIG: too much for a ping. */
int pu_ws_frames_write(struct pu_ws_frames *f, enum pu_ws_type type, struct pu_bytes payload,
		       struct pu_buf *out);
/* The last frame. code may be PU_WS_CLOSE_NONE. */
int pu_ws_frames_write_close(struct pu_ws_frames *f, unsigned code, struct pu_buf *out);

#endif
