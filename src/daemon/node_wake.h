/* What a node does for peers that want a machine in its LAN to wake. Only for daemon/node.c. */
#ifndef PU_DAEMON_NODE_WAKE_H
#define PU_DAEMON_NODE_WAKE_H

#include "daemon/node.h"

int pu_node_wake_new(struct pu_node *n);

#endif
