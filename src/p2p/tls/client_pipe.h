/* TLS as every HTTPS client speaks it, on top of a byte pipe: the server proves a name with
 * a certificate of a trusted authority. Has nothing to do with libp2p's TLS
 * (p2p/tls/channel.h), which runs inside, too. */
#ifndef PU_P2P_TLS_CLIENT_PIPE_H
#define PU_P2P_TLS_CLIENT_PIPE_H

#include "base/loop.h"
#include "p2p/stack/pipe.h"

/* The authorities whom we believe. */
struct pu_tls_trust;

/* file: certificates in PEM; NULL: those that the system trusts. Reads them at once.
 * PU_ENOENT: there are none; PU_EINVAL: no certificates, PU_ENOMEM. */
int pu_tls_trust_new(const char *file, struct pu_tls_trust **pt);
void pu_tls_trust_free(struct pu_tls_trust *t);

struct pu_tls_client_config {
	struct pu_loop *loop;
	const struct pu_tls_trust *trust; /* outlives the pipe */
	const char *name; /* DNS name or IP address that the certificate must be for */
	const char *alpn; /* the one protocol we speak inside */
};

/* Takes over the pipe below, which is closed on failure. The handshake begins at once and
 * may fail by on_error: PU_ECRYPTO (the certificate is not for that name, not trusted,
 * expired), PU_EPROTO. There is no timeout here. PU_ENOMEM, PU_EINVAL (name or alpn). */
int pu_tls_client_pipe_new(const struct pu_tls_client_config *cfg, PU_TAKES struct pu_pipe *below,
			   struct pu_pipe **pp);

#endif
