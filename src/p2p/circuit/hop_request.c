/* Hop streams: a request is read, answered at once or handed to the target. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/circuit/hop_internal.h"

#define STREAM_TIMEOUT PU_SEC(PU_HOP_STREAM_TIMEOUT_S)

void pu_hop_request_free(struct hop_request *rq)
{
	struct pu_hop *hop = rq->hop;

	pu_timer_stop(&rq->timer);
	pu_circuit_reader_deinit(&rq->reader);
	pu_list_remove(&rq->node);
	hop->n_requests--;
	rq->from->n_requests--;
	pu_hop_peers_settle(hop, rq->from);
	free(rq);
}

void pu_hop_request_abort(struct hop_request *rq, uint32_t code)
{
	pu_hop_connect_undo(rq, code);
	pu_stream_reset(rq->st, code);
	pu_hop_request_free(rq);
}

/* A duration or an amount that we do not limit is sent as an explicit zero, which is what
 * the specification says for it. go-libp2p marks a connection as relayed by the mere
 * presence of Limit and does not act on the numbers; js-libp2p takes two zeroes for no
 * limit; rust-libp2p does not look. Without Limit a Go node would take the circuit for a
 * direct connection. */
void pu_hop_request_put_limit(const struct pu_hop *hop, struct pu_circuit_message *m)
{
	pu_time seconds = hop->opt.limits.duration / PU_SEC(1);

	m->has_limit = true;
	m->limit.duration = seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
	if (hop->opt.limits.duration > 0 && seconds == 0)
		m->limit.duration = 1;
	m->limit.data = hop->opt.limits.data;
}

/* Where a status is counted; NULL: it is no refusal. */
static uint64_t *counter(struct pu_hop_stats *s, enum pu_circuit_status status)
{
	switch (status) {
	case PU_CIRCUIT_UNUSED:
	case PU_CIRCUIT_OK:
		break;
	case PU_CIRCUIT_RESERVATION_REFUSED:
		return &s->refused_reservation;
	case PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED:
		return &s->refused_limit;
	case PU_CIRCUIT_PERMISSION_DENIED:
		return &s->refused_permission;
	case PU_CIRCUIT_CONNECTION_FAILED:
		return &s->refused_unreachable;
	case PU_CIRCUIT_NO_RESERVATION:
		return &s->refused_no_reservation;
	case PU_CIRCUIT_MALFORMED_MESSAGE:
	case PU_CIRCUIT_UNEXPECTED_MESSAGE:
		return &s->malformed;
	}
	return NULL;
}

/* The first refusal of its kind is worth a line, the others only if somebody debugs. */
static void note(struct hop_request *rq, enum pu_circuit_status status)
{
	uint64_t *n = counter(&rq->hop->stats, status);
	char id[PU_PEERID_SHORT_MAX];

	pu_log(n && *n == 0 ? PU_LOG_INFO : PU_LOG_DEBUG, "hop",
	       pu_circuit_message_status_name(status),
	       PU_KV_STR("peer", pu_peerid_short(&rq->from->id, id)));
	if (n)
		(*n)++;
}

bool pu_hop_request_send(struct pu_hop *hop, enum pu_circuit_protocol protocol,
			 struct pu_stream *st)
{
	struct pu_buf out;
	bool sent;

	pu_buf_init(&out, PU_CIRCUIT_MESSAGE_MAX + PU_UVARINT_MAX);
	sent = pu_circuit_message_encode(protocol, &hop->scratch, &out) == 0 &&
	       pu_stream_write(st, pu_buf_bytes(&out).p, out.len) == out.len;
	pu_buf_deinit(&out);
	return sent;
}

void pu_hop_request_answer(struct hop_request *rq, enum pu_circuit_status status)
{
	struct pu_circuit_message *m = &rq->hop->scratch;

	note(rq, status);
	m->type = PU_CIRCUIT_STATUS;
	m->status = status;
	if (pu_hop_request_send(rq->hop, PU_CIRCUIT_HOP, rq->st))
		pu_stream_close(rq->st);
	else
		pu_stream_reset(rq->st, PU_STREAM_CODE_LIMIT);
	pu_hop_request_free(rq);
}

/* Refuses without anything else in the answer. */
static void refuse(struct hop_request *rq, enum pu_circuit_status status)
{
	memset(&rq->hop->scratch, 0, sizeof rq->hop->scratch);
	pu_hop_request_answer(rq, status);
}

static bool is_relayed(const struct pu_conn *c)
{
	return c->limited || pu_multiaddr_kind(&c->remote) == PU_MA_KIND_CIRCUIT;
}

static void reserve(struct hop_request *rq)
{
	struct pu_hop *hop = rq->hop;
	enum pu_circuit_status status;

	memset(&hop->scratch, 0, sizeof hop->scratch);
	status = pu_hop_reserve(hop, rq->from, rq->st->conn);
	if (status == PU_CIRCUIT_OK)
		pu_hop_request_put_limit(hop, &hop->scratch);
	pu_hop_request_answer(rq, status);
}

/* The message is in the scratch. */
static void handle(struct hop_request *rq)
{
	const struct pu_circuit_message *m = &rq->hop->scratch;
	struct pu_peerid to = m->peer;

	if (m->type == PU_CIRCUIT_UNKNOWN)
		refuse(rq, PU_CIRCUIT_MALFORMED_MESSAGE);
	else if (m->type == PU_CIRCUIT_STATUS)
		refuse(rq, PU_CIRCUIT_UNEXPECTED_MESSAGE);
	else if (is_relayed(rq->st->conn) ||
		 (m->type == PU_CIRCUIT_RESERVE && pu_host_is_guest(rq->st->conn)))
		refuse(rq, PU_CIRCUIT_PERMISSION_DENIED);
	else if (!pu_hop_peers_may_ask(rq->hop, rq->from))
		refuse(rq, m->type == PU_CIRCUIT_RESERVE ? PU_CIRCUIT_RESERVATION_REFUSED
							 : PU_CIRCUIT_RESOURCE_LIMIT_EXCEEDED);
	else if (m->type == PU_CIRCUIT_RESERVE)
		reserve(rq);
	else if (pu_peerid_empty(&to))
		refuse(rq, PU_CIRCUIT_MALFORMED_MESSAGE);
	else
		pu_hop_connect(rq, &to);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct hop_request *rq = arg;
	struct pu_bytes body;
	size_t taken;
	int r;

	/* What comes early is for the target. */
	if (rq->state != HOP_READING)
		return 0;
	r = pu_circuit_reader_feed(&rq->reader, p, len, &taken, &body);
	if (r == PU_EAGAIN)
		return taken;
	pu_timer_stop(&rq->timer);
	if (r == 0)
		r = pu_circuit_message_decode(PU_CIRCUIT_HOP, body, &rq->hop->scratch);
	if (r < 0)
		refuse(rq, PU_CIRCUIT_MALFORMED_MESSAGE);
	else
		handle(rq);
	return taken;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	struct hop_request *rq = arg;

	if (rq->state == HOP_READING)
		refuse(rq, PU_CIRCUIT_MALFORMED_MESSAGE);
	else
		rq->from_ended = true;
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct hop_request *rq = arg;

	pu_hop_connect_undo(rq, code);
	pu_hop_request_free(rq);
}

static const struct pu_stream_events request_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void too_slow(void *arg)
{
	struct hop_request *rq = arg;

	if (rq->state == HOP_READING)
		pu_hop_request_abort(rq, PU_STREAM_CODE_NONE);
	else
		pu_hop_connect_too_slow(rq);
}

/* Room for one more, at the cost of whoever has been silent for longest. */
static bool make_room(struct pu_hop *hop)
{
	if (hop->n_requests < PU_HOP_REQUESTS_MAX)
		return true;
	PU_LIST_FOREACH (it, tmp, &hop->requests) {
		struct hop_request *rq = PU_CONTAINER_OF(it, struct hop_request, node);

		if (rq->state != HOP_READING)
			continue;
		hop->stats.refused_limit++;
		pu_hop_request_abort(rq, PU_STREAM_CODE_LIMIT);
		return true;
	}
	return false;
}

static struct hop_request *request_new(struct pu_hop *hop, struct pu_stream *st)
{
	struct hop_request *rq = calloc(1, sizeof *rq);
	struct hop_peer *from = rq ? pu_hop_peers_get(hop, &st->conn->peer) : NULL;

	if (!from || from->n_requests >= PU_HOP_REQUESTS_PER_PEER) {
		free(rq);
		return NULL;
	}
	rq->hop = hop;
	rq->from = from;
	rq->st = st;
	from->n_requests++;
	hop->n_requests++;
	pu_list_append(&hop->requests, &rq->node);
	pu_circuit_reader_init(&rq->reader);
	pu_timer_init(&rq->timer, hop->loop, too_slow, rq);
	pu_timer_set(&rq->timer, pu_loop_now(hop->loop) + STREAM_TIMEOUT);
	return rq;
}

void pu_hop_request_serve(void *arg, struct pu_stream *st)
{
	struct pu_hop *hop = arg;
	struct hop_request *rq = make_room(hop) ? request_new(hop, st) : NULL;

	if (!rq) {
		hop->stats.refused_limit++;
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	pu_stream_set_events(st, &request_events, rq);
}
