/* The TCP transport, alone or below a layer: sockets in, upgraded connections out. */
#include "p2p/transport/tcp_layer.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/tls/certificate.h"
#include "p2p/transport/tcp_pipe.h"

enum {
	INBOUND_TIMEOUT_S = 15,
	PENDING_PER_NETWORK = 8, /* handshakes at once with one address, or one IPv6 /64 */
};

struct tcp_transport {
	struct pu_transport t;
	struct pu_transport_ops ops;
	const struct pu_tcp_layer_ops *layer;
	void *ctx; /* the layer's */
	struct pu_transport_config cfg;
	struct pu_tcp_transport_options opt;
	struct pu_tls_credentials *tls; /* NULL when TLS is not offered */
	struct pu_list listeners, dials, pending;
	unsigned n_pending;
};

struct listener {
	struct pu_list node;
	struct tcp_transport *tr;
	struct pu_tcp_listener *l;
	union pu_sockaddr bound;
};

/* An accepted socket on its way to a connection. */
struct pending {
	struct pu_list node;
	struct tcp_transport *tr;
	struct pu_upgrade *up;
	union pu_sockaddr remote;
};

struct pu_dial {
	struct pu_list node;
	struct tcp_transport *tr;
	struct pu_tcp *sock; /* connecting */
	struct pu_upgrade *up; /* or upgrading */
	union pu_sockaddr remote;
	struct pu_multiaddr ma;
	struct pu_peerid expected;
	bool anyone, initiator, punching;
	bool reused; /* left from a listening port */
	struct pu_timer timer; /* for everything */
	struct pu_job retry;
	pu_dial_fn *on_done;
	void *arg;
};

static struct tcp_transport *of(const struct pu_transport *t)
{
	return PU_CONTAINER_OF(t, struct tcp_transport, t);
}

/* Ends of a socket as addresses; what cannot be told stays empty. */
static void fill_addrs(struct tcp_transport *tr, struct pu_tcp *sock, struct pu_upgrade_config *uc)
{
	union pu_sockaddr sa;

	tr->cfg.net->ops->tcp_local(sock, &sa);
	pu_multiaddr_from_sockaddr(&uc->local, &sa, tr->layer->kind);
	tr->cfg.net->ops->tcp_remote(sock, &sa);
	pu_multiaddr_from_sockaddr(&uc->remote, &sa, tr->layer->kind);
}

static struct pu_upgrade_config upgrade_config(struct tcp_transport *tr, struct pu_tcp *sock)
{
	struct pu_upgrade_config uc = {
		.loop = tr->cfg.loop,
		.key = tr->cfg.key,
		.opt = &tr->opt,
		.tls = tr->tls,
		.max_streams = tr->cfg.max_streams,
		.gate = tr->cfg.ev->gate,
		.gate_arg = tr->cfg.arg,
	};

	fill_addrs(tr, sock, &uc);
	return uc;
}

static int start_upgrade(struct tcp_transport *tr, PU_TAKES struct pu_tcp *sock,
			 const struct pu_multiaddr *dialed, struct pu_upgrade_config *uc,
			 pu_upgrade_fn *fn, void *arg, struct pu_upgrade **pup)
{
	struct pu_pipe *pipe;
	int r = pu_tcp_pipe_new(tr->cfg.net, sock, &pipe);

	if (r == 0 && tr->layer->wrap)
		r = tr->layer->wrap(tr->ctx, dialed, pipe, uc, &pipe);
	return r < 0 ? r : pu_upgrade_start(uc, pipe, fn, arg, pup);
}

/* Inbound. */

static void pending_free(struct pending *p)
{
	pu_list_remove(&p->node);
	p->tr->n_pending--;
	free(p);
}

static void inbound_failed(struct tcp_transport *tr, const union pu_sockaddr *remote, int err)
{
	if (tr->cfg.ev->on_inbound_failed)
		tr->cfg.ev->on_inbound_failed(tr->cfg.arg, remote, err);
}

static void inbound_done(void *arg, int err, struct pu_conn *c)
{
	struct pending *p = arg;
	struct tcp_transport *tr = p->tr;
	union pu_sockaddr remote = p->remote;

	pending_free(p);
	if (err < 0)
		inbound_failed(tr, &remote, err);
	else
		tr->cfg.ev->on_inbound(tr->cfg.arg, c);
}

static bool same_network(const union pu_sockaddr *a, const union pu_sockaddr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 8) == 0;
}

/* One stranger who opens connections and stays silent must not keep others out. */
static bool may_try(struct tcp_transport *tr, const union pu_sockaddr *remote)
{
	struct pu_multiaddr ma;
	unsigned n = 0;

	if (tr->layer->proxied && pu_multiaddr_from_sockaddr(&ma, remote, tr->layer->kind) == 0 &&
	    pu_multiaddr_is_loopback(&ma))
		return tr->n_pending < tr->cfg.max_pending_inbound;
	PU_LIST_FOREACH(it, tmp, &tr->pending)
		n += same_network(&PU_CONTAINER_OF(it, struct pending, node)->remote, remote);
	return n < PENDING_PER_NETWORK && tr->n_pending < tr->cfg.max_pending_inbound;
}

static void on_accept(void *arg, struct pu_tcp *sock)
{
	struct tcp_transport *tr = ((struct listener *)arg)->tr;
	struct pu_upgrade_config uc = upgrade_config(tr, sock);
	struct pending *p;
	union pu_sockaddr remote;
	int r;

	tr->cfg.net->ops->tcp_remote(sock, &remote);
	p = may_try(tr, &remote) ? calloc(1, sizeof *p) : NULL;
	if (!p) {
		tr->cfg.net->ops->tcp_close(sock, true);
		inbound_failed(tr, &remote, PU_ELIMIT);
		return;
	}
	uc.inbound = true;
	uc.timeout = PU_SEC(INBOUND_TIMEOUT_S);
	p->tr = tr;
	p->remote = remote;
	pu_list_append(&tr->pending, &p->node);
	tr->n_pending++;
	r = start_upgrade(tr, sock, NULL, &uc, inbound_done, p, &p->up);
	if (r < 0) {
		pending_free(p);
		inbound_failed(tr, &remote, r);
	}
}

static int tcp_listen(struct pu_transport *t, const struct pu_multiaddr *ma,
		      struct pu_multiaddr *pbound)
{
	struct tcp_transport *tr = of(t);
	union pu_sockaddr sa;
	struct listener *l;
	int r = pu_multiaddr_to_sockaddr(ma, &sa);

	if (r < 0)
		return r;
	if (!tr->layer->can_listen(ma))
		return PU_ENOTSUP;
	l = calloc(1, sizeof *l);
	if (!l)
		return PU_ENOMEM;
	l->tr = tr;
	r = tr->cfg.net->ops->tcp_listen(tr->cfg.net, &sa, on_accept, l, &l->l);
	if (r < 0) {
		free(l);
		return r;
	}
	tr->cfg.net->ops->tcp_listener_local(l->l, &l->bound);
	pu_list_append(&tr->listeners, &l->node);
	return pu_multiaddr_from_sockaddr(pbound, &l->bound, tr->layer->kind);
}

/* Outbound. */

/* The listening address to dial from, so that NATs and observers see one port. */
static const union pu_sockaddr *reusable(struct tcp_transport *tr, const struct pu_dial *d)
{
	if (!tr->layer->reuse || (!d->punching && !pu_multiaddr_is_public(&d->ma)))
		return NULL;
	PU_LIST_FOREACH(it, tmp, &tr->listeners) {
		struct listener *l = PU_CONTAINER_OF(it, struct listener, node);
		struct pu_multiaddr ma;

		if (l->bound.sa.sa_family != d->remote.sa.sa_family)
			continue;
		if (pu_multiaddr_from_sockaddr(&ma, &l->bound, tr->layer->kind) == 0 &&
		    !pu_multiaddr_is_loopback(&ma))
			return &l->bound;
	}
	return NULL;
}

static void dial_free(struct pu_dial *d)
{
	pu_list_remove(&d->node);
	pu_job_cancel(&d->retry);
	pu_timer_stop(&d->timer);
	free(d);
}

static void dial_done(struct pu_dial *d, int err, struct pu_conn *c)
{
	pu_dial_fn *on_done = d->on_done;
	void *arg = d->arg;

	dial_free(d);
	on_done(arg, err, c);
}

/* Two peers who dial each other from their listening ports at the same moment get
 * one connection with two diallers. Such an attempt is repeated from another port. */
static bool try_again(struct pu_dial *d, int err)
{
	bool confused = err == PU_EPROTO || err == PU_ECRYPTO || err == PU_ERESET ||
			err == PU_ECLOSED || err == PU_EADDRINUSE;

	if (!confused || !d->reused || d->punching)
		return false;
	pu_job_defer(&d->retry);
	return true;
}

static void upgraded(void *arg, int err, struct pu_conn *c)
{
	struct pu_dial *d = arg;

	d->up = NULL;
	if (err < 0 && try_again(d, err))
		return;
	dial_done(d, err, c);
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
			dial_done(d, err, NULL);
		return;
	}
	uc = upgrade_config(tr, sock);
	uc.expected = d->anyone ? NULL : &d->expected;
	uc.initiator = d->initiator;
	uc.remote = d->ma;
	uc.timeout = d->timer.deadline - pu_loop_now(tr->cfg.loop);
	err = start_upgrade(tr, sock, &d->ma, &uc, upgraded, d, &d->up);
	if (err < 0)
		dial_done(d, err, NULL);
}

static const struct pu_tcp_events connect_events = { .on_connect = on_connect };

static int connect_now(struct pu_dial *d, bool reuse)
{
	struct tcp_transport *tr = d->tr;
	const union pu_sockaddr *from = reuse ? reusable(tr, d) : NULL;
	int r;

	d->reused = from != NULL;
	r = tr->cfg.net->ops->tcp_connect(tr->cfg.net, &d->remote, from, &connect_events, d,
					  &d->sock);
	if (r < 0 && from && !d->punching) {
		d->reused = false;
		r = tr->cfg.net->ops->tcp_connect(tr->cfg.net, &d->remote, NULL, &connect_events,
						  d, &d->sock);
	}
	return r;
}

static void retry(void *arg)
{
	struct pu_dial *d = arg;
	int r = connect_now(d, false);

	if (r < 0)
		dial_done(d, r, NULL);
}

static void abandon(struct pu_dial *d)
{
	if (d->sock)
		d->tr->cfg.net->ops->tcp_close(d->sock, true);
	if (d->up)
		pu_upgrade_cancel(d->up);
	d->sock = NULL;
	d->up = NULL;
}

static void dial_timeout(void *arg)
{
	struct pu_dial *d = arg;

	abandon(d);
	dial_done(d, PU_ETIMEDOUT, NULL);
}

static bool tcp_can_dial(const struct pu_transport *t, const struct pu_multiaddr *ma)
{
	return PU_CONTAINER_OF(t, struct tcp_transport, t)->layer->can_dial(ma);
}

static int start_dial(struct tcp_transport *tr, const struct pu_dial *tmpl, pu_time timeout_ns,
		      struct pu_dial **pd)
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
	pu_job_init(&d->retry, tr->cfg.loop, retry, d);
	pu_timer_init(&d->timer, tr->cfg.loop, dial_timeout, d);
	pu_timer_set(&d->timer, pu_loop_now(tr->cfg.loop) + timeout_ns);
	pu_list_append(&tr->dials, &d->node);
	r = connect_now(d, true);
	if (r < 0)
		dial_free(d);
	else
		*pd = d;
	return r;
}

static int tcp_dial(struct pu_transport *t, const struct pu_multiaddr *ma,
		    const struct pu_peerid *expected, pu_time timeout_ns, pu_dial_fn *on_done,
		    void *arg, struct pu_dial **pd)
{
	struct pu_dial d = { .ma = *ma, .initiator = true, .anyone = !expected,
			     .on_done = on_done, .arg = arg };

	if (expected)
		d.expected = *expected;
	return start_dial(of(t), &d, timeout_ns, pd);
}

static int tcp_punch(struct pu_transport *t, const struct pu_multiaddr *ma,
		     const struct pu_peerid *expected, bool initiator, pu_time timeout_ns,
		     pu_dial_fn *on_done, void *arg, struct pu_dial **pd)
{
	struct pu_dial d = { .ma = *ma, .initiator = initiator, .anyone = !expected,
			     .punching = true, .on_done = on_done, .arg = arg };

	if (expected)
		d.expected = *expected;
	return start_dial(of(t), &d, timeout_ns, pd);
}

static void tcp_dial_cancel(struct pu_transport *t, struct pu_dial *d)
{
	(void)t;
	abandon(d);
	dial_free(d);
}

/* The end. */

static void tcp_stop(struct pu_transport *t)
{
	struct tcp_transport *tr = of(t);

	PU_LIST_FOREACH(it, tmp, &tr->listeners) {
		struct listener *l = PU_CONTAINER_OF(it, struct listener, node);

		tr->cfg.net->ops->tcp_listener_close(l->l);
		pu_list_remove(&l->node);
		free(l);
	}
	PU_LIST_FOREACH(it, tmp, &tr->pending) {
		struct pending *p = PU_CONTAINER_OF(it, struct pending, node);

		pu_upgrade_cancel(p->up);
		pending_free(p);
	}
	PU_LIST_FOREACH(it, tmp, &tr->dials)
		tcp_dial_cancel(t, PU_CONTAINER_OF(it, struct pu_dial, node));
}

static void tcp_free(struct pu_transport *t)
{
	struct tcp_transport *tr = of(t);

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
