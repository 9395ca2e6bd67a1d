#include "p2p/circuit/hop.h"

#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/hop_internal.h"

const struct pu_hop_limits pu_hop_limits_default = {
	.max_reservations = 128,
	.max_reservations_per_ip = 8,
	.max_reservations_per_asn = 32,
	.max_circuits = 1024,
	.max_circuits_per_peer = 16,
	.reservation_ttl = PU_SEC(3600),
	.duration = PU_SEC(600),
	.data = 64 << 20,
};

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	struct pu_hop *hop = arg;
	struct hop_peer *p = pu_hop_peers_find(hop, &c->peer);
	struct pu_conn *best = p ? pu_host_conn(hop->h, &c->peer) : NULL;

	if (!p)
		return;
	/* Through another relay we do not bring anybody to it. */
	if (!best || best->limited)
		pu_hop_reserve_drop(hop, p);
	pu_hop_peers_settle(hop, p);
}

static void init(struct pu_hop *hop, struct pu_host *h, const struct pu_hop_options *opt)
{
	uint8_t key[16];

	hop->h = h;
	hop->loop = pu_host_loop(h);
	hop->key = pu_host_transport_config(h).key;
	hop->opt = *opt;
	pu_loop_random(hop->loop, key, sizeof key);
	pu_htab_init(&hop->peers, key);
	pu_hop_nets_init(&hop->nets, hop->loop);
	pu_list_init(&hop->reserved);
	pu_list_init(&hop->others);
	pu_list_init(&hop->requests);
	pu_list_init(&hop->circuits);
	pu_timer_init(&hop->expiry, hop->loop, pu_hop_reserve_expire, hop);
	hop->observer.on_disconnected = on_disconnected;
	hop->observer.arg = hop;
}

int pu_hop_new(struct pu_host *h, const struct pu_hop_options *opt, struct pu_hop **ph)
{
	struct pu_hop *hop = calloc(1, sizeof *hop);
	int r;

	if (!hop)
		return PU_ENOMEM;
	init(hop, h, opt);
	r = pu_host_handle(h, PU_HOP_PROTOCOL, pu_hop_request_serve, hop);
	if (r < 0) {
		free(hop);
		return r;
	}
	pu_host_observe(h, &hop->observer);
	*ph = hop;
	return 0;
}

void pu_hop_free(struct pu_hop *hop)
{
	struct pu_list *it;

	if (!hop)
		return;
	pu_host_unobserve(hop->h, &hop->observer);
	pu_host_unhandle(hop->h, PU_HOP_PROTOCOL);
	while ((it = pu_list_first(&hop->requests)))
		pu_hop_request_abort(PU_CONTAINER_OF(it, struct hop_request, node),
				     PU_STREAM_CODE_SHUTDOWN);
	while ((it = pu_list_first(&hop->circuits)))
		pu_hop_circuit_reset(PU_CONTAINER_OF(it, struct hop_circuit, node),
				     PU_STREAM_CODE_SHUTDOWN);
	while ((it = pu_list_first(&hop->reserved)))
		pu_hop_reserve_drop(hop, PU_CONTAINER_OF(it, struct hop_peer, node));
	while ((it = pu_list_first(&hop->others)))
		pu_hop_peers_forget(hop, PU_CONTAINER_OF(it, struct hop_peer, node));
	pu_timer_stop(&hop->expiry);
	pu_hop_nets_deinit(&hop->nets);
	pu_htab_deinit(&hop->peers);
	free(hop);
}

void pu_hop_set_limits(struct pu_hop *hop, const struct pu_hop_limits *limits)
{
	hop->opt.limits = *limits;
}

void pu_hop_stats(const struct pu_hop *hop, struct pu_hop_stats *out)
{
	*out = hop->stats;
}

bool pu_hop_has_reservation(const struct pu_hop *hop, const struct pu_peerid *peer)
{
	const struct hop_peer *p = pu_hop_peers_find(hop, peer);

	return p && p->reserved;
}

void pu_hop_expel(struct pu_hop *hop, const struct pu_peerid *peer)
{
	struct hop_peer *p;

	PU_LIST_FOREACH (it, tmp, &hop->requests) {
		struct hop_request *rq = PU_CONTAINER_OF(it, struct hop_request, node);

		if (pu_peerid_eq(&rq->from->id, peer) ||
		    (rq->to && pu_peerid_eq(&rq->to->id, peer)))
			pu_hop_request_abort(rq, PU_STREAM_CODE_GATED);
	}
	PU_LIST_FOREACH (it, tmp, &hop->circuits) {
		struct hop_circuit *ci = PU_CONTAINER_OF(it, struct hop_circuit, node);

		if (pu_peerid_eq(&ci->from.peer->id, peer) || pu_peerid_eq(&ci->to.peer->id, peer))
			pu_hop_circuit_reset(ci, PU_STREAM_CODE_GATED);
	}
	p = pu_hop_peers_find(hop, peer);
	if (!p)
		return;
	pu_hop_reserve_drop(hop, p);
	pu_hop_peers_settle(hop, p);
}
