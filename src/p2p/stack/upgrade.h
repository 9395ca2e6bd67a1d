/* From a byte pipe to a connection: multistream agrees on a security protocol, its
 * handshake proves who the peer is, the gate is asked, the muxer is agreed inside
 * the handshake or by multistream again, and a struct pu_conn comes out. */
#ifndef PU_P2P_STACK_UPGRADE_H
#define PU_P2P_STACK_UPGRADE_H

#include "p2p/stack/pipe.h"
#include "p2p/transport/transport.h"

struct pu_upgrade;
struct pu_tls_credentials;

struct pu_upgrade_config {
	struct pu_loop *loop;
	const struct pu_key *key;         /* outlives the upgrade */
	const struct pu_peerid *expected; /* NULL: anyone; copied */
	bool initiator;                   /* our role in the handshakes */
	bool inbound, limited;            /* for the connection */
	struct pu_multiaddr local, remote;
	struct pu_bytes early; /* what was read before, no more than the peer's first line; copied */
	const struct pu_tcp_transport_options *opt; /* outlives the upgrade */
	const struct pu_tls_credentials *tls; /* outlives the connection; NULL: made for it */
	unsigned max_streams;             /* inbound, of the connection; 0: default */
	size_t stream_memory;             /* as in pu_host_config */
	pu_time timeout;                  /* for everything */
	pu_gate_fn *gate;                 /* NULL: everyone is welcome */
	void *gate_arg;
};

/* err 0 and c (set its events before returning), or why there is none:
 * PU_ETIMEDOUT, PU_ENOPROTO (nothing in common), PU_EPEERID, PU_ECRYPTO, PU_EPROTO,
 * PU_EDENIED (our gate said no, or the peer hung up as soon as it knew who we are),
 * PU_ECLOSED, PU_ERESET. The pipe is closed then. */
typedef void pu_upgrade_fn(void *arg, int err, struct pu_conn *c);

/* Takes over the pipe. on_done comes later, exactly once unless canceled; the handle
 * is gone then. PU_ENOMEM, PU_EINVAL (no security protocol): the pipe is closed. */
int pu_upgrade_start(const struct pu_upgrade_config *cfg, PU_TAKES struct pu_pipe *pipe,
		     pu_upgrade_fn *on_done, void *arg, struct pu_upgrade **pup);
/* Closes the pipe; on_done will not fire. */
void pu_upgrade_cancel(struct pu_upgrade *up);

#endif
