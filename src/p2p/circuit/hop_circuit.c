/* A circuit: what comes out of one stream goes into the other.
 *
 * Nothing is kept here. What the receiver's stream does not take stays in the sender's,
 * whose window then closes, so that a slow reader slows down the one who writes to it and
 * nobody else. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/hop_internal.h"

bool pu_hop_circuit_admit(struct pu_hop *hop, struct hop_peer *from, struct hop_peer *to)
{
	const struct pu_hop_limits *l = &hop->opt.limits;

	if (hop->n_circuits >= l->max_circuits || from->n_circuits >= l->max_circuits_per_peer ||
	    to->n_circuits >= l->max_circuits_per_peer)
		return false;
	hop->n_circuits++;
	from->n_circuits++;
	to->n_circuits++;
	return true;
}

void pu_hop_circuit_release(struct pu_hop *hop, struct hop_peer *from, struct hop_peer *to)
{
	hop->n_circuits--;
	from->n_circuits--;
	to->n_circuits--;
	pu_hop_peers_settle(hop, from);
	if (to != from)
		pu_hop_peers_settle(hop, to);
}

static struct hop_end *other(struct hop_end *e)
{
	struct hop_circuit *ci = e->circuit;

	return e == &ci->from ? &ci->to : &ci->from;
}

static void circuit_free(struct hop_circuit *ci)
{
	struct pu_hop *hop = ci->hop;

	pu_timer_stop(&ci->end);
	pu_list_remove(&ci->node);
	hop->stats.circuits--;
	pu_hop_circuit_release(hop, ci->from.peer, ci->to.peer);
	free(ci);
}

void pu_hop_circuit_reset(struct hop_circuit *ci, uint32_t code)
{
	pu_stream_reset(ci->from.st, code);
	pu_stream_reset(ci->to.st, code);
	circuit_free(ci);
}

/* Nothing more comes from this end. The last one ends the circuit. */
static void finish(struct hop_end *e)
{
	struct hop_end *o = other(e);

	e->done = true;
	pu_stream_shutdown(o->st);
	if (!o->done)
		return;
	pu_stream_close(e->st);
	pu_stream_close(o->st);
	circuit_free(e->circuit);
}

static size_t end_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct hop_end *e = arg;
	uint64_t max = e->circuit->data_max;
	size_t n;

	/* Beyond the limit: not even read, so that it costs the sender his window only. */
	if (e->done)
		return 0;
	n = max && max - e->passed < len ? (size_t)(max - e->passed) : len;
	n = pu_stream_write(other(e)->st, p, n);
	e->passed += n;
	e->circuit->hop->stats.bytes += n;
	if (max && e->passed == max) {
		e->circuit->hop->stats.ended_by_data++;
		finish(e);
	}
	return n;
}

static void end_eof(void *arg, struct pu_stream *st)
{
	struct hop_end *e = arg;

	if (!e->done)
		finish(e);
}

static void end_writable(void *arg, struct pu_stream *st)
{
	pu_stream_resume(other(arg)->st);
}

static void end_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct hop_end *e = arg;

	pu_stream_reset(other(e)->st, err == PU_ERESET ? code : PU_STREAM_CODE_NONE);
	circuit_free(e->circuit);
}

static const struct pu_stream_events end_events = {
	.on_recv = end_recv,
	.on_eof = end_eof,
	.on_writable = end_writable,
	.on_closed = end_closed,
};

static void time_is_up(void *arg)
{
	struct hop_circuit *ci = arg;

	ci->hop->stats.ended_by_duration++;
	pu_hop_circuit_reset(ci, PU_STREAM_CODE_LIMIT);
}

struct hop_circuit *pu_hop_circuit_new(struct hop_request *rq)
{
	struct pu_hop *hop = rq->hop;
	struct hop_circuit *ci = calloc(1, sizeof *ci);

	if (!ci)
		return NULL;
	ci->hop = hop;
	ci->data_max = hop->opt.limits.data;
	ci->from = (struct hop_end){ .circuit = ci, .peer = rq->from, .st = rq->st };
	ci->to = (struct hop_end){ .circuit = ci, .peer = rq->to, .st = rq->stop };
	pu_timer_init(&ci->end, hop->loop, time_is_up, ci);
	pu_list_append(&hop->circuits, &ci->node);
	hop->stats.circuits++;
	hop->stats.circuits_made++;
	rq->to = NULL;
	rq->st = rq->stop = NULL;
	return ci;
}

void pu_hop_circuit_start(struct hop_circuit *ci, bool from_ended)
{
	pu_time duration = ci->hop->opt.limits.duration;

	if (duration > 0)
		pu_timer_set(&ci->end, pu_loop_now(ci->hop->loop) + duration);
	pu_stream_set_events(ci->from.st, &end_events, &ci->from);
	pu_stream_set_events(ci->to.st, &end_events, &ci->to);
	if (from_ended)
		finish(&ci->from);
}
