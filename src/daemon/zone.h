/* What the name server knows: the names of the config, the addresses of the roster,
 * the services that peers offer. */
#ifndef PU_DAEMON_ZONE_H
#define PU_DAEMON_ZONE_H

#include "daemon/node.h"
#include "tun/dns/stub.h"

/* The zone of a node; borrows from n, which outlives it. */
void pu_zone_config(struct pu_node *n, struct pu_dns_config *out);

enum { PU_ZONE_DOMAINS_MAX = 4096 };
/* The domains that the host's resolver should send to us, separated by spaces: the
 * suffix first, then the reverse zones of the overlay's ranges. */
void pu_zone_domains(struct pu_node *n, char out[PU_ZONE_DOMAINS_MAX]);

#endif
