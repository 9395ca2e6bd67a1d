/* A struct pu_conn made of a byte pipe, a security channel and a yamux session. */
#ifndef PU_P2P_STACK_MUXED_H
#define PU_P2P_STACK_MUXED_H

#include "p2p/stack/conn.h"
#include "p2p/stack/pipe.h"
#include "p2p/stack/secure.h"
#include "p2p/stack/upgrade.h"

struct pu_muxed;

enum {
	PU_MUXED_IN_MAX = 256 * 1024,
	PU_MUXED_PLAIN_MAX = 64 * 1024,
	PU_MUXED_OUT_MAX = 192 * 1024,
};

struct pu_muxed_parts {
	struct pu_pipe *pipe;
	struct pu_secure *sec;
	struct pu_buf in;    /* received behind the handshake, still sealed */
	struct pu_buf plain; /* received and opened already */
	struct pu_buf out;   /* sealed, still to be sent */
};

/* Takes over the parts, whose buffers have maxima of PU_MUXED_*; on failure they stay
 * the caller's. The connection is quiet until pu_muxed_start(). PU_ENOMEM. */
int pu_muxed_new(const struct pu_upgrade_config *cfg, const struct pu_muxed_parts *parts,
		 struct pu_muxed **pm);
struct pu_conn *pu_muxed_conn(struct pu_muxed *m);
/* From now on the pipe's events are the connection's; the owner has set its own.
 * Called from the loop: what was received already is handled before it returns. */
void pu_muxed_start(struct pu_muxed *m);

/* The peer sent something behind the handshake, so it accepted us: 0, the owner sets
 * the events of the connection before returning. Or why it did not: PU_EDENIED when
 * it just hung up; the connection frees itself after return. */
typedef void pu_muxed_ready_fn(void *arg, int err);
/* Instead of pu_muxed_start(): sends our first ping and waits for an answer. */
void pu_muxed_confirm(struct pu_muxed *m, pu_muxed_ready_fn *on_ready, void *arg);
/* Before pu_muxed_start() or while it waits: frees it and closes the pipe. */
void pu_muxed_discard(struct pu_muxed *m);

#endif
