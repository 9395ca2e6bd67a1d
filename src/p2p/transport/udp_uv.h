/* UDP sockets on libuv: the UDP members of struct pu_net_ops without the net.
 *
 * Received datagrams come in batches as the kernel coalesced them (UDP_GRO), with the
 * local address and ECN bits of each; a batch is sent with one call (UDP_SEGMENT)
 * where kernel and card allow it and one datagram per call where not. The kernel
 * never fragments (DF is set), buffers are as large as it lets us have. */
#ifndef PU_P2P_TRANSPORT_UDP_UV_H
#define PU_P2P_TRANSPORT_UDP_UV_H

#include "base/loop.h"
#include "p2p/transport/net.h"

/* loop must be driven by base/loop_uv.c. PU_EADDRINUSE, PU_EPERM, PU_EINVAL,
 * PU_ENOMEM, PU_ESYS … */
int pu_udp_uv_open(struct pu_loop *loop, const union pu_sockaddr *bind,
		   const struct pu_udp_events *ev, void *arg, struct pu_udp **pu);
/* The same with a bound socket, which is closed on failure; local is what
 * pu_udp_uv_local() tells. */
int pu_udp_uv_wrap(struct pu_loop *loop, PU_TAKES int fd, const union pu_sockaddr *local,
		   const struct pu_udp_events *ev, void *arg, struct pu_udp **pu);
/* A member of whoever keeps a list of sockets; taken out when the socket is closed. */
struct pu_udp_uv_entry {
	struct pu_list node;
	union pu_sockaddr group;
	unsigned ifindex;
};
struct pu_udp_uv_entry *pu_udp_uv_entry(struct pu_udp *u);
void pu_udp_uv_local(struct pu_udp *u, union pu_sockaddr *sa);
/* As pu_net_ops.udp_send. A batch of which the kernel took only a part before its
 * buffer was full counts as sent: the rest is a loss like any other. */
int pu_udp_uv_send(struct pu_udp *u, const struct pu_dgrams *d);
void pu_udp_uv_close(struct pu_udp *u);

#endif
