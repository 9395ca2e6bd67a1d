/* Hole punching (specs relay/DCUtR.md): both ends connect from their listening ports at
 * the same moment. What comes of it, one connection that both opened or one that either
 * listener accepted, belongs to the punch. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/transport/tcp_internal.h"

enum { GAP_MIN_MS = 50, GAP_RANDOM_MS = 100 };

/* Some NATs answer with a reset until their own side has sent something. */
static void later(struct pu_dial *d)
{
	struct pu_loop *loop = d->tr->cfg.loop;
	uint32_t r;

	pu_loop_random(loop, &r, sizeof r);
	pu_timer_set(&d->again, pu_loop_now(loop) + PU_MS(GAP_MIN_MS) + r % PU_MS(GAP_RANDOM_MS));
}

static void on_upgraded(void *arg, int err, struct pu_conn *c)
{
	struct pu_dial *d = arg;

	d->up = NULL;
	if (d->on_done && err < 0 && err != PU_EDENIED && err != PU_EPEERID)
		later(d);
	else if (d->on_done || err < 0)
		tcp_dial_done(d, err, c);
	else {
		struct pu_transport_config *cfg = &d->tr->cfg;

		tcp_dial_free(d);
		cfg->ev->on_inbound(cfg->arg, c);
	}
}

static void upgrade(struct pu_dial *d, PU_TAKES struct pu_tcp *sock, bool initiator,
		    struct pu_bytes early)
{
	struct pu_upgrade_config uc = tcp_upgrade_config(d->tr, sock);
	int r;

	uc.expected = &d->expected;
	uc.initiator = initiator;
	uc.inbound = !d->initiator;
	uc.early = early;
	uc.remote = d->ma;
	uc.timeout = d->timer.deadline - pu_loop_now(d->tr->cfg.loop);
	r = tcp_start_upgrade(d->tr, sock, &uc, on_upgraded, d, &d->up);
	if (r < 0)
		tcp_dial_done(d, r, NULL);
}

static void on_probed(void *arg, int err, bool initiator, struct pu_bytes early)
{
	struct pu_dial *d = arg;
	struct pu_tcp *sock = d->sock;

	d->probe = NULL;
	d->sock = NULL;
	if (err == 0) {
		upgrade(d, sock, initiator, early);
		return;
	}
	d->tr->cfg.net->ops->tcp_close(sock, true);
	later(d);
}

/* A peer that took our connection for an ordinary one waits like us: see who speaks. */
static void on_connect(void *arg, int err)
{
	struct pu_dial *d = arg;
	struct pu_tcp *sock = d->sock;

	if (err == 0 && !d->initiator) {
		err = tcp_probe_start(d->tr, sock, false, on_probed, d, &d->probe);
		if (err == 0)
			return;
	}
	d->sock = NULL;
	if (err == 0) {
		upgrade(d, sock, true, pu_bytes(NULL, 0));
		return;
	}
	d->tr->cfg.net->ops->tcp_close(sock, true);
	later(d);
}

static const struct pu_tcp_events connect_events = { .on_connect = on_connect };

/* A dial of ours to the same end stands in the way: it goes on from another port. */
static bool make_way(struct pu_dial *d)
{
	PU_LIST_FOREACH(it, tmp, &d->tr->dials) {
		struct pu_dial *o = PU_CONTAINER_OF(it, struct pu_dial, node);

		if (o->punching || !o->reused || !o->sock ||
		    !pu_sockaddr_eq(&o->remote, &d->remote))
			continue;
		tcp_dial_abandon(o);
		pu_timer_set(&o->again, pu_loop_now(d->tr->cfg.loop));
		return true;
	}
	return false;
}

static int connect_now(struct pu_dial *d)
{
	const union pu_sockaddr *from = tcp_listening_addr(d->tr, d->remote.sa.sa_family);
	struct pu_net *net = d->tr->cfg.net;
	int r;

	if (d->remote.v4.sin_port == 0)
		return 0; /* he has to come to us */
	if (!from)
		return PU_ENOTSUP; /* nobody could come in, and nobody knows our port */
	r = net->ops->tcp_connect(net, &d->remote, from, &connect_events, d, &d->sock);
	if (r == PU_EADDRINUSE && make_way(d))
		r = net->ops->tcp_connect(net, &d->remote, from, &connect_events, d, &d->sock);
	return r;
}

static void attempt(void *arg)
{
	struct pu_dial *d = arg;
	int r = connect_now(d);

	/* Busy: the peer is coming in, between the same two ends. */
	if (r == PU_EADDRINUSE)
		later(d);
	else if (r < 0)
		tcp_dial_done(d, r, NULL);
}

int tcp_punch(struct pu_transport *t, const struct pu_multiaddr *ma,
	      const struct pu_peerid *expected, bool initiator, pu_time timeout_ns,
	      pu_dial_fn *on_done, void *arg, struct pu_dial **pd)
{
	struct pu_dial tmpl = { .ma = *ma, .initiator = initiator, .punching = true,
				.on_done = on_done, .arg = arg };
	struct pu_dial *d;
	int r;

	if (!expected)
		return PU_EINVAL;
	tmpl.expected = *expected;
	r = tcp_dial_new(tcp_of(t), &tmpl, timeout_ns, attempt, &d);
	if (r < 0)
		return r;
	r = connect_now(d);
	if (r == PU_EADDRINUSE) {
		later(d);
		r = 0;
	}
	if (r < 0)
		tcp_dial_free(d);
	else
		*pd = d;
	return r;
}

/* Nobody waits for it any more. The client end decides which of several connections
 * stays; if the server end closed one, both could close each other's. */
static void let_go(struct pu_dial *d)
{
	if (d->up && !d->initiator) {
		d->on_done = NULL;
		return;
	}
	tcp_dial_abandon(d);
	tcp_dial_free(d);
}

void tcp_punch_cancel(struct pu_dial *d)
{
	let_go(d);
}

/* A peer that punches as server may reach our listener, where it stays silent: js always
 * does, from any port. */
enum tcp_role tcp_punch_role_of(const struct tcp_transport *tr, const union pu_sockaddr *remote)
{
	enum tcp_role role = TCP_ROLE_SERVER;

	PU_LIST_FOREACH(it, tmp, &tr->dials) {
		struct pu_dial *d = PU_CONTAINER_OF(it, struct pu_dial, node);

		if (!d->punching || !d->on_done || !d->initiator)
			continue;
		if (pu_sockaddr_eq(&d->remote, remote))
			return TCP_ROLE_CLIENT;
		role = TCP_ROLE_UNKNOWN;
	}
	return role;
}

bool tcp_punch_give(struct tcp_transport *tr, struct pu_conn *c)
{
	PU_LIST_FOREACH(it, tmp, &tr->dials) {
		struct pu_dial *d = PU_CONTAINER_OF(it, struct pu_dial, node);
		pu_dial_fn *on_done = d->on_done;
		void *arg = d->arg;

		if (!d->punching || !on_done || !pu_peerid_eq(&d->expected, &c->peer))
			continue;
		let_go(d);
		on_done(arg, 0, c);
		return true;
	}
	return false;
}
