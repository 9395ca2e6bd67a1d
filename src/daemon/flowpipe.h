/* Joins TCP flows of this machine (lwIP) with streams to named services of peers:
 * opening, the held SYN, bytes, half-closes, resets and back-pressure. */
#ifndef PU_DAEMON_FLOWPIPE_H
#define PU_DAEMON_FLOWPIPE_H

#include "daemon/node.h"
#include "tun/flow/flow.h"

enum { PU_FLOWPIPE_SETTLE_S = 10 /* a SYN waits this long for the peer's offer */ };

struct pu_flowpipes;

/* dev outlives it. */
int pu_flowpipes_new(struct pu_node *n, struct pu_tun_device *dev, struct pu_flowpipes **pp);
/* Resets all flows. */
void pu_flowpipes_free(struct pu_flowpipes *p);
struct pu_flow_table *pu_flowpipes_table(struct pu_flowpipes *p);
/* The peer's offer or connection changed: SYNs that wait for it are decided. */
void pu_flowpipes_peer_changed(struct pu_flowpipes *p, const struct pu_roster_peer *peer);

#endif
