/* Addresses and links of the simulated network. */
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "support/simnet_internal.h"

enum {
	LOOPBACK_DELAY_US = 10,
	INTERRUPT_GRID_US = 50, /* packets of one such slot arrive together */
};

union pu_sockaddr pu_sim_sockaddr(const char *ip, uint16_t port)
{
	union pu_sockaddr sa;

	memset(&sa, 0, sizeof sa);
	if (inet_pton(AF_INET, ip, &sa.v4.sin_addr) == 1)
		sa.sa.sa_family = AF_INET;
	else if (inet_pton(AF_INET6, ip, &sa.v6.sin6_addr) == 1)
		sa.sa.sa_family = AF_INET6;
	else
		abort();
	sim_sa_set_port(&sa, port);
	return sa;
}

uint16_t sim_sa_port(const union pu_sockaddr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->v4.sin_port : a->v6.sin6_port);
}

void sim_sa_set_port(union pu_sockaddr *a, uint16_t port)
{
	if (a->sa.sa_family == AF_INET)
		a->v4.sin_port = htons(port);
	else
		a->v6.sin6_port = htons(port);
}

bool sim_sa_same_ip(const union pu_sockaddr *a, const union pu_sockaddr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

bool sim_same_link(const union pu_sockaddr *a, const union pu_sockaddr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (a->sa.sa_family == AF_INET)
		return memcmp(&a->v4.sin_addr, &b->v4.sin_addr, 3) == 0;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 8) == 0;
}

bool sim_sa_eq(const union pu_sockaddr *a, const union pu_sockaddr *b)
{
	return sim_sa_same_ip(a, b) && sim_sa_port(a) == sim_sa_port(b);
}

bool sim_sa_wildcard(const union pu_sockaddr *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == 0;
	return IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

bool sim_sa_loopback(const union pu_sockaddr *a)
{
	if (a->sa.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

bool sim_sa_hears(const union pu_sockaddr *b, const union pu_sockaddr *a)
{
	return a->sa.sa_family == b->sa.sa_family && sim_sa_port(a) == sim_sa_port(b) &&
	       (sim_sa_wildcard(b) || sim_sa_same_ip(a, b));
}

bool sim_owns(const struct pu_sim_node *n, const union pu_sockaddr *sa)
{
	for (unsigned i = 0; i < n->n_ips; i++)
		if (sim_sa_same_ip(&n->ips[i], sa))
			return true;
	return sim_sa_loopback(sa);
}

size_t pu_sim_node_ips(const struct pu_sim_node *n, struct pu_multiaddr *out, size_t cap)
{
	size_t k;

	for (k = 0; k < n->n_ips && k < cap; k++) {
		const union pu_sockaddr *sa = &n->ips[k];
		bool v4 = sa->sa.sa_family == AF_INET;

		/* Both codes are single bytes; no need for the multiaddr library here. */
		out[k].len = v4 ? 5 : 17;
		out[k].b[0] = v4 ? PU_MA_IP4 : PU_MA_IP6;
		memcpy(out[k].b + 1, v4 ? (const void *)&sa->v4.sin_addr : &sa->v6.sin6_addr,
		       v4 ? 4 : 16);
	}
	return k;
}

int sim_source(const struct pu_sim_node *n, const union pu_sockaddr *remote,
	       union pu_sockaddr *psa)
{
	uint16_t port = sim_sa_port(psa);

	if (sim_sa_loopback(remote)) {
		*psa = pu_sim_sockaddr(remote->sa.sa_family == AF_INET ? "127.0.0.1" : "::1",
				       port);
		return 0;
	}
	for (unsigned i = 0; i < n->n_ips; i++) {
		if (n->ips[i].sa.sa_family != remote->sa.sa_family)
			continue;
		*psa = n->ips[i];
		sim_sa_set_port(psa, port);
		return 0;
	}
	return PU_EUNREACH;
}

uint16_t sim_ephemeral(struct pu_sim_node *n)
{
	return n->next_port++;
}

struct sim_dir *sim_dir(struct pu_sim_node *from, struct pu_sim_node *to)
{
	struct sim_dir *d = from->out[to->index];

	if (!d) {
		d = from->out[to->index] = sim_alloc(sizeof *d);
		if (from == to) {
			d->cfg = (struct pu_sim_link){ .delay = PU_US(LOOPBACK_DELAY_US),
						       .mtu = 65536 };
			d->own = true;
		}
	}
	if (!d->own)
		d->cfg = from->sim->link;
	return d;
}

void pu_sim_default_link(struct pu_sim *s, const struct pu_sim_link *l)
{
	s->link = *l;
}

void pu_sim_link_one_way(struct pu_sim_node *from, struct pu_sim_node *to,
			 const struct pu_sim_link *l)
{
	struct sim_dir *d = sim_dir(from, to);

	d->cfg = *l;
	d->own = true;
}

void pu_sim_link(struct pu_sim_node *a, struct pu_sim_node *b, const struct pu_sim_link *l)
{
	pu_sim_link_one_way(a, b, l);
	pu_sim_link_one_way(b, a, l);
}

struct pu_sim_counters pu_sim_counters(const struct pu_sim_node *from, const struct pu_sim_node *to)
{
	const struct sim_dir *d = from->out[to->index];

	return d ? d->count : (struct pu_sim_counters){ 0 };
}

bool sim_transmit(struct pu_sim *s, struct sim_dir *d, size_t len, bool bounded, pu_time *pat)
{
	const struct pu_sim_link *l = &d->cfg;
	pu_time start = d->busy_until > s->now ? d->busy_until : s->now, at;

	if (l->rate) {
		uint64_t waiting = (start - s->now) / 1000 * l->rate / 8000000;

		if (bounded && l->queue && waiting + len > l->queue)
			return false;
		start += len * 8 * PU_SEC(1) / l->rate;
		d->busy_until = start;
	}
	at = start + l->delay + pu_sim_random(s, l->jitter + 1);
	at = (at + PU_US(INTERRUPT_GRID_US) - 1) / PU_US(INTERRUPT_GRID_US) *
	     PU_US(INTERRUPT_GRID_US);
	if (at < d->last_arrival)
		at = d->last_arrival;
	d->last_arrival = at;
	*pat = at;
	return true;
}
