/* The real network: sockets and the system's resolver on libuv. */
#ifndef PU_P2P_TRANSPORT_NET_UV_H
#define PU_P2P_TRANSPORT_NET_UV_H

#include "base/loop.h"
#include "p2p/transport/net.h"

/* loop must be driven by base/loop_uv.c and outlive the net. PU_ENOMEM. */
int pu_net_uv_new(struct pu_loop *loop, struct pu_net **pn);
/* The user that this process will be: sockets that listen from now on are his, for the
 * kernel lets nobody else dial from their ports. Needs the right to give files away. */
void pu_net_uv_set_owner(struct pu_net *n, unsigned uid);
/* All sockets are closed, all questions to the resolver answered or canceled. */
void pu_net_uv_free(struct pu_net *n);

#endif
