#include "p2p/host/listener.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "base/err.h"

void pu_listener_init(struct pu_listener *l, struct pu_loop *loop, pu_job_fn *on_change, void *arg)
{
	memset(l, 0, sizeof *l);
	l->loop = loop;
	l->on_change = on_change;
	l->arg = arg;
}

void pu_listener_deinit(struct pu_listener *l)
{
	for (size_t i = 0; i < l->n_owners; i++)
		free(l->advertised[i].ma);
	free(l->observed);
	l->observed = NULL;
	l->n_owners = l->n_observed = 0;
}

static void changed(struct pu_listener *l)
{
	l->on_change(l->arg);
}

int pu_listener_add_bound(struct pu_listener *l, const struct pu_multiaddr *ma)
{
	if (l->n_bound == PU_LISTENER_BOUND_MAX)
		return PU_ELIMIT;
	l->bound[l->n_bound++] = *ma;
	changed(l);
	return 0;
}

static bool same_interfaces(const struct pu_listener *l, const struct pu_multiaddr *ma, size_t n)
{
	for (size_t i = 0; i < n && n == l->n_interfaces; i++)
		if (!pu_multiaddr_eq(&l->interfaces[i], &ma[i]))
			return false;
	return n == l->n_interfaces;
}

static void forget_unheld(struct pu_listener *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_observed; i++)
		if (l->observed[i].n_holders > 0)
			l->observed[n++] = l->observed[i];
	l->n_observed = n;
}

void pu_listener_set_interfaces(struct pu_listener *l, const struct pu_multiaddr *ip_only, size_t n)
{
	if (!same_interfaces(l, ip_only, pu_min(n, PU_LISTENER_INTERFACES_MAX)))
		forget_unheld(l);
	l->n_interfaces = pu_min(n, PU_LISTENER_INTERFACES_MAX);
	for (size_t i = 0; i < l->n_interfaces; i++)
		l->interfaces[i] = ip_only[i];
	changed(l);
}

/* What owners advertise. */

static struct pu_advertised *find_owner(struct pu_listener *l, const void *owner)
{
	for (size_t i = 0; i < l->n_owners; i++)
		if (l->advertised[i].owner == owner)
			return &l->advertised[i];
	return NULL;
}

static bool same_addrs(const struct pu_advertised *a, const struct pu_multiaddr *ma, size_t n)
{
	if (a->n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!pu_multiaddr_eq(&a->ma[i], &ma[i]))
			return false;
	return true;
}

int pu_listener_advertise(struct pu_listener *l, const void *owner, const struct pu_multiaddr *ma,
			  size_t n)
{
	struct pu_advertised *a = find_owner(l, owner);
	struct pu_multiaddr *copy = NULL;

	if (a ? same_addrs(a, ma, n) : n == 0)
		return 0;
	if (n > PU_LISTENER_ADVERTISED_MAX || (!a && l->n_owners == PU_LISTENER_OWNERS_MAX))
		return PU_ELIMIT;
	if (n > 0) {
		copy = malloc(n * sizeof *copy);
		if (!copy)
			return PU_ENOMEM;
		memcpy(copy, ma, n * sizeof *copy);
	}
	if (!a)
		a = &l->advertised[l->n_owners++];
	else
		free(a->ma);
	*a = (struct pu_advertised){ owner, n, copy };
	if (n == 0)
		*a = l->advertised[--l->n_owners];
	changed(l);
	return 0;
}

/* How others see us. */

uint64_t pu_listener_network(const struct pu_multiaddr *ma)
{
	union pu_sockaddr sa;
	uint64_t net = 0;

	if (pu_multiaddr_to_sockaddr(ma, &sa) < 0)
		return 0;
	if (sa.sa.sa_family == AF_INET)
		return (uint64_t)ntohl(sa.v4.sin_addr.s_addr) << 1;
	for (int i = 0; i < 7; i++)
		net = net << 8 | sa.v6.sin6_addr.s6_addr[i];
	return net << 1 | 1;
}

/* Only what left from a listening port says something about that port. */
static bool from_listening_port(const struct pu_listener *l, const struct pu_multiaddr *local)
{
	union pu_sockaddr a, b;

	if (pu_multiaddr_to_sockaddr(local, &a) < 0)
		return false;
	for (size_t i = 0; i < l->n_bound; i++) {
		if (pu_multiaddr_kind(&l->bound[i]) != pu_multiaddr_kind(local) ||
		    pu_multiaddr_to_sockaddr(&l->bound[i], &b) < 0 ||
		    a.sa.sa_family != b.sa.sa_family)
			continue;
		/* The port is at the same place in both families. */
		if (a.v4.sin_port == b.v4.sin_port)
			return true;
	}
	return false;
}

static struct pu_observed *find_observed(struct pu_listener *l, const struct pu_multiaddr *ma)
{
	for (size_t i = 0; i < l->n_observed; i++)
		if (pu_multiaddr_eq(&l->observed[i].ma, ma))
			return &l->observed[i];
	return NULL;
}

static bool less_worth(const struct pu_observed *a, const struct pu_observed *b)
{
	if (!a->n_holders != !b->n_holders)
		return !a->n_holders;
	if (a->n_observers != b->n_observers)
		return a->n_observers < b->n_observers;
	return a->seen_at < b->seen_at;
}

/* A new entry, in place of the stalest one when all are taken. */
static struct pu_observed *new_observed(struct pu_listener *l, const struct pu_multiaddr *ma)
{
	struct pu_observed *o;

	if (!l->observed)
		l->observed = calloc(PU_LISTENER_OBSERVED_MAX, sizeof *l->observed);
	if (!l->observed)
		return NULL;
	if (l->n_observed < PU_LISTENER_OBSERVED_MAX) {
		o = &l->observed[l->n_observed++];
	} else {
		o = &l->observed[0];
		for (size_t i = 1; i < l->n_observed; i++)
			if (less_worth(&l->observed[i], o))
				o = &l->observed[i];
	}
	*o = (struct pu_observed){ .ma = *ma };
	return o;
}

static void add_observer(struct pu_listener *l, struct pu_observed *o, uint64_t net)
{
	for (unsigned i = 0; i < o->n_observers; i++)
		if (o->observer[i] == net)
			return;
	if (o->n_observers == PU_LISTENER_OBSERVERS_MAX)
		return;
	o->observer[o->n_observers++] = net;
	if (o->n_observers == PU_LISTENER_OBSERVERS_MIN)
		changed(l);
}

bool pu_listener_observe(struct pu_listener *l, const struct pu_multiaddr *ma,
			 const struct pu_multiaddr *local, const struct pu_multiaddr *observer)
{
	uint64_t net = pu_listener_network(observer);
	struct pu_observed *o;

	if (!pu_multiaddr_is_public(ma) || pu_multiaddr_kind(ma) != pu_multiaddr_kind(local) ||
	    !from_listening_port(l, local) || net == 0)
		return false;
	o = find_observed(l, ma);
	if (!o)
		o = new_observed(l, ma);
	if (!o)
		return false;
	o->seen_at = pu_loop_now(l->loop);
	o->n_holders++;
	add_observer(l, o, net);
	return true;
}

void pu_listener_release(struct pu_listener *l, const struct pu_multiaddr *ma, bool wrong)
{
	struct pu_observed *o = find_observed(l, ma);

	if (!o || o->n_holders == 0) /* others were worth more */
		return;
	o->n_holders--;
	o->seen_at = pu_loop_now(l->loop);
	if (wrong && o->n_holders == 0)
		*o = l->observed[--l->n_observed];
}

/* Lists. */

/* The bound address with the interface's IP instead of the wildcard. */
static void expand(const struct pu_listener *l, const struct pu_multiaddr *bound,
		   struct pu_multiaddr *out, size_t cap, size_t *pn)
{
	struct pu_ma_part head, part;
	size_t rest = 0;

	if (!pu_multiaddr_next(bound, &rest, &head))
		return;
	for (size_t i = 0; i < l->n_interfaces; i++) {
		struct pu_multiaddr ma = l->interfaces[i];
		size_t off = 0;
		bool ok = pu_multiaddr_next(&ma, &off, &part) && part.code == head.code;

		for (off = rest; ok && pu_multiaddr_next(bound, &off, &part);)
			ok = pu_multiaddr_append(&ma, (enum pu_ma_code)part.code, part.value) == 0;
		if (ok)
			pu_multiaddr_add(out, cap, pn, &ma);
	}
}

size_t pu_listener_observed(const struct pu_listener *l, unsigned min_observers,
			    struct pu_multiaddr *out, size_t cap)
{
	pu_time now = pu_loop_now(l->loop);
	size_t n = 0;

	for (unsigned k = PU_LISTENER_OBSERVERS_MAX; k >= min_observers && k > 0; k--)
		for (size_t i = 0; i < l->n_observed; i++)
			if (l->observed[i].n_observers == k &&
			    (l->observed[i].n_holders > 0 ||
			     now - l->observed[i].seen_at <= PU_SEC(PU_LISTENER_OBSERVED_TTL_S)))
				pu_multiaddr_add(out, cap, &n, &l->observed[i].ma);
	return n;
}

size_t pu_listener_addrs(const struct pu_listener *l, struct pu_multiaddr *out, size_t cap)
{
	struct pu_multiaddr seen[PU_LISTENER_OBSERVED_MAX];
	size_t n = 0, n_seen;

	for (size_t i = 0; i < l->n_owners; i++)
		for (size_t j = 0; j < l->advertised[i].n; j++)
			pu_multiaddr_add(out, cap, &n, &l->advertised[i].ma[j]);
	for (size_t i = 0; i < l->n_bound; i++) {
		if (pu_multiaddr_is_unspecified(&l->bound[i]))
			expand(l, &l->bound[i], out, cap, &n);
		else
			pu_multiaddr_add(out, cap, &n, &l->bound[i]);
	}
	n_seen = pu_listener_observed(l, PU_LISTENER_OBSERVERS_MIN, seen, PU_ARRAY_LEN(seen));
	for (size_t i = 0; i < n_seen; i++)
		pu_multiaddr_add(out, cap, &n, &seen[i]);
	return n;
}

bool pu_listener_is_ours(const struct pu_listener *l, const struct pu_multiaddr *ma)
{
	struct pu_multiaddr out[PU_LISTENER_ADDRS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < l->n_bound; i++) {
		if (pu_multiaddr_is_unspecified(&l->bound[i]))
			expand(l, &l->bound[i], out, PU_ARRAY_LEN(out), &n);
		else
			pu_multiaddr_add(out, PU_ARRAY_LEN(out), &n, &l->bound[i]);
	}
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&out[i], ma))
			return true;
	return false;
}
