/* Multicast sockets on libuv: pu_net_ops.mcast_open without the net. */
#ifndef PU_P2P_TRANSPORT_MCAST_UV_H
#define PU_P2P_TRANSPORT_MCAST_UV_H

#include "base/loop.h"
#include "p2p/transport/net.h"

unsigned pu_mcast_uv_interface_of(const union pu_sockaddr *ip);
/* open: list of the sockets that were opened with it and are not closed. */
int pu_mcast_uv_open(struct pu_loop *loop, struct pu_list *open, const union pu_sockaddr *group,
		     const union pu_sockaddr *iface, const struct pu_udp_events *ev, void *arg,
		     struct pu_udp **pu);

#endif
