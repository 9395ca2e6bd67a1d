/* The listen addresses of the config, at start. */
#ifndef PU_DAEMON_LISTENING_H
#define PU_DAEMON_LISTENING_H

#include "daemon/failure.h"
#include "p2p/host/host.h"

/* Listens on all; some may fail (a machine without IPv6 is still a useful one), but not
 * all, and none because another program has the port. */
int pu_listening_start(struct pu_host *h, const struct pu_multiaddr *v, size_t n,
		       struct pu_failure *why);

#endif
