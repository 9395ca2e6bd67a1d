/* The relays that the user wants to be used. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/circuit/relays_internal.h"

void pu_relays_give_up(struct pu_relay *rl)
{
	struct pu_relays *r = rl->owner;

	pu_timer_stop(&rl->timer);
	if (rl->req)
		pu_host_cancel(r->h, rl->req);
	if (rl->ask)
		pu_circuit_ask_cancel(rl->ask);
	for (size_t i = 0; i < rl->n_addrs; i++)
		pu_host_remove_addr(r->h, &rl->info.relay, &rl->addrs[i]);
	pu_host_protect(r->h, &rl->info.relay, false);
	pu_list_remove(&rl->node);
	free(rl);
}

static struct pu_relay *relay_new(struct pu_relays *r, const struct pu_peerid *id)
{
	struct pu_relay *rl = calloc(1, sizeof *rl);

	if (!rl)
		return NULL;
	rl->owner = r;
	rl->info.relay = *id;
	rl->info.state = PU_RELAY_WAITING;
	pu_timer_init(&rl->timer, pu_host_loop(r->h), pu_relays_attempt, rl);
	pu_list_append(&r->relays, &rl->node);
	pu_host_protect(r->h, id, true);
	return rl;
}

/* One relay of the new list, with all of its addresses. */
struct wanted {
	struct pu_peerid relay;
	struct pu_multiaddr addrs[PU_RELAYS_ADDRS_MAX];
	size_t n;
};

static int want(struct wanted *list, size_t *pn, const struct pu_multiaddr *ma,
		const struct pu_peerid *us)
{
	struct pu_multiaddr base;
	struct pu_peerid id;
	struct wanted *w = NULL;

	if (pu_multiaddr_split_peer(ma, &base, &id) < 0 || pu_peerid_eq(&id, us) ||
	    base.len == 0 || pu_multiaddr_has(&base, PU_MA_P2P_CIRCUIT))
		return PU_EINVAL;
	for (size_t i = 0; i < *pn; i++)
		if (pu_peerid_eq(&list[i].relay, &id))
			w = &list[i];
	if (!w && *pn == PU_RELAYS_MAX)
		return PU_ELIMIT;
	if (!w) {
		w = &list[(*pn)++];
		w->relay = id;
	}
	if (pu_relays_lists(w->addrs, w->n, &base))
		return 0;
	if (w->n == PU_RELAYS_ADDRS_MAX)
		return PU_ELIMIT;
	w->addrs[w->n++] = base;
	return 0;
}

/* True when they are others than before. The host learns new ones with the next attempt. */
static bool take_addrs(struct pu_relay *rl, const struct wanted *w)
{
	bool changed = rl->n_addrs != w->n;

	for (size_t i = 0; i < rl->n_addrs; i++) {
		if (pu_relays_lists(w->addrs, w->n, &rl->addrs[i]))
			continue;
		pu_host_remove_addr(rl->owner->h, &w->relay, &rl->addrs[i]);
		changed = true;
	}
	memcpy(rl->addrs, w->addrs, w->n * sizeof *w->addrs);
	rl->n_addrs = w->n;
	rl->info.addr = w->addrs[0];
	return changed;
}

static int apply_one(struct pu_relays *r, const struct wanted *w)
{
	struct pu_relay *rl = pu_relays_find(r, &w->relay);

	if (!rl)
		rl = relay_new(r, &w->relay);
	if (!rl)
		return PU_ENOMEM;
	/* Into the order of the list. */
	pu_list_remove(&rl->node);
	pu_list_append(&r->relays, &rl->node);
	if (take_addrs(rl, w) || rl->info.state == PU_RELAY_WAITING)
		pu_relays_plan(rl, pu_loop_now(pu_host_loop(r->h)));
	return 0;
}

static bool is_wanted(const struct wanted *list, size_t n, const struct pu_peerid *relay)
{
	for (size_t i = 0; i < n; i++)
		if (pu_peerid_eq(&list[i].relay, relay))
			return true;
	return false;
}

int pu_relays_set(struct pu_relays *r, const struct pu_multiaddr *addrs, size_t n)
{
	struct wanted *list = calloc(PU_RELAYS_MAX, sizeof *list);
	size_t n_list = 0;
	int err = list ? 0 : PU_ENOMEM;

	for (size_t i = 0; i < n && err == 0; i++)
		err = want(list, &n_list, &addrs[i], pu_host_id(r->h));
	if (err < 0)
		goto out;
	PU_LIST_FOREACH(it, tmp, &r->relays) {
		struct pu_relay *rl = PU_CONTAINER_OF(it, struct pu_relay, node);

		if (!is_wanted(list, n_list, &rl->info.relay))
			pu_relays_give_up(rl);
	}
	for (size_t i = 0; i < n_list && err == 0; i++)
		err = apply_one(r, &list[i]);
	pu_relays_advertise(r);
out:
	free(list);
	return err;
}

size_t pu_relays_list(const struct pu_relays *r, struct pu_relay_info *out, size_t cap)
{
	size_t n = 0;

	PU_LIST_FOREACH(it, tmp, &r->relays)
		if (n < cap)
			out[n++] = PU_CONTAINER_OF(it, struct pu_relay, node)->info;
	return n;
}
