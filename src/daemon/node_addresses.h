/* The table of overlay addresses, kept in a file: peers have the same ones after a restart. */
#ifndef PU_DAEMON_NODE_ADDRESSES_H
#define PU_DAEMON_NODE_ADDRESSES_H

#include "daemon/node.h"

/* Makes n->vips and n->roster, ourselves first. A file that is damaged or missing is no
 * failure. */
int pu_node_load_addresses(struct pu_node *n);
/* Writes the table of addresses when it changed. */
void pu_node_save_addresses(struct pu_node *n);

#endif
