#include "support/simnet_nat.h"

#include <assert.h>
#include <stdlib.h>

#include "support/simnet_internal.h"

enum { PORT_MIN = 1024, PUBLIC_IPS_MAX = 4 };

/* A remote end that something was sent to. */
struct pinhole {
	union pu_sockaddr remote;
	pu_time used_at;
};

struct mapping {
	struct pu_list node;
	bool tcp, forward;
	union pu_sockaddr inner, outer;
	union pu_sockaddr remote; /* what it was made for */
	pu_time used_at;
	struct pinhole *holes;
	size_t n_holes;
};

struct pu_sim_nat {
	struct pu_list node;
	struct pu_sim *sim;
	struct pu_sim_nat *outer; /* NULL: the Internet */
	struct pu_sim_nat_config cfg;
	union pu_sockaddr ips[PUBLIC_IPS_MAX];
	unsigned n_ips;
	struct pu_list mappings;
	uint64_t dropped;
};

const struct pu_sim_nat_config pu_sim_nat_full_cone = { 0 };
const struct pu_sim_nat_config pu_sim_nat_address_restricted = {
	.filtering = PU_SIM_NAT_ADDRESS,
};
const struct pu_sim_nat_config pu_sim_nat_port_restricted = {
	.filtering = PU_SIM_NAT_ADDRESS_PORT,
};
const struct pu_sim_nat_config pu_sim_nat_symmetric = {
	.mapping = PU_SIM_NAT_ADDRESS_PORT,
	.filtering = PU_SIM_NAT_ADDRESS_PORT,
	.random_ports = true,
};

/* Mappings. */

static void mapping_free(struct mapping *m)
{
	pu_list_remove(&m->node);
	free(m->holes);
	free(m);
}

static bool alive(const struct pu_sim_nat *nat, pu_time used_at)
{
	return !nat->cfg.timeout || nat->sim->now - used_at <= nat->cfg.timeout;
}

static void expire(struct pu_sim_nat *nat)
{
	PU_LIST_FOREACH(it, tmp, &nat->mappings) {
		struct mapping *m = PU_CONTAINER_OF(it, struct mapping, node);

		if (!m->forward && !alive(nat, m->used_at))
			mapping_free(m);
	}
}

static bool follows(enum pu_sim_nat_rule rule, const union pu_sockaddr *a,
		    const union pu_sockaddr *b)
{
	switch (rule) {
	case PU_SIM_NAT_ENDPOINT_INDEPENDENT:
		return true;
	case PU_SIM_NAT_ADDRESS:
		return sim_sa_same_ip(a, b);
	case PU_SIM_NAT_ADDRESS_PORT:
		return sim_sa_eq(a, b);
	}
	return false;
}

static struct mapping *find_outer(const struct pu_sim_nat *nat, bool tcp,
				  const union pu_sockaddr *outer)
{
	PU_LIST_FOREACH(it, tmp, &nat->mappings) {
		struct mapping *m = PU_CONTAINER_OF(it, struct mapping, node);

		if (m->tcp == tcp && sim_sa_eq(&m->outer, outer))
			return m;
	}
	return NULL;
}

static struct mapping *find_inner(const struct pu_sim_nat *nat, bool tcp,
				  const union pu_sockaddr *inner, const union pu_sockaddr *remote)
{
	PU_LIST_FOREACH(it, tmp, &nat->mappings) {
		struct mapping *m = PU_CONTAINER_OF(it, struct mapping, node);

		if (m->tcp == tcp && sim_sa_eq(&m->inner, inner) &&
		    (m->forward || follows(nat->cfg.mapping, &m->remote, remote)))
			return m;
	}
	return NULL;
}

/* False: no public address of that family. */
static bool choose_outer(struct pu_sim_nat *nat, bool tcp, const union pu_sockaddr *inner,
			 union pu_sockaddr *outer)
{
	unsigned i = 0;

	while (i < nat->n_ips && nat->ips[i].sa.sa_family != inner->sa.sa_family)
		i++;
	if (i == nat->n_ips)
		return false;
	*outer = nat->ips[i];
	sim_sa_set_port(outer, sim_sa_port(inner));
	while (nat->cfg.random_ports || find_outer(nat, tcp, outer)) {
		sim_sa_set_port(outer, (uint16_t)(PORT_MIN + pu_sim_random(nat->sim,
									   65536 - PORT_MIN)));
		if (!find_outer(nat, tcp, outer))
			break;
	}
	return true;
}

static struct mapping *mapping_new(struct pu_sim_nat *nat, bool tcp,
				   const union pu_sockaddr *inner, const union pu_sockaddr *outer,
				   const union pu_sockaddr *remote)
{
	struct mapping *m = sim_alloc(sizeof *m);

	m->tcp = tcp;
	m->inner = *inner;
	m->outer = *outer;
	m->remote = *remote;
	pu_list_append(&nat->mappings, &m->node);
	return m;
}

static void open_hole(struct pu_sim_nat *nat, struct mapping *m, const union pu_sockaddr *remote)
{
	m->used_at = nat->sim->now;
	for (size_t i = 0; i < m->n_holes; i++) {
		if (!sim_sa_eq(&m->holes[i].remote, remote))
			continue;
		m->holes[i].used_at = nat->sim->now;
		return;
	}
	m->holes = realloc(m->holes, (m->n_holes + 1) * sizeof *m->holes);
	if (!m->holes)
		abort();
	m->holes[m->n_holes++] = (struct pinhole){ *remote, nat->sim->now };
}

static bool routed(const struct pu_sim_nat *nat, const union pu_sockaddr *sa)
{
	return sa->sa.sa_family == AF_INET ? nat->cfg.route_ip4 : nat->cfg.route_ip6;
}

/* A packet leaves: its source becomes what the outside sees. False: it cannot. */
static bool leave(struct pu_sim_nat *nat, bool tcp, union pu_sockaddr *src,
		  const union pu_sockaddr *dst)
{
	struct mapping *m;
	union pu_sockaddr outer;

	if (tcp ? nat->cfg.no_tcp : nat->cfg.no_udp)
		return false;
	expire(nat);
	m = find_inner(nat, tcp, src, dst);
	if (!m) {
		if (routed(nat, src))
			outer = *src;
		else if (!choose_outer(nat, tcp, src, &outer))
			return false;
		m = mapping_new(nat, tcp, src, &outer, dst);
	}
	open_hole(nat, m, dst);
	*src = m->outer;
	return true;
}

/* A packet wants in: its destination becomes the inner one. */
static bool enter(struct pu_sim_nat *nat, bool tcp, const union pu_sockaddr *src,
		  union pu_sockaddr *dst)
{
	struct mapping *m;

	expire(nat);
	m = find_outer(nat, tcp, dst);
	if (!m && routed(nat, dst))
		return nat->cfg.filtering == PU_SIM_NAT_ENDPOINT_INDEPENDENT;
	if (!m)
		return false;
	if (m->forward || nat->cfg.filtering == PU_SIM_NAT_ENDPOINT_INDEPENDENT) {
		*dst = m->inner;
		return true;
	}
	for (size_t i = 0; i < m->n_holes; i++) {
		if (!alive(nat, m->holes[i].used_at) ||
		    !follows(nat->cfg.filtering, &m->holes[i].remote, src))
			continue;
		m->used_at = m->holes[i].used_at = nat->sim->now;
		*dst = m->inner;
		return true;
	}
	return false;
}

/* Who is where. */

static bool has_ip(const struct pu_sim_nat *nat, const union pu_sockaddr *sa)
{
	for (unsigned i = 0; i < nat->n_ips; i++)
		if (sim_sa_same_ip(&nat->ips[i], sa))
			return true;
	return false;
}

static struct pu_sim_node *node_at(const struct pu_sim *s, const struct pu_sim_nat *realm,
				   const union pu_sockaddr *sa)
{
	for (unsigned i = 0; i < s->n_nodes; i++)
		if (s->nodes[i]->nat == realm && sim_owns(s->nodes[i], sa))
			return s->nodes[i];
	return NULL;
}

/* A node somewhere behind the box: with that address, or any. */
static struct pu_sim_node *node_behind(const struct pu_sim_nat *nat, const union pu_sockaddr *sa)
{
	const struct pu_sim *s = nat->sim;

	for (unsigned i = 0; i < s->n_nodes; i++) {
		const struct pu_sim_nat *up = s->nodes[i]->nat;

		while (up && up != nat)
			up = up->outer;
		if (up && (!sa || sim_owns(s->nodes[i], sa)))
			return s->nodes[i];
	}
	return NULL;
}

/* The box that stands for the address in that realm. */
static struct pu_sim_nat *nat_at(const struct pu_sim *s, const struct pu_sim_nat *realm,
				 const union pu_sockaddr *sa)
{
	PU_LIST_FOREACH(it, tmp, &s->nats) {
		struct pu_sim_nat *nat = PU_CONTAINER_OF(it, struct pu_sim_nat, node);

		if (nat->outer == realm &&
		    (has_ip(nat, sa) || (routed(nat, sa) && node_behind(nat, sa))))
			return nat;
	}
	return NULL;
}

/* The node at the end of the way if everything is let through; for its link. */
static struct pu_sim_node *guess(const struct pu_sim *s, const struct pu_sim_nat *realm, bool tcp,
				 union pu_sockaddr dst)
{
	for (;;) {
		struct pu_sim_node *n = node_at(s, realm, &dst);
		struct pu_sim_nat *nat = n ? NULL : nat_at(s, realm, &dst);
		struct mapping *m = nat ? find_outer(nat, tcp, &dst) : NULL;

		if (n || !nat)
			return n;
		if (m)
			dst = m->inner;
		else if (!routed(nat, &dst))
			return node_behind(nat, NULL);
		realm = nat;
	}
}

struct pu_sim_node *sim_route_out(struct pu_sim_node *n, bool tcp, union pu_sockaddr *src,
				  const union pu_sockaddr *dst, struct pu_sim_nat **prealm)
{
	struct pu_sim_nat *realm = n->nat;
	struct pu_sim_node *to;

	*prealm = realm;
	if (sim_owns(n, dst))
		return n;
	while (!(to = guess(n->sim, realm, tcp, *dst)) && realm) {
		if ((has_ip(realm, dst) && !realm->cfg.hairpin) || !leave(realm, tcp, src, dst))
			return NULL;
		*prealm = realm = realm->outer;
	}
	return to;
}

struct pu_sim_node *sim_route_in(struct pu_sim_node *to, bool tcp, struct pu_sim_nat *realm,
				 const union pu_sockaddr *src, union pu_sockaddr *dst)
{
	if (to->nat == realm && sim_owns(to, dst))
		return to;
	for (;;) {
		struct pu_sim_node *n = node_at(to->sim, realm, dst);
		struct pu_sim_nat *nat = n ? NULL : nat_at(to->sim, realm, dst);

		if (n || !nat)
			return n;
		if (!enter(nat, tcp, src, dst)) {
			nat->dropped++;
			return NULL;
		}
		realm = nat;
	}
}

/* The interface. */

struct pu_sim_nat *pu_sim_nat_new(struct pu_sim *s, const struct pu_sim_nat_config *cfg,
				  const char *public_ip)
{
	struct pu_sim_nat *nat = sim_alloc(sizeof *nat);

	nat->sim = s;
	nat->cfg = *cfg;
	pu_list_init(&nat->mappings);
	pu_list_append(&s->nats, &nat->node);
	if (public_ip)
		pu_sim_nat_add_ip(nat, public_ip);
	return nat;
}

void pu_sim_nat_add_ip(struct pu_sim_nat *nat, const char *public_ip)
{
	assert(nat->n_ips < PUBLIC_IPS_MAX);
	nat->ips[nat->n_ips++] = pu_sim_sockaddr(public_ip, 0);
}

void pu_sim_node_behind(struct pu_sim_node *n, struct pu_sim_nat *nat)
{
	n->nat = nat;
}

void pu_sim_nat_behind(struct pu_sim_nat *inner, struct pu_sim_nat *outer)
{
	inner->outer = outer;
}

void pu_sim_nat_set(struct pu_sim_nat *nat, const struct pu_sim_nat_config *cfg)
{
	nat->cfg = *cfg;
}

void pu_sim_nat_forget(struct pu_sim_nat *nat)
{
	PU_LIST_FOREACH(it, tmp, &nat->mappings) {
		struct mapping *m = PU_CONTAINER_OF(it, struct mapping, node);

		if (!m->forward)
			mapping_free(m);
	}
}

void pu_sim_nat_forward(struct pu_sim_nat *nat, bool tcp, uint16_t port, const char *inner_ip,
			uint16_t inner_port)
{
	union pu_sockaddr inner = pu_sim_sockaddr(inner_ip, inner_port), outer;
	bool ok = choose_outer(nat, tcp, &inner, &outer);

	assert(ok);
	(void)ok;
	sim_sa_set_port(&outer, port);
	mapping_new(nat, tcp, &inner, &outer, &inner)->forward = true;
}

struct pu_sim_nat_stats pu_sim_nat_stats(struct pu_sim_nat *nat)
{
	struct pu_sim_nat_stats st = { .dropped = nat->dropped };

	expire(nat);
	PU_LIST_FOREACH(it, tmp, &nat->mappings)
		st.mappings++;
	return st;
}

void sim_nats_free(struct pu_sim *s)
{
	PU_LIST_FOREACH(it, tmp, &s->nats) {
		struct pu_sim_nat *nat = PU_CONTAINER_OF(it, struct pu_sim_nat, node);

		PU_LIST_FOREACH(it2, tmp2, &nat->mappings)
			mapping_free(PU_CONTAINER_OF(it2, struct mapping, node));
		pu_list_remove(&nat->node);
		free(nat);
	}
}
