#include "overlay/service.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "overlay/pipe.h"

struct service {
	struct pu_list node;
	struct pu_services *owner;
	char name[PU_SERVICE_NAME_MAX + 1];
	union pu_sockaddr local;
	uint16_t port;
	char *local_text;
	bool temporary;
	struct pu_peerid *peers; /* NULL: everyone */
	size_t n_peers;
	struct pu_greeting_words *greeting; /* may be NULL */
	uint64_t opened, refused;
	uint64_t rx_bytes, tx_bytes; /* of connections that have ended */
	unsigned active;
	bool removed; /* freed with its last connection */
};

/* One inbound stream: first it waits for the local service, and for its reply when there is a
 * greeting, then it is a pipe. */
struct inbound {
	struct pu_list node;
	struct service *service;
	struct pu_peerid peer;
	struct pu_stream *st;
	struct pu_tcp *tcp;
	struct pu_greeting *greeting;
	struct pu_pipe *pipe;
	struct pu_timer timer;
	pu_time opened_at;
	bool wants_status;
};

struct pu_services {
	struct pu_host *host;
	struct pu_net *net;
	bool (*allowed)(void *arg, const struct pu_peerid *peer);
	void *arg;
	const struct pu_services_events *ev; /* NULL: nobody listens */
	void *ev_arg;
	struct pu_list services;
	struct pu_list inbound;
	unsigned n_services, n_inbound;
};

static bool acl_allows(const struct service *s, const struct pu_peerid *peer)
{
	if (!s->peers)
		return true;
	for (size_t i = 0; i < s->n_peers; i++)
		if (pu_peerid_eq(&s->peers[i], peer))
			return true;
	return false;
}

static void service_free(struct service *s)
{
	if (s->greeting)
		explicit_bzero(s->greeting, sizeof *s->greeting);
	free(s->greeting);
	free(s->peers);
	free(s->local_text);
	free(s);
}

static void service_release(struct service *s)
{
	if (s->removed && s->active == 0)
		service_free(s);
}

/* Forgets the connection; its ends were given away or closed before. */
static void inbound_free(struct inbound *in)
{
	struct service *s = in->service;

	pu_timer_stop(&in->timer);
	pu_greeting_cancel(in->greeting);
	pu_list_remove(&in->node);
	s->owner->n_inbound--;
	s->active--;
	free(in);
	service_release(s);
}

static void inbound_fail(struct inbound *in, enum pu_service_status status)
{
	uint8_t byte = status;

	in->service->refused++;
	if (in->tcp)
		in->service->owner->net->ops->tcp_close(in->tcp, true);
	if (in->st && in->wants_status && pu_stream_write(in->st, &byte, 1) == 1)
		pu_stream_close(in->st);
	else if (in->st)
		pu_stream_reset(in->st, status == PU_SERVICE_DENIED ? PU_STREAM_CODE_GATED :
								      PU_STREAM_CODE_NONE);
	inbound_free(in);
}

static void on_pipe_done(void *arg, uint64_t from_stream, uint64_t from_tcp)
{
	struct inbound *in = arg;
	struct pu_services *o = in->service->owner;

	in->service->rx_bytes += from_stream;
	in->service->tx_bytes += from_tcp;
	if (o->ev)
		o->ev->on_closed(o->ev_arg, in->service->name, &in->peer,
				 pu_loop_now(pu_host_loop(o->host)) - in->opened_at);
	inbound_free(in);
}

/* The local program is there and is the right one. */
static void join_ends(struct inbound *in)
{
	struct pu_services *o = in->service->owner;
	struct pu_tcp *tcp = in->tcp;
	bool greeted = in->service->greeting != NULL;
	uint8_t ok = PU_SERVICE_OK;

	pu_timer_stop(&in->timer);
	if (in->wants_status)
		pu_stream_write(in->st, &ok, 1);
	in->service->opened++;
	in->opened_at = pu_loop_now(pu_host_loop(o->host));
	if (pu_pipe_new(pu_host_loop(o->host), o->net, in->st, tcp, on_pipe_done, in,
			&in->pipe) < 0)
		inbound_free(in);
	else if (greeted)
		o->net->ops->tcp_resume(tcp);
}

static void on_greeted(void *arg, int err)
{
	struct inbound *in = arg;

	in->greeting = NULL;
	if (err < 0) {
		pu_log(PU_LOG_WARN, "service", "not the program that asked for it",
		       PU_KV_STR("service", in->service->name), PU_KV_ERR(err));
		inbound_fail(in, PU_SERVICE_UNREACHABLE);
	} else {
		join_ends(in);
	}
}

static void on_connect(void *arg, int err)
{
	struct inbound *in = arg;
	struct service *s = in->service;

	if (err < 0)
		inbound_fail(in, err == PU_EREFUSED ? PU_SERVICE_REFUSED : PU_SERVICE_UNREACHABLE);
	else if (!s->greeting)
		join_ends(in);
	else if (pu_greeting_start(pu_host_loop(s->owner->host), s->owner->net, in->tcp,
				   s->greeting, &in->peer, on_greeted, in, &in->greeting) < 0)
		inbound_fail(in, PU_SERVICE_UNREACHABLE);
}

static void on_connect_error(void *arg, int err)
{
	inbound_fail(arg, PU_SERVICE_UNREACHABLE);
}

static size_t nothing_yet(void *arg, const uint8_t *p, size_t len)
{
	return 0;
}

static const struct pu_tcp_events connect_events = {
	.on_connect = on_connect,
	.on_recv = nothing_yet,
	.on_error = on_connect_error,
};

static void on_dial_timeout(void *arg)
{
	inbound_fail(arg, PU_SERVICE_UNREACHABLE);
}

static size_t keep_for_later(void *arg, struct pu_stream *st, const uint8_t *p, size_t len)
{
	return 0;
}

static void on_stream_closed(void *arg, struct pu_stream *st, int err, uint32_t code)
{
	struct inbound *in = arg;

	in->st = NULL;
	inbound_fail(in, PU_SERVICE_UNREACHABLE);
}

static const struct pu_stream_events waiting_events = {
	.on_recv = keep_for_later,
	.on_closed = on_stream_closed,
};

static void log_denied(const struct service *s, const struct pu_peerid *peer)
{
	char id[PU_PEERID_SHORT_MAX];

	pu_log(PU_LOG_WARN, "service", "peer is not allowed", PU_KV_STR("service", s->name),
	       PU_KV_STR("peer", pu_peerid_short(peer, id)));
}

static void accept_stream(struct service *s, struct pu_stream *st, bool wants_status)
{
	struct pu_services *o = s->owner;
	struct pu_loop *loop = pu_host_loop(o->host);
	struct inbound *in = calloc(1, sizeof *in);

	if (!in) {
		pu_stream_reset(st, PU_STREAM_CODE_LIMIT);
		return;
	}
	*in = (struct inbound){ .service = s, .st = st, .peer = st->conn->peer,
				.wants_status = wants_status };
	pu_list_append(&o->inbound, &in->node);
	pu_timer_init(&in->timer, loop, on_dial_timeout, in);
	o->n_inbound++;
	s->active++;
	pu_stream_set_events(st, &waiting_events, in);
	if (!o->allowed(o->arg, &in->peer) || !acl_allows(s, &in->peer)) {
		log_denied(s, &in->peer);
		if (o->ev)
			o->ev->on_denied(o->ev_arg, s->name, &in->peer);
		inbound_fail(in, PU_SERVICE_DENIED);
		return;
	}
	if (o->n_inbound > PU_SERVICE_PIPES_MAX) {
		inbound_fail(in, PU_SERVICE_BUSY);
		return;
	}
	pu_timer_set(&in->timer, pu_loop_now(loop) + PU_SEC(PU_SERVICE_DIAL_TIMEOUT_S));
	if (o->net->ops->tcp_connect(o->net, &s->local, NULL, &connect_events, in, &in->tcp) < 0) {
		in->tcp = NULL;
		inbound_fail(in, PU_SERVICE_UNREACHABLE);
	}
}

static void on_stream_v10(void *arg, struct pu_stream *st)
{
	accept_stream(arg, st, false);
}

static void on_stream_v11(void *arg, struct pu_stream *st)
{
	accept_stream(arg, st, true);
}

int pu_services_new(struct pu_host *h, struct pu_net *net,
		    bool (*allowed)(void *arg, const struct pu_peerid *peer), void *arg,
		    struct pu_services **ps)
{
	struct pu_services *s = calloc(1, sizeof *s);

	if (!s)
		return PU_ENOMEM;
	*s = (struct pu_services){ .host = h, .net = net, .allowed = allowed, .arg = arg };
	pu_list_init(&s->services);
	pu_list_init(&s->inbound);
	*ps = s;
	return 0;
}

void pu_services_set_events(struct pu_services *s, const struct pu_services_events *ev, void *arg)
{
	s->ev = ev;
	s->ev_arg = arg;
}

static struct service *find(const struct pu_services *s, const char *name)
{
	PU_LIST_FOREACH (it, tmp, &s->services) {
		struct service *v = PU_CONTAINER_OF(it, struct service, node);

		if (strcmp(v->name, name) == 0)
			return v;
	}
	return NULL;
}

static int handle_protocols(struct service *v)
{
	char v10[PU_HOST_PROTOCOL_MAX + 1], v11[PU_HOST_PROTOCOL_MAX + 1];
	int r;

	pu_service_protocol(v->name, 0, v10);
	pu_service_protocol(v->name, 1, v11);
	r = pu_host_handle(v->owner->host, v10, on_stream_v10, v);
	if (r < 0)
		return r;
	r = pu_host_handle(v->owner->host, v11, on_stream_v11, v);
	if (r < 0)
		pu_host_unhandle(v->owner->host, v10);
	return r;
}

static int copy_config(struct service *v, const struct pu_service_config *cfg)
{
	v->local = cfg->local;
	v->port = cfg->port;
	memcpy(v->name, cfg->name, strlen(cfg->name) + 1);
	v->temporary = cfg->temporary;
	v->local_text = cfg->local_text ? strdup(cfg->local_text) : NULL;
	if (cfg->local_text && !v->local_text)
		return PU_ENOMEM;
	v->greeting = cfg->greeting ? malloc(sizeof *v->greeting) : NULL;
	if (cfg->greeting && !v->greeting)
		return PU_ENOMEM;
	if (cfg->greeting)
		*v->greeting = *cfg->greeting;
	if (!cfg->peers)
		return 0;
	v->peers = calloc(cfg->n_peers + 1, sizeof *v->peers);
	if (!v->peers)
		return PU_ENOMEM;
	if (cfg->n_peers)
		memcpy(v->peers, cfg->peers, cfg->n_peers * sizeof *v->peers);
	v->n_peers = cfg->n_peers;
	return 0;
}

int pu_services_add(struct pu_services *s, const struct pu_service_config *cfg)
{
	struct service *v;
	int r = cfg->greeting ? pu_service_name_check_open(cfg->name) :
				pu_service_name_check(cfg->name);

	if (r < 0)
		return r;
	if (find(s, cfg->name))
		return PU_EEXIST;
	if (s->n_services >= PU_SERVICES_MAX || cfg->n_peers > PU_SERVICE_PEERS_MAX)
		return PU_ELIMIT;
	v = calloc(1, sizeof *v);
	if (!v)
		return PU_ENOMEM;
	v->owner = s;
	r = copy_config(v, cfg);
	if (r == 0)
		r = handle_protocols(v);
	if (r < 0) {
		service_free(v);
		return r;
	}
	pu_list_append(&s->services, &v->node);
	s->n_services++;
	return 0;
}

static void service_remove(struct service *v)
{
	char protocol[PU_HOST_PROTOCOL_MAX + 1];

	for (unsigned minor = 0; minor <= 1; minor++) {
		pu_service_protocol(v->name, minor, protocol);
		pu_host_unhandle(v->owner->host, protocol);
	}
	pu_list_remove(&v->node);
	v->owner->n_services--;
	v->removed = true;
	service_release(v);
}

int pu_services_remove(struct pu_services *s, const char *name)
{
	struct service *v = find(s, name);

	if (!v)
		return PU_ENOENT;
	service_remove(v);
	return 0;
}

static void count_bytes(struct inbound *in)
{
	uint64_t rx, tx;

	pu_pipe_bytes(in->pipe, &rx, &tx);
	in->service->rx_bytes += rx;
	in->service->tx_bytes += tx;
}

static void inbound_abort(struct inbound *in)
{
	if (in->pipe) {
		count_bytes(in);
		pu_pipe_abort(in->pipe);
	} else {
		if (in->tcp)
			in->service->owner->net->ops->tcp_close(in->tcp, true);
		if (in->st)
			pu_stream_reset(in->st, PU_STREAM_CODE_SHUTDOWN);
	}
	inbound_free(in);
}

void pu_services_cut(struct pu_services *s, const struct pu_peerid *peer)
{
	PU_LIST_FOREACH (it, tmp, &s->inbound) {
		struct inbound *in = PU_CONTAINER_OF(it, struct inbound, node);

		if (pu_peerid_eq(&in->peer, peer))
			inbound_abort(in);
	}
}

void pu_services_free(struct pu_services *s)
{
	if (!s)
		return;
	PU_LIST_FOREACH (it, tmp, &s->inbound)
		inbound_abort(PU_CONTAINER_OF(it, struct inbound, node));
	PU_LIST_FOREACH (it2, tmp2, &s->services)
		service_remove(PU_CONTAINER_OF(it2, struct service, node));
	free(s);
}

/* What the open connections of the service have moved so far. */
static void add_open(const struct pu_services *s, const struct service *v,
		     struct pu_service_info *out)
{
	uint64_t rx, tx;

	PU_LIST_FOREACH (it, tmp, &s->inbound) {
		const struct inbound *in = PU_CONTAINER_OF(it, struct inbound, node);

		if (in->service != v || !in->pipe)
			continue;
		pu_pipe_bytes(in->pipe, &rx, &tx);
		out->rx_bytes += rx;
		out->tx_bytes += tx;
	}
}

size_t pu_services_list(const struct pu_services *s, const struct pu_peerid *peer,
			struct pu_service_info *out, size_t cap)
{
	size_t n = 0;

	PU_LIST_FOREACH (it, tmp, &s->services) {
		struct service *v = PU_CONTAINER_OF(it, struct service, node);

		if (n == cap)
			break;
		if (peer && (v->greeting || !acl_allows(v, peer)))
			continue;
		out[n] = (struct pu_service_info){ .name = v->name, .port = v->port,
						   .opened = v->opened, .refused = v->refused,
						   .rx_bytes = v->rx_bytes,
						   .tx_bytes = v->tx_bytes,
						   .active = v->active, .local = v->local,
						   .local_text = v->local_text,
						   .temporary = v->temporary };
		add_open(s, v, &out[n++]);
	}
	return n;
}

unsigned pu_services_count(const struct pu_services *s)
{
	return s->n_services;
}
