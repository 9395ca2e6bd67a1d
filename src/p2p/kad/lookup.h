/* One walk towards a key: asks the nearest peers known, learns nearer ones, until the
 * nearest have all answered. It knows nothing of streams: its owner asks for it and tells
 * what came, so ten thousand nodes fit into one test.
 *
 * Against liars the walk takes several paths (S/Kademlia): a path only follows what its
 * own answers told, and no peer is asked on two paths, so a liar spoils its own path. A
 * peer whose referrals do not exist loses those that only it has named.
 *
 * A peer that is slow stops holding up the others long before it counts as dead; its
 * answer is still welcome when it comes. */
#ifndef PU_P2P_KAD_LOOKUP_H
#define PU_P2P_KAD_LOOKUP_H

#include "base/loop.h"
#include "p2p/kad/addrs.h"
#include "p2p/kad/key.h"

enum {
	PU_KAD_LOOKUP_PEERS_MAX = 160, /* known at a time; the farthest are forgotten */
	PU_KAD_LOOKUP_PATHS = 3,       /* default and most */
	PU_KAD_LOOKUP_SEEDS_PER_PATH = 4,
	PU_KAD_LOOKUP_NONSENSE = 4,    /* dead referrals and none alive: a liar */
	PU_KAD_LOOKUP_SLOW_MS = 2000,
	PU_KAD_LOOKUP_TOTAL_S = 60,
	PU_KAD_LOOKUP_GRACE_MS = 500, /* for those who look for one thing and have it */
};

struct pu_kad_lookup;

struct pu_kad_lookup_config {
	struct pu_loop *loop;
	struct pu_peerid self;     /* is never asked */
	struct pu_peerid target;   /* nor is this one, may be empty */
	struct pu_kad_key key;
	unsigned quorum;           /* so many nearest must have answered, 0: PU_KAD_K */
	unsigned alpha;            /* asked at a time, 0: 10 */
	unsigned paths;            /* at most, 0: PU_KAD_LOOKUP_PATHS */
	pu_time slow, total;       /* 0: the defaults */
};

/* One peer of a walk. */
struct pu_kad_candidate {
	struct pu_peerid id;
	struct pu_kad_key distance;
	uint32_t ref;        /* its number in this walk */
	uint32_t source;     /* who named it, 0: a seed */
	enum pu_kad_candidate_state {
		PU_KAD_CANDIDATE_NEW,
		PU_KAD_CANDIDATE_ASKED,
		PU_KAD_CANDIDATE_SLOW,
		PU_KAD_CANDIDATE_ANSWERED,
		PU_KAD_CANDIDATE_FAILED,
	} state;
	uint8_t paths;       /* bit set: those that know it */
	uint8_t path;        /* on which it was asked */
	uint8_t hops;        /* referrals from a seed */
	uint8_t alive, dead; /* referrals of this peer, as they turned out */
	bool retried;
	pu_time asked_at;
	struct pu_kad_addrs addrs;
};

struct pu_kad_lookup_events {
	/* Ask that peer; pu_kad_lookup_answered() or _failed() follows with its ref, from a
	 * later turn. Negative: cannot be asked. */
	int (*ask)(void *arg, const struct pu_kad_candidate *c);
	/* This peer names peers that do not exist. Optional; must not touch the walk. */
	void (*on_liar)(void *arg, const struct pu_peerid *peer);
	/* The walk is over, by itself or by time. It may be freed from inside. */
	void (*on_done)(void *arg);
};

int pu_kad_lookup_new(const struct pu_kad_lookup_config *cfg, const struct pu_kad_lookup_events *ev,
		      void *arg, struct pu_kad_lookup **pl);
void pu_kad_lookup_free(struct pu_kad_lookup *l);

/* A peer to begin with, before the start. */
int pu_kad_lookup_seed(struct pu_kad_lookup *l, const struct pu_kad_peer *p);
/* Nothing is called from inside. */
void pu_kad_lookup_start(struct pu_kad_lookup *l);
void pu_kad_lookup_answered(struct pu_kad_lookup *l, uint32_t ref, const struct pu_kad_peer *closer,
			    size_t n);
void pu_kad_lookup_failed(struct pu_kad_lookup *l, uint32_t ref);
/* The walk goes on for grace at most: somebody knew, others may know better. (A path does
 * not end where its peers claim success: that is what a liar would claim.) */
void pu_kad_lookup_finish(struct pu_kad_lookup *l, pu_time grace);

/* Those that have answered, nearest first. */
size_t pu_kad_lookup_closest(const struct pu_kad_lookup *l, const struct pu_kad_candidate **out,
			     size_t cap);

struct pu_kad_lookup_stats {
	unsigned asked, answered, failed, paths;
};
size_t pu_kad_lookup_bytes(const struct pu_kad_lookup *l);
void pu_kad_lookup_stats(const struct pu_kad_lookup *l, struct pu_kad_lookup_stats *out);

#endif
