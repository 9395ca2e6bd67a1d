/* Connections that outlive addresses (RFC 9000, section 9).
 *
 * Only the client of a connection can move it. Its socket is bound to a wildcard and the
 * kernel chooses the source, so after a change of addresses its packets leave from the
 * new one by themselves; the server would follow as after a NAT rebinding. To say it to
 * ngtcp2 is still better: a fresh connection ID, a fresh congestion window, path MTU
 * discovery, and proof that the path works.
 *
 * A server cannot move, QUIC gives it no word for that. Between us it dials the peer anew;
 * that connection proves where the server is now, and the client takes its old connection
 * there (follow): same keys, fresh connection ID, path validation. For the server that is
 * an ordinary migration of its client to another of its addresses. */
#include "p2p/transport/quic_internal.h"

/* In ngtcp2's view a client's local address is a label of the path; it must be another one
 * for each move. The kernel chooses the real one. */
static void next_label(const struct quic_conn *c, const struct quic_endpoint *ep,
		       const union pu_sockaddr *source, union pu_sockaddr *label)
{
	*label = pu_sockaddr_eq(source, &c->path_local) ? ep->local : *source;
}

static int movable(const struct quic_conn *c)
{
	const ngtcp2_transport_params *p;

	if (!c->ng || c->end.set || c->state != QUIC_OPEN)
		return PU_ECLOSED;
	p = ngtcp2_conn_get_remote_transport_params(c->ng);
	return c->c.inbound || !p || p->disable_active_migration ? PU_ENOTSUP : 0;
}

/* What was learnt about the old path says nothing about the new one. */
static void forget_path(struct quic_conn *c)
{
	c->udp_cap = QUIC_MAX_UDP;
	c->big_since = 0;
	c->pace_next = 0;
	c->probe_at = PU_TIME_NEVER;
	c->asked_at = 0;
}

static int move(struct quic_conn *c, struct quic_endpoint *ep, const union pu_sockaddr *source,
		const union pu_sockaddr *remote)
{
	union pu_sockaddr label;
	ngtcp2_path path;
	int r;

	next_label(c, ep, source, &label);
	path = (ngtcp2_path){
		.local = { &label.sa, pu_sockaddr_len(&label) },
		.remote = { (struct sockaddr *)&remote->sa, pu_sockaddr_len(remote) },
		.user_data = ep,
	};
	/* At once, not after a probe: the kernel sends all packets along the new route
	 * already, so there is no old path to stay on meanwhile. */
	r = ngtcp2_conn_initiate_immediate_migration(c->ng, &path, quic_ts(c));
	if (r == NGTCP2_ERR_NOMEM)
		pu_quic_conn_end_liberr(c, r);
	if (r != 0) /* no fresh connection ID, say */
		return PU_ENOTSUP;
	c->path_local = label;
	c->seen_local = *source;
	c->c.moving = true;
	forget_path(c);
	/* The challenge alone would not make the peer follow; a PING does. */
	pu_quic_ask(&c->c);
	return 0;
}

/* The address, with the endpoint's port, that packets to remote have as their source. */
static int source_for(const struct quic_endpoint *ep, const union pu_sockaddr *remote,
		      union pu_sockaddr *source)
{
	const struct pu_net *net = ep->q->cfg.net;
	int r;

	if (!pu_quic_endpoint_is_any(ep)) {
		*source = ep->local;
		return 0;
	}
	r = net->ops->udp_route(ep->q->cfg.net, remote, source);
	if (r < 0)
		return r;
	if (source->sa.sa_family == AF_INET6)
		source->v6.sin6_port = ep->local.v6.sin6_port;
	else
		source->v4.sin_port = ep->local.v4.sin_port;
	return 0;
}

int pu_quic_migrate(struct pu_conn *pc)
{
	struct quic_conn *c = quic_conn_of(pc);
	struct quic_endpoint *ep = c->ep;
	union pu_sockaddr source, remote = c->remote_sa;
	int r = movable(c);

	/* A socket bound to one address cannot send from another. */
	if (r == 0 && !pu_quic_endpoint_is_any(ep))
		r = pu_quic_endpoint_any(c->q, &remote, &ep);
	if (r == 0)
		r = source_for(ep, &remote, &source);
	if (r < 0)
		return r;
	if (pu_sockaddr_eq(&source, &c->local_sa))
		return PU_EEXIST;
	return move(c, ep, &source, &remote);
}

int pu_quic_follow(struct pu_conn *pc, const struct pu_multiaddr *to)
{
	struct quic_conn *c = quic_conn_of(pc);
	union pu_sockaddr source, remote;
	struct quic_endpoint *ep;
	int r = movable(c);

	if (r == 0 && pu_multiaddr_kind(to) != PU_MA_KIND_QUIC)
		r = PU_ENOTSUP;
	if (r == 0)
		r = pu_multiaddr_to_sockaddr(to, &remote);
	if (r < 0)
		return r;
	if (pu_sockaddr_eq(&remote, &c->remote_sa))
		return PU_EEXIST;
	r = pu_quic_endpoint_for(c->q, &remote, &ep);
	if (r == 0)
		r = source_for(ep, &remote, &source);
	return r < 0 ? r : move(c, ep, &source, &remote);
}

void pu_quic_path_validated(struct quic_conn *c, const ngtcp2_path *path, bool ok)
{
	const ngtcp2_path *current = ngtcp2_conn_get_path(c->ng);
	union pu_sockaddr a = { 0 }, b = { 0 };

	if (!ok || c->c.inbound)
		return;
	memcpy(&a, path->remote.addr, path->remote.addrlen);
	memcpy(&b, current->remote.addr, current->remote.addrlen);
	if (c->c.moving && pu_sockaddr_eq(&a, &b)) {
		c->c.moving = false;
		c->path_news = true;
	}
}
