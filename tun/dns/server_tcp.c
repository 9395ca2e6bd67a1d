#include <stdlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "tun/dns/message.h"
#include "tun/dns/server_internal.h"

/* DNS over TCP (RFC 7766): any number of questions on a connection, answered in the
 * order in which the answers come. */

enum {
	BACKLOG = 64,
	MESSAGE_MAX = 2 + PU_DNS_TCP_MAX,
	/* A whole message and the beginning of the next ones. */
	IN_MAX = 2 * MESSAGE_MAX,
};

struct client {
	struct pu_list node;
	uv_tcp_t tcp;
	struct pu_dns_server *s;
	struct pu_dns_endpoint peer;
	struct pu_timer idle;
	struct pu_buf in;
	struct pu_list waiting;
	unsigned n_waiting;
	bool reading;
	bool eof; /* the client asks no more, but waits for what it asked */
	bool closing;
};

/* A question that waits for an upstream. */
struct waiting {
	struct pu_list node;
	struct client *c;
	struct pu_dns_request *req;
	size_t len;
	uint8_t query[];
};

struct reply {
	uv_write_t req;
	struct client *c;
	uint8_t bytes[]; /* length and message */
};

static void client_read(struct client *c);

static void on_client_closed(uv_handle_t *h)
{
	struct client *c = h->data;
	struct pu_dns_server *s = c->s;

	free(c);
	pu_dns_server_release(s);
}

static void waiting_free(struct waiting *w)
{
	pu_list_remove(&w->node);
	w->c->n_waiting--;
	free(w);
}

static void client_close(struct client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	PU_LIST_FOREACH(it, tmp, &c->waiting) {
		struct waiting *w = PU_CONTAINER_OF(it, struct waiting, node);

		pu_dns_forward_cancel(w->req);
		waiting_free(w);
	}
	pu_timer_stop(&c->idle);
	pu_buf_deinit(&c->in);
	pu_list_remove(&c->node);
	uv_close((uv_handle_t *)&c->tcp, on_client_closed);
}

static void touch(struct client *c)
{
	unsigned ms = c->s->cfg.tcp_idle_ms;

	pu_timer_set(&c->idle, pu_loop_now(c->s->loop) +
				       PU_MS(ms ? ms : PU_DNS_SERVER_TCP_IDLE_MS));
}

static bool has_unsent(const struct client *c)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) > 0;
}

static void on_idle(void *arg)
{
	struct client *c = arg;

	if (c->n_waiting > 0)
		touch(c);
	else
		client_close(c);
}

static void on_written(uv_write_t *w, int status)
{
	struct reply *r = PU_CONTAINER_OF(w, struct reply, req);
	struct client *c = r->c;
	struct pu_loop *loop = c->s->loop;

	free(r);
	if (c->closing)
		return;
	pu_loop_uv_enter(loop);
	if (status < 0 || (c->eof && c->n_waiting == 0 && !has_unsent(c))) {
		client_close(c);
	} else {
		touch(c);
		client_read(c);
	}
	pu_loop_uv_leave(loop);
}

static void client_send(struct client *c, const uint8_t *p, size_t len)
{
	struct reply *r = len > 0 ? malloc(sizeof *r + 2 + len) : NULL;
	uv_buf_t buf;

	if (!r)
		return;
	r->c = c;
	pu_put_be16(r->bytes, (uint16_t)len);
	memcpy(r->bytes + 2, p, len);
	buf = uv_buf_init((char *)r->bytes, (unsigned)(2 + len));
	if (uv_write(&r->req, (uv_stream_t *)&c->tcp, &buf, 1, on_written) < 0) {
		free(r);
		c->s->stats.unsent++;
	}
}

static void on_reply(void *arg, struct pu_bytes reply)
{
	struct waiting *w = arg;
	struct client *c = w->c;
	uint8_t out[PU_DNS_UDP_DEFAULT];

	if (reply.len > 0)
		client_send(c, reply.p, reply.len);
	else
		client_send(c, out, pu_dns_server_fail(c->s, pu_bytes(w->query, w->len), out,
						       sizeof out));
	waiting_free(w);
	client_read(c);
}

static int forward(struct client *c, struct pu_bytes query)
{
	struct waiting *w = calloc(1, sizeof *w + query.len);
	int r;

	if (!w)
		return PU_ENOMEM;
	w->c = c;
	w->len = query.len;
	memcpy(w->query, query.p, query.len);
	pu_list_append(&c->waiting, &w->node);
	c->n_waiting++;
	r = pu_dns_forward_ask(c->s->forward, query, true, &c->peer.ip, on_reply, w, &w->req);
	if (r < 0)
		waiting_free(w);
	else
		c->s->stats.forwarded++;
	return r;
}

static void serve(struct client *c, struct pu_bytes query)
{
	struct pu_dns_server *s = c->s;
	uint8_t out[4096]; /* the longest answer of our own is a kilobyte of TXT */
	size_t len = 0;

	s->stats.tcp_queries++;
	touch(c);
	if (pu_dns_server_serve(s, query, true, &c->peer.ip, out, sizeof out, &len) ==
		    PU_DNS_SERVED_FORWARD &&
	    forward(c, query) < 0)
		len = pu_dns_server_fail(s, query, out, sizeof out);
	client_send(c, out, len);
}

/* A client that does not read its answers is not asked for more questions. */
static bool may_serve(const struct client *c)
{
	return !c->closing && c->n_waiting < PU_DNS_SERVER_TCP_PIPELINE &&
	       uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp) <
		       PU_DNS_SERVER_TCP_WRITE_MAX;
}

static void serve_complete_ones(struct client *c)
{
	while (may_serve(c)) {
		struct pu_bytes in = pu_buf_bytes(&c->in);
		size_t len;

		if (in.len < 2 || in.len < 2u + (len = pu_get_be16(in.p)))
			return;
		serve(c, pu_bytes(in.p + 2, len));
		if (!c->closing)
			pu_buf_consume(&c->in, 2 + len);
	}
}

static void on_client_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct client *c = h->data;

	*buf = uv_buf_init((char *)c->s->in, (unsigned)pu_min(sizeof c->s->in, pu_buf_room(&c->in)));
}

static void on_client_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
	struct client *c = h->data;
	struct pu_loop *loop = c->s->loop;

	if (n == 0)
		return;
	pu_loop_uv_enter(loop);
	if (n == UV_EOF)
		c->eof = true;
	else if (n < 0 || pu_buf_append(&c->in, c->s->in, (size_t)n) < 0)
		client_close(c);
	if (!c->closing)
		client_read(c);
	pu_loop_uv_leave(loop);
}

/* Serves what is complete and reads on as long as the client may ask more. */
static void client_read(struct client *c)
{
	bool want;

	if (c->closing)
		return;
	serve_complete_ones(c);
	if (c->eof && c->n_waiting == 0 && !has_unsent(c)) {
		client_close(c);
		return;
	}
	want = may_serve(c) && !c->eof && pu_buf_room(&c->in) > 0;
	if (want == c->reading)
		return;
	c->reading = want;
	if (want)
		uv_read_start((uv_stream_t *)&c->tcp, on_client_alloc, on_client_read);
	else
		uv_read_stop((uv_stream_t *)&c->tcp);
}

/* --- accepting --- */

static bool too_many(const struct pu_dns_server *s, const struct client *c)
{
	size_t all = 0, same = 0;

	PU_LIST_FOREACH(it, tmp, &s->tcp_clients) {
		all++;
		same += pu_ip_eq(&PU_CONTAINER_OF(it, struct client, node)->peer.ip, &c->peer.ip);
	}
	return all >= PU_DNS_SERVER_TCP_MAX || same >= PU_DNS_SERVER_TCP_PER_ADDRESS;
}

static void client_accept(struct pu_dns_server *s, uv_stream_t *listener)
{
	struct client *c = calloc(1, sizeof *c);
	struct sockaddr_storage ss;
	int len = sizeof ss;

	if (!c)
		return;
	if (uv_tcp_init(pu_loop_uv_of(s->loop), &c->tcp) < 0) {
		free(c);
		return;
	}
	c->s = s;
	c->tcp.data = c;
	pu_list_init(&c->node);
	pu_list_init(&c->waiting);
	pu_buf_init(&c->in, IN_MAX);
	pu_timer_init(&c->idle, s->loop, on_idle, c);
	pu_dns_server_hold(s);
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0 ||
	    uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&ss, &len) < 0) {
		client_close(c);
		return;
	}
	c->peer = pu_dns_endpoint_from_sockaddr((struct sockaddr *)&ss);
	if (too_many(s, c)) {
		s->stats.tcp_rejected++;
		client_close(c);
		return;
	}
	s->stats.tcp_clients++;
	pu_list_append(&s->tcp_clients, &c->node);
	touch(c);
	client_read(c);
}

static void on_connection(uv_stream_t *h, int status)
{
	struct pu_dns_server *s = h->data;

	if (status < 0)
		return;
	pu_loop_uv_enter(s->loop);
	client_accept(s, h);
	pu_loop_uv_leave(s->loop);
}

static void on_listener_closed(uv_handle_t *h)
{
	struct pu_dns_server *s = h->data;

	free(h);
	pu_dns_server_release(s);
}

int pu_dns_server_tcp_listen(struct pu_dns_server *s, size_t i)
{
	uv_tcp_t *h = malloc(sizeof *h);
	struct sockaddr_storage ss;
	int r;

	if (!h)
		return PU_ENOMEM;
	if (uv_tcp_init(pu_loop_uv_of(s->loop), h) < 0) {
		free(h);
		return PU_ESYS;
	}
	h->data = s;
	s->tcp[i] = h;
	pu_dns_server_hold(s);
	pu_dns_endpoint_to_sockaddr(&s->bound[i], &ss);
	r = uv_tcp_bind(h, (struct sockaddr *)&ss,
			s->bound[i].ip.version == 6 ? UV_TCP_IPV6ONLY : 0);
	if (r == 0)
		r = uv_listen((uv_stream_t *)h, BACKLOG, on_connection);
	return r < 0 ? pu_err_from_errno(-r) : 0;
}

void pu_dns_server_tcp_stop(struct pu_dns_server *s)
{
	PU_LIST_FOREACH(it, tmp, &s->tcp_clients)
		client_close(PU_CONTAINER_OF(it, struct client, node));
	for (size_t i = 0; i < PU_DNS_SERVER_LISTEN_MAX; i++)
		if (s->tcp[i])
			uv_close((uv_handle_t *)s->tcp[i], on_listener_closed);
}
