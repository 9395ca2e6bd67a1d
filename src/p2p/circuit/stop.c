/* Circuits that relays bring: the stop protocol, then a handshake as responder. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/reader.h"
#include "p2p/circuit/transport_internal.h"

/* A circuit on its way to a connection. */
struct pending {
	struct pu_list node;
	struct pu_circuit_transport *tr;
	struct pu_stream *st; /* until the relay has said who calls */
	struct pu_circuit_reader reader;
	struct pu_timer timer;
	struct pu_upgrade *up; /* from then on */
	struct pu_circuit_pipe *pipe;
	struct pu_peerid relay, peer;
};

static void pending_free(struct pending *p)
{
	pu_list_remove(&p->node);
	p->tr->n_pending--;
	pu_timer_stop(&p->timer);
	pu_circuit_reader_deinit(&p->reader);
	free(p);
}

static void failed(struct pending *p, int err)
{
	struct pu_circuit_transport *tr = p->tr;
	char relay[PU_PEERID_SHORT_MAX], peer[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_DEBUG, "circuit", "inbound failed",
	       PU_KV_STR("relay", pu_peerid_short(&p->relay, relay)),
	       PU_KV_STR("peer", pu_peerid_short(&p->peer, peer)), PU_KV_ERR(err));
	pending_free(p);
	if (tr->cfg.ev->on_inbound_failed)
		tr->cfg.ev->on_inbound_failed(tr->cfg.arg, NULL, err);
}

/* Answers. */

static bool say(struct pu_stream *st, uint32_t status)
{
	struct pu_circuit_message *m = calloc(1, sizeof *m);
	struct pu_buf out;
	bool ok = false;

	pu_buf_init(&out, PU_CIRCUIT_MESSAGE_MAX + PU_UVARINT_MAX);
	if (m) {
		m->type = PU_CIRCUIT_STATUS;
		m->status = status;
		ok = pu_circuit_message_encode(PU_CIRCUIT_STOP, m, &out) == 0 &&
		     pu_stream_write(st, pu_buf_bytes(&out).p, out.len) == out.len;
	}
	pu_buf_deinit(&out);
	free(m);
	return ok;
}

static void refuse_stream(struct pu_stream *st, uint32_t status)
{
	if (say(st, status))
		pu_stream_close(st);
	else
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
}

static void refuse(struct pending *p, uint32_t status, int err)
{
	p->tr->stats.malformed++;
	refuse_stream(p->st, status);
	failed(p, err);
}

/* The handshake. */

static void upgraded(void *arg, int err, struct pu_conn *c)
{
	struct pending *p = arg;
	struct pu_circuit_transport *tr = p->tr;

	p->up = NULL;
	if (err < 0) {
		failed(p, err);
		return;
	}
	p->pipe->conn = c;
	tr->stats.accepted++;
	pending_free(p);
	tr->cfg.ev->on_inbound(tr->cfg.arg, c);
}

static void start_upgrade(struct pending *p, const struct pu_circuit_message *m)
{
	struct pu_circuit_transport *tr = p->tr;
	struct pu_stream *st = p->st;
	struct pu_upgrade_config uc = pu_circuit_upgrade_config(tr, st->conn);
	int r;

	p->st = NULL;
	pu_timer_stop(&p->timer);
	r = pu_circuit_pipe_new(st, &tr->pipes, &p->pipe);
	if (r == 0) {
		p->pipe->limit = pu_circuit_limit_from(tr->h, &p->relay, m);
		uc.expected = &p->peer;
		uc.inbound = true;
		uc.timeout = PU_SEC(PU_CIRCUIT_HANDSHAKE_TIMEOUT_S);
		r = pu_upgrade_start(&uc, &p->pipe->pipe, upgraded, p, &p->up);
	}
	if (r < 0)
		failed(p, r);
}

/* Who calls? Neither we nor the relay itself need a relay for that. */

static void called(struct pending *p, const struct pu_circuit_message *m)
{
	if (m->type != PU_CIRCUIT_CONNECT) {
		refuse(p, PU_CIRCUIT_UNEXPECTED_MESSAGE, PU_EPROTO);
		return;
	}
	if (pu_peerid_empty(&m->peer) || pu_peerid_eq(&m->peer, &p->relay) ||
	    pu_peerid_eq(&m->peer, pu_host_id(p->tr->h))) {
		refuse(p, PU_CIRCUIT_MALFORMED_MESSAGE, PU_EPROTO);
		return;
	}
	p->peer = m->peer;
	if (!say(p->st, PU_CIRCUIT_OK)) {
		pu_stream_reset(p->st, PU_STREAM_CODE_LIMIT);
		failed(p, PU_ELIMIT);
		return;
	}
	start_upgrade(p, m);
}

static void on_message(struct pending *p, struct pu_bytes body)
{
	struct pu_circuit_message *m = malloc(sizeof *m);
	int r = m ? pu_circuit_message_decode(PU_CIRCUIT_STOP, body, m) : PU_ENOMEM;

	if (r < 0)
		refuse(p, PU_CIRCUIT_MALFORMED_MESSAGE, r);
	else
		called(p, m);
	free(m);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *b, size_t len)
{
	struct pending *p = arg;
	struct pu_bytes body;
	size_t taken;
	int r = pu_circuit_reader_feed(&p->reader, b, len, &taken, &body);

	(void)st;
	if (r == 0)
		on_message(p, body);
	else if (r != PU_EAGAIN)
		refuse(p, PU_CIRCUIT_MALFORMED_MESSAGE, r);
	return r == 0 || r == PU_EAGAIN ? taken : len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	refuse(arg, PU_CIRCUIT_MALFORMED_MESSAGE, PU_EPROTO);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)st;
	(void)code;
	failed(arg, err);
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void on_timeout(void *arg)
{
	struct pending *p = arg;

	pu_stream_reset(p->st, PU_STREAM_CODE_NONE);
	failed(p, PU_ETIMEDOUT);
}

/* The door. */

static unsigned pending_from(const struct pu_circuit_transport *tr, const struct pu_peerid *relay)
{
	unsigned n = 0;

	PU_LIST_FOREACH(it, tmp, &tr->pending)
		n += pu_peerid_eq(&PU_CONTAINER_OF(it, struct pending, node)->relay, relay);
	return n;
}

static uint32_t why_not(struct pu_circuit_transport *tr, const struct pu_conn *c)
{
	if (c->limited || (tr->opt.accept_from && !tr->opt.accept_from(tr->opt.arg, &c->peer)))
		return PU_CIRCUIT_PERMISSION_DENIED;
	if (tr->n_pending >= PU_CIRCUIT_PENDING_MAX ||
	    pending_from(tr, &c->peer) >= PU_CIRCUIT_PENDING_PER_RELAY)
		return PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED;
	return PU_CIRCUIT_OK;
}

void pu_circuit_stop_accept(void *arg, struct pu_stream *st)
{
	struct pu_circuit_transport *tr = arg;
	uint32_t status = why_not(tr, st->conn);
	struct pending *p = status == PU_CIRCUIT_OK ? calloc(1, sizeof *p) : NULL;

	tr->stats.brought++;
	if (!p) {
		tr->stats.refused++;
		refuse_stream(st, status == PU_CIRCUIT_OK ? PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED
							  : status);
		return;
	}
	p->tr = tr;
	p->st = st;
	p->relay = st->conn->peer;
	pu_circuit_reader_init(&p->reader);
	pu_timer_init(&p->timer, tr->cfg.loop, on_timeout, p);
	pu_timer_set(&p->timer, pu_loop_now(tr->cfg.loop) + PU_SEC(PU_CIRCUIT_STOP_TIMEOUT_S));
	pu_list_append(&tr->pending, &p->node);
	tr->n_pending++;
	pu_stream_set_events(st, &stream_events, p);
}

void pu_circuit_stop_cancel_all(struct pu_circuit_transport *tr)
{
	PU_LIST_FOREACH(it, tmp, &tr->pending) {
		struct pending *p = PU_CONTAINER_OF(it, struct pending, node);

		if (p->st)
			pu_stream_reset(p->st, PU_STREAM_CODE_SHUTDOWN);
		if (p->up)
			pu_upgrade_cancel(p->up);
		pending_free(p);
	}
}
