#include "tun/dns/forward.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop_uv.h"
#include "tun/dns/endpoint.h"
#include "tun/dns/message.h"

enum {
	UDP_REPLY_MAX = 4096, /* beyond what anybody sends over UDP */
	TCP_REPLY_MAX = 2 + PU_DNS_TCP_MAX,
};

struct pu_dns_forward {
	struct pu_loop *loop;
	pu_time attempt_ns;
	struct pu_dns_endpoint upstreams[PU_DNS_SERVER_UPSTREAMS_MAX];
	size_t n_upstreams;
	size_t n_requests;
	struct pu_list requests;
};

/* One socket to one upstream. It outlives its request until libuv has closed it. */
struct attempt {
	union {
		uv_handle_t handle;
		uv_udp_t udp;
		uv_tcp_t tcp;
	} h;
	union {
		uv_connect_t connect;
		uv_write_t write;
	} rq;
	struct pu_loop *loop;
	struct pu_dns_request *req; /* NULL once it is given up */
	size_t got;                 /* TCP: bytes of length and reply read so far */
	size_t cap;
	uint8_t in[];
};

struct pu_dns_request {
	struct pu_list node;
	struct pu_dns_forward *f;
	struct attempt *at;
	struct pu_timer timer;
	struct pu_ip client;
	pu_dns_reply_fn *on_reply;
	void *arg;
	bool tcp;
	unsigned n_attempts;
	uint16_t client_id;
	size_t len;      /* of the query behind the length octets */
	uint8_t query[]; /* length (TCP), then the query with the ID of this attempt */
};

static void next_attempt(struct pu_dns_request *req);

static struct pu_bytes sent_query(const struct pu_dns_request *req)
{
	return pu_bytes(req->query + 2, req->len);
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void give_up_attempt(struct pu_dns_request *req)
{
	struct attempt *at = req->at;

	req->at = NULL;
	if (!at)
		return;
	at->req = NULL;
	uv_close(&at->h.handle, on_closed);
}

static void request_free(struct pu_dns_request *req)
{
	give_up_attempt(req);
	pu_timer_stop(&req->timer);
	pu_list_remove(&req->node);
	req->f->n_requests--;
	free(req);
}

/* The reply, if any, lies in the attempt's buffer: that lives until libuv has closed
 * the socket on a later turn. */
static void request_done(struct pu_dns_request *req, uint8_t *reply, size_t len)
{
	pu_dns_reply_fn *fn = req->on_reply;
	void *arg = req->arg;

	if (len > 0)
		pu_put_be16(reply, req->client_id);
	request_free(req);
	fn(arg, pu_bytes(reply, len));
}

/* A resolver that cannot say is not the last word while there is another one. */
static bool worth_another_try(const struct pu_dns_request *req, const uint8_t *reply)
{
	unsigned rcode = reply[3] & 0xf;

	if (rcode != ns_r_servfail && rcode != ns_r_refused && rcode != ns_r_notimpl)
		return false;
	return req->n_attempts < pu_min(req->f->n_upstreams, PU_DNS_FORWARD_ATTEMPTS);
}

/* True when the request has ended or moved on: the attempt is no longer its own. */
static bool take_reply(struct attempt *at, uint8_t *p, size_t len)
{
	struct pu_dns_request *req = at->req;

	if (!pu_dns_reply_matches(pu_bytes(p, len), sent_query(req)))
		return false;
	if (worth_another_try(req, p))
		next_attempt(req);
	else
		request_done(req, p, len);
	return true;
}

/* --- UDP --- */

static void on_udp_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct attempt *at = h->data;

	*buf = uv_buf_init((char *)at->in, (unsigned)at->cap);
}

static void on_udp_read(uv_udp_t *h, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
			unsigned flags)
{
	struct attempt *at = h->data;
	struct pu_loop *loop = at->loop;

	if (!at->req || (n == 0 && !from))
		return;
	pu_loop_uv_enter(loop);
	if (n < 0) /* nobody listens there */
		next_attempt(at->req);
	else if (!(flags & UV_UDP_PARTIAL))
		take_reply(at, at->in, (size_t)n);
	pu_loop_uv_leave(loop);
}

static int start_udp(struct attempt *at, const struct sockaddr *to)
{
	struct pu_bytes q = sent_query(at->req);
	uv_buf_t buf = uv_buf_init((char *)q.p, (unsigned)q.len);
	int r = uv_udp_connect(&at->h.udp, to);

	if (r == 0)
		r = uv_udp_recv_start(&at->h.udp, on_udp_alloc, on_udp_read);
	if (r == 0)
		r = uv_udp_try_send(&at->h.udp, &buf, 1, NULL);
	return r < 0 ? pu_err_from_errno(-r) : 0;
}

/* --- TCP --- */

static void on_tcp_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct attempt *at = h->data;

	*buf = uv_buf_init((char *)at->in + at->got, (unsigned)(at->cap - at->got));
}

static void on_tcp_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct attempt *at = h->data;
	struct pu_loop *loop = at->loop;
	size_t len;

	if (!at->req || n == 0)
		return;
	pu_loop_uv_enter(loop);
	if (n > 0)
		at->got += (size_t)n;
	len = at->got >= 2 ? pu_get_be16(at->in) : SIZE_MAX;
	if (n < 0)
		next_attempt(at->req);
	else if (len != SIZE_MAX && at->got >= 2 + len && !take_reply(at, at->in + 2, len))
		next_attempt(at->req);
	pu_loop_uv_leave(loop);
}

static void on_tcp_written(uv_write_t *w, int status)
{
	/* A failure shows as an end of reading. */
}

static void on_tcp_connected(uv_connect_t *c, int status)
{
	struct attempt *at = c->data;
	struct pu_loop *loop = at->loop;
	uv_buf_t buf;

	if (!at->req)
		return;
	pu_loop_uv_enter(loop);
	buf = uv_buf_init((char *)at->req->query, (unsigned)(2 + at->req->len));
	/* The request's bytes may be freed while the kernel has not taken all of them:
	 * libuv keeps the pointer, but closing the handle cancels the write first. */
	if (status < 0 || uv_read_start((uv_stream_t *)&at->h.tcp, on_tcp_alloc, on_tcp_read) < 0 ||
	    uv_write(&at->rq.write, (uv_stream_t *)&at->h.tcp, &buf, 1, on_tcp_written) < 0)
		next_attempt(at->req);
	pu_loop_uv_leave(loop);
}

static int start_tcp(struct attempt *at, const struct sockaddr *to)
{
	int r;

	at->rq.connect.data = at;
	r = uv_tcp_connect(&at->rq.connect, &at->h.tcp, to, on_tcp_connected);
	return r < 0 ? pu_err_from_errno(-r) : 0;
}

/* --- requests --- */

static int attempt_start(struct pu_dns_request *req)
{
	struct pu_dns_forward *f = req->f;
	const struct pu_dns_endpoint *up = &f->upstreams[req->n_attempts % f->n_upstreams];
	size_t cap = req->tcp ? TCP_REPLY_MAX : UDP_REPLY_MAX;
	struct attempt *at = malloc(sizeof *at + cap);
	uv_loop_t *uv = pu_loop_uv_of(f->loop);
	struct sockaddr_storage to;
	int r;

	if (!at)
		return PU_ENOMEM;
	at->loop = f->loop;
	at->req = req;
	at->got = 0;
	at->cap = cap;
	r = req->tcp ? uv_tcp_init(uv, &at->h.tcp) : uv_udp_init(uv, &at->h.udp);
	if (r < 0) {
		free(at);
		return PU_ESYS;
	}
	at->h.handle.data = at;
	req->at = at;
	pu_loop_random(f->loop, req->query + 2, 2);
	pu_dns_endpoint_to_sockaddr(up, &to);
	return req->tcp ? start_tcp(at, (struct sockaddr *)&to) :
			  start_udp(at, (struct sockaddr *)&to);
}

/* Ends the attempt under way and begins the next one, or fails the request. */
static void next_attempt(struct pu_dns_request *req)
{
	pu_time now = pu_loop_now(req->f->loop);
	int r;

	give_up_attempt(req);
	if (req->n_attempts >= PU_DNS_FORWARD_ATTEMPTS || req->f->n_upstreams == 0) {
		request_done(req, NULL, 0);
		return;
	}
	r = attempt_start(req);
	req->n_attempts++;
	/* Never from inside pu_dns_forward_ask(), so a failure waits for the timer. */
	pu_timer_set(&req->timer, r < 0 ? now : now + req->f->attempt_ns);
}

static void on_timer(void *arg)
{
	next_attempt(arg);
}

static size_t requests_of(const struct pu_dns_forward *f, const struct pu_ip *client)
{
	size_t n = 0;

	PU_LIST_FOREACH(it, tmp, &f->requests)
		n += pu_ip_eq(&PU_CONTAINER_OF(it, struct pu_dns_request, node)->client, client);
	return n;
}

int pu_dns_forward_ask(struct pu_dns_forward *f, struct pu_bytes query, bool tcp,
		       const struct pu_ip *client, pu_dns_reply_fn *on_reply, void *arg,
		       struct pu_dns_request **preq)
{
	struct pu_dns_request *req;

	if (f->n_upstreams == 0)
		return PU_EUNREACH;
	if (query.len < PU_DNS_HEADER_LEN || query.len > PU_DNS_TCP_MAX)
		return PU_EINVAL;
	if (f->n_requests >= PU_DNS_FORWARD_MAX ||
	    requests_of(f, client) >= PU_DNS_FORWARD_PER_CLIENT)
		return PU_ELIMIT;
	req = calloc(1, sizeof *req + 2 + query.len);
	if (!req)
		return PU_ENOMEM;
	req->f = f;
	req->client = *client;
	req->on_reply = on_reply;
	req->arg = arg;
	req->tcp = tcp;
	req->client_id = pu_get_be16(query.p);
	req->len = query.len;
	pu_put_be16(req->query, (uint16_t)query.len);
	memcpy(req->query + 2, query.p, query.len);
	pu_timer_init(&req->timer, f->loop, on_timer, req);
	pu_list_append(&f->requests, &req->node);
	f->n_requests++;
	next_attempt(req);
	if (preq)
		*preq = req;
	return 0;
}

void pu_dns_forward_cancel(struct pu_dns_request *req)
{
	request_free(req);
}

int pu_dns_forward_new(struct pu_loop *loop, unsigned attempt_ms, struct pu_dns_forward **pf)
{
	struct pu_dns_forward *f = calloc(1, sizeof *f);

	if (!f)
		return PU_ENOMEM;
	f->loop = loop;
	f->attempt_ns = PU_MS(attempt_ms ? attempt_ms : PU_DNS_FORWARD_ATTEMPT_MS);
	pu_list_init(&f->requests);
	*pf = f;
	return 0;
}

void pu_dns_forward_free(struct pu_dns_forward *f)
{
	if (!f)
		return;
	PU_LIST_FOREACH(it, tmp, &f->requests)
		request_free(PU_CONTAINER_OF(it, struct pu_dns_request, node));
	free(f);
}

void pu_dns_forward_set_upstreams(struct pu_dns_forward *f, const struct pu_dns_endpoint *upstreams,
				  size_t n)
{
	f->n_upstreams = pu_min(n, PU_DNS_SERVER_UPSTREAMS_MAX);
	memcpy(f->upstreams, upstreams, f->n_upstreams * sizeof *upstreams);
}

bool pu_dns_forward_possible(const struct pu_dns_forward *f)
{
	return f->n_upstreams > 0;
}
