/* Answers to what peers ask. */
#include <stdlib.h>

#include "base/err.h"
#include "p2p/kad/state.h"

/* Addresses of a peer for somebody else. */

struct teller {
	struct pu_kad *k;
	bool near; /* the asker is on this machine */
};

static void tell_addr(const struct teller *t, struct pu_kad_peer *p, const struct pu_multiaddr *ma)
{
	struct pu_kad *k = t->k;

	if (p->n_addrs == PU_KAD_ADDRS_MAX || ma->len > KAD_POOL - k->pool_len)
		return;
	if (pu_multiaddr_is_unspecified(ma) || (pu_multiaddr_is_loopback(ma) && !t->near))
		return;
	for (size_t i = 0; i < p->n_addrs; i++)
		if (pu_bytes_eq(p->addrs[i], pu_multiaddr_bytes(ma)))
			return;
	memcpy(k->pool + k->pool_len, ma->b, ma->len);
	p->addrs[p->n_addrs++] = pu_bytes(k->pool + k->pool_len, ma->len);
	k->pool_len += ma->len;
}

static bool pool_ready(struct pu_kad *k)
{
	k->pool_len = 0;
	if (!k->pool)
		k->pool = malloc(KAD_POOL);
	return k->pool;
}

static void tell_self(const struct teller *t, struct pu_kad_peer *p)
{
	struct pu_multiaddr ma[PU_HOST_ADDRS_PER_PEER];
	size_t n = pu_host_addrs(t->k->host, ma, PU_ARRAY_LEN(ma));

	p->id = *pu_host_id(t->k->host);
	p->link = PU_KAD_LINK_CONNECTED;
	p->n_addrs = 0;
	for (size_t i = 0; i < n; i++)
		tell_addr(t, p, &ma[i]);
}

void pu_kad_serve_self(struct pu_kad *k, struct pu_kad_peer *p)
{
	struct teller t = { k, false };

	p->id = *pu_host_id(k->host);
	p->n_addrs = 0;
	if (!pool_ready(k))
		return;
	tell_self(&t, p);
	t.near = p->n_addrs == 0; /* on this machine only, or nowhere */
	if (t.near)
		tell_self(&t, p);
}

/* The circuits come first: they are why a peer behind a relay is found at all. */
static void tell_known(const struct teller *t, struct pu_kad_peer *p)
{
	struct pu_kad *k = t->k;
	struct pu_multiaddr ma[PU_HOST_ADDRS_PER_PEER];
	size_t n = 0;

	if (k->opt.more_addrs)
		n = k->opt.more_addrs(k->opt.arg, &p->id, ma, PU_ARRAY_LEN(ma));
	for (size_t i = 0; i < n; i++)
		tell_addr(t, p, &ma[i]);
	n = pu_host_peer_addrs(k->host, &p->id, ma, PU_ARRAY_LEN(ma));
	for (size_t i = 0; i < n; i++)
		tell_addr(t, p, &ma[i]);
}

static void tell_peer(const struct teller *t, struct pu_kad_peer *p, const struct pu_peerid *id)
{
	p->id = *id;
	p->link = pu_host_conn(t->k->host, id) ? PU_KAD_LINK_CONNECTED : PU_KAD_LINK_NONE;
	p->n_addrs = 0;
	tell_known(t, p);
}

/* Requests. */

/* The peer that is looked for, when we know where it is: first, and even if it is a
 * client, the asker or we. */
static void add_target(const struct teller *t, struct pu_bytes key, struct pu_kad_message *reply)
{
	struct pu_kad_peer *p = &reply->closer[0];
	struct pu_peerid id;

	if (pu_peerid_from_bytes(&id, key) < 0)
		return;
	if (pu_peerid_eq(&id, pu_host_id(t->k->host)))
		tell_self(t, p);
	else
		tell_peer(t, p, &id);
	reply->n_closer = p->n_addrs > 0;
}

static bool is_told(const struct pu_kad_message *reply, const struct pu_peerid *id)
{
	return reply->n_closer > 0 && pu_peerid_eq(&reply->closer[0].id, id);
}

static void add_closer(const struct teller *t, const struct pu_peerid *asker, struct pu_bytes key,
		       struct pu_kad_message *reply)
{
	const struct pu_kad_entry *e[PU_KAD_K + 2];
	struct pu_kad_key place = pu_kad_key_of(key);
	size_t n = pu_kad_table_closest(&t->k->table, &place, e, PU_ARRAY_LEN(e)), told = 0;

	for (size_t i = 0; i < n && told < t->k->table.k; i++) {
		struct pu_kad_peer *p = &reply->closer[reply->n_closer];

		if (pu_peerid_eq(&e[i]->id, asker) || is_told(reply, &e[i]->id))
			continue;
		tell_peer(t, p, &e[i]->id);
		told += p->n_addrs > 0;
		reply->n_closer += p->n_addrs > 0;
	}
}

/* What a provider said itself, and what we know of it as long as it is here. */
static void add_providers(const struct teller *t, struct pu_bytes key, struct pu_kad_message *reply)
{
	struct pu_kad *k = t->k;

	reply->n_providers =
		pu_kad_providers_find(&k->providers, key, reply->providers, PU_KAD_PEERS_MAX);
	for (size_t i = 0; i < reply->n_providers; i++) {
		struct pu_kad_peer *p = &reply->providers[i];

		if (pu_peerid_eq(&p->id, pu_host_id(k->host))) {
			tell_self(t, p);
		} else if (pu_host_conn(k->host, &p->id)) {
			p->link = PU_KAD_LINK_CONNECTED;
			tell_known(t, p);
		}
	}
}

static enum pu_kad_verdict take_provider(struct pu_kad *k, const struct pu_peerid *from,
					 const struct pu_kad_message *req)
{
	for (size_t i = 0; i < req->n_providers; i++) {
		const struct pu_kad_peer *p = &req->providers[i];

		if (pu_peerid_eq(&p->id, from) && p->n_addrs > 0)
			return pu_kad_providers_add(&k->providers, req->key, p) < 0
				       ? PU_KAD_REFUSE
				       : PU_KAD_SILENCE;
	}
	return PU_KAD_REFUSE;
}

static enum pu_kad_verdict take_value(struct pu_kad *k, const struct pu_peerid *from,
				      const struct pu_kad_message *req,
				      struct pu_kad_message *reply)
{
	if (!req->has_record || !pu_bytes_eq(req->record_key, req->key) ||
	    pu_kad_records_put(&k->records, req->key, req->record_value, from) < 0)
		return PU_KAD_REFUSE;
	reply->has_record = true;
	reply->record_key = req->record_key;
	reply->record_value = req->record_value;
	return PU_KAD_ANSWER;
}

enum pu_kad_verdict pu_kad_serve(void *arg, const struct pu_conn *from,
				 const struct pu_kad_message *req, struct pu_kad_message *reply)
{
	struct teller t = { arg, pu_multiaddr_is_loopback(&from->remote) };

	if (req->type == PU_KAD_PING)
		return PU_KAD_ANSWER;
	if (req->key.len == 0 || !pool_ready(t.k))
		return PU_KAD_REFUSE;
	switch (req->type) {
	case PU_KAD_PUT_VALUE:
		return take_value(t.k, &from->peer, req, reply);
	case PU_KAD_ADD_PROVIDER:
		return take_provider(t.k, &from->peer, req);
	case PU_KAD_GET_VALUE:
		pu_kad_records_get(&t.k->records, req->key, reply);
		break;
	case PU_KAD_GET_PROVIDERS:
		add_providers(&t, req->key, reply);
		break;
	case PU_KAD_FIND_NODE:
		add_target(&t, req->key, reply);
		break;
	case PU_KAD_PING:
		break;
	}
	add_closer(&t, &from->peer, req->key, reply);
	return PU_KAD_ANSWER;
}
