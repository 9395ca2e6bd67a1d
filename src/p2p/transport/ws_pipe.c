#include "p2p/transport/ws_pipe.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/stack/filter.h"
#include "p2p/transport/ws_frames.h"
#include "p2p/transport/ws_http.h"

enum {
	PAYLOAD_MAX = 64 * 1024, /* of our frames */
	/* Behind a data frame there is always room for a pong and a close. */
	OUT_MAX = PAYLOAD_MAX + PU_WS_HEADER_MAX + 2 * (PU_WS_CONTROL_MAX + PU_WS_HEADER_MAX),
};

struct ws {
	struct pu_filter f;
	bool client;
	struct pu_ws_http_key key;
	struct pu_buf head; /* of the handshake, until it is whole */
	struct pu_ws_frames *frames;
	bool got_close;
	unsigned close_code; /* for our goodbye */
	/* The answer to the latest ping that could not be sent yet. */
	bool owe_pong;
	size_t pong_len;
	uint8_t pong[PU_WS_CONTROL_MAX];
};

static struct ws *of(struct pu_filter *f)
{
	return PU_CONTAINER_OF(f, struct ws, f);
}

/* Handshake. */

/* Whatever fits of an explanation leaves before those above close us. */
static void fail(struct ws *ws, int err)
{
	pu_filter_flush(&ws->f);
	pu_filter_fail(&ws->f, err);
}

static void refused(struct ws *ws, int err, unsigned status)
{
	if (ws->client)
		pu_log(PU_LOG_DEBUG, "ws", "server refused", PU_KV_U64("status", status),
		       PU_KV_ERR(err));
	else
		pu_ws_http_refuse(status, &ws->f.out);
	fail(ws, err);
}

static void opened(struct ws *ws)
{
	pu_buf_clear(&ws->head, 0);
	pu_filter_open(&ws->f);
}

static void handle_head(struct ws *ws, struct pu_bytes head)
{
	unsigned status = 0;
	int r;

	if (ws->client) {
		r = pu_ws_http_check_response(head, &ws->key, &status);
	} else {
		r = pu_ws_http_check_request(head, &ws->key, &status);
		if (r == 0)
			r = pu_ws_http_accept(&ws->key, &ws->f.out);
	}
	if (r < 0)
		refused(ws, r, status);
	else
		opened(ws);
}

/* Takes what belongs to the head; returns how much of the input that was. */
static size_t shake(struct ws *ws, const uint8_t *p, size_t len)
{
	size_t before = ws->head.len, n = pu_min(len, PU_WS_HTTP_HEAD_MAX - before);
	int r = pu_buf_append(&ws->head, p, n);

	if (r == 0)
		r = pu_ws_http_head(pu_buf_bytes(&ws->head).p, ws->head.len, before);
	if (r == PU_EAGAIN)
		return n;
	if (r < 0) {
		refused(ws, r, 431);
		return len;
	}
	handle_head(ws, pu_bytes(pu_buf_bytes(&ws->head).p, (size_t)r));
	return (size_t)r - before;
}

/* Frames. */

static void send_pong(struct ws *ws)
{
	if (!ws->owe_pong || ws->f.said_goodbye ||
	    pu_ws_frames_write(ws->frames, PU_WS_PONG, pu_bytes(ws->pong, ws->pong_len),
			       &ws->f.out) < 0)
		return;
	ws->owe_pong = false;
}

/* A peer that pings without reading gets an answer to its latest ping only. */
static void handle_ping(struct ws *ws, struct pu_bytes payload)
{
	memcpy(ws->pong, payload.p, payload.len);
	ws->pong_len = payload.len;
	ws->owe_pong = true;
	if (pu_filter_flush(&ws->f) == 0)
		send_pong(ws);
}

/* We agree with a close of our own; nothing may be sent behind it. */
static void handle_close(struct ws *ws, unsigned code)
{
	ws->got_close = true;
	ws->close_code = code;
	pu_filter_shut(&ws->f);
	pu_filter_eof(&ws->f);
}

static void broken(struct ws *ws, int err, unsigned code)
{
	if (!ws->f.said_goodbye)
		pu_ws_frames_write_close(ws->frames, code, &ws->f.out);
	fail(ws, err);
}

static void handle_piece(struct ws *ws, const struct pu_ws_piece *piece)
{
	switch (piece->type) {
	case PU_WS_DATA:
		pu_filter_deliver(&ws->f, piece->payload.p, piece->payload.len);
		break;
	case PU_WS_PING:
		handle_ping(ws, piece->payload);
		break;
	case PU_WS_PONG:
		break;
	case PU_WS_CLOSE:
		handle_close(ws, piece->code);
		break;
	}
}

static size_t unframe(struct ws *ws, const uint8_t *p, size_t len)
{
	struct pu_ws_piece piece;
	unsigned code = PU_WS_CLOSE_PROTOCOL;
	size_t unread;

	pu_ws_frames_feed(ws->frames, p, len);
	while (!pu_filter_busy(&ws->f) && !ws->got_close) {
		int r = pu_ws_frames_next(ws->frames, &piece, &code);

		if (r == 0)
			handle_piece(ws, &piece);
		else if (r != PU_EAGAIN)
			broken(ws, r, code);
		if (r < 0)
			break;
	}
	unread = ws->got_close ? 0 : pu_ws_frames_unread(ws->frames);
	pu_ws_frames_feed(ws->frames, NULL, 0);
	return len - unread;
}

static size_t ws_recv(struct pu_filter *f, const uint8_t *p, size_t len)
{
	struct ws *ws = of(f);
	size_t n = 0;

	if (!f->open && len > 0)
		n = shake(ws, p, len);
	if (f->open && !pu_filter_busy(f))
		n += unframe(ws, n ? p + n : p, len - n);
	return n;
}

static int ws_seal(struct pu_filter *f, const uint8_t *b, size_t len)
{
	size_t n = pu_min(len, PAYLOAD_MAX);
	int r = pu_ws_frames_write(of(f)->frames, PU_WS_DATA, pu_bytes(b, n), &f->out);

	return r < 0 ? r : (int)n;
}

static void ws_goodbye(struct pu_filter *f)
{
	pu_ws_frames_write_close(of(f)->frames, of(f)->close_code, &f->out);
}

static void ws_drained(struct pu_filter *f)
{
	send_pong(of(f));
}

static void ws_free(struct pu_filter *f)
{
	struct ws *ws = of(f);

	pu_buf_deinit(&ws->head);
	pu_ws_frames_free(ws->frames);
	free(ws);
}

static const struct pu_filter_ops ws_ops = {
	.recv = ws_recv,
	.seal = ws_seal,
	.goodbye = ws_goodbye,
	.on_drained = ws_drained,
	.free = ws_free,
};

/* Birth. */

static int ws_new(struct pu_loop *loop, struct pu_pipe *below, bool client, struct ws **pws)
{
	struct ws *ws = calloc(1, sizeof *ws);
	int r = ws ? pu_ws_frames_new(client, loop, &ws->frames) : PU_ENOMEM;

	if (r < 0) {
		free(ws);
		below->ops->close(below, true);
		return r;
	}
	ws->client = client;
	ws->close_code = PU_WS_CLOSE_NORMAL;
	pu_buf_init(&ws->head, PU_WS_HTTP_HEAD_MAX);
	pu_filter_init(&ws->f, loop, &ws_ops, below, OUT_MAX);
	*pws = ws;
	return 0;
}

int pu_ws_pipe_client(struct pu_loop *loop, PU_TAKES struct pu_pipe *below, const char *host,
		      struct pu_pipe **pp)
{
	struct ws *ws;
	int r = ws_new(loop, below, true, &ws);

	if (r < 0)
		return r;
	pu_ws_http_key_new(loop, &ws->key);
	r = pu_ws_http_request(host, &ws->key, &ws->f.out);
	if (r < 0) {
		ws->f.pipe.ops->close(&ws->f.pipe, true);
		return r;
	}
	pu_filter_flush(&ws->f); /* a broken pipe tells by on_error */
	*pp = &ws->f.pipe;
	return 0;
}

int pu_ws_pipe_server(struct pu_loop *loop, PU_TAKES struct pu_pipe *below, struct pu_pipe **pp)
{
	struct ws *ws;
	int r = ws_new(loop, below, false, &ws);

	if (r < 0)
		return r;
	*pp = &ws->f.pipe;
	return 0;
}
