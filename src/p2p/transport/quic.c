/* The transport: its sockets, dialling, listening, and the end of all. */
#include "p2p/transport/quic.h"

#include <stdlib.h>

#include "base/log.h"
#include "p2p/transport/quic_internal.h"

static struct pu_quic *quic_of(const struct pu_transport *t)
{
	return PU_CONTAINER_OF((struct pu_transport *)t, struct pu_quic, t);
}

/* ---- Endpoints ---- */

static int endpoint_open(struct pu_quic *q, const union pu_sockaddr *bind, bool listening,
			 struct quic_endpoint **pep)
{
	struct quic_endpoint *ep = calloc(1, sizeof *ep);
	int r;

	if (!ep)
		return PU_ENOMEM;
	ep->q = q;
	ep->listening = listening;
	pu_list_init(&ep->waiting);
	r = q->cfg.net->ops->udp_open(q->cfg.net, bind, &pu_quic_udp_events, ep, &ep->udp);
	if (r < 0) {
		free(ep);
		return r;
	}
	q->cfg.net->ops->udp_local(ep->udp, &ep->local);
	pu_list_append(&q->endpoints, &ep->node);
	*pep = ep;
	return 0;
}

static void endpoint_close(struct quic_endpoint *ep)
{
	pu_list_remove(&ep->node);
	ep->q->cfg.net->ops->udp_close(ep->udp);
	free(ep->held);
	free(ep);
}

static bool is_any(const union pu_sockaddr *sa)
{
	return sa->sa.sa_family == AF_INET
		       ? sa->v4.sin_addr.s_addr == htonl(INADDR_ANY)
		       : IN6_IS_ADDR_UNSPECIFIED(&sa->v6.sin6_addr);
}

static bool is_loopback(const union pu_sockaddr *sa)
{
	return sa->sa.sa_family == AF_INET ? ntohl(sa->v4.sin_addr.s_addr) >> 24 == 127
					   : IN6_IS_ADDR_LOOPBACK(&sa->v6.sin6_addr);
}

/* A socket bound to one address reaches only what is routed from there; all that can
 * be told here is that loopback and the rest of the world do not mix. */
static bool reaches(const struct quic_endpoint *ep, const union pu_sockaddr *remote)
{
	if (ep->local.sa.sa_family != remote->sa.sa_family)
		return false;
	return is_any(&ep->local) || is_loopback(&ep->local) == is_loopback(remote);
}

static int endpoint_find(struct pu_quic *q, const union pu_sockaddr *remote, bool any_only,
			 struct quic_endpoint **pep)
{
	union pu_sockaddr any = { 0 };
	struct quic_endpoint *found = NULL;

	PU_LIST_FOREACH(it, tmp, &q->endpoints) {
		struct quic_endpoint *ep = PU_CONTAINER_OF(it, struct quic_endpoint, node);

		if (any_only && !is_any(&ep->local))
			continue;
		if (reaches(ep, remote) && (!found || (ep->listening && !found->listening)))
			found = ep;
	}
	if (found) {
		*pep = found;
		return 0;
	}
	any.sa.sa_family = remote->sa.sa_family;
	return endpoint_open(q, &any, false, pep);
}

int pu_quic_endpoint_for(struct pu_quic *q, const union pu_sockaddr *remote,
			 struct quic_endpoint **pep)
{
	return endpoint_find(q, remote, false, pep);
}

int pu_quic_endpoint_any(struct pu_quic *q, const union pu_sockaddr *remote,
			 struct quic_endpoint **pep)
{
	return endpoint_find(q, remote, true, pep);
}

bool pu_quic_endpoint_is_any(const struct quic_endpoint *ep)
{
	return is_any(&ep->local);
}

/* ---- pu_transport ---- */

static bool op_can_dial(const struct pu_transport *t, const struct pu_multiaddr *ma)
{
	(void)t;
	return pu_multiaddr_kind(ma) == PU_MA_KIND_QUIC;
}

/* How a dial and both sides of a punch begin: where to, from where. */
static int begin(struct pu_quic *q, const struct pu_multiaddr *ma, struct quic_endpoint **pep,
		 union pu_sockaddr *remote)
{
	int r;

	if (!op_can_dial(&q->t, ma))
		return PU_ENOTSUP;
	r = pu_multiaddr_to_sockaddr(ma, remote);
	if (r < 0)
		return r;
	return pu_quic_endpoint_for(q, remote, pep);
}

enum how { DIAL, PUNCH_ACTIVE, PUNCH_PASSIVE };

static int start(struct pu_transport *t, const struct pu_multiaddr *ma,
		 const struct pu_peerid *expected, enum how how, pu_time timeout_ns,
		 pu_dial_fn *on_done, void *arg, struct pu_dial **pd)
{
	struct pu_quic *q = quic_of(t);
	struct quic_endpoint *ep;
	union pu_sockaddr remote;
	struct pu_dial *d;
	int r;

	r = begin(q, ma, &ep, &remote);
	if (r < 0)
		return r;
	if (how != DIAL && !ep->listening) /* nobody could come in, nobody knows our port */
		return PU_ENOTSUP;
	d = calloc(1, sizeof *d);
	if (!d)
		return PU_ENOMEM;
	d->on_done = on_done;
	d->arg = arg;
	d->deadline = pu_loop_now(q->cfg.loop) + timeout_ns;
	r = how == DIAL ? pu_quic_conn_dial(q, ep, &remote, expected, d, &d->conn)
			: pu_quic_punch_start(q, ep, &remote, expected, how == PUNCH_ACTIVE, d);
	if (r < 0) {
		free(d);
		return r;
	}
	*pd = d;
	return 0;
}

static int op_dial(struct pu_transport *t, const struct pu_multiaddr *ma,
		   const struct pu_peerid *expected, pu_time timeout_ns, pu_dial_fn *on_done,
		   void *arg, struct pu_dial **pd)
{
	return start(t, ma, expected, DIAL, timeout_ns, on_done, arg, pd);
}

static int op_punch(struct pu_transport *t, const struct pu_multiaddr *ma,
		    const struct pu_peerid *expected, bool initiator, pu_time timeout_ns,
		    pu_dial_fn *on_done, void *arg, struct pu_dial **pd)
{
	if (!expected)
		return PU_EINVAL;
	return start(t, ma, expected, initiator ? PUNCH_ACTIVE : PUNCH_PASSIVE, timeout_ns,
		     on_done, arg, pd);
}

static void op_dial_cancel(struct pu_transport *t, struct pu_dial *d)
{
	struct quic_conn *c = d->conn;

	(void)t;
	if (c) {
		c->dial = NULL;
		pu_quic_conn_end_app(c, PU_ECANCELED, PU_CONN_CODE_NORMAL, "");
	}
	pu_quic_dial_free(d);
}

static int op_listen(struct pu_transport *t, const struct pu_multiaddr *ma,
		     struct pu_multiaddr *pbound)
{
	struct pu_quic *q = quic_of(t);
	struct quic_endpoint *ep;
	union pu_sockaddr bind;
	int r;

	if (!op_can_dial(t, ma))
		return PU_ENOTSUP;
	r = pu_multiaddr_to_sockaddr(ma, &bind);
	if (r < 0)
		return r;
	r = endpoint_open(q, &bind, true, &ep);
	if (r < 0)
		return r;
	r = pu_multiaddr_from_sockaddr(pbound, &ep->local, PU_MA_KIND_QUIC);
	if (r < 0)
		endpoint_close(ep);
	return r;
}

static void op_stop(struct pu_transport *t)
{
	struct pu_quic *q = quic_of(t);

	PU_LIST_FOREACH(it, tmp, &q->endpoints)
		PU_CONTAINER_OF(it, struct quic_endpoint, node)->listening = false;
	PU_LIST_FOREACH(it, tmp, &q->conns) {
		struct quic_conn *c = PU_CONTAINER_OF(it, struct quic_conn, node);

		if (c->state == QUIC_HANDSHAKE)
			pu_quic_conn_end_app(c, PU_ECANCELED, PU_CONN_CODE_SHUTDOWN, "");
	}
	pu_quic_punch_end_all(q, true);
}

static void op_free(struct pu_transport *t)
{
	struct pu_quic *q = quic_of(t);
	struct pu_list *it;

	pu_quic_punch_end_all(q, false);
	while ((it = pu_list_first(&q->conns))) {
		struct quic_conn *c = PU_CONTAINER_OF(it, struct quic_conn, node);

		pu_quic_dial_free(c->dial);
		c->dial = NULL;
		pu_quic_conn_destroy(c, true);
	}
	while ((it = pu_list_first(&q->endpoints)))
		endpoint_close(PU_CONTAINER_OF(it, struct quic_endpoint, node));
	pu_htab_deinit(&q->cids);
	pu_tls_credentials_free(q->cred);
	explicit_bzero(q->reset_secret, sizeof q->reset_secret);
	explicit_bzero(q->token_secret, sizeof q->token_secret);
	free(q->tx.mem);
	free(q);
}

static const struct pu_transport_ops quic_ops = {
	.name = "quic",
	.can_dial = op_can_dial,
	.dial = op_dial,
	.dial_cancel = op_dial_cancel,
	.punch = op_punch,
	.listen = op_listen,
	.stop = op_stop,
	.free = op_free,
};

int pu_quic_transport_new(const struct pu_transport_config *cfg, struct pu_transport **pt)
{
	struct pu_quic *q = calloc(1, sizeof *q);
	uint8_t key[16];
	int r;

	if (!q)
		return PU_ENOMEM;
	q->t.ops = &quic_ops;
	q->cfg = *cfg;
	pu_list_init(&q->t.node);
	pu_list_init(&q->endpoints);
	pu_list_init(&q->conns);
	pu_list_init(&q->punches);
	pu_list_init(&q->touched);
	pu_loop_random(cfg->loop, key, sizeof key);
	pu_htab_init(&q->cids, key);
	r = PU_ENOMEM;
	q->tx.mem = malloc(QUIC_TX_CAP);
	if (!q->tx.mem)
		goto fail;
	/* From the identity, so that a restarted node can still reset the connections
	 * it forgot. */
	r = pu_quic_tls_derive(cfg->key, "peerup quic stateless reset", q->reset_secret);
	if (r < 0)
		goto fail;
	r = pu_quic_tls_derive(cfg->key, "peerup quic retry token", q->token_secret);
	if (r < 0)
		goto fail;
	r = pu_tls_credentials_new(cfg->key, cfg->loop, &q->cred);
	if (r < 0)
		goto fail;
	*pt = &q->t;
	return 0;
fail:
	op_free(&q->t);
	return r;
}

void pu_quic_transport_stats(const struct pu_transport *t, struct pu_quic_stats *out)
{
	*out = quic_of(t)->stats;
}
