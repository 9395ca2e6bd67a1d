/* Joins a stream and a TCP socket: bytes, half-closes, resets and back-pressure pass
 * in both directions. What the stream brings in one turn, packet by packet, goes to the
 * socket in one write. */
#ifndef PU_OVERLAY_PIPE_H
#define PU_OVERLAY_PIPE_H

#include "base/loop.h"
#include "p2p/stack/stream.h"
#include "p2p/transport/net.h"

enum { PU_PIPE_BUFFER = 128 * 1024 };

struct pu_pipe;

/* Fires once when both directions have ended or one end broke; the pipe is gone. The bytes
 * are those that it moved in all. */
typedef void pu_pipe_done_fn(void *arg, uint64_t from_stream, uint64_t from_tcp);

/* Takes both ends, connected. PU_ENOMEM: both ends are aborted. */
int pu_pipe_new(struct pu_loop *loop, struct pu_net *net, PU_TAKES struct pu_stream *st,
		PU_TAKES struct pu_tcp *tcp, pu_pipe_done_fn *on_done, void *arg,
		struct pu_pipe **pp);
/* Right after pu_pipe_new(): the socket's other side had finished writing, and was heard to,
 * before. on_done may come from inside when the stream has ended too. */
void pu_pipe_tcp_ended(struct pu_pipe *p);
/* Bytes that it has moved so far. */
void pu_pipe_bytes(const struct pu_pipe *p, uint64_t *pfrom_stream, uint64_t *pfrom_tcp);
/* Aborts both ends without on_done. */
void pu_pipe_abort(struct pu_pipe *p);

#endif
