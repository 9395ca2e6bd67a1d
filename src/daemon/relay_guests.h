/* What strangers may want of a relay: to learn who has a number (overlay/invite/nameplate.h), to
 * be connected to that member, and to become a member because of what that one says.
 *
 * While any number lives, the host takes strangers on probation, who speak the protocol of the
 * numbers and ask the relay for circuits to owners of living numbers; they get no reservation
 * and find nothing else here. Whom an owner vouches for is written to the authorized keys,
 * with who brought it in: invited_by= is the beginning of the owner's peer ID. */
#ifndef PU_DAEMON_RELAY_GUESTS_H
#define PU_DAEMON_RELAY_GUESTS_H

#include "crypto/peerid.h"

struct pu_relay_server;
struct pu_relay_guests;

/* s outlives it; its host is there already. PU_ENOMEM, PU_EEXIST. */
int pu_relay_guests_new(struct pu_relay_server *s, struct pu_relay_guests **pg);
/* Before the host stops. NULL is fine. */
void pu_relay_guests_free(struct pu_relay_guests *g);
/* The config has changed: without members_may_invite all numbers end. */
void pu_relay_guests_reload(struct pu_relay_guests *g);
/* For hop: members reach everybody, strangers the owners of numbers. */
bool pu_relay_guests_may_connect(const struct pu_relay_guests *g, const struct pu_peerid *from,
				 const struct pu_peerid *to);
size_t pu_relay_guests_numbers(const struct pu_relay_guests *g);

#endif
