/* Asks other resolvers on behalf of our clients: a fresh random ID and port for each
 * attempt, a bounded number of questions, every question answered or failed in time. */
#ifndef PU_TUN_DNS_FORWARD_H
#define PU_TUN_DNS_FORWARD_H

#include "tun/dns/server.h"

enum {
	PU_DNS_FORWARD_MAX = 256,         /* questions under way */
	PU_DNS_FORWARD_PER_CLIENT = 192,
	PU_DNS_FORWARD_ATTEMPTS = 3,
	PU_DNS_FORWARD_ATTEMPT_MS = 2000,
};

struct pu_dns_forward;
struct pu_dns_request;

/* The reply with the asker's ID, valid until return; empty: nobody answered. The
 * request is gone when this is called. */
typedef void pu_dns_reply_fn(void *arg, struct pu_bytes reply);

/* attempt_ms 0: the default. PU_ENOMEM. */
int pu_dns_forward_new(struct pu_loop *loop, unsigned attempt_ms, struct pu_dns_forward **pf);
/* Requests under way are dropped without a call. */
void pu_dns_forward_free(struct pu_dns_forward *f);
void pu_dns_forward_set_upstreams(struct pu_dns_forward *f, const struct pu_dns_endpoint *upstreams,
				  size_t n);
bool pu_dns_forward_possible(const struct pu_dns_forward *f);
/* Asks for client; the query is copied, on_reply is never called before this returns.
 * tcp: over TCP. PU_ELIMIT: too many under way; PU_EUNREACH: no upstream; PU_ENOMEM. */
int pu_dns_forward_ask(struct pu_dns_forward *f, struct pu_bytes query, bool tcp,
		       const struct pu_ip *client, pu_dns_reply_fn *on_reply, void *arg,
		       struct pu_dns_request **preq);
void pu_dns_forward_cancel(struct pu_dns_request *req);

#endif
