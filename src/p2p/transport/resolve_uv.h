/* The system's resolver, asked from libuv's thread pool. */
#ifndef PU_P2P_TRANSPORT_RESOLVE_UV_H
#define PU_P2P_TRANSPORT_RESOLVE_UV_H

#include "base/loop.h"
#include "p2p/transport/net.h"

/* As pu_net_ops.resolve; loop must be driven by base/loop_uv.c. */
int pu_resolve_uv(struct pu_loop *loop, const char *name, enum pu_resolve_kind kind,
		  pu_resolve_fn *fn, void *arg, struct pu_resolve **pr);
void pu_resolve_uv_cancel(struct pu_resolve *r);

#endif
