/* The platform of tests: does nothing, knows nothing, and writes down what it is asked.
 * Linked instead of pu_platform. */
#ifndef PU_PLATFORM_NULL_NULL_H
#define PU_PLATFORM_NULL_NULL_H

#include "platform/privops.h"

/* What was asked of p, one line each, in order:
 *   "link_up pu0 1392 500", "set_mtu pu0 1280", "addr_add pu0 10.64.1.2/32",
 *   "route_add pu0 10.64.0.0/16", "watch_routes pu0", "seal",
 *   "dns_set pu0 auto p2p 10.64.0.53 /state" */
const char *pu_null_log(const struct pu_platform *p);
/* Requests of that kind fail with err from now on; 0: they succeed again. */
void pu_null_fail(struct pu_platform *p, enum pu_privop op, int err);

#endif
