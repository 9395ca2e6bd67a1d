#include "p2p/discovery/mdns_seen.h"

enum {
	TELL_AGAIN_S = 60,
	TOKENS_MAX = 64,
	TOKENS_PER_S = 8,
};

void pu_mdns_seen_init(struct pu_mdns_seen *s, pu_time now)
{
	s->n = 0;
	s->tokens = TOKENS_MAX;
	s->filled_at = now;
}

void pu_mdns_seen_forget(struct pu_mdns_seen *s)
{
	s->n = 0;
}

static bool take_token(struct pu_mdns_seen *s, pu_time now)
{
	uint64_t fresh = (now - s->filled_at) / (PU_SEC(1) / TOKENS_PER_S);

	if (fresh > 0) {
		s->tokens = (unsigned)pu_min(s->tokens + fresh, TOKENS_MAX);
		s->filled_at = now;
	}
	if (s->tokens == 0)
		return false;
	s->tokens--;
	return true;
}

/* FNV-1a of each address, added up: the order means nothing. */
static uint64_t digest_of(const struct pu_multiaddr *addrs, size_t n)
{
	uint64_t sum = n;

	for (size_t i = 0; i < n; i++) {
		uint64_t h = 0xcbf29ce484222325u;

		for (size_t k = 0; k < addrs[i].len; k++)
			h = (h ^ addrs[i].b[k]) * 0x100000001b3u;
		sum += h;
	}
	return sum;
}

static struct pu_mdns_seen_peer *find(struct pu_mdns_seen *s, const struct pu_peerid *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (pu_peerid_eq(&s->peer[i].id, id))
			return &s->peer[i];
	return NULL;
}

static struct pu_mdns_seen_peer *new_entry(struct pu_mdns_seen *s)
{
	struct pu_mdns_seen_peer *oldest = &s->peer[0];

	if (s->n < PU_MDNS_PEERS_MAX)
		return &s->peer[s->n++];
	for (size_t i = 1; i < s->n; i++)
		if (s->peer[i].heard_at < oldest->heard_at)
			oldest = &s->peer[i];
	return oldest;
}

bool pu_mdns_seen_news(struct pu_mdns_seen *s, const struct pu_peerid *id,
		       const struct pu_multiaddr *addrs, size_t n, pu_time now, bool *pbusy)
{
	struct pu_mdns_seen_peer *p = find(s, id);
	uint64_t digest = digest_of(addrs, n);

	*pbusy = false;
	if (p) {
		p->heard_at = now;
		if (p->digest == digest && now - p->told_at < PU_SEC(TELL_AGAIN_S))
			return false;
	}
	if (!take_token(s, now)) {
		*pbusy = true;
		return false;
	}
	if (!p)
		p = new_entry(s);
	*p = (struct pu_mdns_seen_peer){ *id, digest, now, now };
	return true;
}
