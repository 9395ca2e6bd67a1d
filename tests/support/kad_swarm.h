/* Thousands of DHT nodes in one process and in virtual time: real routing tables and real
 * walks (p2p/kad/table.h, p2p/kad/lookup.h), no hosts and no streams. A request costs two
 * round trips of 10 to 150 ms each, one for the connection and one for the answer; nodes
 * that are gone cost ten seconds of silence. */
#ifndef PU_TESTS_SUPPORT_KAD_SWARM_H
#define PU_TESTS_SUPPORT_KAD_SWARM_H

#include "base/bytes.h"

struct kad_swarm;

enum kad_swarm_lie {
	KAD_SWARM_JUNK,  /* liars name peers near the key that do not exist */
	KAD_SWARM_SYBIL, /* the peers exist, answer, name each other, and invent addresses */
};

struct kad_swarm_config {
	unsigned n;      /* nodes */
	uint64_t seed;
	unsigned churn;  /* percent that left since the tables were filled; as many joined */
	unsigned liars;  /* percent of those who are there */
	enum kad_swarm_lie lie;
	unsigned paths;  /* of a walk, 0: the default */
};

struct kad_swarm_report {
	unsigned lookups, found; /* found: an address of the peer that is true */
	unsigned untrue;         /* nothing but invented addresses */
	double hops_mean, asks_mean, ms_mean; /* of those found; ms to the first true address */
	double asks_all;         /* of all, up to the end of the walk */
	unsigned hops_p95, ms_p95;
	unsigned longest_ms;     /* until a walk was over, found or not */
	size_t table_bytes;      /* mean per node */
	double table_peers;
};

/* Tables filled as a long life would have filled them, then churn: those who are new
 * have joined through one old node each. NULL when there is no memory. */
struct kad_swarm *kad_swarm_new(const struct kad_swarm_config *cfg);
void kad_swarm_free(struct kad_swarm *s);
/* Looks from anywhere for peers that are there. */
void kad_swarm_measure(struct kad_swarm *s, unsigned lookups, struct kad_swarm_report *out);

#endif
