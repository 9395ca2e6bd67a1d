/* TCP of the simulated network: a reliable ordered byte pipe. Segments wait in a
 * queue per direction; an event only says that the next one has arrived, so that the
 * order holds whatever the link does. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "support/simnet_internal.h"

enum {
	SEGMENT_MAX = 64 * 1024,
	HEADER = 40,
	SYN_TRIES = 6,
	DOWN_RETRY_MS = 200,
};

enum tcp_state { TCP_CONNECTING, TCP_HALF_OPEN, TCP_OPEN, TCP_DEAD };
enum seg_kind { SEG_DATA, SEG_OPENED, SEG_FIN, SEG_RST };

struct seg {
	struct pu_list list;
	enum seg_kind kind;
	pu_time sent_at;
	size_t len;
	uint8_t data[];
};

struct pu_tcp {
	struct pu_sim_node *node;
	struct pu_list list;
	unsigned refs;
	enum tcp_state state;
	bool closed;         /* by its owner */
	struct pu_tcp *peer; /* holds a reference */
	union pu_sockaddr local, remote;
	const struct pu_tcp_events *ev;
	void *arg;
	struct pu_list arriving; /* segments from the peer */
	pu_time last_arrival;    /* of what we sent */
	struct pu_buf rx;
	bool rx_paused, rx_fin, eof_told;
	size_t in_flight; /* sent and not yet taken by the peer's consumer */
	uint64_t sent, acked; /* by the peer's stack */
	pu_time acked_at, rtt;
	bool write_blocked, fin_sent;
	int syn_tries;
};

struct pu_tcp_listener {
	struct pu_sim_node *node;
	struct pu_list list;
	union pu_sockaddr local;
	void (*on_accept)(void *arg, struct pu_tcp *t);
	void *arg;
};

struct tcp_event {
	struct sim_event e;
	struct pu_tcp *t; /* holds a reference */
	struct sim_dir *dir;
	size_t n;
	pu_time sent_at;
	int err;
	/* Opening: ends as the other side sees them. */
	struct pu_sim_nat *realm;
	struct pu_sim_node *peer;
	union pu_sockaddr local, remote;
};

static struct pu_tcp *get(struct pu_tcp *t)
{
	t->refs++;
	return t;
}

static void put(struct pu_tcp *t)
{
	if (--t->refs > 0)
		return;
	PU_LIST_FOREACH(it, tmp, &t->arriving) {
		pu_list_remove(it);
		free(PU_CONTAINER_OF(it, struct seg, list));
	}
	pu_buf_deinit(&t->rx);
	free(t);
}

/* Both ends forget each other: the references of the pair go. */
static void unpair(struct pu_tcp *t)
{
	struct pu_tcp *p = t->peer;

	if (!p)
		return;
	t->peer = NULL;
	if (p->peer == t) {
		p->peer = NULL;
		put(t);
	}
	put(p);
}

static void tcp_event_drop(struct sim_event *e)
{
	struct tcp_event *te = PU_CONTAINER_OF(e, struct tcp_event, e);

	if (te->t->peer)
		unpair(te->t);
	put(te->t);
	free(te);
}

/* Something for t on its own node. */
static void post(struct pu_tcp *t, pu_time at, void (*run)(struct sim_event *e),
		 struct sim_dir *dir, size_t n, int err)
{
	struct tcp_event *te = sim_alloc(sizeof *te);

	te->t = get(t);
	te->dir = dir;
	te->n = n;
	te->err = err;
	te->e.run = run;
	te->e.drop = tcp_event_drop;
	sim_post(t->node, &te->e, at);
}

/* Unpacks and frees the event; the reference is the caller's. */
static struct tcp_event unpack(struct sim_event *e)
{
	struct tcp_event te = *PU_CONTAINER_OF(e, struct tcp_event, e);

	free(PU_CONTAINER_OF(e, struct tcp_event, e));
	return te;
}

static bool postponed(struct sim_event *e)
{
	struct tcp_event *te = PU_CONTAINER_OF(e, struct tcp_event, e);

	if (!te->dir || !te->dir->cfg.down)
		return false;
	sim_post(e->node, e, e->node->sim->now + PU_MS(DOWN_RETRY_MS));
	return true;
}

static pu_time arrival(struct pu_tcp *from, struct pu_sim_node *to, size_t len,
		       struct sim_dir **pdir)
{
	struct pu_sim *s = from->node->sim;
	struct sim_dir *dir = sim_dir(from->node, to);
	pu_time at;

	sim_transmit(s, dir, len + HEADER, false, &at);
	if (sim_chance(s, dir->cfg.loss))
		at += 2 * dir->cfg.delay + PU_MS(10);
	if (at < from->last_arrival)
		at = from->last_arrival;
	from->last_arrival = at;
	*pdir = dir;
	return at;
}

static struct pu_tcp *tcp_new(struct pu_sim_node *n)
{
	struct pu_tcp *t = sim_alloc(sizeof *t);

	t->node = n;
	t->refs = 1;
	pu_list_init(&t->arriving);
	pu_buf_init(&t->rx, 2 * PU_SIM_TCP_WINDOW);
	pu_list_append(&n->tcps, &t->list);
	return t;
}

/* Arrival. */

static void seg_arrives(struct sim_event *e);

static void send_seg(struct pu_tcp *t, enum seg_kind kind, const uint8_t *p, size_t len)
{
	struct seg *sg = malloc(sizeof *sg + len);
	struct sim_dir *dir;
	pu_time at;

	if (!sg)
		abort();
	sg->kind = kind;
	sg->sent_at = t->node->sim->now;
	sg->len = len;
	if (len)
		memcpy(sg->data, p, len);
	pu_list_append(&t->peer->arriving, &sg->list);
	at = arrival(t, t->peer->node, len, &dir);
	dir->count.bytes_delivered += len;
	post(t->peer, at, seg_arrives, dir, 0, 0);
}

static void acked(struct sim_event *e)
{
	struct tcp_event te = unpack(e);
	struct pu_tcp *t = te.t;

	t->in_flight -= te.n;
	if (!t->closed && t->state == TCP_OPEN && t->write_blocked) {
		t->write_blocked = false;
		if (t->ev->on_writable)
			t->ev->on_writable(t->arg);
	}
	put(t);
}

/* The peer's stack has what we sent: that is on its way back to us. */
static void stack_acked(struct sim_event *e)
{
	struct tcp_event te;

	if (postponed(e))
		return;
	te = unpack(e);
	te.t->acked += te.n;
	te.t->acked_at = te.t->node->sim->now;
	te.t->rtt = (7 * te.t->rtt + te.t->acked_at - te.sent_at) / (te.t->rtt ? 8 : 1);
	put(te.t);
}

static void ack(struct pu_tcp *t, const struct seg *sg)
{
	struct tcp_event *te;

	if (!t->peer)
		return;
	te = sim_alloc(sizeof *te);
	te->t = get(t->peer);
	te->dir = sim_dir(t->node, t->peer->node);
	te->n = sg->len;
	te->sent_at = sg->sent_at;
	te->e.run = stack_acked;
	te->e.drop = tcp_event_drop;
	sim_post(te->t->node, &te->e, t->node->sim->now + te->dir->cfg.delay);
}

/* The consumer took n bytes: the window of the other side opens. */
static void credit(struct pu_tcp *t, size_t n)
{
	struct sim_dir *dir;
	pu_time at;

	if (n == 0 || !t->peer)
		return;
	dir = sim_dir(t->node, t->peer->node);
	at = t->node->sim->now + dir->cfg.delay;
	post(t->peer, at, acked, NULL, n, 0);
}

static size_t chunk_len(struct pu_tcp *t)
{
	struct pu_sim *s = t->node->sim;
	size_t len = pu_min(t->rx.len, SEGMENT_MAX);

	if (pu_sim_random(s, 4) == 0)
		len = pu_min(len, 1 + pu_sim_random(s, 64));
	return len;
}

static void deliver(struct pu_tcp *t)
{
	size_t total = 0;

	while (!t->closed && t->state == TCP_OPEN && !t->rx_paused && t->rx.len > 0) {
		size_t len = chunk_len(t), taken;

		taken = t->ev->on_recv(t->arg, pu_buf_bytes(&t->rx).p, len);
		assert(taken <= len);
		pu_buf_consume(&t->rx, taken);
		total += taken;
		if (taken < len)
			t->rx_paused = true;
	}
	credit(t, total);
	if (!t->closed && t->state == TCP_OPEN && t->rx.len == 0 && t->rx_fin && !t->eof_told) {
		t->eof_told = true;
		if (t->ev->on_eof)
			t->ev->on_eof(t->arg);
	}
}

static void deliver_run(struct sim_event *e)
{
	struct tcp_event te = unpack(e);

	deliver(te.t);
	put(te.t);
}

static void got_reset(struct pu_tcp *t)
{
	enum tcp_state was = t->state;

	if (was == TCP_DEAD)
		return;
	t->state = TCP_DEAD;
	unpair(t);
	if (t->closed)
		return;
	if (was == TCP_CONNECTING) {
		if (t->ev->on_connect)
			t->ev->on_connect(t->arg, PU_EREFUSED);
	} else if (t->ev && t->ev->on_error) {
		t->ev->on_error(t->arg, PU_ERESET);
	}
}

static struct pu_tcp_listener *find_listener(struct pu_sim_node *n, const union pu_sockaddr *to)
{
	PU_LIST_FOREACH(it, tmp, &n->listeners) {
		struct pu_tcp_listener *l = PU_CONTAINER_OF(it, struct pu_tcp_listener, list);

		if (sim_sa_hears(&l->local, to))
			return l;
	}
	return NULL;
}

/* The last packet of the handshake: only now does the server hear of it. */
static void got_opened(struct pu_tcp *t)
{
	struct pu_tcp_listener *l = find_listener(t->node, &t->local);

	if (t->state != TCP_HALF_OPEN)
		return; /* simultaneous open: both were told */
	t->state = TCP_OPEN;
	t->node->n_sockets++;
	if (l) {
		l->on_accept(l->arg, t);
		return;
	}
	sim_tcp_close(t, true);
}

static void seg_arrives(struct sim_event *e)
{
	struct tcp_event te;
	struct pu_tcp *t;
	struct seg *sg;
	struct pu_list *first;

	if (postponed(e))
		return;
	te = unpack(e);
	t = te.t;
	first = pu_list_first(&t->arriving);
	if (!first) {
		put(t);
		return;
	}
	pu_list_remove(first);
	sg = PU_CONTAINER_OF(first, struct seg, list);
	switch (sg->kind) {
	case SEG_DATA:
		ack(t, sg);
		if (t->closed && t->peer) {
			send_seg(t, SEG_RST, NULL, 0);
		} else if (t->state == TCP_OPEN && !t->closed) {
			if (pu_buf_append(&t->rx, sg->data, sg->len) < 0)
				abort();
			deliver(t);
		}
		break;
	case SEG_OPENED:
		got_opened(t);
		break;
	case SEG_FIN:
		t->rx_fin = true;
		if (t->closed && t->fin_sent)
			unpair(t);
		else
			deliver(t);
		break;
	case SEG_RST:
		got_reset(t);
		break;
	}
	free(sg);
	put(t);
}

/* Opening. */

static void connected(struct pu_tcp *t)
{
	t->state = TCP_OPEN;
	if (t->ev->on_connect)
		t->ev->on_connect(t->arg, 0);
}

static void opened_run(struct sim_event *e)
{
	struct tcp_event te = unpack(e);

	if (!te.t->closed && te.t->state == TCP_CONNECTING)
		connected(te.t);
	put(te.t);
}

static void failed_run(struct sim_event *e)
{
	struct tcp_event te = unpack(e);
	struct pu_tcp *t = te.t;

	if (!t->closed && t->state == TCP_CONNECTING) {
		t->state = TCP_DEAD;
		if (t->ev->on_connect)
			t->ev->on_connect(t->arg, te.err);
	}
	put(t);
}

/* A step of the opening of t that happens on a node. */
static void post_opening(struct pu_tcp *t, struct pu_sim_node *on, pu_time at,
			 void (*run)(struct sim_event *e), struct sim_dir *dir,
			 const struct tcp_event *ends)
{
	struct tcp_event *te = sim_alloc(sizeof *te);

	*te = *ends;
	te->t = get(t);
	te->dir = dir;
	te->e.run = run;
	te->e.drop = tcp_event_drop;
	sim_post(on, &te->e, at);
}

/* The server's side, of which its user does not know yet. */
static struct pu_tcp *find_half_open(struct pu_sim_node *n, const union pu_sockaddr *local,
				     const union pu_sockaddr *remote)
{
	PU_LIST_FOREACH(it, tmp, &n->tcps) {
		struct pu_tcp *t = PU_CONTAINER_OF(it, struct pu_tcp, list);

		if (t->state == TCP_HALF_OPEN && !t->peer && sim_sa_eq(&t->local, local) &&
		    sim_sa_eq(&t->remote, remote))
			return t;
	}
	return NULL;
}

static void forget_half_open(struct pu_tcp *srv)
{
	srv->node->n_sockets++;
	sim_tcp_close(srv, true);
}

/* SYN-ACK: the client is connected; its ACK tells the server. */
static void synack_run(struct sim_event *e)
{
	struct tcp_event te;
	struct pu_tcp *t, *srv;

	if (postponed(e))
		return;
	te = unpack(e);
	t = te.t;
	srv = find_half_open(te.peer, &te.local, &te.remote);
	if (t->closed || t->state != TCP_CONNECTING || t->peer) {
		if (srv)
			forget_half_open(srv);
	} else if (srv) {
		t->peer = get(srv);
		srv->peer = get(t);
		sim_dir(t->node, te.peer)->count.tcp_connects++;
		send_seg(t, SEG_OPENED, NULL, 0);
		connected(t);
	}
	put(t);
}

/* Who tries to reach us from where we try to reach him. */
static struct pu_tcp *find_simultaneous(struct pu_sim_node *n, const struct pu_tcp *c,
					const union pu_sockaddr *local,
					const union pu_sockaddr *remote)
{
	PU_LIST_FOREACH(it, tmp, &n->tcps) {
		struct pu_tcp *t = PU_CONTAINER_OF(it, struct pu_tcp, list);

		if (t != c && t->state == TCP_CONNECTING && !t->peer &&
		    sim_sa_eq(&t->local, local) && sim_sa_eq(&t->remote, remote))
			return t;
	}
	return NULL;
}

static void syn_send(struct pu_tcp *t);

static void syn_again(struct sim_event *e)
{
	struct tcp_event te = unpack(e);

	if (!te.t->closed && te.t->state == TCP_CONNECTING && !te.t->peer)
		syn_send(te.t);
	put(te.t);
}

static void answer_syn(struct pu_tcp *t, struct pu_sim_node *to, const struct tcp_event *te)
{
	pu_time back = to->sim->now + sim_dir(to, t->node)->cfg.delay;
	struct pu_tcp *twin = find_simultaneous(to, t, &te->local, &te->remote), *srv;

	if (twin) {
		t->peer = get(twin);
		twin->peer = get(t);
		post(t, back, opened_run, NULL, 0, 0);
		post(twin, back, opened_run, NULL, 0, 0);
		return;
	}
	if (!find_listener(to, &te->local)) {
		post(t, back, failed_run, NULL, 0, PU_EREFUSED);
		return;
	}
	if (!find_half_open(to, &te->local, &te->remote)) {
		srv = tcp_new(to);
		srv->state = TCP_HALF_OPEN;
		srv->local = te->local;
		srv->remote = te->remote;
	}
	post_opening(t, t->node, back, synack_run, sim_dir(to, t->node), te);
}

/* The SYN is at the other node, which t's event does not run on: only look, and
 * post the answer to t. */
static void syn_arrives(struct sim_event *e)
{
	struct tcp_event te = unpack(e);
	struct pu_tcp *t = te.t;

	te.peer = sim_route_in(te.e.node, true, te.realm, &te.remote, &te.local);
	if (te.peer && !t->closed && t->state == TCP_CONNECTING && !t->peer)
		answer_syn(t, te.peer, &te);
	put(t);
}

static void syn_send(struct pu_tcp *t)
{
	struct pu_sim *s = t->node->sim;
	struct tcp_event te = { .local = t->remote, .remote = t->local };
	struct pu_sim_node *to = sim_route_out(t->node, true, &te.remote, &t->remote, &te.realm);
	struct sim_dir *dir = to ? sim_dir(t->node, to) : NULL;
	pu_time at;

	if (dir && !dir->cfg.down && !dir->cfg.no_tcp && !sim_chance(s, dir->cfg.loss)) {
		sim_transmit(s, dir, HEADER, false, &at);
		post_opening(t, to, at, syn_arrives, NULL, &te);
	}
	/* Repeated as long as nobody answered. */
	if (++t->syn_tries > SYN_TRIES)
		post(t, s->now + PU_SEC(1) * (1u << SYN_TRIES), failed_run, NULL, 0, PU_ETIMEDOUT);
	else
		post(t, s->now + PU_SEC(1) * (1u << (t->syn_tries - 1)), syn_again, NULL, 0, 0);
}

int sim_tcp_connect(struct pu_net *net, const union pu_sockaddr *remote,
		    const union pu_sockaddr *bind, const struct pu_tcp_events *ev, void *arg,
		    struct pu_tcp **pt)
{
	struct pu_sim_node *n = PU_CONTAINER_OF(net, struct pu_sim_node, net);
	union pu_sockaddr local;
	struct pu_tcp *t;
	int r;

	memset(&local, 0, sizeof local);
	local.sa.sa_family = remote->sa.sa_family;
	if (bind) {
		if (bind->sa.sa_family != remote->sa.sa_family)
			return PU_EINVAL;
		local = *bind;
	}
	if (sim_sa_port(&local) == 0)
		sim_sa_set_port(&local, sim_ephemeral(n));
	if (sim_sa_wildcard(&local)) {
		r = sim_source(n, remote, &local);
		if (r < 0)
			return r;
	}
	PU_LIST_FOREACH(it, tmp, &n->tcps) {
		struct pu_tcp *o = PU_CONTAINER_OF(it, struct pu_tcp, list);

		if (sim_sa_eq(&o->local, &local) && sim_sa_eq(&o->remote, remote))
			return PU_EADDRINUSE;
	}
	t = tcp_new(n);
	n->n_sockets++;
	t->state = TCP_CONNECTING;
	t->local = local;
	t->remote = *remote;
	t->ev = ev;
	t->arg = arg;
	syn_send(t);
	*pt = t;
	return 0;
}

/* Established. */

int sim_tcp_write(struct pu_tcp *t, const struct iovec *iov, int n)
{
	size_t sent = 0;

	assert(!t->closed);
	if (t->state != TCP_OPEN || !t->peer || t->fin_sent)
		return PU_ECLOSED;
	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;
		size_t left = iov[i].iov_len;

		while (left > 0) {
			size_t len = pu_min(pu_min(left, SEGMENT_MAX),
					    PU_SIM_TCP_WINDOW - t->in_flight);

			if (len == 0) {
				t->write_blocked = true;
				return (int)sent;
			}
			send_seg(t, SEG_DATA, p, len);
			t->in_flight += len;
			t->sent += len;
			p += len;
			left -= len;
			sent += len;
		}
	}
	return (int)sent;
}

bool sim_tcp_progress(struct pu_tcp *t, struct pu_tcp_progress *out)
{
	*out = (struct pu_tcp_progress){ t->acked, t->acked < t->sent,
					 t->node->sim->now - t->acked_at, t->rtt };
	return !t->node->sim->tcp_silent;
}

void sim_tcp_resume(struct pu_tcp *t)
{
	assert(!t->closed);
	if (!t->rx_paused)
		return;
	t->rx_paused = false;
	post(t, t->node->sim->now, deliver_run, NULL, 0, 0);
}

void sim_tcp_shutdown(struct pu_tcp *t)
{
	assert(!t->closed);
	if (t->state != TCP_OPEN || t->fin_sent || !t->peer)
		return;
	t->fin_sent = true;
	send_seg(t, SEG_FIN, NULL, 0);
}

void sim_tcp_local(struct pu_tcp *t, union pu_sockaddr *sa)
{
	*sa = t->local;
}

void sim_tcp_remote(struct pu_tcp *t, union pu_sockaddr *sa)
{
	*sa = t->remote;
}

void sim_tcp_set_events(struct pu_tcp *t, const struct pu_tcp_events *ev, void *arg)
{
	t->ev = ev;
	t->arg = arg;
	t->rx_paused = false;
	post(t, t->node->sim->now, deliver_run, NULL, 0, 0);
}

void sim_tcp_close(struct pu_tcp *t, bool abort)
{
	assert(!t->closed);
	t->closed = true;
	pu_list_remove(&t->list);
	t->node->n_sockets--;
	if (t->peer && t->state == TCP_OPEN) {
		/* Like the kernel: closing with unread data resets. */
		if (abort || t->rx.len > 0) {
			send_seg(t, SEG_RST, NULL, 0); /* ends the pair when it arrives */
		} else if (!t->fin_sent) {
			t->fin_sent = true;
			send_seg(t, SEG_FIN, NULL, 0);
			if (t->rx_fin)
				unpair(t);
		} else if (t->rx_fin) {
			unpair(t);
		}
	} else {
		unpair(t);
	}
	put(t);
}

void sim_tcp_abandon(struct pu_sim_node *n)
{
	PU_LIST_FOREACH(it, tmp, &n->tcps) {
		struct pu_tcp *t = PU_CONTAINER_OF(it, struct pu_tcp, list);

		if (t->state == TCP_HALF_OPEN)
			forget_half_open(t);
	}
}

/* Listening. */

int sim_tcp_listen(struct pu_net *net, const union pu_sockaddr *bind,
		   void (*on_accept)(void *arg, struct pu_tcp *t), void *arg,
		   struct pu_tcp_listener **pl)
{
	struct pu_sim_node *n = PU_CONTAINER_OF(net, struct pu_sim_node, net);
	union pu_sockaddr local = *bind;
	struct pu_tcp_listener *l;

	if (!sim_sa_wildcard(bind) && !sim_owns(n, bind))
		return PU_EUNREACH;
	if (sim_sa_port(&local) == 0)
		sim_sa_set_port(&local, sim_ephemeral(n));
	PU_LIST_FOREACH(it, tmp, &n->listeners) {
		struct pu_tcp_listener *o = PU_CONTAINER_OF(it, struct pu_tcp_listener, list);

		if (sim_sa_hears(&o->local, &local) || sim_sa_hears(&local, &o->local))
			return PU_EADDRINUSE;
	}
	l = sim_alloc(sizeof *l);
	l->node = n;
	l->local = local;
	l->on_accept = on_accept;
	l->arg = arg;
	pu_list_append(&n->listeners, &l->list);
	n->n_sockets++;
	*pl = l;
	return 0;
}

void sim_tcp_listener_local(struct pu_tcp_listener *l, union pu_sockaddr *sa)
{
	*sa = l->local;
}

void sim_tcp_listener_close(struct pu_tcp_listener *l)
{
	pu_list_remove(&l->list);
	l->node->n_sockets--;
	free(l);
}
