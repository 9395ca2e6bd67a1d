#include "overlay/pair/pair.h"

#include <stdlib.h>

#include "base/err.h"
#include "crypto/hash.h"
#include "overlay/pair/pair_message.h"

enum { TIMEOUT_S = 30 };

struct pu_pair_request {
	struct pu_host *host;
	struct pu_host_request *req;
	struct pu_stream *st;
	struct pu_timer timer;
	struct pu_pair_ask ask;
	struct pu_buf in;
	pu_pair_fn *on_done;
	void *arg;
	struct pu_pair_result result; /* too large for a stack frame */
};

static void request_free(struct pu_pair_request *q)
{
	pu_timer_stop(&q->timer);
	pu_buf_deinit(&q->in);
	explicit_bzero(q->ask.token, sizeof q->ask.token);
	free(q);
}

/* The stream is the caller's affair. */
static void finish(struct pu_pair_request *q, int err)
{
	q->on_done(q->arg, err, err < 0 ? NULL : &q->result);
	request_free(q);
}

static void fail(struct pu_pair_request *q, int err)
{
	if (q->req)
		pu_host_cancel(q->host, q->req);
	if (q->st)
		pu_stream_reset(q->st, err == PU_EPROTO ? PU_STREAM_CODE_PROTOCOL
							: PU_STREAM_CODE_NONE);
	finish(q, err);
}

static void on_answer(struct pu_pair_request *q)
{
	struct pu_pair_result *res = &q->result;
	int r = pu_pair_message_parse_response(pu_buf_bytes(&q->in), pu_host_id(q->host), res);

	if (r == PU_EAGAIN)
		return;
	if (r == PU_EPROTO) {
		fail(q, r);
		return;
	}
	pu_hmac_sha256(pu_bytes(q->ask.token, sizeof q->ask.token), pu_bytes_str(res->group),
		       res->proof);
	pu_stream_close(q->st);
	finish(q, r);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_pair_request *q = arg;

	if (pu_buf_append(&q->in, p, len) < 0)
		fail(q, PU_EPROTO);
	else
		on_answer(q);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	fail(arg, PU_EPROTO);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	finish(arg, err);
}

static const struct pu_stream_events events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_pair_request *q = arg;
	uint8_t out[PU_PAIR_REQUEST_MAX];
	size_t len;

	q->req = NULL;
	if (err < 0) {
		finish(q, err);
		return;
	}
	q->st = st;
	pu_stream_set_events(st, &events, q);
	len = pu_pair_message_write_request(&q->ask, out);
	if (pu_stream_write(st, out, len) == len)
		pu_stream_shutdown(st);
	else
		fail(q, PU_ELIMIT);
	explicit_bzero(out, sizeof out);
}

static void on_timeout(void *arg)
{
	fail(arg, PU_ETIMEDOUT);
}

int pu_pair_redeem(struct pu_host *h, const struct pu_peerid *relay, const uint8_t token[16],
		   const char *name, pu_pair_fn *on_done, void *arg, struct pu_pair_request **pr)
{
	static const char *const protocols[] = { PU_PAIR_PROTOCOL, NULL };
	struct pu_pair_request *q = calloc(1, sizeof *q);
	struct pu_loop *loop = pu_host_loop(h);
	int r;

	if (!q)
		return PU_ENOMEM;
	q->host = h;
	q->on_done = on_done;
	q->arg = arg;
	memcpy(q->ask.token, token, sizeof q->ask.token);
	memcpy(q->ask.name, name, strnlen(name, sizeof q->ask.name - 1));
	pu_buf_init(&q->in, PU_PAIR_RESPONSE_MAX);
	pu_timer_init(&q->timer, loop, on_timeout, q);
	r = pu_host_open(h, relay, NULL, protocols, on_open, q, &q->req);
	if (r < 0) {
		request_free(q);
		return r;
	}
	pu_timer_set(&q->timer, pu_loop_now(loop) + PU_SEC(TIMEOUT_S));
	*pr = q;
	return 0;
}

void pu_pair_cancel(struct pu_pair_request *q)
{
	if (q->req)
		pu_host_cancel(q->host, q->req);
	if (q->st)
		pu_stream_reset(q->st, PU_STREAM_CODE_NONE);
	request_free(q);
}
