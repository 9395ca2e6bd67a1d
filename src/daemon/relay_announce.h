/* Where a relay is, as told to those who do not know it yet. */
#ifndef PU_DAEMON_RELAY_ANNOUNCE_H
#define PU_DAEMON_RELAY_ANNOUNCE_H

#include "daemon/relay_server.h"

/* Peers hear of network.announce_addresses beside those it listens on. */
void pu_relay_announce(struct pu_relay_server *s);

/* /ip4/…/tcp/…/p2p/<relay>, as codes carry it: the first one of network.announce_addresses that
 * has this form, else of network.listen_addresses, where an unspecified address becomes that of
 * an interface (a public one, or with resources.private_addresses any). PU_ENOENT: there is
 * none, why says what to set. */
int pu_relay_announce_for_code(const struct pu_relay_server *s, struct pu_multiaddr *ma,
			       struct pu_failure *why);

#endif
