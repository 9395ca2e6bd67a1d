/* What the host's experience has to say about a dial. */
#ifndef PU_P2P_HOST_DIAL_ADVICE_H
#define PU_P2P_HOST_DIAL_ADVICE_H

#include "p2p/host/dialer.h"

struct pu_host;

/* An attempt at the address ended like that. */
void pu_dial_advice_note(struct pu_host *h, const struct pu_multiaddr *ma, int err);
/* Leaves out kinds of addresses that this network seems to swallow, when others are left
 * or what is wanted is a luxury. Returns how many stay, in order. */
size_t pu_dial_advice_filter(struct pu_host *h, struct pu_dial_plan *plan, size_t n, bool luxury);
/* After ranking: a relay of our own gets a head start over relay servers. At most
 * PU_DIALER_ATTEMPTS_MAX. */
void pu_dial_advice_order(struct pu_host *h, struct pu_dial_plan *plan, size_t n);

#endif
