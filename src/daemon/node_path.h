/* The peers that a node keeps connected, on the best paths there are: joins
 * overlay/reach.c and overlay/path.c with what finds and punches ways
 * (daemon/reachability.c). */
#ifndef PU_DAEMON_NODE_PATH_H
#define PU_DAEMON_NODE_PATH_H

#include "daemon/node.h"

/* After the host and before the reachability, which may have news at once. */
int pu_node_path_new(struct pu_node *n);
void pu_node_path_free(struct pu_node *n);
/* Keep that peer connected, or no longer. */
void pu_node_keep(struct pu_node *n, const struct pu_peerid *peer, bool on);
void pu_node_path_network_changed(struct pu_node *n);

#endif
