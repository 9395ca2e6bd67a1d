/* Judges the certificate that a libp2p peer showed in a TLS 1.3 handshake. */
#ifndef PU_P2P_TLS_VERIFY_H
#define PU_P2P_TLS_VERIFY_H

#include <gnutls/gnutls.h>

#include "crypto/key.h"

/* A longer certificate is refused: an RSA 8192 identity needs less than half. */
enum { PU_TLS_CERTIFICATE_MAX = 8192 };

/* der: the one certificate. Checks form, validity at now (Unix seconds), its own
 * signature, that the libp2p extension is there once and nothing else is critical,
 * the identity's signature over the certificate key, and last, unless expected is
 * NULL, whose identity it is. Says nothing about who holds the certificate key:
 * that is proved only when the handshake completes.
 * PU_EPROTO malformed, PU_ECRYPTO a signature or the validity is wrong,
 * PU_ENOTSUP an unknown kind of identity key, PU_EPEERID somebody else, PU_ENOMEM.
 * *remote is untouched on failure. */
int pu_tls_verify(struct pu_bytes der, const struct pu_peerid *expected, int64_t now,
		  struct pu_pubkey *remote);
/* The same for what the peer of s sent; PU_EPROTO unless it is exactly one. */
int pu_tls_verify_session(gnutls_session_t s, const struct pu_peerid *expected, int64_t now,
			  struct pu_pubkey *remote);

#endif
