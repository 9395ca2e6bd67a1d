#include "p2p/circuit/ask.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/hop.h"
#include "p2p/circuit/reader.h"

struct pu_circuit_ask {
	struct pu_host *h;
	enum pu_circuit_type type;
	struct pu_peerid target;
	struct pu_host_request *req; /* opens the stream */
	struct pu_stream *st;
	struct pu_circuit_reader reader;
	struct pu_timer timer;
	pu_circuit_ask_fn *fn;
	void *arg;
};

static void ask_free(struct pu_circuit_ask *ask)
{
	pu_timer_stop(&ask->timer);
	pu_circuit_reader_deinit(&ask->reader);
	free(ask);
}

static void fail(struct pu_circuit_ask *ask, int err)
{
	pu_circuit_ask_fn *fn = ask->fn;
	void *arg = ask->arg;

	if (ask->req)
		pu_host_cancel(ask->h, ask->req);
	if (ask->st)
		pu_stream_reset(ask->st, PU_STREAM_CODE_NONE);
	ask_free(ask);
	fn(arg, err, NULL, NULL);
}

static void answered(struct pu_circuit_ask *ask, struct pu_bytes body)
{
	pu_circuit_ask_fn *fn = ask->fn;
	void *arg = ask->arg;
	struct pu_stream *st = ask->st;
	struct pu_circuit_message *m = malloc(sizeof *m);
	int r = m ? pu_circuit_message_decode(PU_CIRCUIT_HOP, body, m) : PU_ENOMEM;

	if (r == 0 && m->type != PU_CIRCUIT_STATUS)
		r = PU_EPROTO;
	if (r < 0) {
		fail(ask, r);
	} else {
		ask_free(ask);
		fn(arg, 0, m, st);
	}
	free(m);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_circuit_ask *ask = arg;
	struct pu_bytes body;
	size_t taken;
	int r = pu_circuit_reader_feed(&ask->reader, p, len, &taken, &body);

	(void)st;
	if (r == 0)
		answered(ask, body);
	else if (r != PU_EAGAIN)
		fail(ask, r);
	return r == 0 || r == PU_EAGAIN ? taken : len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	fail(arg, PU_ECLOSED);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_circuit_ask *ask = arg;

	(void)st;
	(void)code;
	ask->st = NULL;
	fail(ask, err);
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static int send_question(struct pu_circuit_ask *ask)
{
	struct pu_circuit_message *m = calloc(1, sizeof *m);
	struct pu_buf out;
	int r = m ? 0 : PU_ENOMEM;

	pu_buf_init(&out, PU_CIRCUIT_MESSAGE_MAX + PU_UVARINT_MAX);
	if (r == 0) {
		m->type = ask->type;
		m->peer = ask->target;
		r = pu_circuit_message_encode(PU_CIRCUIT_HOP, m, &out);
	}
	if (r == 0 && pu_stream_write(ask->st, pu_buf_bytes(&out).p, out.len) < out.len)
		r = PU_ELIMIT;
	pu_buf_deinit(&out);
	free(m);
	return r;
}

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct pu_circuit_ask *ask = arg;

	ask->req = NULL;
	if (err == 0) {
		ask->st = st;
		pu_stream_set_events(st, &stream_events, ask);
		err = send_question(ask);
	}
	if (err < 0)
		fail(ask, err);
}

static void on_timeout(void *arg)
{
	fail(arg, PU_ETIMEDOUT);
}

int pu_circuit_ask(struct pu_host *h, struct pu_conn *c, enum pu_circuit_type type,
		   const struct pu_peerid *target, pu_time timeout, pu_circuit_ask_fn *fn,
		   void *arg, struct pu_circuit_ask **pask)
{
	static const char *const protocols[] = { PU_HOP_PROTOCOL, NULL };
	struct pu_circuit_ask *ask = calloc(1, sizeof *ask);
	int r;

	if (!ask)
		return PU_ENOMEM;
	ask->h = h;
	ask->type = type;
	if (target)
		ask->target = *target;
	ask->fn = fn;
	ask->arg = arg;
	pu_circuit_reader_init(&ask->reader);
	pu_timer_init(&ask->timer, pu_host_loop(h), on_timeout, ask);
	r = pu_host_open(h, &c->peer, c, protocols, on_open, ask, &ask->req);
	if (r < 0) {
		ask_free(ask);
		return r;
	}
	pu_timer_set(&ask->timer, pu_loop_now(pu_host_loop(h)) + timeout);
	*pask = ask;
	return 0;
}

void pu_circuit_ask_cancel(struct pu_circuit_ask *ask)
{
	if (ask->req)
		pu_host_cancel(ask->h, ask->req);
	if (ask->st)
		pu_stream_reset(ask->st, PU_STREAM_CODE_NONE);
	ask_free(ask);
}

int pu_circuit_ask_err(uint32_t status)
{
	switch (status) {
	case PU_CIRCUIT_OK:
		return 0;
	case PU_CIRCUIT_RESERVATION_REFUSED:
	case PU_CIRCUIT_PERMISSION_DENIED:
		return PU_EDENIED;
	case PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED:
		return PU_ELIMIT;
	case PU_CIRCUIT_CONNECTION_FAILED:
	case PU_CIRCUIT_NO_RESERVATION:
		return PU_EUNREACH;
	}
	return PU_EPROTO;
}
