/* Our own addresses: what we listen on, which of it is worth telling others, and how
 * others see us. */
#ifndef PU_P2P_HOST_LISTENER_H
#define PU_P2P_HOST_LISTENER_H

#include "base/list.h"
#include "base/loop.h"
#include "p2p/addr/multiaddr.h"

enum {
	PU_LISTENER_BOUND_MAX = 16,
	PU_LISTENER_INTERFACES_MAX = 32,
	PU_LISTENER_OBSERVED_MAX = 32,
	PU_LISTENER_OBSERVERS_MAX = 4,  /* that are remembered per address */
	PU_LISTENER_OBSERVERS_MIN = 3,  /* that make an address trustworthy */
	PU_LISTENER_OBSERVED_TTL_S = 2400,
	PU_LISTENER_ADVERTISED_MAX = 16, /* per owner */
	PU_LISTENER_OWNERS_MAX = 8,
	PU_LISTENER_ADDRS_MAX = 64,
};

/* How somebody saw us. Observers are told apart by the network they are in. */
struct pu_observed {
	struct pu_multiaddr ma;
	uint64_t observer[PU_LISTENER_OBSERVERS_MAX];
	unsigned n_observers;
	unsigned n_holders; /* connections that keep it true */
	pu_time seen_at;
};

struct pu_advertised {
	const void *owner;
	size_t n;
	struct pu_multiaddr *ma;
};

struct pu_listener {
	struct pu_loop *loop;
	struct pu_multiaddr bound[PU_LISTENER_BOUND_MAX];
	size_t n_bound;
	struct pu_multiaddr interfaces[PU_LISTENER_INTERFACES_MAX];
	size_t n_interfaces;
	struct pu_observed *observed; /* PU_LISTENER_OBSERVED_MAX */
	size_t n_observed;
	struct pu_advertised advertised[PU_LISTENER_OWNERS_MAX];
	size_t n_owners;
	pu_job_fn *on_change; /* what pu_listener_addrs() gives may be different now */
	void *arg;
};

void pu_listener_init(struct pu_listener *l, struct pu_loop *loop, pu_job_fn *on_change, void *arg);
void pu_listener_deinit(struct pu_listener *l);

/* Something is bound. PU_ELIMIT. */
int pu_listener_add_bound(struct pu_listener *l, const struct pu_multiaddr *ma);
/* Addresses of the interfaces, of which more than the maximum are ignored. When they are
 * others than before, what was seen on connections that are gone is forgotten. */
void pu_listener_set_interfaces(struct pu_listener *l, const struct pu_multiaddr *ip_only, size_t n);
/* The set of one owner. PU_ELIMIT, PU_ENOMEM. */
int pu_listener_advertise(struct pu_listener *l, const void *owner, const struct pu_multiaddr *ma,
			  size_t n);
/* A peer at that address (its end of the connection) saw us as ma; local is our end. True:
 * that is worth knowing, and holds until pu_listener_release(), then for
 * PU_LISTENER_OBSERVED_TTL_S, unless it is known to be wrong. */
bool pu_listener_observe(struct pu_listener *l, const struct pu_multiaddr *ma,
			 const struct pu_multiaddr *local, const struct pu_multiaddr *observer);
void pu_listener_release(struct pu_listener *l, const struct pu_multiaddr *ma, bool wrong);

/* Without doubles: bound ones with wildcards expanded, advertised ones, trustworthy
 * observed ones. Returns how many. */
size_t pu_listener_addrs(const struct pu_listener *l, struct pu_multiaddr *out, size_t cap);
size_t pu_listener_observed(const struct pu_listener *l, unsigned min_observers,
			    struct pu_multiaddr *out, size_t cap);
/* The IPv4 address, the /56 of an IPv6 one: whoever owns one address there owns all. 0: it
 * has no IP address. */
uint64_t pu_listener_network(const struct pu_multiaddr *ma);
/* True when it is one of ours and dialling it would reach ourselves. */
bool pu_listener_is_ours(const struct pu_listener *l, const struct pu_multiaddr *ma);

#endif
