/* UDP of the simulated network. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "support/simnet_internal.h"

enum {
	COALESCE_MAX = 64, /* datagrams handed over in one callback */
	GSO_MAX = 65507,
	GSO_SEGMENTS_MAX = 64,
};

struct pu_udp {
	struct pu_sim_node *node;
	struct pu_list list;
	union pu_sockaddr local;
	union pu_sockaddr group; /* of a multicast socket; else family 0 */
	const struct pu_udp_events *ev;
	void *arg;
	unsigned waiting; /* on_writable events under way */
	bool closed;
};

struct udp_packet {
	struct sim_event e;
	struct sim_dir *dir;
	struct pu_sim_nat *realm; /* in which to is meant */
	struct pu_sim_node *receiver;
	bool arrived; /* receiver is known */
	union pu_sockaddr from, to;
	union pu_sockaddr iface; /* for the multicast socket there; else family 0 */
	uint8_t ecn;
	size_t len;
	uint8_t data[];
};

struct udp_writable {
	struct sim_event e;
	struct pu_udp *u;
};

static bool is_mcast(const struct pu_udp *u)
{
	return u->group.sa.sa_family != 0;
}

/* Multicast sockets hear only their group, the others everything else. */
static struct pu_udp *find_socket(struct pu_sim_node *n, const struct udp_packet *p)
{
	struct pu_udp *wild = NULL;

	PU_LIST_FOREACH(it, tmp, &n->udps) {
		struct pu_udp *u = PU_CONTAINER_OF(it, struct pu_udp, list);

		if (is_mcast(u) != (p->iface.sa.sa_family != 0))
			continue;
		if (is_mcast(u) && sim_sa_eq(&u->group, &p->to) && sim_sa_same_ip(&u->local, &p->iface))
			return u;
		if (is_mcast(u) || !sim_sa_hears(&u->local, &p->to))
			continue;
		if (!sim_sa_wildcard(&u->local))
			return u;
		wild = u;
	}
	return wild;
}

static bool port_taken(struct pu_sim_node *n, const union pu_sockaddr *sa)
{
	PU_LIST_FOREACH(it, tmp, &n->udps) {
		struct pu_udp *u = PU_CONTAINER_OF(it, struct pu_udp, list);

		if (!is_mcast(u) && (sim_sa_hears(&u->local, sa) || sim_sa_hears(sa, &u->local)))
			return true;
	}
	return false;
}

int sim_udp_open(struct pu_net *net, const union pu_sockaddr *bind, const struct pu_udp_events *ev,
		 void *arg, struct pu_udp **pu)
{
	struct pu_sim_node *n = PU_CONTAINER_OF(net, struct pu_sim_node, net);
	union pu_sockaddr local = *bind;
	struct pu_udp *u;

	if (!sim_sa_wildcard(bind) && !sim_owns(n, bind))
		return PU_EUNREACH;
	if (sim_sa_port(&local) == 0)
		sim_sa_set_port(&local, sim_ephemeral(n));
	if (port_taken(n, &local))
		return PU_EADDRINUSE;
	u = sim_alloc(sizeof *u);
	u->node = n;
	u->local = local;
	u->ev = ev;
	u->arg = arg;
	pu_list_append(&n->udps, &u->list);
	n->n_sockets++;
	*pu = u;
	return 0;
}

unsigned sim_interface_of(struct pu_net *net, const union pu_sockaddr *ip)
{
	const struct pu_sim_node *n = PU_CONTAINER_OF(net, struct pu_sim_node, net);

	for (unsigned i = 0; i < n->n_ips; i++)
		if (sim_sa_same_ip(&n->ips[i], ip))
			return n->interfaces[i];
	return 0;
}

int sim_mcast_open(struct pu_net *net, const union pu_sockaddr *group,
		   const union pu_sockaddr *iface, const struct pu_udp_events *ev, void *arg,
		   struct pu_udp **pu)
{
	struct pu_sim_node *n = PU_CONTAINER_OF(net, struct pu_sim_node, net);
	struct pu_udp *u;

	if (sim_sa_loopback(iface) || !sim_owns(n, iface))
		return PU_EUNREACH;
	PU_LIST_FOREACH(it, tmp, &n->udps) {
		u = PU_CONTAINER_OF(it, struct pu_udp, list);
		if (is_mcast(u) && sim_sa_eq(&u->group, group) && sim_same_link(&u->local, iface))
			return PU_EEXIST;
	}
	u = sim_alloc(sizeof *u);
	u->node = n;
	u->local = *iface;
	sim_sa_set_port(&u->local, sim_sa_port(group));
	u->group = *group;
	u->ev = ev;
	u->arg = arg;
	pu_list_append(&n->udps, &u->list);
	n->n_sockets++;
	*pu = u;
	return 0;
}

void sim_udp_local(struct pu_udp *u, union pu_sockaddr *sa)
{
	*sa = u->local;
}

int sim_udp_route(struct pu_net *net, const union pu_sockaddr *remote, union pu_sockaddr *local)
{
	union pu_sockaddr sa = { .sa.sa_family = remote->sa.sa_family };
	int r = sim_source(PU_CONTAINER_OF(net, struct pu_sim_node, net), remote, &sa);

	if (r == 0)
		*local = sa;
	return r;
}

static void put(struct pu_udp *u)
{
	if (u->closed && u->waiting == 0)
		free(u);
}

void sim_udp_close(struct pu_udp *u)
{
	assert(!u->closed);
	pu_list_remove(&u->list);
	u->node->n_sockets--;
	u->closed = true;
	put(u);
}

/* Receiving: everything due now for one socket goes up in one callback. */

struct inbox {
	struct pu_dgrams d[COALESCE_MAX];
	uint8_t *mem[COALESCE_MAX];
	size_t n;
};

static void inbox_add(struct inbox *in, struct udp_packet *p)
{
	struct pu_dgrams *last = in->n ? &in->d[in->n - 1] : NULL;
	struct pu_sim *s = p->e.node->sim;

	if (last && sim_sa_eq(&last->remote, &p->from) && sim_sa_eq(&last->local, &p->to) &&
	    last->ecn == p->ecn && last->len % last->segment == 0 && p->len <= last->segment &&
	    p->len > 0 && last->len + p->len <= GSO_MAX && pu_sim_random(s, 4) != 0) {
		uint8_t *mem = realloc(in->mem[in->n - 1], last->len + p->len);

		assert(mem);
		memcpy(mem + last->len, p->data, p->len);
		in->mem[in->n - 1] = mem;
		last->p = mem;
		last->len += p->len;
		return;
	}
	in->mem[in->n] = sim_alloc(p->len + 1);
	memcpy(in->mem[in->n], p->data, p->len);
	in->d[in->n] = (struct pu_dgrams){ .remote = p->from, .local = p->to,
					   .p = in->mem[in->n], .len = p->len,
					   .segment = p->len, .ecn = p->ecn };
	in->n++;
}

static void packet_drop(struct sim_event *e)
{
	free(e);
}

/* NATs decide when it is there, once. NULL: nobody gets it. */
static struct pu_sim_node *receiver_of(struct udp_packet *p)
{
	if (!p->arrived)
		p->receiver = sim_route_in(p->e.node, false, p->realm, &p->from, &p->to);
	p->arrived = true;
	return p->receiver;
}

static void packet_arrives(struct sim_event *e)
{
	struct udp_packet *p = PU_CONTAINER_OF(e, struct udp_packet, e);
	struct pu_sim_node *receiver = receiver_of(p);
	struct pu_udp *u = receiver ? find_socket(receiver, p) : NULL;
	struct inbox in = { .n = 0 };

	if (receiver && receiver != e->node) {
		sim_post(receiver, e, e->at);
		return;
	}

	for (;;) {
		struct pu_sim_node *n = p->e.node;
		struct sim_event *next;

		if (!u || p->dir->cfg.down) {
			p->dir->count.udp_unheard++;
			free(p);
			break;
		}
		p->dir->count.udp_delivered++;
		p->dir->count.bytes_delivered += p->len;
		inbox_add(&in, p);
		free(p);
		next = sim_peek(n->sim, n);
		if (in.n == COALESCE_MAX || !next || next->run != packet_arrives)
			break;
		if (receiver_of(PU_CONTAINER_OF(next, struct udp_packet, e)) != n ||
		    find_socket(n, PU_CONTAINER_OF(next, struct udp_packet, e)) != u)
			break;
		p = PU_CONTAINER_OF(sim_pop(n->sim), struct udp_packet, e);
	}
	if (in.n)
		u->ev->on_recv(u->arg, in.d, in.n);
	for (size_t i = 0; i < in.n; i++)
		free(in.mem[i]);
}

/* Sending. */

static void send_copy(struct pu_sim_node *n, struct pu_sim_node *to, struct sim_dir *dir,
		      const struct udp_packet *tmpl, const uint8_t *data, pu_time at)
{
	struct udp_packet *p = malloc(sizeof *p + tmpl->len);

	if (!p)
		abort();
	*p = *tmpl;
	memcpy(p->data, data, tmpl->len);
	p->dir = dir;
	p->e.run = packet_arrives;
	p->e.drop = packet_drop;
	sim_post(to, &p->e, at);
}

static void send_one(struct pu_sim_node *n, struct pu_sim_node *to, const struct udp_packet *tmpl,
		     const uint8_t *data)
{
	struct pu_sim *s = n->sim;
	struct sim_dir *dir = sim_dir(n, to);
	const struct pu_sim_link *l = &dir->cfg;
	size_t size = tmpl->len + (tmpl->to.sa.sa_family == AF_INET ? PU_SIM_IP4_UDP
								    : PU_SIM_IP6_UDP);
	pu_time at;

	dir->count.udp_sent++;
	if (size > (l->mtu ? l->mtu : 1500)) {
		dir->count.udp_too_big++;
		return;
	}
	if (l->down || l->no_udp || sim_chance(s, l->loss) ||
	    !sim_transmit(s, dir, size, true, &at)) {
		dir->count.udp_lost++;
		return;
	}
	if (sim_chance(s, l->reorder))
		at += PU_MS(1) + pu_sim_random(s, l->delay + 1);
	send_copy(n, to, dir, tmpl, data, at);
	if (sim_chance(s, l->duplicate))
		send_copy(n, to, dir, tmpl, data, at + PU_US(pu_sim_random(s, 2000)));
}

static void writable_run(struct sim_event *e)
{
	struct udp_writable *w = PU_CONTAINER_OF(e, struct udp_writable, e);
	struct pu_udp *u = w->u;

	free(w);
	u->waiting--;
	if (u->closed)
		put(u);
	else if (u->ev->on_writable)
		u->ev->on_writable(u->arg);
}

static void writable_drop(struct sim_event *e)
{
	struct udp_writable *w = PU_CONTAINER_OF(e, struct udp_writable, e);

	w->u->waiting--;
	put(w->u);
	free(w);
}

static int say_again(struct pu_udp *u)
{
	struct udp_writable *w;

	if (u->waiting == 0) {
		w = sim_alloc(sizeof *w);
		w->u = u;
		w->e.run = writable_run;
		w->e.drop = writable_drop;
		u->waiting++;
		sim_post(u->node, &w->e, u->node->sim->now + PU_MS(1));
	}
	return PU_EAGAIN;
}

static bool is_group(const union pu_sockaddr *sa)
{
	if (sa->sa.sa_family == AF_INET)
		return ntohl(sa->v4.sin_addr.s_addr) >> 28 == 14;
	return sa->v6.sin6_addr.s6_addr[0] == 0xff;
}

static void send_to_members(struct pu_sim_node *n, struct udp_packet *tmpl, const uint8_t *data,
			    struct pu_sim_node *to)
{
	PU_LIST_FOREACH(it, tmp, &to->udps) {
		struct pu_udp *member = PU_CONTAINER_OF(it, struct pu_udp, list);

		if (!is_mcast(member) || !sim_sa_eq(&member->group, &tmpl->to) ||
		    !sim_same_link(&member->local, &tmpl->from))
			continue;
		tmpl->iface = member->local;
		tmpl->receiver = to;
		tmpl->arrived = true;
		send_one(n, to, tmpl, data);
	}
}

/* Whoever has an address in the same network, and the same NAT in front of it. */
static int send_to_group(struct pu_sim_node *n, struct udp_packet *tmpl, const struct pu_dgrams *d)
{
	if (d->segment < d->len)
		return PU_EINVAL;
	tmpl->len = d->len;
	for (unsigned i = 0; i < n->sim->n_nodes; i++)
		if (n->sim->nodes[i]->nat == n->nat)
			send_to_members(n, tmpl, d->p, n->sim->nodes[i]);
	return 0;
}

int sim_udp_send(struct pu_udp *u, const struct pu_dgrams *d)
{
	struct pu_sim_node *n = u->node, *to;
	struct udp_packet tmpl = { .to = d->remote, .ecn = d->ecn };
	size_t head = d->remote.sa.sa_family == AF_INET ? PU_SIM_IP4_UDP : PU_SIM_IP6_UDP;
	int r;

	assert(!u->closed);
	if (u->local.sa.sa_family != d->remote.sa.sa_family)
		return PU_EINVAL;
	if (d->segment == 0 || d->len > GSO_MAX ||
	    (d->len + d->segment - 1) / d->segment > GSO_SEGMENTS_MAX)
		return PU_EINVAL;
	tmpl.from = u->local;
	if (sim_sa_wildcard(&tmpl.from) && d->local.sa.sa_family != 0) {
		if (!sim_owns(n, &d->local))
			return PU_EUNREACH;
		tmpl.from = d->local;
		sim_sa_set_port(&tmpl.from, sim_sa_port(&u->local));
	} else if (sim_sa_wildcard(&tmpl.from)) {
		r = sim_source(n, &d->remote, &tmpl.from);
		if (r < 0)
			return r;
	}
	if (d->segment + head > (sim_sa_loopback(&d->remote) ? 65536 : n->mtu))
		return PU_E2BIG;
	if (is_group(&d->remote))
		return send_to_group(n, &tmpl, d);
	to = sim_route_out(n, false, &tmpl.from, &d->remote, &tmpl.realm);
	if (!to)
		return 0;
	if (u->waiting || sim_chance(n->sim, sim_dir(n, to)->cfg.again))
		return say_again(u);
	for (size_t off = 0; off < d->len; off += d->segment) {
		tmpl.len = pu_min(d->segment, d->len - off);
		send_one(n, to, &tmpl, d->p + off);
	}
	return 0;
}
