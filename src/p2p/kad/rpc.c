#include "p2p/kad/rpc.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/htab.h"
#include "base/wire.h"
#include "p2p/proto/message.h"

/* All that concerns one peer. It lives as long as there is a call or a stream. */
struct link {
	struct pu_hnode hnode;
	struct pu_list lru; /* the least recently used first */
	struct pu_kad_rpc *rpc;
	struct pu_peerid peer;
	struct pu_host_request *req; /* connects or opens */
	struct pu_stream *st;
	bool used;             /* the stream has answered before */
	bool sent;             /* the first call is on its way */
	struct pu_list calls;  /* in order */
	unsigned n_calls;
	struct pu_buf in, out;
	struct pu_timer idle;
	struct pu_job step;
};

struct pu_kad_call {
	struct pu_list node;
	struct link *link;  /* NULL: it has failed and only has to say so */
	struct pu_kad_rpc *rpc;
	enum pu_kad_type type;
	bool retried;
	struct pu_buf bytes;
	struct pu_timer timer;
	pu_kad_reply_fn *on_reply;
	void *arg;
};

struct pu_kad_rpc {
	struct pu_host *host;
	const char *protocols[2];
	struct pu_htab links;
	struct pu_list lru;
	struct pu_list failed; /* calls without a link, moment by moment */
	struct pu_kad_message reply; /* too large for a stack frame */
	struct pu_kad_rpc_stats stats;
};

static void step(void *arg);
static void on_call_timeout(void *arg);
static void on_idle(void *arg);

static struct pu_kad_call *of_node(struct pu_list *n)
{
	return PU_CONTAINER_OF(n, struct pu_kad_call, node);
}

static struct pu_kad_call *first_call(const struct link *l)
{
	struct pu_list *n = pu_list_first(&l->calls);

	return n ? of_node(n) : NULL;
}

/* Links. */

static struct link *link_find(const struct pu_kad_rpc *r, const struct pu_peerid *peer)
{
	struct pu_hnode *n = pu_htab_first(&r->links, pu_htab_hash(&r->links, peer, sizeof *peer));

	for (; n; n = pu_htab_next(n)) {
		struct link *l = PU_CONTAINER_OF(n, struct link, hnode);

		if (pu_peerid_eq(&l->peer, peer))
			return l;
	}
	return NULL;
}

static void link_free(struct link *l)
{
	struct pu_kad_rpc *r = l->rpc;

	if (l->req)
		pu_host_cancel(r->host, l->req);
	if (l->st)
		pu_stream_close(l->st);
	pu_timer_stop(&l->idle);
	pu_job_cancel(&l->step);
	pu_buf_deinit(&l->in);
	pu_buf_deinit(&l->out);
	pu_htab_remove(&r->links, &l->hnode);
	pu_list_remove(&l->lru);
	free(l);
}

static bool make_room(struct pu_kad_rpc *r)
{
	if (r->links.n_nodes < PU_KAD_RPC_PEERS_MAX)
		return true;
	PU_LIST_FOREACH (it, tmp, &r->lru) {
		struct link *l = PU_CONTAINER_OF(it, struct link, lru);

		if (l->n_calls > 0)
			continue;
		link_free(l);
		return true;
	}
	return false;
}

static struct link *link_new(struct pu_kad_rpc *r, const struct pu_peerid *peer)
{
	struct pu_loop *loop = pu_host_loop(r->host);
	struct link *l = make_room(r) ? calloc(1, sizeof *l) : NULL;

	if (!l)
		return NULL;
	if (pu_htab_add(&r->links, &l->hnode, pu_htab_hash(&r->links, peer, sizeof *peer)) < 0) {
		free(l);
		return NULL;
	}
	l->rpc = r;
	l->peer = *peer;
	pu_list_init(&l->lru);
	pu_list_append(&r->lru, &l->lru);
	pu_list_init(&l->calls);
	pu_buf_init(&l->in, PU_KAD_MESSAGE_IN_MAX + PU_UVARINT_MAX);
	pu_buf_init(&l->out, PU_KAD_MESSAGE_OUT_MAX);
	pu_timer_init(&l->idle, loop, on_idle, l);
	pu_job_init(&l->step, loop, step, l);
	return l;
}

static void on_idle(void *arg)
{
	struct link *l = arg;

	if (l->n_calls == 0)
		link_free(l);
}

/* The stream is of no use any more. */
static void forget_stream(struct link *l)
{
	l->st = NULL;
	l->used = l->sent = false;
	pu_buf_clear(&l->in, 0);
	pu_buf_clear(&l->out, 0);
}

/* Calls. */

static void detach(struct pu_kad_call *call)
{
	pu_list_remove(&call->node);
	if (call->link)
		call->link->n_calls--;
	call->link = NULL;
}

static void call_free(struct pu_kad_call *call)
{
	detach(call);
	pu_timer_stop(&call->timer);
	pu_buf_deinit(&call->bytes);
	free(call);
}

/* The caller may do anything to the link from here, short of freeing the whole. */
static void finish(struct pu_kad_call *call, int err, const struct pu_kad_message *reply)
{
	struct pu_kad_rpc *r = call->rpc;
	pu_kad_reply_fn *on_reply = call->on_reply;
	void *arg = call->arg;

	r->stats.failed += err < 0;
	r->stats.malformed += err == PU_EPROTO;
	call_free(call);
	on_reply(arg, err, reply);
}

/* The peer cannot be reached: nobody needs to wait for his own turn to hear that. */
static void fail_all(struct link *l, int err)
{
	struct pu_kad_rpc *r = l->rpc;
	struct pu_kad_call *call;
	struct pu_list *n;

	while ((call = first_call(l))) {
		detach(call);
		pu_list_append(&r->failed, &call->node);
	}
	link_free(l);
	while ((n = pu_list_first(&r->failed)))
		finish(of_node(n), err, NULL);
}

/* An answer that never came would be taken for that to the next request. */
static void on_call_timeout(void *arg)
{
	struct pu_kad_call *call = arg;
	struct link *l = call->link;

	if (l && l->sent && first_call(l) == call && l->st) {
		pu_stream_reset(l->st, PU_STREAM_CODE_NONE);
		forget_stream(l);
	}
	if (l)
		pu_job_defer(&l->step);
	finish(call, PU_ETIMEDOUT, NULL);
}

/* A stream that was good before may have been given up by the peer in the meantime: a
 * fresh one for the same request, once. */
static void stream_failed(struct link *l, int err)
{
	struct pu_kad_call *call = l->sent ? first_call(l) : NULL;
	bool again = call && l->used && !call->retried;

	forget_stream(l);
	pu_job_defer(&l->step);
	if (again)
		call->retried = true;
	else if (call)
		finish(call, err, NULL);
}

/* What came is of no use. */
static void give_up_stream(struct link *l, int err)
{
	struct pu_kad_call *call = l->sent ? first_call(l) : NULL;

	pu_stream_reset(l->st, PU_STREAM_CODE_PROTOCOL);
	forget_stream(l);
	pu_job_defer(&l->step);
	if (call)
		finish(call, err, NULL);
}

/* The stream. */

static void flush(struct link *l)
{
	struct pu_bytes b = pu_buf_bytes(&l->out);

	pu_buf_consume(&l->out, pu_stream_write(l->st, b.p, b.len));
}

static void answered(struct link *l, struct pu_bytes body)
{
	struct pu_kad_call *call = first_call(l);
	struct pu_kad_message *reply = &l->rpc->reply;
	int r = l->sent && call ? pu_kad_message_decode(body, reply) : PU_EPROTO;

	if (r == 0 && reply->type != call->type) {
		pu_kad_message_deinit(reply);
		r = PU_EPROTO;
	}
	if (r < 0) {
		give_up_stream(l, r);
		return;
	}
	l->used = true;
	l->sent = false;
	pu_job_defer(&l->step);
	finish(call, 0, reply);
	pu_kad_message_deinit(reply);
}

/* At most one answer is due, and nothing may come behind it. */
static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct link *l = arg;
	size_t n = pu_min(len, pu_buf_room(&l->in)), used;
	int r = pu_buf_append(&l->in, p, n);
	struct pu_buf in = l->in;
	struct pu_bytes body;

	if (r == 0)
		r = pu_message_split(pu_buf_bytes(&in), PU_KAD_MESSAGE_IN_MAX, &body, &used);
	if (r == PU_EAGAIN)
		return len; /* a full buffer would be a whole message */
	if (r == 0 && (in.len > used || n < len))
		r = PU_EPROTO;
	if (r < 0) {
		give_up_stream(l, r);
		return len;
	}
	/* The link may be gone when the caller has heard. */
	pu_buf_init(&l->in, in.max);
	answered(l, body);
	pu_buf_deinit(&in);
	return len;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	pu_stream_close(st);
	stream_failed(arg, PU_ECLOSED);
}

static void on_writable(void *arg, struct pu_stream *st)
{
	struct link *l = arg;

	flush(l);
	pu_job_defer(&l->step);
}

static void on_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	stream_failed(arg, err);
}

static const struct pu_stream_events stream_events = { on_recv, on_eof, on_writable, on_closed };

/* Opening. */

static void on_open(void *arg, int err, struct pu_stream *st)
{
	struct link *l = arg;

	l->req = NULL;
	if (err < 0) {
		fail_all(l, err);
		return;
	}
	l->st = st;
	pu_stream_set_events(st, &stream_events, l);
	pu_job_defer(&l->step);
}

static void on_connected(void *arg, int err, struct pu_conn *c)
{
	struct link *l = arg;
	struct pu_kad_rpc *r = l->rpc;

	l->req = NULL;
	if (err == 0)
		err = pu_host_open(r->host, &l->peer, c, r->protocols, on_open, l, &l->req);
	if (err < 0)
		fail_all(l, err);
}

static void send_first(struct link *l)
{
	struct pu_kad_call *call = first_call(l);
	struct pu_bytes b = pu_buf_bytes(&call->bytes);

	if (pu_buf_append(&l->out, b.p, b.len) < 0) {
		finish(call, PU_ENOMEM, NULL);
		return;
	}
	l->sent = true;
	l->rpc->stats.sent++;
	flush(l);
}

/* Brings the link forward: connect, send, or lie idle. */
static void step(void *arg)
{
	struct link *l = arg;
	struct pu_kad_rpc *r = l->rpc;
	struct pu_kad_call *call = first_call(l);
	int err;

	if (!call) {
		if (!l->st)
			link_free(l);
		else if (!pu_timer_active(&l->idle))
			pu_timer_set(&l->idle, pu_loop_now(pu_host_loop(r->host)) +
						       PU_SEC(PU_KAD_RPC_IDLE_S));
		return;
	}
	pu_timer_stop(&l->idle);
	if (!l->st && !l->req) {
		err = pu_host_connect_direct(r->host, &l->peer, on_connected, l, &l->req);
		if (err < 0)
			fail_all(l, err);
	} else if (l->st && !l->sent) {
		send_first(l);
	} else if (l->sent && call->type == PU_KAD_ADD_PROVIDER && l->out.len == 0) {
		l->sent = false; /* no answer is due */
		pu_job_defer(&l->step);
		finish(call, 0, NULL);
	}
}

/* The interface. */

int pu_kad_rpc_call(struct pu_kad_rpc *r, const struct pu_peerid *peer,
		    const struct pu_kad_message *m, pu_kad_reply_fn *on_reply, void *arg,
		    struct pu_kad_call **pcall)
{
	struct link *l = link_find(r, peer);
	struct pu_kad_call *call;
	int err;

	if (!l)
		l = link_new(r, peer);
	if (!l || l->n_calls >= PU_KAD_RPC_QUEUE_MAX)
		return PU_ELIMIT;
	call = calloc(1, sizeof *call);
	err = call ? 0 : PU_ENOMEM;
	if (call) {
		pu_buf_init(&call->bytes, PU_KAD_MESSAGE_OUT_MAX);
		err = pu_kad_message_encode(m, &call->bytes);
	}
	pu_job_defer(&l->step);
	if (err < 0) {
		if (call)
			pu_buf_deinit(&call->bytes);
		free(call);
		return err;
	}
	call->rpc = r;
	call->link = l;
	call->type = m->type;
	call->on_reply = on_reply;
	call->arg = arg;
	pu_timer_init(&call->timer, pu_host_loop(r->host), on_call_timeout, call);
	pu_timer_set(&call->timer,
		     pu_loop_now(pu_host_loop(r->host)) + PU_SEC(PU_KAD_RPC_TIMEOUT_S));
	pu_list_append(&l->calls, &call->node);
	l->n_calls++;
	pu_list_remove(&l->lru);
	pu_list_append(&r->lru, &l->lru);
	*pcall = call;
	return 0;
}

void pu_kad_rpc_cancel(struct pu_kad_call *call)
{
	struct link *l = call->link;

	if (l && l->sent && first_call(l) == call) {
		pu_stream_reset(l->st, PU_STREAM_CODE_NONE);
		forget_stream(l);
	}
	if (l)
		pu_job_defer(&l->step);
	call_free(call);
}

int pu_kad_rpc_new(struct pu_host *h, const char *protocol, struct pu_kad_rpc **pr)
{
	struct pu_kad_rpc *r = calloc(1, sizeof *r);
	uint8_t key[16];

	if (!r)
		return PU_ENOMEM;
	r->host = h;
	r->protocols[0] = protocol;
	pu_loop_random(pu_host_loop(h), key, sizeof key);
	pu_htab_init(&r->links, key);
	pu_list_init(&r->lru);
	pu_list_init(&r->failed);
	*pr = r;
	return 0;
}

void pu_kad_rpc_free(struct pu_kad_rpc *r)
{
	if (!r)
		return;
	PU_LIST_FOREACH (it, tmp, &r->lru) {
		struct link *l = PU_CONTAINER_OF(it, struct link, lru);
		struct pu_kad_call *call;

		while ((call = first_call(l)))
			call_free(call);
		link_free(l);
	}
	pu_htab_deinit(&r->links);
	free(r);
}

void pu_kad_rpc_stats(const struct pu_kad_rpc *r, struct pu_kad_rpc_stats *out)
{
	*out = r->stats;
	out->peers = (unsigned)r->links.n_nodes;
	out->bytes = sizeof *r;
	PU_LIST_FOREACH (it, tmp, &r->lru) {
		const struct link *l = PU_CONTAINER_OF(it, struct link, lru);

		out->bytes += sizeof *l + l->in.cap + l->out.cap;
		out->bytes += l->n_calls * sizeof(struct pu_kad_call);
	}
}
