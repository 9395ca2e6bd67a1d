#include "overlay/pair/guesses.h"

#include <stdlib.h>

#include "base/err.h"

enum { KEY_LEN = 16, IP6_NET_LEN = 8 };

struct guesser {
	uint8_t key[KEY_LEN]; /* all zero: free */
	unsigned wrong;
	pu_time since; /* wrong was right then */
	pu_time last;
};

struct pu_guesses {
	struct guesser conn[PU_GUESSES_KNOWN_MAX];
	struct guesser address[PU_GUESSES_KNOWN_MAX];
};

int pu_guesses_new(struct pu_guesses **pg)
{
	struct pu_guesses *g = calloc(1, sizeof *g);

	if (!g)
		return PU_ENOMEM;
	*pg = g;
	return 0;
}

void pu_guesses_free(struct pu_guesses *g)
{
	free(g);
}

/* An address in memory serves many connections, but only one at a time. */
static void conn_key(const struct pu_conn *c, uint8_t key[KEY_LEN])
{
	memset(key, 0, KEY_LEN);
	memcpy(key, &c, sizeof c);
	memcpy(key + KEY_LEN - sizeof c->opened_at, &c->opened_at, sizeof c->opened_at);
}

static void address_key(const struct pu_conn *c, uint8_t key[KEY_LEN])
{
	union pu_sockaddr sa;

	memset(key, 0, KEY_LEN);
	key[0] = 1; /* never all zero */
	if (pu_multiaddr_to_sockaddr(&c->remote, &sa) < 0)
		return;
	if (sa.sa.sa_family == AF_INET)
		memcpy(key + 1, &sa.v4.sin_addr, sizeof sa.v4.sin_addr);
	else
		memcpy(key + 1, &sa.v6.sin6_addr, IP6_NET_LEN);
}

static struct guesser *find(struct guesser *t, const uint8_t key[KEY_LEN])
{
	for (size_t i = 0; i < PU_GUESSES_KNOWN_MAX; i++)
		if (memcmp(t[i].key, key, KEY_LEN) == 0)
			return &t[i];
	return NULL;
}

static struct guesser *find_or_add(struct guesser *t, const uint8_t key[KEY_LEN], pu_time now)
{
	struct guesser *g = find(t, key);

	if (g)
		return g;
	g = t;
	for (size_t i = 1; i < PU_GUESSES_KNOWN_MAX; i++)
		if (t[i].last < g->last)
			g = &t[i];
	*g = (struct guesser){ .since = now };
	memcpy(g->key, key, KEY_LEN);
	return g;
}

static void refill(struct guesser *g, pu_time now)
{
	pu_time n = (now - g->since) / PU_SEC(PU_GUESSES_REFILL_S);

	g->wrong -= (unsigned)pu_min(g->wrong, n);
	g->since += n * PU_SEC(PU_GUESSES_REFILL_S);
}

bool pu_guesses_allowed(struct pu_guesses *g, const struct pu_conn *c, pu_time now)
{
	uint8_t key[KEY_LEN];
	struct guesser *who;

	conn_key(c, key);
	who = find(g->conn, key);
	if (who && who->wrong >= PU_GUESSES_PER_CONN)
		return false;
	address_key(c, key);
	who = find(g->address, key);
	if (!who)
		return true;
	refill(who, now);
	return who->wrong < PU_GUESSES_PER_ADDRESS;
}

static void count(struct guesser *g, pu_time now)
{
	g->wrong++;
	g->last = now;
}

void pu_guesses_wrong(struct pu_guesses *g, const struct pu_conn *c, pu_time now)
{
	uint8_t key[KEY_LEN];

	conn_key(c, key);
	count(find_or_add(g->conn, key, now), now);
	address_key(c, key);
	count(find_or_add(g->address, key, now), now);
}
