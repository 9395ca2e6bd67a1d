/* What the name server knows: the names of the config, the addresses of the roster,
 * the services that peers offer. */
#ifndef PU_DAEMON_ZONE_H
#define PU_DAEMON_ZONE_H

#include "daemon/node.h"
#include "tun/dns/stub.h"

/* The zone of a node; borrows from n, which outlives it. */
void pu_zone_config(struct pu_node *n, struct pu_dns_config *out);

#endif
