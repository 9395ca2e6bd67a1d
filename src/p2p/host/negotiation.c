/* Inbound streams on their way to a handler: multistream as responder. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"
#include "p2p/multistream/negotiate.h"

struct negotiation {
	struct pu_list node;
	struct host_conn *hc;
	struct pu_stream *st;
	struct pu_multistream ms;
	struct pu_timer timer;
};

struct host_handler *pu_host_find_handler(const struct pu_host *h, struct pu_bytes name)
{
	PU_LIST_FOREACH(it, tmp, &h->handlers) {
		struct host_handler *hd = PU_CONTAINER_OF(it, struct host_handler, node);

		if (pu_bytes_eq_str(name, hd->protocol))
			return hd;
	}
	return NULL;
}

static bool supports(void *arg, struct pu_bytes name)
{
	const struct negotiation *n = arg;

	return (n->hc->peer || pu_probation_speaks(n->hc, name)) &&
	       pu_host_find_handler(n->hc->h, name) != NULL;
}

static void negotiation_free(struct negotiation *n)
{
	pu_timer_stop(&n->timer);
	pu_list_remove(&n->node);
	free(n);
}

static void refuse(struct negotiation *n, uint32_t code)
{
	n->hc->h->stats.streams_refused++;
	pu_stream_reset(n->st, code);
	negotiation_free(n);
}

/* A peer that stopped reading misses our answer, nothing more: what it sent is
 * still for the handler. */
static void answer(struct negotiation *n, struct pu_buf *lines)
{
	if (lines->len > 0)
		pu_stream_write(n->st, pu_buf_bytes(lines).p, lines->len);
	pu_buf_deinit(lines);
}

static void agreed(struct negotiation *n)
{
	struct pu_host *h = n->hc->h;
	struct pu_stream *st = n->st;
	const char *protocol = pu_multistream_protocol(&n->ms);
	struct host_handler *hd = pu_host_find_handler(h, pu_bytes_str(protocol));

	if (!hd) {
		refuse(n, PU_STREAM_CODE_NEGOTIATION);
		return;
	}
	h->stats.streams_in++;
	if (!n->hc->peer)
		pu_probation_spoke(n->hc);
	pu_stream_set_protocol(st, protocol);
	negotiation_free(n);
	hd->fn(hd->arg, st);
}

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct negotiation *n = arg;
	struct pu_buf lines;
	size_t used;
	int r;

	(void)st;
	pu_buf_init(&lines, PU_MULTISTREAM_OUT_MAX);
	r = pu_multistream_recv(&n->ms, pu_bytes(p, len), &used, &lines);
	answer(n, &lines);
	if (r == 0)
		agreed(n);
	else if (r != PU_EAGAIN)
		refuse(n, r == PU_ELIMIT ? PU_STREAM_CODE_LIMIT : PU_STREAM_CODE_NEGOTIATION);
	return used;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	refuse(arg, PU_STREAM_CODE_NEGOTIATION);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	(void)st;
	(void)err;
	(void)code;
	negotiation_free(arg);
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_closed,
};

static void on_timeout(void *arg)
{
	refuse(arg, PU_STREAM_CODE_NEGOTIATION);
}

void pu_negotiation_start(struct host_conn *hc, struct pu_stream *st)
{
	struct pu_host *h = hc->h;
	struct negotiation *n = h->state == HOST_RUNNING ? calloc(1, sizeof *n) : NULL;
	struct pu_buf lines;

	if (!n) {
		h->stats.streams_refused++;
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	n->hc = hc;
	n->st = st;
	pu_list_append(&hc->negotiations, &n->node);
	pu_timer_init(&n->timer, h->loop, on_timeout, n);
	pu_timer_set(&n->timer, pu_loop_now(h->loop) + PU_SEC(PU_HOST_NEGOTIATE_TIMEOUT_S));
	pu_buf_init(&lines, PU_MULTISTREAM_OUT_MAX);
	if (pu_multistream_respond(&n->ms, supports, n, &lines) < 0) {
		pu_buf_deinit(&lines);
		refuse(n, PU_STREAM_CODE_LIMIT);
		return;
	}
	pu_stream_set_events(st, &stream_events, n);
	answer(n, &lines);
}

void pu_negotiation_drop_all(struct host_conn *hc)
{
	PU_LIST_FOREACH(it, tmp, &hc->negotiations)
		negotiation_free(PU_CONTAINER_OF(it, struct negotiation, node));
}
