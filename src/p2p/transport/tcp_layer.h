/* Transports that are TCP with something between the socket and the upgrade. */
#ifndef PU_P2P_TRANSPORT_TCP_LAYER_H
#define PU_P2P_TRANSPORT_TCP_LAYER_H

#include "p2p/stack/upgrade.h"
#include "p2p/transport/transport.h"

struct pu_tcp_layer_ops {
	const char *name;
	bool (*can_dial)(const struct pu_multiaddr *ma);
	bool (*can_listen)(const struct pu_multiaddr *ma);
	/* An address behind a TCP port as this transport writes it. */
	enum pu_ma_kind kind;
	/* Puts itself on top of a connected socket. uc->remote is the address that was
	 * dialled, or it is inbound; it may be changed. On failure the pipe is closed. NULL:
	 * there is nothing to put. */
	int (*wrap)(void *ctx, struct pu_upgrade_config *uc, PU_TAKES struct pu_pipe *below,
		    struct pu_pipe **pp);
	void (*free)(void *ctx);
	/* Dials may leave from a listening port, and punch. */
	bool reuse;
	/* Inbound connections from this machine come through a proxy: they are not counted
	 * as those of one stranger. */
	bool proxied;
};

/* Takes over ctx, which is freed on failure. PU_ENOMEM, PU_ECRYPTO. */
int pu_tcp_layered_new(const struct pu_transport_config *cfg,
		       const struct pu_tcp_transport_options *opt,
		       const struct pu_tcp_layer_ops *layer, PU_TAKES void *ctx,
		       struct pu_transport **pt);

#endif
