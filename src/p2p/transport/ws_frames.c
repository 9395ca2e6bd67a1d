#include "p2p/transport/ws_frames.h"

#include <stdlib.h>
#include <wslay/wslay.h>

#include "base/err.h"
#include "base/wire.h"

struct pu_ws_frames {
	wslay_frame_context_ptr ctx;
	struct pu_loop *loop;
	bool client;
	struct pu_bytes in;
	struct pu_buf *out; /* only inside a write */
	bool in_message;    /* between the first and the last frame of a message */
	bool mid_frame;     /* the header was seen, some payload is missing */
	uint64_t missing;
	uint8_t control[PU_WS_CONTROL_MAX];
	size_t control_len;
};

/* What wslay calls. */

static ssize_t on_send(const uint8_t *p, size_t len, int flags, void *arg)
{
	struct pu_ws_frames *f = arg;

	return pu_buf_append(f->out, p, len) < 0 ? -1 : (ssize_t)len;
}

static ssize_t on_recv(uint8_t *p, size_t len, int flags, void *arg)
{
	struct pu_ws_frames *f = arg;
	size_t n = pu_min(len, f->in.len);

	if (n == 0)
		return -1;
	memcpy(p, f->in.p, n);
	f->in = pu_bytes(f->in.p + n, f->in.len - n);
	return (ssize_t)n;
}

static int on_mask(uint8_t *p, size_t len, void *arg)
{
	struct pu_ws_frames *f = arg;

	pu_loop_random(f->loop, p, len);
	return 0;
}

static const struct wslay_frame_callbacks callbacks = { on_send, on_recv, on_mask };

int pu_ws_frames_new(bool client, struct pu_loop *loop, struct pu_ws_frames **pf)
{
	struct pu_ws_frames *f = calloc(1, sizeof *f);

	if (!f)
		return PU_ENOMEM;
	f->client = client;
	f->loop = loop;
	if (wslay_frame_context_init(&f->ctx, &callbacks, f) < 0) {
		free(f);
		return PU_ENOMEM;
	}
	*pf = f;
	return 0;
}

void pu_ws_frames_free(struct pu_ws_frames *f)
{
	if (!f)
		return;
	wslay_frame_context_free(f->ctx);
	free(f);
}

/* Receiving. */

void pu_ws_frames_feed(struct pu_ws_frames *f, const uint8_t *p, size_t len)
{
	f->in = pu_bytes(p, len);
}

size_t pu_ws_frames_unread(const struct pu_ws_frames *f)
{
	return f->in.len;
}

/* The rules that a frame must obey beyond its own form. */
static int check_header(struct pu_ws_frames *f, const struct wslay_frame_iocb *io, unsigned *pclose)
{
	*pclose = PU_WS_CLOSE_PROTOCOL;
	if (io->rsv || !!io->mask == f->client)
		return PU_EPROTO;
	switch (io->opcode) {
	case WSLAY_BINARY_FRAME:
		if (f->in_message)
			return PU_EPROTO;
		break;
	case WSLAY_CONTINUATION_FRAME:
		if (!f->in_message)
			return PU_EPROTO;
		break;
	case WSLAY_PING:
	case WSLAY_PONG:
	case WSLAY_CONNECTION_CLOSE:
		f->control_len = 0;
		return 0;
	case WSLAY_TEXT_FRAME:
		*pclose = PU_WS_CLOSE_UNSUPPORTED;
		return PU_EPROTO;
	default:
		return PU_EPROTO;
	}
	if (io->payload_length > PU_WS_FRAME_MAX) {
		*pclose = PU_WS_CLOSE_TOO_BIG;
		return PU_E2BIG;
	}
	f->in_message = !io->fin;
	return 0;
}

static bool valid_close_code(unsigned code)
{
	if (code == 1004 || code == PU_WS_CLOSE_NONE || code == 1006 || code == 1015)
		return false;
	return (code >= 1000 && code < 1016) || (code >= 3000 && code < 5000);
}

static int finish_close(struct pu_ws_frames *f, struct pu_ws_piece *piece, unsigned *pclose)
{
	piece->type = PU_WS_CLOSE;
	piece->code = PU_WS_CLOSE_NONE;
	piece->payload = pu_bytes(NULL, 0);
	if (f->control_len == 0)
		return 0;
	*pclose = PU_WS_CLOSE_PROTOCOL;
	if (f->control_len < 2)
		return PU_EPROTO;
	piece->code = pu_get_be16(f->control);
	piece->payload = pu_bytes(f->control + 2, f->control_len - 2);
	return valid_close_code(piece->code) ? 0 : PU_EPROTO;
}

/* Control frames are short (wslay sees to that), but may come in pieces. */
static int take_control(struct pu_ws_frames *f, const struct wslay_frame_iocb *io,
			struct pu_ws_piece *piece, unsigned *pclose)
{
	memcpy(f->control + f->control_len, io->data, io->data_length);
	f->control_len += io->data_length;
	if (f->mid_frame)
		return PU_EAGAIN;
	if (io->opcode == WSLAY_CONNECTION_CLOSE)
		return finish_close(f, piece, pclose);
	piece->type = io->opcode == WSLAY_PING ? PU_WS_PING : PU_WS_PONG;
	piece->payload = pu_bytes(f->control, f->control_len);
	return 0;
}

static int take(struct pu_ws_frames *f, const struct wslay_frame_iocb *io,
		struct pu_ws_piece *piece, unsigned *pclose)
{
	int r;

	if (!f->mid_frame) {
		r = check_header(f, io, pclose);
		if (r < 0)
			return r;
		f->missing = io->payload_length;
	}
	f->missing -= io->data_length;
	f->mid_frame = f->missing > 0;
	if (wslay_is_ctrl_frame(io->opcode))
		return take_control(f, io, piece, pclose);
	if (io->data_length == 0)
		return PU_EAGAIN;
	piece->type = PU_WS_DATA;
	piece->payload = pu_bytes(io->data, io->data_length);
	return 0;
}

int pu_ws_frames_next(struct pu_ws_frames *f, struct pu_ws_piece *piece, unsigned *pclose)
{
	struct wslay_frame_iocb io;
	ssize_t n;
	int r;

	do {
		memset(&io, 0, sizeof io);
		n = wslay_frame_recv(f->ctx, &io);
		if (n == WSLAY_ERR_WANT_READ)
			return PU_EAGAIN;
		if (n < 0) {
			*pclose = PU_WS_CLOSE_PROTOCOL;
			return PU_EPROTO;
		}
		r = take(f, &io, piece, pclose);
	} while (r == PU_EAGAIN);
	return r;
}

/* Sending. */

static int write_frame(struct pu_ws_frames *f, uint8_t opcode, struct pu_bytes payload,
		       struct pu_buf *out)
{
	struct wslay_frame_iocb io = { .fin = 1, .opcode = opcode, .mask = f->client,
				       .payload_length = payload.len, .data = payload.p,
				       .data_length = payload.len };
	uint8_t *unused;
	ssize_t n;
	int r;

	if (wslay_is_ctrl_frame(opcode) && payload.len > PU_WS_CONTROL_MAX)
		return PU_E2BIG;
	/* All or nothing: wslay must never find the output full. */
	r = pu_buf_reserve(out, payload.len + PU_WS_HEADER_MAX, &unused);
	if (r < 0)
		return r;
	f->out = out;
	n = wslay_frame_send(f->ctx, &io);
	f->out = NULL;
	return n == (ssize_t)payload.len ? 0 : PU_ENOMEM;
}

int pu_ws_frames_write(struct pu_ws_frames *f, enum pu_ws_type type, struct pu_bytes payload,
		       struct pu_buf *out)
{
	switch (type) {
	case PU_WS_DATA:
		return write_frame(f, WSLAY_BINARY_FRAME, payload, out);
	case PU_WS_PING:
		return write_frame(f, WSLAY_PING, payload, out);
	case PU_WS_PONG:
		return write_frame(f, WSLAY_PONG, payload, out);
	case PU_WS_CLOSE:
		break;
	}
	return PU_EINVAL;
}

int pu_ws_frames_write_close(struct pu_ws_frames *f, unsigned code, struct pu_buf *out)
{
	uint8_t payload[2];

	pu_put_be16(payload, (uint16_t)code);
	return write_frame(f, WSLAY_CONNECTION_CLOSE,
			   pu_bytes(payload, code == PU_WS_CLOSE_NONE ? 0 : sizeof payload), out);
}
