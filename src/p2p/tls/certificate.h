/* The self-signed certificate that carries a libp2p identity in TLS 1.3 (specs
 * tls/tls.md): one ECDSA P-256 key and certificate per identity, used for every
 * TCP and QUIC connection as long as the credentials live. */
#ifndef PU_P2P_TLS_CERTIFICATE_H
#define PU_P2P_TLS_CERTIFICATE_H

#include <gnutls/gnutls.h>

#include "base/loop.h"
#include "crypto/key.h"

#define PU_TLS_EXTENSION_OID "1.3.6.1.4.1.53594.1.1"
#define PU_TLS_SIGNATURE_PREFIX "libp2p-tls-handshake:"

struct pu_tls_credentials;

/* Makes the certificate key and the certificate signed by key, which is only read
 * here. loop gives the randomness of the serial number. PU_ENOMEM, PU_ECRYPTO. */
int pu_tls_credentials_new(const struct pu_key *key, struct pu_loop *loop,
			   struct pu_tls_credentials **pc);
void pu_tls_credentials_free(struct pu_tls_credentials *c);

/* For gnutls_credentials_set(); valid while the credentials live. */
gnutls_certificate_credentials_t pu_tls_credentials_gnutls(const struct pu_tls_credentials *c);
/* The certificate in DER; valid while the credentials live. */
struct pu_bytes pu_tls_credentials_der(const struct pu_tls_credentials *c);

#endif
