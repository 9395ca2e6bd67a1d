/* The stream of a circuit, behind the messages that made it, as the pipe below a security
 * channel. */
#ifndef PU_P2P_CIRCUIT_PIPE_H
#define PU_P2P_CIRCUIT_PIPE_H

#include "p2p/circuit/transport.h"
#include "p2p/stack/pipe.h"

struct pu_circuit_pipe {
	struct pu_pipe pipe;
	struct pu_list node;        /* in the list of its owner until it closes */
	struct pu_stream *st;       /* NULL: lost */
	const struct pu_conn *conn; /* what runs inside, once there is something */
	struct pu_circuit_limit limit;
};

/* Takes over the stream, what it has received and not delivered yet included. PU_ENOMEM:
 * the stream is reset. */
int pu_circuit_pipe_new(PU_TAKES struct pu_stream *st, struct pu_list *pipes,
			struct pu_circuit_pipe **pp);

#endif
