/* CONNECT: the stop handshake with the target. */
#include "base/err.h"
#include "p2p/circuit/hop_internal.h"

static const char *const stop_protocol[] = { PU_STOP_PROTOCOL, NULL };

void pu_hop_connect_undo(struct hop_request *rq, uint32_t code)
{
	if (!rq->to)
		return;
	if (rq->open)
		pu_host_cancel(rq->hop->h, rq->open);
	if (rq->stop)
		pu_stream_reset(rq->stop, code);
	rq->open = NULL;
	rq->stop = NULL;
	pu_hop_circuit_release(rq->hop, rq->from, rq->to);
	rq->to = NULL;
}

static void refuse(struct hop_request *rq, enum pu_circuit_status status)
{
	pu_hop_connect_undo(rq, PU_STREAM_CODE_NONE);
	memset(&rq->hop->scratch, 0, sizeof rq->hop->scratch);
	pu_hop_request_answer(rq, status);
}

/* The target takes the call: both streams become the circuit. */
static void establish(struct hop_request *rq)
{
	struct pu_hop *hop = rq->hop;
	struct pu_circuit_message *m = &hop->scratch;
	struct pu_stream *st = rq->st;
	struct hop_circuit *ci = pu_hop_circuit_new(rq);

	if (!ci) {
		refuse(rq, PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED);
		return;
	}
	memset(m, 0, sizeof *m);
	m->type = PU_CIRCUIT_STATUS;
	m->status = PU_CIRCUIT_OK;
	pu_hop_request_put_limit(hop, m);
	if (pu_hop_request_send(hop, PU_CIRCUIT_HOP, st))
		pu_hop_circuit_start(ci, rq->from_ended);
	else
		pu_hop_circuit_reset(ci, PU_STREAM_CODE_LIMIT);
	pu_hop_request_free(rq);
}

static size_t stop_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct hop_request *rq = arg;
	const struct pu_circuit_message *m = &rq->hop->scratch;
	struct pu_bytes body;
	size_t taken;
	int r = pu_circuit_reader_feed(&rq->reader, p, len, &taken, &body);

	if (r == PU_EAGAIN)
		return taken;
	if (r == 0)
		r = pu_circuit_message_decode(PU_CIRCUIT_STOP, body, &rq->hop->scratch);
	if (r < 0 || m->type != PU_CIRCUIT_STATUS || m->status != PU_CIRCUIT_OK)
		refuse(rq, PU_CIRCUIT_CONNECTION_FAILED);
	else
		establish(rq);
	return taken;
}

static void stop_eof(void *arg, struct pu_stream *st)
{
	refuse(arg, PU_CIRCUIT_CONNECTION_FAILED);
}

static void stop_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct hop_request *rq = arg;

	rq->stop = NULL;
	refuse(rq, PU_CIRCUIT_CONNECTION_FAILED);
}

static const struct pu_stream_events stop_events = {
	.on_recv = stop_recv,
	.on_eof = stop_eof,
	.on_closed = stop_closed,
};

static void deadline(struct hop_request *rq, unsigned seconds)
{
	pu_timer_set(&rq->timer, pu_loop_now(rq->hop->loop) + PU_SEC(seconds));
}

static void opened(void *arg, int err, struct pu_stream *st)
{
	struct hop_request *rq = arg;
	struct pu_circuit_message *m = &rq->hop->scratch;

	rq->open = NULL;
	if (err < 0) {
		refuse(rq, PU_CIRCUIT_CONNECTION_FAILED);
		return;
	}
	rq->stop = st;
	rq->state = HOP_ASKING;
	pu_circuit_reader_deinit(&rq->reader);
	pu_circuit_reader_init(&rq->reader);
	pu_stream_set_events(st, &stop_events, rq);
	memset(m, 0, sizeof *m);
	m->type = PU_CIRCUIT_CONNECT;
	m->peer = rq->from->id;
	pu_hop_request_put_limit(rq->hop, m);
	if (pu_hop_request_send(rq->hop, PU_CIRCUIT_STOP, st))
		deadline(rq, PU_HOP_STREAM_TIMEOUT_S);
	else
		refuse(rq, PU_CIRCUIT_CONNECTION_FAILED);
}

void pu_hop_connect_too_slow(struct hop_request *rq)
{
	refuse(rq, PU_CIRCUIT_CONNECTION_FAILED);
}

void pu_hop_connect(struct hop_request *rq, const struct pu_peerid *id)
{
	struct pu_hop *hop = rq->hop;
	struct hop_peer *to = pu_hop_peers_find(hop, id);
	struct pu_conn *c = pu_host_conn(hop->h, id);

	if (hop->opt.may_connect && !hop->opt.may_connect(hop->opt.arg, &rq->from->id, id)) {
		refuse(rq, PU_CIRCUIT_PERMISSION_DENIED);
		return;
	}
	if (!to || !to->reserved) {
		refuse(rq, PU_CIRCUIT_NO_RESERVATION);
		return;
	}
	if ((pu_host_is_guest(rq->st->conn) && rq->from->n_circuits >= PU_HOP_CIRCUITS_PER_GUEST) ||
	    !pu_hop_circuit_admit(hop, rq->from, to)) {
		refuse(rq, PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED);
		return;
	}
	rq->to = to;
	rq->state = HOP_OPENING;
	deadline(rq, PU_HOP_CONNECT_TIMEOUT_S);
	if (!c || pu_host_open(hop->h, id, c, stop_protocol, opened, rq, &rq->open) < 0)
		refuse(rq, PU_CIRCUIT_CONNECTION_FAILED);
}
