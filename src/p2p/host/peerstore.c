#include "p2p/host/peerstore.h"

#include <stdlib.h>

#include "base/err.h"

enum {
	BACKOFF_BASE_S = 1,
	BACKOFF_MAX_S = 60,
};

static struct pu_peer *of_hnode(struct pu_hnode *n)
{
	return PU_CONTAINER_OF(n, struct pu_peer, hnode);
}

void pu_peerstore_init(struct pu_peerstore *ps, struct pu_loop *loop)
{
	uint8_t key[16];

	ps->loop = loop;
	ps->on_new_addrs = NULL;
	ps->max_peers = PU_PEERSTORE_PEERS_MAX;
	pu_loop_random(loop, key, sizeof key);
	pu_htab_init(&ps->peers, key);
	pu_list_init(&ps->lru);
}

static void addr_free(struct pu_peer *p, struct pu_peer_addr *a)
{
	pu_list_remove(&a->node);
	p->n_addrs--;
	free(a->history);
	free(a);
}

static void forget_protocols(struct pu_peer *p)
{
	for (size_t i = 0; i < p->n_protocols; i++)
		free(p->protocols[i]);
	free(p->protocols);
	p->protocols = NULL;
	p->n_protocols = 0;
}

static void peer_free(struct pu_peerstore *ps, struct pu_peer *p)
{
	PU_LIST_FOREACH(it, tmp, &p->addrs)
		addr_free(p, PU_CONTAINER_OF(it, struct pu_peer_addr, node));
	forget_protocols(p);
	pu_htab_remove(&ps->peers, &p->hnode);
	pu_list_remove(&p->lru);
	free(p);
}

void pu_peerstore_deinit(struct pu_peerstore *ps)
{
	PU_LIST_FOREACH(it, tmp, &ps->lru)
		peer_free(ps, PU_CONTAINER_OF(it, struct pu_peer, lru));
	pu_htab_deinit(&ps->peers);
}

struct pu_peer *pu_peerstore_find(const struct pu_peerstore *ps, const struct pu_peerid *id)
{
	struct pu_hnode *n = pu_htab_first(&ps->peers, pu_htab_hash(&ps->peers, id, sizeof *id));

	for (; n; n = pu_htab_next(n))
		if (pu_peerid_eq(&of_hnode(n)->id, id))
			return of_hnode(n);
	return NULL;
}

static bool precious(const struct pu_peer *p)
{
	if (p->n_conns > 0 || p->dial || p->protections)
		return true;
	PU_LIST_FOREACH(it, tmp, &p->addrs)
		if (PU_CONTAINER_OF(it, struct pu_peer_addr, node)->permanent)
			return true;
	return false;
}

/* Room for one more, at the cost of whoever was not heard of for longest. */
static bool make_room(struct pu_peerstore *ps)
{
	if (ps->peers.n_nodes < ps->max_peers)
		return true;
	PU_LIST_FOREACH(it, tmp, &ps->lru) {
		struct pu_peer *p = PU_CONTAINER_OF(it, struct pu_peer, lru);

		if (precious(p))
			continue;
		peer_free(ps, p);
		return true;
	}
	return false;
}

struct pu_peer *pu_peerstore_get(struct pu_peerstore *ps, const struct pu_peerid *id)
{
	struct pu_peer *p = pu_peerstore_find(ps, id);

	if (p) {
		pu_list_remove(&p->lru);
		pu_list_append(&ps->lru, &p->lru);
		return p;
	}
	if (!make_room(ps))
		return NULL;
	p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->id = *id;
	pu_list_init(&p->addrs);
	pu_list_init(&p->conns);
	if (pu_htab_add(&ps->peers, &p->hnode, pu_htab_hash(&ps->peers, id, sizeof *id)) < 0) {
		free(p);
		return NULL;
	}
	pu_list_append(&ps->lru, &p->lru);
	return p;
}

/* Addresses. */

struct pu_peer_addr *pu_peerstore_find_addr(const struct pu_peer *p, const struct pu_multiaddr *ma)
{
	PU_LIST_FOREACH(it, tmp, &p->addrs) {
		struct pu_peer_addr *a = PU_CONTAINER_OF(it, struct pu_peer_addr, node);

		if (pu_multiaddr_eq(&a->ma, ma))
			return a;
	}
	return NULL;
}

static unsigned worth(const struct pu_peer_addr *a)
{
	return a->permanent ? 2 : a->certified ? 1 : 0;
}

/* A full list loses its oldest, least trusted entry to a better one. */
static bool make_addr_room(struct pu_peer *p, const struct pu_peer_addr *incoming)
{
	struct pu_peer_addr *worst = NULL;

	if (p->n_addrs < PU_HOST_ADDRS_PER_PEER)
		return true;
	PU_LIST_FOREACH(it, tmp, &p->addrs) {
		struct pu_peer_addr *a = PU_CONTAINER_OF(it, struct pu_peer_addr, node);

		if (!worst || a->doubted > worst->doubted ||
		    (a->doubted == worst->doubted && worth(a) < worth(worst)))
			worst = a;
	}
	if (!worst->doubted && (worth(worst) > worth(incoming) || worst->permanent))
		return false;
	addr_free(p, worst);
	return true;
}

int pu_peerstore_add_addr(struct pu_peerstore *ps, struct pu_peer *p,
			  const struct pu_multiaddr *ma, bool permanent, bool certified)
{
	return pu_peerstore_learn_addr(ps, p, ma, permanent ? PU_ADDR_CONFIG :
				       certified ? PU_ADDR_RECORD : PU_ADDR_TOLD);
}

int pu_peerstore_learn_addr(struct pu_peerstore *ps, struct pu_peer *p,
			    const struct pu_multiaddr *ma, enum pu_addr_source source)
{
	bool permanent = source == PU_ADDR_CONFIG || source == PU_ADDR_RELAY;
	bool certified = source == PU_ADDR_RECORD;
	struct pu_peer_addr *a, incoming = { .permanent = permanent, .certified = certified,
					     .sources = 1u << source };
	struct pu_peerid id;

	if (pu_multiaddr_split_peer(ma, &incoming.ma, &id) == 0 && !pu_peerid_eq(&id, &p->id))
		return PU_EINVAL;
	if (incoming.ma.len == 0)
		return PU_EINVAL;
	incoming.expires = pu_loop_now(ps->loop) + PU_SEC(PU_PEERSTORE_TTL_S);
	a = pu_peerstore_find_addr(p, &incoming.ma);
	if (a) {
		a->sources |= incoming.sources;
		a->doubted = false;
		a->permanent |= permanent;
		a->certified |= certified;
		a->expires = incoming.expires;
		return 0;
	}
	if (!make_addr_room(p, &incoming))
		return PU_ELIMIT;
	a = malloc(sizeof *a);
	if (!a)
		return PU_ENOMEM;
	*a = incoming;
	pu_list_append(&p->addrs, &a->node);
	p->n_addrs++;
	p->new_addrs = true;
	if (ps->on_new_addrs)
		pu_job_defer(ps->on_new_addrs);
	return 0;
}

void pu_peerstore_remember(struct pu_peer_addr *a, const struct pu_addr_attempt *t)
{
	struct pu_addr_history *y = a->history;

	if (!y)
		y = a->history = calloc(1, sizeof *y);
	if (!y)
		return;
	if (y->n == PU_ADDR_ATTEMPTS_MAX)
		memmove(&y->v[0], &y->v[1], --y->n * sizeof y->v[0]);
	y->v[y->n++] = *t;
}

void pu_peerstore_remove_addr(struct pu_peerstore *ps, struct pu_peer *p,
			      const struct pu_multiaddr *ma)
{
	struct pu_multiaddr rest;
	struct pu_peerid id;
	struct pu_peer_addr *a;

	(void)ps;
	pu_multiaddr_split_peer(ma, &rest, &id);
	a = pu_peerstore_find_addr(p, &rest);
	if (a)
		addr_free(p, a);
}

/* What this machine has seen itself is not the peer's to take back. */
static bool is_hearsay(const struct pu_peer_addr *a, bool certified)
{
	const unsigned seen = 1u << PU_ADDR_MDNS | 1u << PU_ADDR_OBSERVED;

	return worth(a) <= (certified ? 1 : 0) && !(a->sources & seen);
}

void pu_peerstore_doubt_addrs(struct pu_peer *p, bool certified)
{
	PU_LIST_FOREACH(it, tmp, &p->addrs) {
		struct pu_peer_addr *a = PU_CONTAINER_OF(it, struct pu_peer_addr, node);

		a->doubted = is_hearsay(a, certified);
	}
}

void pu_peerstore_drop_doubted(struct pu_peer *p)
{
	PU_LIST_FOREACH(it, tmp, &p->addrs) {
		struct pu_peer_addr *a = PU_CONTAINER_OF(it, struct pu_peer_addr, node);

		if (a->doubted)
			addr_free(p, a);
	}
}

void pu_peerstore_dialed(struct pu_peerstore *ps, struct pu_peer_addr *a, bool ok)
{
	unsigned wait;

	if (ok) {
		a->failures = 0;
		a->retry_at = 0;
		a->expires = pu_loop_now(ps->loop) + PU_SEC(PU_PEERSTORE_TTL_S);
		return;
	}
	if (a->failures < 16)
		a->failures++;
	wait = BACKOFF_BASE_S + (a->failures - 1) * (a->failures - 1);
	a->retry_at = pu_loop_now(ps->loop) + PU_SEC(pu_min(wait, BACKOFF_MAX_S));
}

void pu_peerstore_forget_failures_of(struct pu_peer *p)
{
	PU_LIST_FOREACH(it, tmp, &p->addrs) {
		struct pu_peer_addr *a = PU_CONTAINER_OF(it, struct pu_peer_addr, node);

		a->failures = 0;
		a->retry_at = 0;
	}
}

void pu_peerstore_forget_failures(struct pu_peerstore *ps)
{
	PU_LIST_FOREACH(it, tmp, &ps->lru)
		pu_peerstore_forget_failures_of(PU_CONTAINER_OF(it, struct pu_peer, lru));
}

/* Protocols. */

static int compare_bytes(const void *pa, const void *pb)
{
	const struct pu_bytes *a = pa, *b = pb;
	int c = memcmp(a->p, b->p, pu_min(a->len, b->len));

	return c ? c : (a->len > b->len) - (a->len < b->len);
}

static size_t sort_unique(struct pu_bytes *names, size_t n)
{
	size_t kept = 0;

	qsort(names, n, sizeof *names, compare_bytes);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !pu_bytes_eq(names[kept - 1], names[i]))
			names[kept++] = names[i];
	return kept;
}

int pu_peerstore_set_protocols(struct pu_peer *p, struct pu_bytes *names, size_t n)
{
	char **list;

	n = n ? sort_unique(names, n) : 0;
	list = calloc(n + 1, sizeof *list);
	if (!list)
		return PU_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		list[i] = strndup((const char *)names[i].p, names[i].len);
		if (list[i])
			continue;
		while (i > 0)
			free(list[--i]);
		free(list);
		return PU_ENOMEM;
	}
	forget_protocols(p);
	p->protocols = list;
	p->n_protocols = n;
	return 0;
}

void pu_peerstore_left(struct pu_peer *p)
{
	if (precious(p))
		return;
	forget_protocols(p);
	p->agent[0] = '\0';
	p->identified = false;
}

static int compare_name(const void *key, const void *elem)
{
	return strcmp(key, *(char *const *)elem);
}

bool pu_peerstore_supports(const struct pu_peer *p, const char *protocol)
{
	return p->n_protocols > 0 && bsearch(protocol, p->protocols, p->n_protocols,
					     sizeof *p->protocols, compare_name);
}
