/* A stream whose protocol is proposed without waiting for the answer: the consumer
 * writes at once, the peer's echo is read and taken away in front of its first byte.
 * For a single protocol that the peer is known to speak. */
#ifndef PU_P2P_HOST_LAZY_H
#define PU_P2P_HOST_LAZY_H

#include "base/loop.h"
#include "p2p/stack/stream.h"

/* Wraps a fresh outbound stream and writes the proposal. The inner stream belongs to
 * the outer one then; on failure it stays the caller's. When the peer refuses after
 * all, the consumer hears on_closed(PU_ENOPROTO). PU_EINVAL, PU_ENOMEM, PU_ELIMIT. */
int pu_lazy_new(struct pu_loop *loop, struct pu_stream *inner, const char *protocol,
		struct pu_stream **pouter);

#endif
