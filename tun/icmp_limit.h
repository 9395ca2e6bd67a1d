/* A token bucket for ICMP errors: RFC 1812 and RFC 4443 want their rate limited. */
#ifndef PU_TUN_ICMP_LIMIT_H
#define PU_TUN_ICMP_LIMIT_H

#include "base/bytes.h"

enum {
	PU_ICMP_PER_SECOND = 100,
	PU_ICMP_BURST = 50,
};

/* All zero: full bucket. */
struct pu_icmp_limit {
	pu_time full_at; /* when the tokens taken so far will have grown again */
	uint64_t refused;
};

/* Takes a token. False: none left, the error is not to be sent (counted). */
bool pu_icmp_limit_take(struct pu_icmp_limit *l, pu_time now);

#endif
