#include "daemon/flowpipe.h"

#include <stdlib.h>

#include "base/err.h"
#include "daemon/node_offer.h"

/* A flow waits for the peer's offer, then for the service, then it is a pipe. */
struct flowpipe {
	struct pu_list node;
	struct pu_flowpipes *owner;
	struct pu_roster_peer *peer;
	struct pu_flow *flow; /* NULL once it is gone */
	uint16_t port;
	struct pu_timer settle;
	struct pu_host_request *connecting;
	struct pu_opening *opening;
	struct pu_stream *st;
	bool flow_ended, stream_ended;
};

struct pu_flowpipes {
	struct pu_node *node;
	struct pu_flow_table *table;
	struct pu_list pipes;
};

static void pipe_free(struct flowpipe *p)
{
	pu_timer_stop(&p->settle);
	if (p->connecting)
		pu_host_cancel(p->owner->node->host, p->connecting);
	if (p->opening)
		pu_opening_cancel(p->opening);
	pu_list_remove(&p->node);
	free(p);
}

static void refuse(struct flowpipe *p, int err)
{
	pu_flow_refuse(p->flow, err);
	pipe_free(p);
}

static void finish_when_ended(struct flowpipe *p)
{
	if (!p->flow_ended || !p->stream_ended)
		return;
	pu_stream_close(p->st);
	pu_flow_close(p->flow);
	pipe_free(p);
}

static size_t stream_recv(void *arg, struct pu_stream *st, const uint8_t *b, size_t len)
{
	struct flowpipe *p = arg;

	return pu_flow_write(p->flow, b, len);
}

static void stream_eof(void *arg, struct pu_stream *st)
{
	struct flowpipe *p = arg;

	p->stream_ended = true;
	pu_flow_shutdown(p->flow);
	finish_when_ended(p);
}

static void stream_writable(void *arg, struct pu_stream *st)
{
	struct flowpipe *p = arg;

	pu_flow_resume(p->flow);
}

static void stream_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct flowpipe *p = arg;

	pu_flow_reset(p->flow);
	pipe_free(p);
}

static const struct pu_stream_events stream_events = {
	.on_recv = stream_recv,
	.on_eof = stream_eof,
	.on_writable = stream_writable,
	.on_closed = stream_closed,
};

static void on_opened(void *arg, int err, struct pu_stream *st)
{
	struct flowpipe *p = arg;

	p->opening = NULL;
	if (err < 0) {
		/* A service that went away since the offer is a closed port. */
		refuse(p, err == PU_ENOPROTO ? PU_EREFUSED : err);
		return;
	}
	p->st = st;
	pu_stream_set_events(st, &stream_events, p);
	pu_flow_accept(p->flow);
}

static void decide(struct flowpipe *p)
{
	struct pu_node *n = p->owner->node;
	char service[PU_SERVICE_NAME_MAX + 1];
	int r;

	if (!pu_node_offer_settled(n, p->peer))
		return;
	pu_timer_stop(&p->settle);
	if (!pu_node_service_at(n, p->peer, p->port, service)) {
		/* No service: the program's next SYN travels as a packet or is told why
		 * it may not. */
		refuse(p, PU_EAGAIN);
		return;
	}
	r = pu_opening_start(n->host, &p->peer->id, service, on_opened, p, &p->opening);
	if (r < 0)
		refuse(p, r);
}

static void on_settle_timeout(void *arg)
{
	refuse(arg, PU_ETIMEDOUT);
}

static void on_connect(void *arg, int err, struct pu_conn *c)
{
	struct flowpipe *p = arg;

	p->connecting = NULL;
	if (err < 0)
		refuse(p, PU_EUNREACH);
	else
		decide(p);
}

static void on_syn(void *table_arg, struct pu_flow *f, uint32_t handle, uint16_t port)
{
	struct pu_flowpipes *o = table_arg;
	struct pu_roster_peer *peer = pu_roster_at(o->node->roster, handle);
	struct flowpipe *p = peer ? calloc(1, sizeof *p) : NULL;

	if (!p) {
		pu_flow_refuse(f, PU_EUNREACH);
		return;
	}
	p->owner = o;
	p->peer = peer;
	p->flow = f;
	p->port = port;
	pu_list_append(&o->pipes, &p->node);
	pu_flow_set_arg(f, p);
	pu_timer_init(&p->settle, o->node->loop, on_settle_timeout, p);
	pu_timer_set(&p->settle, pu_loop_now(o->node->loop) + PU_SEC(PU_FLOWPIPE_SETTLE_S));
	if (pu_node_offer_settled(o->node, peer)) {
		decide(p);
		return;
	}
	if (pu_host_connect(o->node->host, &peer->id, on_connect, p, &p->connecting) < 0) {
		p->connecting = NULL;
		refuse(p, PU_EUNREACH);
	}
}

static size_t flow_recv(void *arg, struct pu_flow *f, const uint8_t *b, size_t len)
{
	struct flowpipe *p = arg;

	return p->st ? pu_stream_write(p->st, b, len) : 0;
}

static void flow_eof(void *arg, struct pu_flow *f)
{
	struct flowpipe *p = arg;

	p->flow_ended = true;
	pu_stream_shutdown(p->st);
	finish_when_ended(p);
}

static void flow_writable(void *arg, struct pu_flow *f)
{
	struct flowpipe *p = arg;

	pu_stream_resume(p->st);
}

static void flow_closed(void *arg, struct pu_flow *f, int err)
{
	struct flowpipe *p = arg;

	if (p->st)
		pu_stream_reset(p->st, PU_STREAM_CODE_NONE);
	pipe_free(p);
}

static const struct pu_flow_events flow_events = {
	.on_syn = on_syn,
	.on_recv = flow_recv,
	.on_eof = flow_eof,
	.on_writable = flow_writable,
	.on_closed = flow_closed,
};

int pu_flowpipes_new(struct pu_node *n, struct pu_tun_device *dev, struct pu_flowpipes **pp)
{
	struct pu_flow_limits limits = { 0 };
	struct pu_flowpipes *p = calloc(1, sizeof *p);
	int r;

	if (!p)
		return PU_ENOMEM;
	p->node = n;
	pu_list_init(&p->pipes);
	r = pu_flow_table_new(n->loop, dev, &flow_events, p, &limits, &p->table);
	if (r < 0) {
		free(p);
		return r;
	}
	*pp = p;
	return 0;
}

void pu_flowpipes_free(struct pu_flowpipes *p)
{
	if (!p)
		return;
	PU_LIST_FOREACH (it, tmp, &p->pipes) {
		struct flowpipe *fp = PU_CONTAINER_OF(it, struct flowpipe, node);

		if (fp->st)
			pu_stream_reset(fp->st, PU_STREAM_CODE_SHUTDOWN);
		pipe_free(fp);
	}
	pu_flow_table_free(p->table);
	free(p);
}

struct pu_flow_table *pu_flowpipes_table(struct pu_flowpipes *p)
{
	return p->table;
}

void pu_flowpipes_peer_changed(struct pu_flowpipes *p, const struct pu_roster_peer *peer)
{
	PU_LIST_FOREACH (it, tmp, &p->pipes) {
		struct flowpipe *fp = PU_CONTAINER_OF(it, struct flowpipe, node);

		if (fp->peer == peer && pu_timer_active(&fp->settle))
			decide(fp);
	}
}
