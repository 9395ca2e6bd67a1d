#include "tun/dns/server.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "tun/dns/message.h"
#include "tun/dns/server_internal.h"

/* A question from UDP that waits for an upstream. */
struct waiting {
	struct pu_list node;
	struct pu_dns_server *s;
	uv_udp_t *from;
	struct sockaddr_storage client;
	size_t limit; /* what the asker takes over UDP */
	struct pu_dns_request *req;
	size_t len;
	uint8_t query[];
};

/* --- what both transports do --- */

static bool is_listen_address(const struct pu_dns_server *s, const struct pu_ip *ip)
{
	for (size_t i = 0; i < s->cfg.n_listen; i++)
		if (pu_ip_eq(&s->bound[i].ip, ip))
			return true;
	return false;
}

/* The common asker on this host has the address it asks. */
static bool may_ask(const struct pu_dns_server *s, const struct pu_ip *from)
{
	return !s->cfg.local_only || is_listen_address(s, from) || pu_dns_endpoint_is_local(from);
}

enum pu_dns_served pu_dns_server_serve(struct pu_dns_server *s, struct pu_bytes query, bool tcp,
				       const struct pu_ip *from, uint8_t *out, size_t cap,
				       size_t *plen)
{
	bool allowed = may_ask(s, from);
	int r = allowed ? pu_dns_answer(&s->cfg.zone, query, tcp, out, cap) : PU_EDENIED;

	if (r == PU_ENOENT && pu_dns_forward_possible(s->forward))
		return PU_DNS_SERVED_FORWARD;
	if (r < 0) {
		s->stats.refused++;
		r = pu_dns_fail(query, ns_r_refused, out, cap);
	} else if (r > 0) {
		s->stats.answered++;
	} else {
		s->stats.ignored++;
	}
	*plen = (size_t)r;
	return PU_DNS_SERVED_ANSWER;
}

size_t pu_dns_server_fail(struct pu_dns_server *s, struct pu_bytes query, uint8_t *out, size_t cap)
{
	s->stats.failed++;
	return (size_t)pu_dns_fail(query, ns_r_servfail, out, cap);
}

void pu_dns_server_hold(struct pu_dns_server *s)
{
	s->n_handles++;
}

void pu_dns_server_release(struct pu_dns_server *s)
{
	if (--s->n_handles == 0 && s->stopping)
		free(s);
}

/* --- UDP --- */

static void udp_send(struct pu_dns_server *s, uv_udp_t *h, const uint8_t *p, size_t len,
		     const struct sockaddr *to)
{
	uv_buf_t buf = uv_buf_init((char *)p, (unsigned)len);

	if (len > 0 && uv_udp_try_send(h, &buf, 1, to) < 0)
		s->stats.unsent++;
}

static void waiting_free(struct waiting *w)
{
	pu_list_remove(&w->node);
	free(w);
}

static void on_udp_reply(void *arg, struct pu_bytes reply)
{
	struct waiting *w = arg;
	struct pu_dns_server *s = w->s;
	uint8_t out[PU_DNS_UDP_MAX];
	size_t len = reply.len;

	if (len > 0) {
		len = pu_dns_message_truncate((uint8_t *)reply.p, len, w->limit);
		udp_send(s, w->from, reply.p, len, (struct sockaddr *)&w->client);
	} else {
		len = pu_dns_server_fail(s, pu_bytes(w->query, w->len), out, sizeof out);
		udp_send(s, w->from, out, len, (struct sockaddr *)&w->client);
	}
	waiting_free(w);
}

static int udp_forward(struct pu_dns_server *s, uv_udp_t *h, struct pu_bytes query,
		       const struct sockaddr *from, const struct pu_ip *client)
{
	struct waiting *w = calloc(1, sizeof *w + query.len);
	struct pu_dns_query q;
	int r;

	if (!w)
		return PU_ENOMEM;
	w->s = s;
	w->from = h;
	w->len = query.len;
	memcpy(w->query, query.p, query.len);
	memcpy(&w->client, from,
	       from->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	pu_dns_query_parse(&q, query);
	w->limit = pu_max(q.edns ? q.udp_size : 0, PU_DNS_UDP_DEFAULT);
	pu_list_append(&s->udp_waiting, &w->node);
	r = pu_dns_forward_ask(s->forward, query, false, client, on_udp_reply, w, &w->req);
	if (r < 0)
		waiting_free(w);
	else
		s->stats.forwarded++;
	return r;
}

static void on_udp_alloc(uv_handle_t *h, size_t hint, uv_buf_t *buf)
{
	struct pu_dns_server *s = h->data;

	*buf = uv_buf_init((char *)s->in, sizeof s->in);
}

static void on_udp_query(uv_udp_t *h, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
			 unsigned flags)
{
	struct pu_dns_server *s = h->data;
	uint8_t out[PU_DNS_UDP_MAX];
	struct pu_dns_endpoint client;
	struct pu_bytes query;
	size_t len = 0;

	if (n <= 0 || !from || (flags & UV_UDP_PARTIAL))
		return;
	pu_loop_uv_enter(s->loop);
	s->stats.udp_queries++;
	query = pu_bytes(s->in, (size_t)n);
	client = pu_dns_endpoint_from_sockaddr(from);
	if (pu_dns_server_serve(s, query, false, &client.ip, out, sizeof out, &len) ==
		    PU_DNS_SERVED_FORWARD &&
	    udp_forward(s, h, query, from, &client.ip) < 0)
		len = pu_dns_server_fail(s, query, out, sizeof out);
	udp_send(s, h, out, len, from);
	pu_loop_uv_leave(s->loop);
}

static void on_udp_closed(uv_handle_t *h)
{
	struct pu_dns_server *s = h->data;

	free(h);
	pu_dns_server_release(s);
}

static int udp_listen(struct pu_dns_server *s, size_t i)
{
	struct pu_dns_endpoint *ep = &s->bound[i];
	uv_udp_t *h = malloc(sizeof *h);
	struct sockaddr_storage ss;
	int len = sizeof ss, r;

	if (!h)
		return PU_ENOMEM;
	if (uv_udp_init(pu_loop_uv_of(s->loop), h) < 0) {
		free(h);
		return PU_ESYS;
	}
	h->data = s;
	s->udp[i] = h;
	pu_dns_server_hold(s);
	pu_dns_endpoint_to_sockaddr(ep, &ss);
	r = uv_udp_bind(h, (struct sockaddr *)&ss, ep->ip.version == 6 ? UV_UDP_IPV6ONLY : 0);
	if (r == 0)
		r = uv_udp_recv_start(h, on_udp_alloc, on_udp_query);
	if (r == 0)
		r = uv_udp_getsockname(h, (struct sockaddr *)&ss, &len);
	if (r == 0)
		ep->port = pu_dns_endpoint_from_sockaddr((struct sockaddr *)&ss).port;
	return r < 0 ? pu_err_from_errno(-r) : 0;
}

/* --- life --- */

static int listen_on(struct pu_dns_server *s, size_t i)
{
	char text[PU_DNS_ENDPOINT_TEXT];
	int r;

	s->bound[i] = s->cfg.listen[i];
	r = udp_listen(s, i);
	/* Port 0 took any UDP port; TCP takes the same one. */
	if (r == 0)
		r = pu_dns_server_tcp_listen(s, i);
	/* A kernel without IPv6 has none of its addresses. */
	if (r == PU_ENOTSUP)
		r = PU_EUNREACH;
	if (r < 0)
		pu_log(PU_LOG_ERROR, "dns", "cannot listen",
		       PU_KV_STR("address", pu_dns_endpoint_text(&s->bound[i], text)), PU_KV_ERR(r));
	return r;
}

int pu_dns_server_set_upstreams(struct pu_dns_server *s, const struct pu_dns_endpoint *upstreams,
				size_t n)
{
	struct pu_dns_endpoint keep[PU_DNS_SERVER_UPSTREAMS_MAX];
	size_t n_keep = 0;

	for (size_t i = 0; i < n && n_keep < PU_ARRAY_LEN(keep); i++) {
		bool self = false;

		for (size_t k = 0; k < s->cfg.n_listen; k++)
			self |= upstreams[i].port == s->bound[k].port &&
				pu_ip_eq(&upstreams[i].ip, &s->bound[k].ip);
		if (!self && upstreams[i].ip.version)
			keep[n_keep++] = upstreams[i];
	}
	pu_dns_forward_set_upstreams(s->forward, keep, n_keep);
	return n > 0 && n_keep == 0 ? PU_EINVAL : 0;
}

int pu_dns_server_start(struct pu_loop *loop, const struct pu_dns_server_config *cfg,
			struct pu_dns_server **ps)
{
	struct pu_dns_server *s;
	int r = 0;

	if (cfg->n_listen == 0 || cfg->n_listen > PU_DNS_SERVER_LISTEN_MAX ||
	    cfg->n_upstreams > PU_DNS_SERVER_UPSTREAMS_MAX)
		return PU_EINVAL;
	s = calloc(1, sizeof *s);
	if (!s)
		return PU_ENOMEM;
	s->loop = loop;
	s->cfg = *cfg;
	pu_list_init(&s->tcp_clients);
	pu_list_init(&s->udp_waiting);
	pu_dns_server_hold(s);
	r = pu_dns_forward_new(loop, cfg->upstream_ms, &s->forward);
	for (size_t i = 0; r == 0 && i < cfg->n_listen; i++)
		r = listen_on(s, i);
	if (r < 0) {
		pu_dns_server_stop(s);
		return r;
	}
	pu_dns_server_set_upstreams(s, cfg->upstreams, cfg->n_upstreams);
	*ps = s;
	return 0;
}

void pu_dns_server_stop(struct pu_dns_server *s)
{
	if (!s)
		return;
	s->stopping = true;
	pu_dns_server_tcp_stop(s);
	pu_dns_forward_free(s->forward);
	PU_LIST_FOREACH(it, tmp, &s->udp_waiting)
		waiting_free(PU_CONTAINER_OF(it, struct waiting, node));
	for (size_t i = 0; i < PU_DNS_SERVER_LISTEN_MAX; i++)
		if (s->udp[i])
			uv_close((uv_handle_t *)s->udp[i], on_udp_closed);
	pu_dns_server_release(s);
}

uint16_t pu_dns_server_port(const struct pu_dns_server *s, size_t i)
{
	return i < s->cfg.n_listen ? s->bound[i].port : 0;
}

void pu_dns_server_stats(const struct pu_dns_server *s, struct pu_dns_server_stats *out)
{
	*out = s->stats;
}
