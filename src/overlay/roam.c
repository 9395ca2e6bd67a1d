#include "overlay/roam.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/host/paths.h"

enum {
	IPS_MAX = 64,
	LINK_PREFIX = 8, /* bytes of an IPv6 address */
};

/* What happens to a connection. */
enum state {
	STAYS,    /* nothing */
	ASKED,    /* it owes a sign of life */
	MOVING,   /* its new path is being proved */
	RENEWING, /* the peer is being dialled anew */
	LEFT,     /* there is another one; the peer may still follow with this one */
};

struct rover {
	struct pu_list node;
	struct pu_roam *r;
	struct pu_conn *c;
	enum state state;
	struct pu_timer timer; /* deadline of the state */
	struct pu_host_request *req;
	unsigned tries;
	bool following; /* MOVING because the peer has moved */
	union pu_sockaddr source; /* of our packets, by the routes when last seen */
	struct pu_multiaddr remote;  /* as last seen */
	struct pu_multiaddr peer_at; /* ASKED: where a newer connection found the peer */
};

struct pu_roam {
	struct pu_host *host;
	struct pu_net *net;
	struct pu_host_observer observer;
	struct pu_list rovers;
	struct pu_multiaddr ips[IPS_MAX]; /* of this machine; n_ips 0: not told yet */
	size_t n_ips;
	struct pu_roam_stats stats;
};

static void act(void *arg);

static pu_time now_of(const struct pu_roam *r)
{
	return pu_loop_now(pu_host_loop(r->host));
}

static void enter(struct rover *v, enum state state, pu_time wait)
{
	v->state = state;
	if (state == STAYS)
		pu_timer_stop(&v->timer);
	else
		pu_timer_set(&v->timer, now_of(v->r) + wait);
}

static void tell(const struct rover *v, const char *what)
{
	char id[PU_PEERID_SHORT_MAX], from[PU_MULTIADDR_TEXT_MAX], to[PU_MULTIADDR_TEXT_MAX];

	pu_log(PU_LOG_INFO, "roam", what, PU_KV_STR("peer", pu_peerid_short(&v->c->peer, id)),
	       PU_KV_STR("local", pu_multiaddr_text(&v->c->local, from)),
	       PU_KV_STR("remote", pu_multiaddr_text(&v->c->remote, to)));
}

static struct rover *find(const struct pu_roam *r, const struct pu_conn *c)
{
	PU_LIST_FOREACH (it, tmp, &r->rovers) {
		struct rover *v = PU_CONTAINER_OF(it, struct rover, node);

		if (v->c == c)
			return v;
	}
	return NULL;
}

/* Circuits go where the connection to their relay goes. */
static bool is_direct(const struct pu_conn *c)
{
	return !c->limited && pu_multiaddr_kind(&c->remote) != PU_MA_KIND_CIRCUIT;
}

static bool is_quic(const struct pu_conn *c)
{
	return pu_multiaddr_kind(&c->remote) == PU_MA_KIND_QUIC;
}

static int route(const struct pu_roam *r, const struct pu_conn *c, union pu_sockaddr *source)
{
	union pu_sockaddr remote;
	int e = pu_multiaddr_to_sockaddr(&c->remote, &remote);

	return e < 0 ? e : r->net->ops->udp_route(r->net, &remote, source);
}

/* False when the machine has lost the address that the connection uses. */
static bool has_home(const struct rover *v)
{
	const struct pu_roam *r = v->r;
	struct pu_ma_part ip, own;
	size_t off = 0;

	if (r->n_ips == 0 || !pu_multiaddr_next(&v->c->local, &off, &ip) ||
	    pu_multiaddr_is_unspecified(&v->c->local) || pu_multiaddr_is_loopback(&v->c->local))
		return true;
	for (size_t i = 0; i < r->n_ips; i++) {
		off = 0;
		if (pu_multiaddr_next(&r->ips[i], &off, &own) && own.code == ip.code &&
		    pu_bytes_eq(own.value, ip.value))
			return true;
	}
	return false;
}

/* --- a fresh connection ------------------------------------------------------------ */

/* Another connection has taken over. */
static void replaced(struct rover *v)
{
	v->r->stats.renewed++;
	if (v->req)
		pu_host_cancel(v->r->host, v->req);
	v->req = NULL;
	if (!is_quic(v->c) && !has_home(v)) {
		tell(v, "replaced");
		enter(v, STAYS, 0);
		pu_conn_close(v->c, PU_CONN_CODE_SUPPLANTED);
		return;
	}
	enter(v, LEFT, PU_MS(PU_ROAM_LEAVE_MS));
}

static void on_renewed(void *arg, int err, struct pu_conn *c);

static void retry_later(struct rover *v)
{
	if (v->tries < PU_ROAM_TRIES)
		enter(v, RENEWING, PU_MS(PU_ROAM_RETRY_MS) << (v->tries - 1));
	else
		enter(v, LEFT, PU_MS(PU_ROAM_LEAVE_MS));
}

/* Another connection to the peer in that state, and not without a home if it stays. */
static bool has_other(const struct rover *v, enum state state)
{
	PU_LIST_FOREACH (it, tmp, &v->r->rovers) {
		const struct rover *o = PU_CONTAINER_OF(it, struct rover, node);

		if (o != v && o->state == state && !o->c->closing &&
		    (state == MOVING || has_home(o)) && pu_peerid_eq(&o->c->peer, &v->c->peer))
			return true;
	}
	return false;
}

static void renew(struct rover *v)
{
	struct pu_host *h = v->r->host;
	int e;

	if (v->req)
		return;
	if (has_other(v, STAYS)) {
		replaced(v);
		return;
	}
	if (has_other(v, MOVING)) { /* if it gets through, no dial is needed */
		enter(v, RENEWING, PU_MS(PU_ROAM_PROVE_MS + 1));
		return;
	}
	v->tries++;
	enter(v, RENEWING, PU_SEC(PU_HOST_DIAL_TIMEOUT_S + 1));
	/* Who dialled us from his listening port, as we do, can be dialled there. */
	if (is_quic(v->c))
		pu_host_learn_addr(h, &v->c->peer, &v->c->remote, PU_ADDR_OBSERVED);
	e = pu_host_connect_better(h, &v->c->peer, PU_HOST_REPLACE, on_renewed, v, &v->req);
	if (e < 0) /* a dial that is under way may be from before the change: look again */
		retry_later(v);
}

static void on_renewed(void *arg, int err, struct pu_conn *c)
{
	struct rover *v = arg;

	v->req = NULL;
	if (err < 0 && v->state == RENEWING)
		retry_later(v);
}

static void leave(struct rover *v)
{
	if (!v->c->moving && has_home(v)) {
		enter(v, STAYS, 0);
		return;
	}
	tell(v, "given up");
	v->r->stats.given_up++;
	enter(v, STAYS, 0);
	pu_conn_close(v->c, PU_CONN_CODE_SUPPLANTED);
}

/* --- moving ------------------------------------------------------------------------ */

static void prove(struct rover *v, bool following)
{
	v->following = following;
	v->tries = 0;
	enter(v, MOVING, PU_MS(PU_ROAM_PROVE_MS));
}

/* There is a good connection to the peer, of this machine as it is now. */
static void settle_others(const struct rover *v)
{
	PU_LIST_FOREACH (it, tmp, &v->r->rovers) {
		struct rover *o = PU_CONTAINER_OF(it, struct rover, node);

		if (o != v && o->state == RENEWING && !o->c->closing &&
		    pu_peerid_eq(&o->c->peer, &v->c->peer))
			replaced(o);
	}
}

static void proved(struct rover *v)
{
	if (v->following)
		v->r->stats.followed++;
	else
		v->r->stats.migrated++;
	tell(v, v->following ? "followed the peer" : "moved");
	if (v->req)
		pu_host_cancel(v->r->host, v->req);
	v->req = NULL;
	enter(v, STAYS, 0);
	settle_others(v);
}

static void follow(struct rover *v)
{
	if (pu_conn_follow(v->c, &v->peer_at) == 0)
		prove(v, true);
	else if (v->state == ASKED)
		enter(v, STAYS, 0);
}

static pu_time patience(const struct pu_conn *c)
{
	return pu_max(PU_MS(PU_ROAM_FOLLOW_MS), 3 * pu_conn_rtt(c));
}

/* The peer is at another address, at least too: is the old connection still alive? */
static void consider_following(struct rover *v, const struct pu_conn *fresh)
{
	if (v->c->inbound || !is_quic(v->c) || !is_quic(fresh) ||
	    pu_multiaddr_eq(&v->c->remote, &fresh->remote))
		return;
	v->peer_at = fresh->remote;
	if (v->c->moving) {
		follow(v);
		return;
	}
	pu_conn_probe(v->c);
	enter(v, ASKED, patience(v->c));
}

static void answer_is_due(struct rover *v)
{
	if (pu_conn_unanswered(v->c) < patience(v->c) / 2)
		enter(v, STAYS, 0);
	else if (v->peer_at.len > 0)
		follow(v);
	else
		renew(v);
}

static void act(void *arg)
{
	struct rover *v = arg;

	if (v->c->closing)
		return;
	switch (v->state) {
	case STAYS:
		break;
	case ASKED:
		answer_is_due(v);
		break;
	case MOVING:
		if (v->c->moving)
			renew(v);
		else
			enter(v, STAYS, 0);
		break;
	case RENEWING:
		renew(v);
		break;
	case LEFT:
		leave(v);
		break;
	}
}

/* Another address of the same link: temporary addresses of IPv6 come and go. */
static bool is_same_link(const struct rover *v, const union pu_sockaddr *source)
{
	union pu_sockaddr local;

	return pu_multiaddr_to_sockaddr(&v->c->local, &local) == 0 &&
	       source->sa.sa_family == AF_INET6 && local.sa.sa_family == AF_INET6 &&
	       memcmp(&source->v6.sin6_addr, &local.v6.sin6_addr, LINK_PREFIX) == 0;
}

/* Not before all connections were looked at: one of them may do instead. */
static void renew_soon(struct rover *v)
{
	if (!v->req)
		enter(v, RENEWING, 0);
}

/* Brings a connection along, if it has to. */
static void look_at(struct rover *v)
{
	union pu_sockaddr source;
	int e = route(v->r, v->c, &source);

	if (e < 0) {
		/* No way there; perhaps to another address of the peer. */
		memset(&v->source, 0, sizeof v->source);
		renew_soon(v);
		return;
	}
	if (pu_sockaddr_eq(&source, &v->source) && has_home(v)) {
		/* The same address in another network, maybe: behind another NAT. */
		pu_conn_probe(v->c);
		return;
	}
	v->source = source;
	e = pu_conn_migrate(v->c);
	if (e == 0)
		prove(v, false);
	else if (e == PU_EEXIST)
		pu_conn_probe(v->c);
	else if (e != PU_ECLOSED && !(has_home(v) && is_same_link(v, &source)))
		renew_soon(v);
}

/* --- what happens ------------------------------------------------------------------ */

/* The peer is where this connection goes. */
static void peer_is_at(struct rover *v)
{
	v->remote = v->c->remote;
	PU_LIST_FOREACH (it, tmp, &v->r->rovers) {
		struct rover *o = PU_CONTAINER_OF(it, struct rover, node);

		if (o != v && !o->c->closing && pu_peerid_eq(&o->c->peer, &v->c->peer))
			consider_following(o, v->c);
	}
}

static void on_connected(void *arg, struct pu_conn *c)
{
	struct pu_roam *r = arg;
	struct rover *v;

	if (!is_direct(c))
		return;
	v = calloc(1, sizeof *v);
	if (!v)
		return; /* it will not be brought along */
	v->r = r;
	v->c = c;
	v->state = STAYS;
	pu_timer_init(&v->timer, pu_host_loop(r->host), act, v);
	route(r, c, &v->source);
	pu_list_append(&r->rovers, &v->node);
	settle_others(v);
	peer_is_at(v);
}

static void rover_free(struct rover *v)
{
	if (v->req)
		pu_host_cancel(v->r->host, v->req);
	pu_timer_stop(&v->timer);
	pu_list_remove(&v->node);
	free(v);
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct rover *v = find(arg, c);

	if (v)
		rover_free(v);
}

static void on_path(void *arg, struct pu_conn *c)
{
	struct rover *v = find(arg, c);

	if (!v || c->moving)
		return;
	if (v->state == MOVING || (v->state == RENEWING && has_home(v)))
		proved(v);
	else if (v->state == LEFT && has_home(v)) /* the peer came after us */
		enter(v, STAYS, 0);
	route(v->r, c, &v->source);
	if (!pu_multiaddr_eq(&c->remote, &v->remote))
		peer_is_at(v);
}

int pu_roam_new(struct pu_host *h, struct pu_net *net, struct pu_roam **pr)
{
	struct pu_roam *r = calloc(1, sizeof *r);

	if (!r)
		return PU_ENOMEM;
	r->host = h;
	r->net = net;
	pu_list_init(&r->rovers);
	r->observer = (struct pu_host_observer){ .on_connected = on_connected,
						 .on_disconnected = on_disconnected,
						 .on_path = on_path,
						 .arg = r };
	pu_host_observe(h, &r->observer);
	*pr = r;
	return 0;
}

void pu_roam_free(struct pu_roam *r)
{
	if (!r)
		return;
	pu_host_unobserve(r->host, &r->observer);
	PU_LIST_FOREACH (it, tmp, &r->rovers)
		rover_free(PU_CONTAINER_OF(it, struct rover, node));
	free(r);
}

/* A cable that is out may come back; only another address makes the old one worthless. */
static bool is_anywhere(const struct pu_roam *r)
{
	for (size_t i = 0; i < r->n_ips; i++)
		if (!pu_multiaddr_is_loopback(&r->ips[i]))
			return true;
	return false;
}

void pu_roam_network_changed(struct pu_roam *r, const struct pu_multiaddr *ips, size_t n)
{
	r->n_ips = pu_min(n, (size_t)IPS_MAX);
	memcpy(r->ips, ips, r->n_ips * sizeof *ips);
	if (!is_anywhere(r))
		return;
	PU_LIST_FOREACH (it, tmp, &r->rovers) {
		struct rover *v = PU_CONTAINER_OF(it, struct rover, node);

		v->tries = 0;
		if (!v->c->closing)
			look_at(v);
	}
}

void pu_roam_resumed(struct pu_roam *r)
{
	PU_LIST_FOREACH (it, tmp, &r->rovers) {
		struct rover *v = PU_CONTAINER_OF(it, struct rover, node);

		if (v->c->closing || v->state != STAYS)
			continue;
		v->peer_at.len = 0;
		pu_conn_probe(v->c);
		enter(v, ASKED, PU_MS(PU_ROAM_ANSWER_MS));
	}
}

void pu_roam_stats(const struct pu_roam *r, struct pu_roam_stats *out)
{
	*out = r->stats;
}
