/* The libp2p TLS 1.3 security channel ("/tls/1.0.0") over bytes in memory.
 * Implements p2p/stack/secure.h. No session is ever resumed and no SNI is sent.
 *
 * The initiator's handshake is complete one flight before the responder has judged
 * its certificate; a refusal arrives later, as an alert that open() reports as
 * PU_EDENIED. Who wants to say "connected" on this side waits for the first byte. */
#ifndef PU_P2P_TLS_CHANNEL_H
#define PU_P2P_TLS_CHANNEL_H

#include "p2p/stack/secure.h"
#include "p2p/tls/certificate.h"

#define PU_TLS_PROTOCOL "/tls/1.0.0"

enum {
	PU_TLS_PLAIN_MAX = 16384,       /* plaintext of one record */
	PU_TLS_RECORD_MAX = 5 + PU_TLS_PLAIN_MAX + 256,
	PU_TLS_OVERHEAD = 5 + 1 + 16,   /* of one record, at most */
	PU_TLS_HANDSHAKE_MAX = 32768,   /* longer handshake messages are refused */
};

/* cfg->tls are the credentials to use; NULL makes a certificate for this channel
 * alone, which costs half a millisecond. open() needs room for PU_TLS_PLAIN_MAX bytes
 * in its output for every record and leaves the input alone when there is less; its
 * input needs a max of at least PU_TLS_RECORD_MAX. PU_ENOMEM, PU_ECRYPTO. */
int pu_tls_new(const struct pu_secure_config *cfg, struct pu_secure **ps);

#endif
