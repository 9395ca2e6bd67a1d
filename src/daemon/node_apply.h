/* Applying a config and a members file to a node, at start and at reload. Only for
 * daemon/node.c and its siblings. */
#ifndef PU_DAEMON_NODE_APPLY_H
#define PU_DAEMON_NODE_APPLY_H

#include "daemon/node.h"

/* Brings roster, services and wanted peers in line with cfg and its members file.
 * On failure nothing changed. */
int pu_node_apply(struct pu_node *n, const struct pu_config *cfg, struct pu_failure *why);
/* Whatever the members file says: the peer is out until it is read again. */
void pu_node_revoke(struct pu_node *n, const struct pu_peerid *peer);
/* Members whose time is over lose what they have; those whose time is not over any more
 * get it back. */
void pu_node_check_expiry(struct pu_node *n);
/* Is a connection to this peer kept up? */
bool pu_node_wants(const struct pu_node *n, const struct pu_roster_peer *p);

#endif
