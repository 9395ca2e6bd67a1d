/* Ports that the router in front of this machine opens for the node, advertised while
 * they are open. Needs a real loop (platform/portmap.h), so the node does not know it. */
#ifndef PU_DAEMON_PORTMAPPER_H
#define PU_DAEMON_PORTMAPPER_H

#include "daemon/node.h"

struct pu_portmapper;

/* Asks for every port that the node listens on. After rights were given up. PU_ENOENT:
 * nothing to map; otherwise as pu_portmap_start(). */
int pu_portmapper_start(struct pu_node *n, struct pu_portmapper **pp);
void pu_portmapper_network_changed(struct pu_portmapper *p);
/* Takes the mappings back; on_stopped comes later, then pu_portmapper_free(). */
void pu_portmapper_stop(struct pu_portmapper *p, pu_job_fn *on_stopped, void *arg);
/* Before the node. NULL is fine. */
void pu_portmapper_free(struct pu_portmapper *p);

#endif
