/* A WebSocket on top of a byte pipe, as a byte pipe itself: handshake, then the bytes of
 * binary messages in both directions; where messages end has no meaning. */
#ifndef PU_P2P_TRANSPORT_WS_PIPE_H
#define PU_P2P_TRANSPORT_WS_PIPE_H

#include "base/loop.h"
#include "p2p/stack/pipe.h"

/* Both take over the pipe below, which is closed on failure. The handshake begins at once
 * and may fail by on_error: PU_EPROTO, PU_E2BIG, and for a client what
 * pu_ws_http_check_response() tells. There is no timeout here. PU_ELIMIT (the host name is
 * too long), PU_ENOMEM. */
int pu_ws_pipe_client(struct pu_loop *loop, PU_TAKES struct pu_pipe *below, const char *host,
		      struct pu_pipe **pp);
int pu_ws_pipe_server(struct pu_loop *loop, PU_TAKES struct pu_pipe *below, struct pu_pipe **pp);

#endif
