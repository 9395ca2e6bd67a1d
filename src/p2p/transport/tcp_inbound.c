/* Accepted sockets on their way to connections. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/transport/tcp_internal.h"

enum {
	INBOUND_TIMEOUT_S = 15,
	PENDING_PER_NETWORK = 8, /* handshakes at once with one address, or one IPv6 /64 */
};

struct pending {
	struct pu_list node;
	struct tcp_transport *tr;
	struct pu_tcp *sock; /* while it is probed, */
	struct tcp_probe *probe;
	struct pu_upgrade *up; /* then this */
	union pu_sockaddr remote;
};

static void pending_free(struct pending *p)
{
	pu_list_remove(&p->node);
	p->tr->n_pending--;
	free(p);
}

static void failed(struct tcp_transport *tr, const union pu_sockaddr *remote, int err)
{
	if (tr->cfg.ev->on_inbound_failed)
		tr->cfg.ev->on_inbound_failed(tr->cfg.arg, remote, err);
}

static void pending_failed(struct pending *p, int err)
{
	struct tcp_transport *tr = p->tr;
	union pu_sockaddr remote = p->remote;

	pending_free(p);
	failed(tr, &remote, err);
}

static void on_upgraded(void *arg, int err, struct pu_conn *c)
{
	struct pending *p = arg;
	struct tcp_transport *tr = p->tr;

	if (err < 0) {
		pending_failed(p, err);
		return;
	}
	pending_free(p);
	if (!tcp_punch_give(tr, c))
		tr->cfg.ev->on_inbound(tr->cfg.arg, c);
}

static void upgrade(struct pending *p, PU_TAKES struct pu_tcp *sock, bool initiator,
		    struct pu_bytes early)
{
	struct pu_upgrade_config uc = tcp_upgrade_config(p->tr, sock);
	int r;

	uc.inbound = true;
	uc.initiator = initiator;
	uc.early = early;
	uc.timeout = PU_SEC(INBOUND_TIMEOUT_S);
	r = tcp_start_upgrade(p->tr, sock, &uc, on_upgraded, p, &p->up);
	if (r < 0)
		pending_failed(p, r);
}

static void on_probed(void *arg, int err, bool initiator, struct pu_bytes early)
{
	struct pending *p = arg;
	struct pu_tcp *sock = p->sock;

	p->sock = NULL;
	p->probe = NULL;
	if (err == 0) {
		upgrade(p, sock, initiator, early);
		return;
	}
	p->tr->cfg.net->ops->tcp_close(sock, true);
	pending_failed(p, err);
}

static void probe(struct pending *p, PU_TAKES struct pu_tcp *sock)
{
	int r = tcp_probe_start(p->tr, sock, true, on_probed, p, &p->probe);

	if (r == 0) {
		p->sock = sock;
		return;
	}
	p->tr->cfg.net->ops->tcp_close(sock, true);
	pending_failed(p, r);
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

void tcp_on_accept(void *arg, struct pu_tcp *sock)
{
	struct tcp_transport *tr = ((struct tcp_listener *)arg)->tr;
	struct pending *p;
	union pu_sockaddr remote;
	enum tcp_role role;

	tr->cfg.net->ops->tcp_remote(sock, &remote);
	p = may_try(tr, &remote) ? calloc(1, sizeof *p) : NULL;
	if (!p) {
		tr->cfg.net->ops->tcp_close(sock, true);
		failed(tr, &remote, PU_ELIMIT);
		return;
	}
	p->tr = tr;
	p->remote = remote;
	pu_list_append(&tr->pending, &p->node);
	tr->n_pending++;
	role = tcp_punch_role_of(tr, &remote);
	if (role == TCP_ROLE_UNKNOWN)
		probe(p, sock);
	else
		upgrade(p, sock, role == TCP_ROLE_CLIENT, pu_bytes(NULL, 0));
}

void tcp_inbound_cancel_all(struct tcp_transport *tr)
{
	PU_LIST_FOREACH(it, tmp, &tr->pending) {
		struct pending *p = PU_CONTAINER_OF(it, struct pending, node);

		if (p->probe)
			tcp_probe_cancel(p->probe);
		if (p->sock)
			tr->cfg.net->ops->tcp_close(p->sock, true);
		if (p->up)
			pu_upgrade_cancel(p->up);
		pending_free(p);
	}
}
