/* The TCP transport, alone or below a layer: sockets in, upgraded connections out. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/transport/tcp_internal.h"
#include "p2p/transport/tcp_pipe.h"

/* Ends of a socket as addresses; what cannot be told stays empty. */
static void fill_addrs(struct tcp_transport *tr, struct pu_tcp *sock, struct pu_upgrade_config *uc)
{
	union pu_sockaddr sa;

	tr->cfg.net->ops->tcp_local(sock, &sa);
	pu_multiaddr_from_sockaddr(&uc->local, &sa, tr->layer->kind);
	tr->cfg.net->ops->tcp_remote(sock, &sa);
	pu_multiaddr_from_sockaddr(&uc->remote, &sa, tr->layer->kind);
}

struct pu_upgrade_config tcp_upgrade_config(struct tcp_transport *tr, struct pu_tcp *sock)
{
	struct pu_upgrade_config uc = {
		.loop = tr->cfg.loop,
		.key = tr->cfg.key,
		.opt = &tr->opt,
		.tls = tr->tls,
		.max_streams = tr->cfg.max_streams,
		.stream_memory = tr->cfg.stream_memory,
		.gate = tr->cfg.ev->gate,
		.gate_arg = tr->cfg.arg,
	};

	fill_addrs(tr, sock, &uc);
	return uc;
}

int tcp_start_upgrade(struct tcp_transport *tr, PU_TAKES struct pu_tcp *sock,
		      const struct pu_upgrade_config *uc, pu_upgrade_fn *fn, void *arg,
		      struct pu_upgrade **pup)
{
	struct pu_upgrade_config inner = *uc;
	struct pu_pipe *pipe;
	int r = pu_tcp_pipe_new(tr->cfg.net, sock, &pipe);

	if (r == 0 && tr->layer->wrap)
		r = tr->layer->wrap(tr->ctx, &inner, pipe, &pipe);
	return r < 0 ? r : pu_upgrade_start(&inner, pipe, fn, arg, pup);
}

static int tcp_listen(struct pu_transport *t, const struct pu_multiaddr *ma,
		      struct pu_multiaddr *pbound)
{
	struct tcp_transport *tr = tcp_of(t);
	union pu_sockaddr sa;
	struct tcp_listener *l;
	int r = pu_multiaddr_to_sockaddr(ma, &sa);

	if (r < 0)
		return r;
	if (!tr->layer->can_listen(ma))
		return PU_ENOTSUP;
	l = calloc(1, sizeof *l);
	if (!l)
		return PU_ENOMEM;
	l->tr = tr;
	r = tr->cfg.net->ops->tcp_listen(tr->cfg.net, &sa, tcp_on_accept, l, &l->l);
	if (r < 0) {
		free(l);
		return r;
	}
	tr->cfg.net->ops->tcp_listener_local(l->l, &l->bound);
	pu_list_append(&tr->listeners, &l->node);
	return pu_multiaddr_from_sockaddr(pbound, &l->bound, tr->layer->kind);
}

/* Outbound. */

const union pu_sockaddr *tcp_listening_addr(struct tcp_transport *tr, int family)
{
	PU_LIST_FOREACH(it, tmp, &tr->listeners) {
		struct tcp_listener *l = PU_CONTAINER_OF(it, struct tcp_listener, node);
		struct pu_multiaddr ma;

		if (l->bound.sa.sa_family != family)
			continue;
		if (pu_multiaddr_from_sockaddr(&ma, &l->bound, tr->layer->kind) == 0 &&
		    !pu_multiaddr_is_loopback(&ma))
			return &l->bound;
	}
	return NULL;
}

void tcp_dial_free(struct pu_dial *d)
{
	pu_list_remove(&d->node);
	pu_timer_stop(&d->timer);
	pu_timer_stop(&d->again);
	free(d);
}

void tcp_dial_done(struct pu_dial *d, int err, struct pu_conn *c)
{
	pu_dial_fn *on_done = d->on_done;
	void *arg = d->arg;

	tcp_dial_free(d);
	if (on_done)
		on_done(arg, err, c);
}

/* Two peers who dial each other from their listening ports at the same moment get
 * one connection with two diallers. Such an attempt is repeated from another port. */
static bool try_again(struct pu_dial *d, int err)
{
	bool confused = err == PU_EPROTO || err == PU_ECRYPTO || err == PU_ERESET ||
			err == PU_ECLOSED || err == PU_EADDRINUSE;

	if (!confused || !d->reused)
		return false;
	pu_timer_set(&d->again, pu_loop_now(d->tr->cfg.loop));
	return true;
}

static void upgraded(void *arg, int err, struct pu_conn *c)
{
	struct pu_dial *d = arg;

	d->up = NULL;
	if (err < 0 && try_again(d, err))
		return;
	tcp_dial_done(d, err, c);
}

static void on_connect(void *arg, int err)
{
	struct pu_dial *d = arg;
	struct tcp_transport *tr = d->tr;
	struct pu_tcp *sock = d->sock;
	struct pu_upgrade_config uc;

	d->sock = NULL;
	if (err < 0) {
		tr->cfg.net->ops->tcp_close(sock, true);
		if (!try_again(d, err))
			tcp_dial_done(d, err, NULL);
		return;
	}
	uc = tcp_upgrade_config(tr, sock);
	uc.expected = d->anyone ? NULL : &d->expected;
	uc.initiator = d->initiator;
	uc.remote = d->ma;
	uc.timeout = d->timer.deadline - pu_loop_now(tr->cfg.loop);
	err = tcp_start_upgrade(tr, sock, &uc, upgraded, d, &d->up);
	if (err < 0)
		tcp_dial_done(d, err, NULL);
}

static const struct pu_tcp_events connect_events = { .on_connect = on_connect };

/* Public addresses are dialled from the listening port, so that NATs and observers see
 * one port. */
static int connect_now(struct pu_dial *d, bool reuse)
{
	struct pu_net *net = d->tr->cfg.net;
	const union pu_sockaddr *from = NULL;
	int r;

	if (reuse && d->tr->layer->reuse && pu_multiaddr_is_public(&d->ma))
		from = tcp_listening_addr(d->tr, d->remote.sa.sa_family);
	d->reused = from != NULL;
	r = net->ops->tcp_connect(net, &d->remote, from, &connect_events, d, &d->sock);
	if (r < 0 && from) {
		d->reused = false;
		r = net->ops->tcp_connect(net, &d->remote, NULL, &connect_events, d, &d->sock);
	}
	return r;
}

static void retry(void *arg)
{
	struct pu_dial *d = arg;
	int r = connect_now(d, false);

	if (r < 0)
		tcp_dial_done(d, r, NULL);
}

void tcp_dial_abandon(struct pu_dial *d)
{
	if (d->probe)
		tcp_probe_cancel(d->probe);
	if (d->sock)
		d->tr->cfg.net->ops->tcp_close(d->sock, true);
	if (d->up)
		pu_upgrade_cancel(d->up);
	d->probe = NULL;
	d->sock = NULL;
	d->up = NULL;
}

static void dial_timeout(void *arg)
{
	struct pu_dial *d = arg;

	tcp_dial_abandon(d);
	tcp_dial_done(d, PU_ETIMEDOUT, NULL);
}

static bool tcp_can_dial(const struct pu_transport *t, const struct pu_multiaddr *ma)
{
	return tcp_of(t)->layer->can_dial(ma);
}

int tcp_dial_new(struct tcp_transport *tr, const struct pu_dial *tmpl, pu_time timeout_ns,
		 pu_job_fn *again, struct pu_dial **pd)
{
	struct pu_dial *d;
	union pu_sockaddr sa;
	int r = pu_multiaddr_to_sockaddr(&tmpl->ma, &sa);

	if (r < 0)
		return r;
	d = malloc(sizeof *d);
	if (!d)
		return PU_ENOMEM;
	*d = *tmpl;
	d->tr = tr;
	d->remote = sa;
	pu_timer_init(&d->timer, tr->cfg.loop, dial_timeout, d);
	pu_timer_init(&d->again, tr->cfg.loop, again, d);
	pu_timer_set(&d->timer, pu_loop_now(tr->cfg.loop) + timeout_ns);
	pu_list_append(&tr->dials, &d->node);
	*pd = d;
	return 0;
}

static int tcp_dial(struct pu_transport *t, const struct pu_multiaddr *ma,
		    const struct pu_peerid *expected, pu_time timeout_ns, pu_dial_fn *on_done,
		    void *arg, struct pu_dial **pd)
{
	struct pu_dial tmpl = { .ma = *ma, .initiator = true, .anyone = !expected,
				.on_done = on_done, .arg = arg };
	struct pu_dial *d;
	int r;

	if (expected)
		tmpl.expected = *expected;
	r = tcp_dial_new(tcp_of(t), &tmpl, timeout_ns, retry, &d);
	if (r < 0)
		return r;
	r = connect_now(d, true);
	if (r < 0)
		tcp_dial_free(d);
	else
		*pd = d;
	return r;
}

static void tcp_dial_cancel(struct pu_transport *t, struct pu_dial *d)
{
	(void)t;
	if (d->punching) {
		tcp_punch_cancel(d);
		return;
	}
	tcp_dial_abandon(d);
	tcp_dial_free(d);
}

/* The end. */

static void tcp_stop(struct pu_transport *t)
{
	struct tcp_transport *tr = tcp_of(t);

	PU_LIST_FOREACH(it, tmp, &tr->listeners) {
		struct tcp_listener *l = PU_CONTAINER_OF(it, struct tcp_listener, node);

		tr->cfg.net->ops->tcp_listener_close(l->l);
		pu_list_remove(&l->node);
		free(l);
	}
	tcp_inbound_cancel_all(tr);
	PU_LIST_FOREACH(it, tmp, &tr->dials) {
		struct pu_dial *d = PU_CONTAINER_OF(it, struct pu_dial, node);

		tcp_dial_abandon(d);
		tcp_dial_free(d);
	}
}

static void tcp_free(struct pu_transport *t)
{
	struct tcp_transport *tr = tcp_of(t);

	tcp_stop(t);
	pu_tls_credentials_free(tr->tls);
	if (tr->layer->free)
		tr->layer->free(tr->ctx);
	free(tr);
}

static const struct pu_transport_ops tcp_ops = {
	.can_dial = tcp_can_dial,
	.dial = tcp_dial,
	.dial_cancel = tcp_dial_cancel,
	.listen = tcp_listen,
	.stop = tcp_stop,
	.free = tcp_free,
};

static void init(struct tcp_transport *tr, const struct pu_transport_config *cfg,
		 const struct pu_tcp_transport_options *opt, const struct pu_tcp_layer_ops *layer,
		 void *ctx)
{
	tr->ops = tcp_ops;
	tr->ops.name = layer->name;
	tr->ops.punch = layer->reuse ? tcp_punch : NULL;
	tr->t.ops = &tr->ops;
	pu_list_init(&tr->t.node);
	tr->layer = layer;
	tr->ctx = ctx;
	tr->cfg = *cfg;
	tr->opt = *opt;
	pu_list_init(&tr->listeners);
	pu_list_init(&tr->dials);
	pu_list_init(&tr->pending);
}

int pu_tcp_layered_new(const struct pu_transport_config *cfg,
		       const struct pu_tcp_transport_options *opt,
		       const struct pu_tcp_layer_ops *layer, PU_TAKES void *ctx,
		       struct pu_transport **pt)
{
	struct tcp_transport *tr = calloc(1, sizeof *tr);
	int r = 0;

	if (!tr) {
		if (layer->free)
			layer->free(ctx);
		return PU_ENOMEM;
	}
	init(tr, cfg, opt, layer, ctx);
	for (size_t i = 0; i < PU_ARRAY_LEN(opt->order) && !tr->tls && r == 0; i++)
		if (opt->order[i] == PU_SECURITY_TLS)
			r = pu_tls_credentials_new(cfg->key, cfg->loop, &tr->tls);
	if (r < 0)
		tcp_free(&tr->t);
	else
		*pt = &tr->t;
	return r;
}

static bool is_plain(const struct pu_multiaddr *ma)
{
	return pu_multiaddr_kind(ma) == PU_MA_KIND_TCP;
}

static const struct pu_tcp_layer_ops no_layer = {
	.name = "tcp",
	.can_dial = is_plain,
	.can_listen = is_plain,
	.kind = PU_MA_KIND_TCP,
	.reuse = true,
};

int pu_tcp_transport_new(const struct pu_transport_config *cfg,
			 const struct pu_tcp_transport_options *opt, struct pu_transport **pt)
{
	return pu_tcp_layered_new(cfg, opt, &no_layer, NULL, pt);
}
