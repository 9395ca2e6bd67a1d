/* A client that comes along another path.
 *
 * ngtcp2 0.12 follows it well to a path that it never saw. When the client returns to one
 * from before, and soon, it makes mistakes: for seconds it does not follow, as long as it
 * still asks whether the old path works; it counts a connection ID twice and ends the
 * connection; or it begins path MTU discovery one answer too early, and an assertion ends
 * the process. A machine between two networks does that, so does a NAT that changes its
 * mind, and anyone who repeats our packets from elsewhere can.
 *
 * So ngtcp2 never sees an old path: the local address of every path that a client comes
 * along carries another port. Nobody else sees it, packets leave from the port of their
 * socket. The price is a connection ID of the peer's supply for each, and a fresh
 * congestion window where ngtcp2 would keep the old one, when a NAT changed the port alone. */
#include "p2p/transport/quic_internal.h"

static uint16_t *port_of(union pu_sockaddr *sa)
{
	return sa->sa.sa_family == AF_INET6 ? &sa->v6.sin6_port : &sa->v4.sin_port;
}

bool pu_quic_arrival_label(const struct quic_conn *c, const struct pu_dgrams *d,
			   union pu_sockaddr *label)
{
	/* In the handshake there is one path. */
	if (c->state != QUIC_OPEN || (pu_sockaddr_eq(&d->remote, &c->remote_sa) &&
				      pu_sockaddr_eq(&d->local, &c->local_sa))) {
		*label = c->path_local;
		return false;
	}
	*label = d->local;
	*port_of(label) = htons((uint16_t)(ntohs(*port_of(label)) + c->arrivals));
	return true;
}

void pu_quic_arrival_unlabel(const struct quic_conn *c, union pu_sockaddr *local)
{
	union pu_sockaddr bound = c->ep->local;

	if (bound.sa.sa_family == local->sa.sa_family)
		*port_of(local) = *port_of(&bound);
}
