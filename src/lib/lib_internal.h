/* What the files of the public library share: the objects behind its handles. */
#ifndef PU_LIB_LIB_INTERNAL_H
#define PU_LIB_LIB_INTERNAL_H

#include "base/loop_uv.h"
#include "p2p/host/host.h"
#include "p2p/transport/net_uv.h"
#include "peerup/peerup.h"
#include "platform/platform.h"

struct peerup_identity {
	struct pu_key key;
	char peer[PEERUP_PEER_TEXT_MAX];
};

struct peerup_loop {
	struct pu_loop_uv *driver;
	struct pu_loop *base;
	struct pu_net *net;
	uv_async_t stop;
	struct pu_list hosts; /* peerup_host.node */
	bool running;         /* inside run, step or free */
	bool freeing;
};

struct peerup_host {
	struct peerup_loop *loop;
	struct pu_list node;
	struct pu_key key;
	char peer[PEERUP_PEER_TEXT_MAX];
	struct peerup_host_options opt;
	struct pu_host *h;
	struct pu_platform *platform; /* NULL: interfaces are not watched */
	struct pu_host_observer observer;
	struct pu_list handlers; /* of the protocols */
	bool closing;
	struct pu_job stop_job;
	peerup_closed_fn *on_closed;
	void *closed_arg;
};

/* stream.c: a negotiated stream becomes a public one. NULL: no memory, it was reset. */
struct peerup_stream *pu_lib_stream_new(struct pu_loop *loop, PU_TAKES struct pu_stream *inner);
/* fn is its consumer; a stream that he forgot is reset. */
void pu_lib_stream_hand_out(struct peerup_stream *st, peerup_stream_fn *fn, void *arg);

/* interfaces.c: keeps the host informed about the addresses of this machine. */
void pu_lib_interfaces_watch(struct peerup_host *h);

/* Every call that does something begins with it, so that timeouts count from now and
 * not from the last turn. False: the host is closing. */
static inline bool pu_lib_usable(const struct peerup_host *h)
{
	pu_loop_uv_sample(h->loop->base);
	return !h->closing;
}

#endif
