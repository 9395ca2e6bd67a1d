/* Outbound work on behalf of callers: a connection to a peer, a stream with an agreed
 * protocol on it. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/state.h"
#include "p2p/host/lazy.h"
#include "p2p/multistream/negotiate.h"

enum {
	PROTOCOLS_MAX = PU_MULTISTREAM_PROPOSALS_MAX,
	/* The muxer has no room for one more stream: look again. */
	OPEN_RETRY_MS = 20,
};

enum request_state {
	REQUEST_DIALING,   /* waits for a connection to the peer */
	REQUEST_WORKING,   /* the same, while its own work goes on */
	REQUEST_OPENING,   /* has one; opens the stream from a job or timer */
	REQUEST_AGREEING,  /* multistream */
	REQUEST_REPORTING, /* the outcome is known; a job will tell */
};

struct pu_host_request {
	struct pu_list node;
	struct pu_host *h;
	enum request_state state;
	struct pu_peerid peer;
	char **protocols; /* NULL: only a connection is wanted */
	bool direct;      /* a limited connection does not do */
	bool fresh;       /* only one that is not there yet does */
	void *work; /* owned */
	void (*free_work)(void *work);
	struct pu_conn *c;
	struct pu_stream *st;
	struct pu_multistream ms;
	struct pu_timer timer;
	pu_time give_up_at;
	struct pu_job job;
	int err;
	pu_host_connect_fn *on_connect;
	pu_host_open_fn *on_open;
	void *arg;
};

static void end_work(struct pu_host_request *req)
{
	if (req->work)
		req->free_work(req->work);
	req->work = NULL;
}

static void request_free(struct pu_host_request *req)
{
	pu_list_remove(&req->node);
	pu_timer_stop(&req->timer);
	pu_job_cancel(&req->job);
	end_work(req);
	for (char **p = req->protocols; p && *p; p++)
		free(*p);
	free(req->protocols);
	free(req);
}

/* Tells the caller; the request is gone before he hears it. */
static void finish(struct pu_host_request *req, int err)
{
	pu_host_connect_fn *on_connect = req->on_connect;
	pu_host_open_fn *on_open = req->on_open;
	void *arg = req->arg;
	struct pu_conn *c = req->c;
	struct pu_stream *st = req->st;

	request_free(req);
	if (on_connect)
		on_connect(arg, err, err ? NULL : c);
	else
		on_open(arg, err, err ? NULL : st);
}

static void report_later(struct pu_host_request *req, int err)
{
	req->state = REQUEST_REPORTING;
	req->err = err;
	pu_job_defer(&req->job);
}

/* Gives the stream back and tells. */
static void fail(struct pu_host_request *req, int err, uint32_t code)
{
	if (req->st)
		pu_stream_reset(req->st, code);
	req->st = NULL;
	finish(req, err);
}

/* Multistream. */

static size_t on_recv(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	struct pu_host_request *req = arg;
	struct pu_buf lines;
	size_t used;
	int r;

	pu_buf_init(&lines, PU_MULTISTREAM_OUT_MAX);
	r = pu_multistream_recv(&req->ms, pu_bytes(p, len), &used, &lines);
	if (lines.len > 0 && pu_stream_write(st, pu_buf_bytes(&lines).p, lines.len) < lines.len)
		r = r == PU_EAGAIN ? PU_ELIMIT : r;
	pu_buf_deinit(&lines);
	if (r == 0) {
		req->h->stats.streams_out++;
		pu_stream_set_protocol(st, pu_multistream_protocol(&req->ms));
		finish(req, 0);
	} else if (r != PU_EAGAIN) {
		fail(req, r, PU_STREAM_CODE_NEGOTIATION);
	}
	return used;
}

static void on_eof(void *arg, struct pu_stream *st)
{
	(void)st;
	fail(arg, PU_EPROTO, PU_STREAM_CODE_NEGOTIATION);
}

static void on_stream_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct pu_host_request *req = arg;

	(void)st;
	req->st = NULL;
	finish(req, err == PU_ERESET && code == PU_STREAM_CODE_NEGOTIATION ? PU_ENOPROTO : err);
}

static const struct pu_stream_events stream_events = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_closed = on_stream_closed,
};

/* The peer is known to speak the only candidate: no need to wait for its word. */
static bool is_certain(const struct pu_host_request *req)
{
	return !req->protocols[1] && pu_host_peer_supports(req->h, &req->peer, req->protocols[0]);
}

static void open_lazily(struct pu_host_request *req)
{
	struct pu_stream *outer;
	int r = pu_lazy_new(req->h->loop, req->st, req->protocols[0], &outer);

	if (r < 0) {
		fail(req, r, PU_STREAM_CODE_LIMIT);
		return;
	}
	req->h->stats.streams_out++;
	req->st = outer;
	finish(req, 0);
}

static void negotiate(struct pu_host_request *req)
{
	struct pu_buf lines;
	int r;

	req->state = REQUEST_AGREEING;
	pu_stream_set_events(req->st, &stream_events, req);
	pu_buf_init(&lines, PU_MULTISTREAM_OUT_MAX);
	r = pu_multistream_initiate(&req->ms, (const char *const *)req->protocols, false, &lines);
	if (r == 0 && pu_stream_write(req->st, pu_buf_bytes(&lines).p, lines.len) < lines.len)
		r = PU_ELIMIT;
	pu_buf_deinit(&lines);
	if (r < 0)
		fail(req, r, PU_STREAM_CODE_NEGOTIATION);
	else
		pu_timer_set(&req->timer, req->give_up_at);
}

static void open_stream(struct pu_host_request *req)
{
	pu_time now = pu_loop_now(req->h->loop);
	int r = req->c->closing ? PU_ECLOSED : pu_conn_open_stream(req->c, &req->st);

	if (r == PU_ELIMIT && now < req->give_up_at)
		pu_timer_set(&req->timer, now + PU_MS(OPEN_RETRY_MS));
	else if (r < 0)
		finish(req, r);
	else if (is_certain(req))
		open_lazily(req);
	else
		negotiate(req);
}

/* From now on the request needs a stream on c, or is content with c itself. */
static void use_conn(struct pu_host_request *req, struct pu_conn *c)
{
	req->c = c;
	if (!req->protocols) {
		report_later(req, 0);
		return;
	}
	req->state = REQUEST_OPENING;
	req->give_up_at = pu_loop_now(req->h->loop) + PU_SEC(PU_HOST_NEGOTIATE_TIMEOUT_S);
	pu_job_defer(&req->job);
}

static void on_job(void *arg)
{
	struct pu_host_request *req = arg;

	if (req->state == REQUEST_REPORTING)
		finish(req, req->err);
	else
		open_stream(req);
}

static void on_timer(void *arg)
{
	struct pu_host_request *req = arg;

	if (req->state == REQUEST_OPENING)
		open_stream(req);
	else
		fail(req, PU_ETIMEDOUT, PU_STREAM_CODE_NEGOTIATION);
}

/* What the dialer and the connections tell. Requests are moved on by jobs, so the
 * list does not change under the loop. */

void pu_request_dialed(struct pu_host *h, const struct pu_peerid *peer, int err)
{
	struct pu_peer *p = pu_peerstore_find(&h->peers, peer);
	struct pu_conn *other = p ? pu_connmgr_best(p) : NULL;

	PU_LIST_FOREACH(it, tmp, &h->requests) {
		struct pu_host_request *req = PU_CONTAINER_OF(it, struct pu_host_request, node);

		if (req->state != REQUEST_DIALING || !pu_peerid_eq(&req->peer, peer))
			continue;
		/* One that came up meanwhile, or the silent one, for want of a better. */
		if (other && !req->fresh && !(req->direct && other->limited))
			use_conn(req, other);
		else
			report_later(req, err);
	}
}

void pu_request_connected(struct pu_host *h, struct pu_conn *c)
{
	PU_LIST_FOREACH(it, tmp, &h->requests) {
		struct pu_host_request *req = PU_CONTAINER_OF(it, struct pu_host_request, node);

		bool waits = req->state == REQUEST_DIALING || req->state == REQUEST_WORKING;

		if (!waits || !pu_peerid_eq(&req->peer, &c->peer))
			continue;
		/* A dial goes on: a relayed connection does not end the search for a direct
		 * one, but nobody has to wait for that. */
		if (!c->limited || !req->direct)
			use_conn(req, c);
	}
}

void pu_request_conn_closed(struct pu_host *h, struct pu_conn *c)
{
	PU_LIST_FOREACH(it, tmp, &h->requests) {
		struct pu_host_request *req = PU_CONTAINER_OF(it, struct pu_host_request, node);

		if (req->c != c || req->state == REQUEST_AGREEING)
			continue; /* negotiations heard it from their stream */
		req->c = NULL;
		pu_timer_stop(&req->timer);
		if (req->state != REQUEST_REPORTING || req->err == 0)
			report_later(req, PU_ECLOSED);
	}
}

void pu_request_cancel_all(struct pu_host *h)
{
	PU_LIST_FOREACH(it, tmp, &h->requests) {
		struct pu_host_request *req = PU_CONTAINER_OF(it, struct pu_host_request, node);

		if (req->st)
			pu_stream_reset(req->st, PU_STREAM_CODE_SHUTDOWN);
		req->st = NULL;
		pu_timer_stop(&req->timer);
		end_work(req);
		report_later(req, PU_ECANCELED);
	}
}

/* The interface. */

static int copy_protocols(struct pu_host_request *req, const char *const *protocols)
{
	size_t n = 0;

	while (n <= PROTOCOLS_MAX && protocols[n])
		n++;
	if (n == 0 || n > PROTOCOLS_MAX)
		return PU_EINVAL;
	req->protocols = calloc(n + 1, sizeof *req->protocols);
	if (!req->protocols)
		return PU_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(protocols[i]);

		if (len == 0 || len > PU_HOST_PROTOCOL_MAX)
			return PU_EINVAL;
		req->protocols[i] = strdup(protocols[i]);
		if (!req->protocols[i])
			return PU_ENOMEM;
	}
	return 0;
}

static struct pu_host_request *request_new(struct pu_host *h, const struct pu_peerid *peer)
{
	struct pu_host_request *req = calloc(1, sizeof *req);

	if (!req)
		return NULL;
	req->h = h;
	req->peer = *peer;
	pu_timer_init(&req->timer, h->loop, on_timer, req);
	pu_job_init(&req->job, h->loop, on_job, req);
	pu_list_append(&h->requests, &req->node);
	return req;
}

static bool is_suspect(const struct pu_conn *c)
{
	return host_conn_of(c)->health.state == PU_HEALTH_SUSPECT;
}

/* Finds or begins a connection. */
static int find_conn(struct pu_host_request *req)
{
	struct pu_host *h = req->h;
	struct pu_peer *p = pu_peerstore_get(&h->peers, &req->peer);
	struct pu_conn *c;
	int r;

	if (!p)
		return PU_ENOMEM;
	c = req->direct ? pu_connmgr_best_direct(p) : pu_connmgr_best(p);
	if (c && !is_suspect(c)) {
		use_conn(req, c);
		return 0;
	}
	req->state = REQUEST_DIALING;
	r = pu_dialer_start(h, p, req->direct ? PU_WORTH_DIRECT_STREAM : PU_WORTH_RELAYED);
	if (r < 0 && c)
		use_conn(req, c); /* silent, but all we have */
	else if (r < 0)
		report_later(req, r);
	return 0;
}

/* The least worth that a new connection must have, or an error when there is nothing to
 * be gained. */
static int worth_wanted(const struct pu_peer *p, enum pu_host_better what)
{
	const struct pu_conn *best = pu_connmgr_best(p);

	if (!best || what == PU_HOST_REPLACE || is_suspect(best))
		return PU_WORTH_RELAYED;
	if (pu_connmgr_class(best) == PU_WORTH_DIRECT)
		return PU_EUNREACH;
	return pu_connmgr_class(best) + 1;
}

static int check(const struct pu_host *h, const struct pu_peerid *peer)
{
	if (h->state != HOST_RUNNING)
		return PU_ECLOSED;
	if (pu_peerid_empty(peer) || pu_peerid_eq(peer, &h->cfg.key->peer))
		return PU_EINVAL;
	return 0;
}

static int begin_connect(struct pu_host *h, const struct pu_peerid *peer, bool direct,
			 pu_host_connect_fn *on_done, void *arg, struct pu_host_request **preq)
{
	struct pu_host_request *req;
	int r = check(h, peer);

	if (r < 0)
		return r;
	req = request_new(h, peer);
	if (!req)
		return PU_ENOMEM;
	req->direct = direct;
	req->on_connect = on_done;
	req->arg = arg;
	r = find_conn(req);
	if (r < 0)
		request_free(req);
	else if (preq)
		*preq = req;
	return r;
}

int pu_host_connect(struct pu_host *h, const struct pu_peerid *peer, pu_host_connect_fn *on_done,
		    void *arg, struct pu_host_request **preq)
{
	return begin_connect(h, peer, false, on_done, arg, preq);
}

int pu_host_connect_direct(struct pu_host *h, const struct pu_peerid *peer,
			   pu_host_connect_fn *on_done, void *arg, struct pu_host_request **preq)
{
	return begin_connect(h, peer, true, on_done, arg, preq);
}

int pu_host_connect_better(struct pu_host *h, const struct pu_peerid *peer,
			   enum pu_host_better what, pu_host_connect_fn *on_done, void *arg,
			   struct pu_host_request **preq)
{
	struct pu_host_request *req;
	struct pu_peer *p;
	int r = check(h, peer);

	if (r < 0)
		return r;
	p = pu_peerstore_get(&h->peers, peer);
	if (!p)
		return PU_ENOMEM;
	r = worth_wanted(p, what);
	if (r >= 0 && pu_dialer_covers(p, (enum pu_worth)r))
		return PU_EEXIST;
	if (r >= 0)
		r = pu_dialer_start(h, p, (enum pu_worth)r);
	if (r < 0)
		return r;
	req = request_new(h, peer);
	if (!req)
		return PU_ENOMEM; /* the dial goes on unwatched */
	req->fresh = true;
	req->on_connect = on_done;
	req->arg = arg;
	req->state = REQUEST_DIALING;
	if (preq)
		*preq = req;
	return 0;
}

static void await(struct pu_host_request *req, pu_host_connect_fn *on_done, void *arg)
{
	req->state = REQUEST_WORKING;
	req->direct = true;
	req->on_connect = on_done;
	req->arg = arg;
}

int pu_request_await(struct pu_host *h, const struct pu_peerid *peer, pu_host_connect_fn *on_done,
		     void *arg, struct pu_host_request **preq, bool *pthere)
{
	struct pu_peer *p;
	struct pu_conn *c;
	int r = check(h, peer);

	if (r < 0)
		return r;
	p = pu_peerstore_get(&h->peers, peer);
	*preq = p ? request_new(h, peer) : NULL;
	if (!*preq)
		return PU_ENOMEM;
	await(*preq, on_done, arg);
	c = pu_connmgr_best_direct(p);
	*pthere = c && !is_suspect(c);
	if (*pthere)
		use_conn(*preq, c);
	return 0;
}

int pu_request_await_anyone(struct pu_host *h, pu_host_connect_fn *on_done, void *arg,
			    struct pu_host_request **preq)
{
	static const struct pu_peerid nobody;
	struct pu_host_request *req;

	if (h->state != HOST_RUNNING)
		return PU_ECLOSED;
	req = request_new(h, &nobody);
	if (!req)
		return PU_ENOMEM;
	await(req, on_done, arg);
	*preq = req;
	return 0;
}

void pu_request_set_work(struct pu_host_request *req, void *work, void (*free_work)(void *work))
{
	req->work = work;
	req->free_work = free_work;
}

void pu_request_failed(struct pu_host_request *req, int err)
{
	if (req->state == REQUEST_WORKING) /* else there is a connection already */
		report_later(req, err);
}

void pu_request_met(struct pu_host_request *req, struct pu_conn *c)
{
	use_conn(req, c);
}

int pu_host_open(struct pu_host *h, const struct pu_peerid *peer, struct pu_conn *c,
		 const char *const *protocols, pu_host_open_fn *on_done, void *arg,
		 struct pu_host_request **preq)
{
	struct pu_host_request *req;
	int r = check(h, peer);

	if (r < 0)
		return r;
	req = request_new(h, peer);
	if (!req)
		return PU_ENOMEM;
	req->on_open = on_done;
	req->arg = arg;
	r = copy_protocols(req, protocols);
	if (r == 0 && c)
		use_conn(req, c);
	else if (r == 0)
		r = find_conn(req);
	if (r < 0)
		request_free(req);
	else if (preq)
		*preq = req;
	return r;
}

void pu_host_cancel(struct pu_host *h, struct pu_host_request *req)
{
	(void)h;
	if (req->st)
		pu_stream_reset(req->st, PU_STREAM_CODE_NONE);
	request_free(req);
}
