/* What a node does when its machine moves (pu_node_network_changed) or sleeps. */
#ifndef PU_DAEMON_NODE_ROAM_H
#define PU_DAEMON_NODE_ROAM_H

#include "daemon/node.h"

void pu_node_roam_start(struct pu_node *n);
void pu_node_roam_stop(struct pu_node *n);

#endif
