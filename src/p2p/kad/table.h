/* The routing table: for every length of common prefix with our own key a bucket of up to
 * k peers that have proven to answer, and a few more that wait for a place. A peer that
 * answers keeps its place for ever; only the dead make room. Peers of one network (IPv4
 * /24, IPv6 /48) get a bounded share, so that one host with many names does not fill it. */
#ifndef PU_P2P_KAD_TABLE_H
#define PU_P2P_KAD_TABLE_H

#include "p2p/addr/multiaddr.h"
#include "p2p/kad/key.h"

enum {
	PU_KAD_SPARE = 8,           /* waiting per bucket */
	PU_KAD_TABLE_FAILURES = 2,  /* in a row: dead, when somebody waits for the place */
	PU_KAD_TABLE_FORGET = 4,    /* in a row: dead, even so */
	PU_KAD_GROUP_TABLE = 24,    /* peers of one network in the table */
	PU_KAD_GROUP_BUCKET = 8,    /* and in one bucket */
	PU_KAD_GROUP_LEN = 7,
};

/* A network: class and prefix. All zero: none that counts (private, unknown). */
struct pu_kad_group {
	uint8_t b[PU_KAD_GROUP_LEN];
};

struct pu_kad_group pu_kad_group_of(const struct pu_multiaddr *remote);

struct pu_kad_entry {
	struct pu_peerid id;
	struct pu_kad_key key;
	struct pu_kad_group group;
	uint8_t failures; /* in a row */
	pu_time seen_at;  /* last answer */
};

struct pu_kad_bucket {
	struct pu_kad_entry *live, *spare; /* spare: newest last */
	uint8_t n_live, n_spare;
	uint8_t cap_live, cap_spare;
};

struct pu_kad_table {
	struct pu_kad_key self;
	unsigned k;
	unsigned group_table, group_bucket; /* 0: no limit */
	unsigned n; /* live, all buckets */
	struct pu_kad_bucket bucket[PU_KAD_KEY_BITS];
};

/* k 0: PU_KAD_K. */
void pu_kad_table_init(struct pu_kad_table *t, const struct pu_peerid *self, unsigned k);
void pu_kad_table_deinit(struct pu_kad_table *t);

/* The peer has answered. 0: it is in the table now; PU_EEXIST: it was before; PU_EAGAIN:
 * it waits for a place; PU_ELIMIT: its network has its share; PU_EINVAL: ourselves;
 * PU_ENOMEM. */
int pu_kad_table_add(struct pu_kad_table *t, const struct pu_peerid *id,
		     const struct pu_kad_group *group, pu_time now);
/* The peer did not answer. True: that was once too often, it is gone. */
bool pu_kad_table_failed(struct pu_kad_table *t, const struct pu_peerid *id);
void pu_kad_table_remove(struct pu_kad_table *t, const struct pu_peerid *id);
/* Among the live ones, or NULL; valid until the table changes. */
const struct pu_kad_entry *pu_kad_table_find(const struct pu_kad_table *t,
					     const struct pu_peerid *id);

/* Up to cap live peers, nearest to key first; those that failed of late only when there
 * are not enough others. Valid until the table changes. */
size_t pu_kad_table_closest(const struct pu_kad_table *t, const struct pu_kad_key *key,
			    const struct pu_kad_entry **out, size_t cap);
/* Number of buckets from the far end up to the nearest one that has a peer. */
unsigned pu_kad_table_depth(const struct pu_kad_table *t);
/* Up to cap peers that have not been heard of since before. */
size_t pu_kad_table_stale(const struct pu_kad_table *t, pu_time before, struct pu_peerid *out,
			  size_t cap);
size_t pu_kad_table_bytes(const struct pu_kad_table *t);

#endif
