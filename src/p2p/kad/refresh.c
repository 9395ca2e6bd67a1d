/* Keeping the table alive: towards ourselves, so that our neighbours know us, then into
 * every bucket, then after those who have been silent. */
#include "p2p/kad/state.h"

enum {
	QUORUM = 5,     /* for buckets it is enough to have been around */
	STALE_MAX = 16, /* trials per round */
	TRIES_MAX = 1 << 16,
};

/* A tenth earlier or later, so that nodes started together do not stay together. */
static pu_time about(struct pu_kad *k, pu_time t)
{
	uint32_t r;

	pu_loop_random(k->loop, &r, sizeof r);
	return t - t / 10 + r % (t / 5 / PU_MS(1) + 1) * PU_MS(1);
}

/* Doubles from first to last, as often as rounds have gone by. */
static unsigned pace(unsigned first, unsigned last, unsigned rounds)
{
	unsigned s = first;

	for (; rounds > 0 && s < last; rounds--)
		s *= 2;
	return s < last ? s : last;
}

/* Many of those who begin at the same time are not there yet when we first look around. */
static void schedule(struct pu_kad *k)
{
	struct kad_refresh *rf = &k->refresh;
	bool lonely = k->table.n == 0;
	unsigned s = lonely ? pace(KAD_RETRY_MIN_S, KAD_RETRY_MAX_S, rf->rounds)
			    : pace(KAD_REFRESH_MIN_S, KAD_REFRESH_S, rf->rounds);
	pu_time wait = rf->again ? PU_MS(KAD_REFRESH_SOON_MS) : about(k, PU_SEC(s));

	rf->rounds++;
	rf->again = false;
	pu_timer_set(&rf->timer, pu_loop_now(k->loop) + wait);
}

static void check_stale(struct pu_kad *k)
{
	struct pu_peerid peer[STALE_MAX];
	pu_time now = pu_loop_now(k->loop), before = now - PU_SEC(KAD_REFRESH_S);
	size_t n = 0;

	if (now > PU_SEC(KAD_REFRESH_S))
		n = pu_kad_table_stale(&k->table, before, peer, STALE_MAX);
	for (size_t i = 0; i < n; i++)
		pu_kad_admit_check(k, &peer[i]);
}

static void round_over(struct pu_kad *k)
{
	pu_kad_providers_expire(&k->providers);
	pu_kad_records_expire(&k->records);
	check_stale(k);
	schedule(k);
}

static void on_walked(void *arg, const struct pu_kad_candidate *const *closest, size_t n)
{
	struct pu_kad *k = arg;

	k->refresh.walk = NULL;
	pu_timer_set(&k->refresh.timer, pu_loop_now(k->loop)); /* the next one, from there */
}

/* A name, in the form of a peer ID, that belongs into the bucket. */
static bool find_name(struct pu_kad *k, unsigned bucket, uint8_t name[KAD_RENDEZVOUS_KEY])
{
	name[0] = 0x12;
	name[1] = PU_SHA256_LEN;
	pu_loop_random(k->loop, name + 2, PU_SHA256_LEN);
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		struct pu_kad_key key;

		memcpy(name + 2, &i, sizeof i);
		key = pu_kad_key_of(pu_bytes(name, KAD_RENDEZVOUS_KEY));
		if (pu_kad_key_common(&key, &k->table.self) == bucket)
			return true;
	}
	return false;
}

static void walk_to_self(struct pu_kad *k)
{
	struct kad_refresh *rf = &k->refresh;

	if (pu_kad_query_walk(k, pu_peerid_bytes(pu_host_id(k->host)), k->table.k, on_walked, k,
			      &rf->walk) < 0)
		schedule(k);
	else
		rf->next_bucket = 0;
}

/* The next bucket, or the end of the round. Where fewer than k serve, the walk towards
 * ourselves has asked everybody. */
static void next_walk(struct pu_kad *k)
{
	struct kad_refresh *rf = &k->refresh;
	unsigned depth = k->table.n < k->table.k ? 0 : pu_kad_table_depth(&k->table);
	uint8_t name[KAD_RENDEZVOUS_KEY];

	while (rf->next_bucket < KAD_REFRESH_BUCKETS && rf->next_bucket < depth) {
		unsigned bucket = rf->next_bucket++;

		if (find_name(k, bucket, name) &&
		    pu_kad_query_walk(k, pu_bytes(name, sizeof name), QUORUM, on_walked, k,
				      &rf->walk) == 0)
			return;
	}
	rf->next_bucket = KAD_REFRESH_BUCKETS;
	round_over(k);
}

static void on_timer(void *arg)
{
	struct pu_kad *k = arg;

	if (k->refresh.next_bucket < KAD_REFRESH_BUCKETS)
		next_walk(k);
	else
		walk_to_self(k);
}

void pu_kad_refresh_init(struct pu_kad *k)
{
	pu_timer_init(&k->refresh.timer, k->loop, on_timer, k);
	k->refresh.next_bucket = KAD_REFRESH_BUCKETS;
	schedule(k);
}

void pu_kad_refresh_soon(struct pu_kad *k)
{
	struct kad_refresh *rf = &k->refresh;

	rf->rounds = 0;
	rf->again = rf->walk || rf->next_bucket < KAD_REFRESH_BUCKETS;
	if (rf->again)
		return; /* when this round is over */
	pu_timer_set(&rf->timer, pu_loop_now(k->loop) + PU_MS(KAD_REFRESH_SOON_MS));
}

void pu_kad_refresh_stop(struct pu_kad *k)
{
	pu_timer_stop(&k->refresh.timer);
}
