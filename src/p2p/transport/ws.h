/* The WebSocket transport: dials …/tcp/N/ws and, over TLS, …/tcp/N/wss, …/tls/ws and
 * …/tls/sni/NAME/ws; listens on …/tcp/N/ws. Listening with TLS is the business of a reverse
 * proxy in front, which has a certificate anyway. */
#ifndef PU_P2P_TRANSPORT_WS_H
#define PU_P2P_TRANSPORT_WS_H

#include "p2p/host/host.h"
#include "p2p/transport/transport.h"

/* opt: as of TCP; NULL: TLS, then Noise. trust_file: authorities in PEM that TLS servers are
 * checked against, read when the first is dialled; NULL: those of the system. PU_ENOMEM,
 * PU_ECRYPTO. */
int pu_ws_transport_new(const struct pu_transport_config *cfg,
			const struct pu_tcp_transport_options *opt, const char *trust_file,
			struct pu_transport **pt);
/* Gives a host such a transport. */
int pu_ws_transport_add(struct pu_host *h, const struct pu_tcp_transport_options *opt,
			const char *trust_file);

#endif
