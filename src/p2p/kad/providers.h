/* Who said to provide what: provider records of others, kept for two days unless they
 * are renewed. Whoever says too much pushes out his own. */
#ifndef PU_P2P_KAD_PROVIDERS_H
#define PU_P2P_KAD_PROVIDERS_H

#include "base/htab.h"
#include "base/list.h"
#include "base/loop.h"
#include "p2p/kad/addrs.h"

enum {
	PU_KAD_PROVIDERS_MAX = 4096,
	PU_KAD_PROVIDERS_PER_KEY = 64,
	PU_KAD_PROVIDERS_PER_PEER = 64,
	PU_KAD_PROVIDERS_VALID_S = 48 * 3600,
	PU_KAD_PROVIDERS_ADDRS_VALID_S = 24 * 3600,
};

struct pu_kad_providers {
	struct pu_loop *loop;
	struct pu_htab keys;
	struct pu_list oldest; /* records, the least recently renewed first */
	unsigned n;
	size_t bytes;
};

void pu_kad_providers_init(struct pu_kad_providers *ps, struct pu_loop *loop);
void pu_kad_providers_deinit(struct pu_kad_providers *ps);
/* New or renewed, with the addresses that came along. PU_EINVAL: no key or a too long
 * one; PU_ENOMEM. */
int pu_kad_providers_add(struct pu_kad_providers *ps, struct pu_bytes key,
			 const struct pu_kad_peer *who);
/* Providers of the key, the most recently renewed first. They borrow their addresses
 * until the next change. */
size_t pu_kad_providers_find(struct pu_kad_providers *ps, struct pu_bytes key,
			     struct pu_kad_peer *out, size_t cap);
/* Forgets what is too old. */
void pu_kad_providers_expire(struct pu_kad_providers *ps);

#endif
