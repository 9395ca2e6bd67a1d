#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/hop_internal.h"

static uint64_t hash_of(const struct pu_hop *hop, const struct pu_peerid *id)
{
	return pu_htab_hash(&hop->peers, id, sizeof *id);
}

struct hop_peer *pu_hop_peers_find(const struct pu_hop *hop, const struct pu_peerid *id)
{
	struct pu_hnode *n = pu_htab_first(&hop->peers, hash_of(hop, id));

	for (; n; n = pu_htab_next(n)) {
		struct hop_peer *p = PU_CONTAINER_OF(n, struct hop_peer, hnode);

		if (pu_peerid_eq(&p->id, id))
			return p;
	}
	return NULL;
}

struct hop_peer *pu_hop_peers_get(struct pu_hop *hop, const struct pu_peerid *id)
{
	struct hop_peer *p = pu_hop_peers_find(hop, id);

	if (p)
		return p;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->id = *id;
	p->tokens = PU_HOP_BURST;
	p->refilled_at = pu_loop_now(hop->loop);
	if (pu_htab_add(&hop->peers, &p->hnode, hash_of(hop, id)) < 0) {
		free(p);
		return NULL;
	}
	pu_list_append(&hop->others, &p->node);
	return p;
}

void pu_hop_peers_forget(struct pu_hop *hop, struct hop_peer *p)
{
	pu_htab_remove(&hop->peers, &p->hnode);
	pu_list_remove(&p->node);
	free(p);
}

void pu_hop_peers_settle(struct pu_hop *hop, struct hop_peer *p)
{
	if (p->reserved || p->n_circuits || p->n_requests)
		return;
	/* Its allowance must not be fresh again as soon as it asked for something. */
	if (p->tokens < PU_HOP_BURST && pu_host_conn(hop->h, &p->id))
		return;
	pu_hop_peers_forget(hop, p);
}

bool pu_hop_peers_may_ask(struct pu_hop *hop, struct hop_peer *p)
{
	pu_time now = pu_loop_now(hop->loop);
	pu_time more = (now - p->refilled_at) / PU_MS(PU_HOP_REFILL_MS);

	p->refilled_at += more * PU_MS(PU_HOP_REFILL_MS);
	p->tokens = more < PU_HOP_BURST - p->tokens ? p->tokens + (unsigned)more : PU_HOP_BURST;
	if (p->tokens == 0)
		return false;
	p->tokens--;
	return true;
}
