#include "base/err.h"
#include "p2p/circuit/addr.h"
#include "p2p/circuit/hop_internal.h"
#include "p2p/circuit/voucher.h"

enum { ADDRS_MAX = 32, NS_PER_S = 1000000000 };

static void arm_expiry(struct pu_hop *hop)
{
	struct pu_list *first = pu_list_first(&hop->reserved);

	pu_timer_set(&hop->expiry, first ? PU_CONTAINER_OF(first, struct hop_peer, node)->expires
					 : PU_TIME_NEVER);
}

/* Nearly always behind the last: all get the same time to live. */
static void insert_by_expiry(struct pu_hop *hop, struct hop_peer *p)
{
	struct pu_list *after = hop->reserved.prev;

	while (after != &hop->reserved &&
	       PU_CONTAINER_OF(after, struct hop_peer, node)->expires > p->expires)
		after = after->prev;
	/* Appending to a node's successor as if it were a head puts it in between. */
	pu_list_append(after->next, &p->node);
	arm_expiry(hop);
}

void pu_hop_reserve_drop(struct pu_hop *hop, struct hop_peer *p)
{
	if (!p->reserved)
		return;
	p->reserved = false;
	pu_list_remove(&p->node);
	pu_list_append(&hop->others, &p->node);
	pu_hop_nets_leave(&hop->nets, &p->place);
	pu_host_protect(hop->h, &p->id, false);
	hop->stats.reservations--;
	arm_expiry(hop);
}

void pu_hop_reserve_expire(void *arg)
{
	struct pu_hop *hop = arg;
	pu_time now = pu_loop_now(hop->loop);
	struct pu_list *it;

	while ((it = pu_list_first(&hop->reserved))) {
		struct hop_peer *p = PU_CONTAINER_OF(it, struct hop_peer, node);

		if (p->expires > now)
			break;
		pu_hop_reserve_drop(hop, p);
		pu_hop_peers_settle(hop, p);
	}
	arm_expiry(hop);
}

/* Of no use to somebody else: the way to us through others. near: the peer is on this
 * machine. */
static bool worth_telling(const struct pu_hop *hop, bool near, const struct pu_multiaddr *ma)
{
	if (pu_multiaddr_kind(ma) == PU_MA_KIND_CIRCUIT)
		return false;
	if (pu_multiaddr_is_loopback(ma))
		return hop->opt.private_addrs && near;
	return hop->opt.private_addrs || pu_multiaddr_is_public(ma);
}

static void add_addr(struct pu_circuit_reservation *rv, const struct pu_multiaddr *ma,
		     const struct pu_peerid *self)
{
	struct pu_multiaddr *to = &rv->addrs[rv->n_addrs];

	*to = *ma;
	if (pu_multiaddr_append(to, PU_MA_P2P, pu_peerid_bytes(self)) == 0)
		rv->n_addrs++;
}

static void fill_addrs(const struct pu_hop *hop, const struct pu_conn *c,
		       struct pu_circuit_reservation *rv)
{
	const struct pu_peerid *self = pu_host_id(hop->h);
	struct pu_multiaddr all[ADDRS_MAX];
	size_t n = pu_host_addrs(hop->h, all, ADDRS_MAX);

	for (size_t i = 0; i < n && rv->n_addrs < PU_CIRCUIT_ADDRS_MAX; i++)
		if (worth_telling(hop, pu_multiaddr_is_loopback(&c->remote), &all[i]))
			add_addr(rv, &all[i], self);
	/* rust-libp2p takes a reservation without any address for a failure. This one at
	 * least the peer has proved to be right. */
	if (rv->n_addrs == 0 && c->local.len > 0)
		add_addr(rv, &c->local, self);
}

static int fill_voucher(const struct pu_hop *hop, const struct hop_peer *p,
			struct pu_circuit_reservation *rv)
{
	struct pu_buf b;
	int r;

	pu_buf_init(&b, sizeof rv->voucher);
	r = pu_circuit_voucher_make(hop->key, &p->id, rv->expires, &b);
	if (r == 0) {
		rv->voucher_len = b.len;
		memcpy(rv->voucher, pu_buf_bytes(&b).p, b.len);
	}
	pu_buf_deinit(&b);
	return r;
}

static enum pu_circuit_status take_place(struct pu_hop *hop, struct hop_peer *p,
					 const struct pu_conn *c)
{
	const struct pu_hop_limits *limits = &hop->opt.limits;

	if (!p->reserved && hop->stats.reservations >= limits->max_reservations)
		return PU_CIRCUIT_RESERVATION_REFUSED;
	if (pu_hop_nets_enter(&hop->nets, limits, &c->remote, &p->place) < 0)
		return PU_CIRCUIT_RESERVATION_REFUSED;
	return PU_CIRCUIT_OK;
}

static void hold(struct pu_hop *hop, struct hop_peer *p, pu_time expires)
{
	if (!p->reserved) {
		hop->stats.reservations++;
		hop->stats.reserved++;
		/* It waits for others to come: silence is no reason to close. */
		pu_host_protect(hop->h, &p->id, true);
	}
	p->reserved = true;
	p->expires = expires;
	pu_list_remove(&p->node);
	insert_by_expiry(hop, p);
}

enum pu_circuit_status pu_hop_reserve(struct pu_hop *hop, struct hop_peer *p,
				      const struct pu_conn *c)
{
	struct pu_circuit_message *m = &hop->scratch;
	pu_time ttl = hop->opt.limits.reservation_ttl;
	enum pu_circuit_status status;

	if (hop->opt.may_reserve && !hop->opt.may_reserve(hop->opt.arg, &p->id))
		return PU_CIRCUIT_PERMISSION_DENIED;
	status = take_place(hop, p, c);
	if (status != PU_CIRCUIT_OK)
		return status;
	m->has_reservation = true;
	m->reservation.expires = pu_loop_unix(hop->loop) + (int64_t)(ttl / NS_PER_S);
	fill_addrs(hop, c, &m->reservation);
	if (fill_voucher(hop, p, &m->reservation) < 0)
		m->reservation.voucher_len = 0; /* no memory: it is optional */
	hold(hop, p, pu_loop_now(hop->loop) + ttl);
	return PU_CIRCUIT_OK;
}

size_t pu_hop_addrs_of(const struct pu_hop *hop, const struct pu_peerid *peer,
		       struct pu_multiaddr *out, size_t cap)
{
	struct pu_multiaddr all[ADDRS_MAX];
	size_t n_all = pu_host_addrs(hop->h, all, ADDRS_MAX), n = 0;

	if (!pu_hop_has_reservation(hop, peer))
		return 0;
	for (size_t i = 0; i < n_all && n < cap; i++)
		if (worth_telling(hop, false, &all[i]) &&
		    pu_circuit_addr_make(&all[i], pu_host_id(hop->h), &out[n]) == 0)
			n++;
	return n;
}
