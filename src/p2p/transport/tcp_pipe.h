/* A TCP socket as a struct pu_pipe. */
#ifndef PU_P2P_TRANSPORT_TCP_PIPE_H
#define PU_P2P_TRANSPORT_TCP_PIPE_H

#include "p2p/stack/pipe.h"
#include "p2p/transport/net.h"

/* Takes over a connected socket, whose events become the pipe's. PU_ENOMEM: the
 * socket is closed. */
int pu_tcp_pipe_new(struct pu_net *net, PU_TAKES struct pu_tcp *t, struct pu_pipe **pp);

#endif
