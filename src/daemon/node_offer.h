/* What this node offers to a peer, and what a peer offers to it: services and routes. */
#ifndef PU_DAEMON_NODE_OFFER_H
#define PU_DAEMON_NODE_OFFER_H

#include "daemon/node.h"

/* Sets n->offers up; pu_offers_free() it. */
int pu_node_offer_new(struct pu_node *n);
/* The service that a peer has at a TCP port: its own list, or for peers without that
 * protocol the config and the well-known ports together with what identify told.
 * False: none. name: PU_SERVICE_NAME_MAX + 1 bytes. */
bool pu_node_service_at(const struct pu_node *n, const struct pu_roster_peer *peer,
			uint16_t port, char *name);
/* True when it is settled what the peer offers (its list came, or it has no such
 * protocol). */
bool pu_node_offer_settled(const struct pu_node *n, const struct pu_roster_peer *peer);

#endif
