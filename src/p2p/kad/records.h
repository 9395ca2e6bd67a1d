/* Values that others have put here. Only keys of a namespace that somebody vouches for are
 * taken; without a judge nothing is, as go does. */
#ifndef PU_P2P_KAD_RECORDS_H
#define PU_P2P_KAD_RECORDS_H

#include "base/htab.h"
#include "base/list.h"
#include "base/loop.h"
#include "p2p/kad/message.h"

enum {
	PU_KAD_RECORDS_MAX = 256,
	PU_KAD_RECORDS_PER_PEER = 32,
	PU_KAD_RECORDS_VALID_S = 48 * 3600,
};

/* May the value be stored under the key, in place of old (empty: there is none)? */
typedef bool pu_kad_judge_fn(void *arg, struct pu_bytes key, struct pu_bytes value,
			     struct pu_bytes old);

struct pu_kad_records {
	struct pu_loop *loop;
	pu_kad_judge_fn *judge;
	void *arg;
	struct pu_htab keys;
	struct pu_list oldest; /* the least recently put first */
	unsigned n;
	size_t bytes;
};

/* judge NULL: refuses everything. */
void pu_kad_records_init(struct pu_kad_records *rs, struct pu_loop *loop, pu_kad_judge_fn *judge,
			 void *arg);
void pu_kad_records_deinit(struct pu_kad_records *rs);
/* PU_EDENIED: the judge says no; PU_EINVAL, PU_ENOMEM. */
int pu_kad_records_put(struct pu_kad_records *rs, struct pu_bytes key, struct pu_bytes value,
		       const struct pu_peerid *from);
/* Puts the value and the time of its coming into m, which borrows it until the next
 * change. PU_ENOENT. */
int pu_kad_records_get(struct pu_kad_records *rs, struct pu_bytes key, struct pu_kad_message *m);
void pu_kad_records_expire(struct pu_kad_records *rs);

#endif
