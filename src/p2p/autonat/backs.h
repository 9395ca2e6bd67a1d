/* Streams on which somebody who dialled us back says a nonce. */
#ifndef PU_P2P_AUTONAT_BACKS_H
#define PU_P2P_AUTONAT_BACKS_H

#include "p2p/host/host.h"

/* True when the nonce was awaited, on such a connection. */
typedef bool pu_autonat_nonce_fn(void *arg, uint64_t nonce, const struct pu_conn *c);

struct pu_autonat_backs {
	struct pu_host *h;
	struct pu_list list;
	size_t n;
	pu_autonat_nonce_fn *on_nonce;
	void *arg;
};

/* Handles the protocol until deinit. PU_ENOMEM. */
int pu_autonat_backs_init(struct pu_autonat_backs *b, struct pu_host *h,
			  pu_autonat_nonce_fn *on_nonce, void *arg);
void pu_autonat_backs_deinit(struct pu_autonat_backs *b);

#endif
