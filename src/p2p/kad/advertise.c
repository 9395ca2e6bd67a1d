/* Being found under a name: our provider record, kept at the nodes nearest to it. */
#include <stdlib.h>

#include "base/err.h"
#include "base/log.h"
#include "p2p/kad/state.h"

/* One ADD_PROVIDER on its way. */
struct send {
	struct pu_list node;
	struct pu_kad *k;
	struct pu_peerid peer;
	struct pu_kad_call *call;
};

void pu_kad_advert_key(const char *name, uint8_t key[KAD_RENDEZVOUS_KEY])
{
	key[0] = 0x12;
	key[1] = PU_SHA256_LEN;
	pu_sha256(pu_bytes_str(name), key + 2);
}

static void send_free(struct send *s)
{
	pu_list_remove(&s->node);
	free(s);
}

static void on_sent(void *arg, int err, const struct pu_kad_message *reply)
{
	struct send *s = arg;
	struct pu_kad *k = s->k;
	struct pu_peerid peer = s->peer;

	send_free(s);
	if (err < 0)
		pu_kad_admit_outcome(k, &peer, err);
}

/* Our record, as others will keep it. False: we are nowhere, yet. */
static bool describe(struct pu_kad *k, struct pu_kad_message *m)
{
	pu_kad_serve_self(k, &m->providers[0]);
	m->n_providers = 1;
	return m->providers[0].n_addrs > 0;
}

static void send_to(struct pu_kad *k, const struct pu_peerid *peer)
{
	struct kad_advert *ad = &k->advert;
	struct pu_kad_message *m =
		pu_kad_query_request(k, PU_KAD_ADD_PROVIDER, pu_bytes(ad->key, sizeof ad->key));
	struct send *s = describe(k, m) ? calloc(1, sizeof *s) : NULL;

	if (!s)
		return;
	s->k = k;
	s->peer = *peer;
	pu_list_append(&ad->sends, &s->node);
	if (pu_kad_rpc_call(k->rpc, peer, m, on_sent, s, &s->call) < 0)
		send_free(s);
}

static void keep_own(struct pu_kad *k)
{
	struct pu_kad_message *m = pu_kad_query_request(k, PU_KAD_ADD_PROVIDER, pu_bytes(NULL, 0));

	if (k->mode == PU_KAD_SERVER && describe(k, m))
		pu_kad_providers_add(&k->providers,
				     pu_bytes(k->advert.key, sizeof k->advert.key),
				     &m->providers[0]);
}

static void schedule(struct pu_kad *k, bool reached)
{
	struct kad_advert *ad = &k->advert;
	unsigned s = KAD_RETRY_MIN_S;

	if (reached) {
		ad->tries = 0;
		s = KAD_ADVERTISE_S;
	} else {
		for (unsigned i = 0; i < ad->tries && s < KAD_RETRY_MAX_S; i++)
			s *= 2;
		ad->tries++;
	}
	pu_timer_set(&ad->timer, pu_loop_now(k->loop) + PU_SEC(s));
}

static void on_walked(void *arg, const struct pu_kad_candidate *const *closest, size_t n)
{
	struct pu_kad *k = arg;

	k->advert.walk = NULL;
	for (size_t i = 0; i < n; i++)
		send_to(k, &closest[i]->id);
	keep_own(k);
	pu_log(PU_LOG_DEBUG, "kad", "advertised", PU_KV_U64("peers", n));
	schedule(k, n > 0);
	if (k->advert.again)
		pu_kad_advert_renew(k);
}

static void on_timer(void *arg)
{
	struct pu_kad *k = arg;
	struct kad_advert *ad = &k->advert;

	if (pu_kad_query_walk(k, pu_bytes(ad->key, sizeof ad->key), k->table.k, on_walked, k,
			      &ad->walk) < 0)
		schedule(k, false);
}

void pu_kad_advert_init(struct pu_kad *k)
{
	pu_list_init(&k->advert.sends);
	pu_timer_init(&k->advert.timer, k->loop, on_timer, k);
}

void pu_kad_advert_stop(struct pu_kad *k)
{
	struct kad_advert *ad = &k->advert;

	pu_timer_stop(&ad->timer);
	if (ad->walk)
		pu_kad_cancel(k, ad->walk);
	ad->walk = NULL;
	ad->on = false;
	PU_LIST_FOREACH (it, tmp, &ad->sends) {
		struct send *s = PU_CONTAINER_OF(it, struct send, node);

		pu_kad_rpc_cancel(s->call);
		send_free(s);
	}
}

void pu_kad_advert_renew(struct pu_kad *k)
{
	struct kad_advert *ad = &k->advert;

	ad->again = ad->on && ad->walk;
	if (!ad->on || ad->walk)
		return;
	ad->tries = 0;
	pu_timer_set(&ad->timer, pu_loop_now(k->loop) + PU_SEC(KAD_ADVERTISE_SOON_S));
}

void pu_kad_advert_newcomer(struct pu_kad *k, const struct pu_peerid *peer)
{
	const struct pu_kad_entry *e[PU_KAD_K];
	struct kad_advert *ad = &k->advert;
	struct pu_kad_key key;
	size_t n;

	if (!ad->on || ad->walk)
		return;
	key = pu_kad_key_of(pu_bytes(ad->key, sizeof ad->key));
	n = pu_kad_table_closest(&k->table, &key, e, k->table.k);
	for (size_t i = 0; i < n; i++) {
		if (!pu_peerid_eq(&e[i]->id, peer))
			continue;
		send_to(k, peer);
		return;
	}
}

int pu_kad_advertise(struct pu_kad *k, const char *name)
{
	struct kad_advert *ad = &k->advert;

	if (name && !name[0])
		return PU_EINVAL;
	pu_kad_advert_stop(k);
	if (!name)
		return 0;
	pu_kad_advert_key(name, ad->key);
	ad->on = true;
	ad->tries = 0;
	pu_timer_set(&ad->timer, pu_loop_now(k->loop));
	return 0;
}
