/* The contract of a security channel: ciphertext and plaintext in memory, no I/O.
 * Implemented by p2p/noise/channel.c and p2p/tls/channel.c, driven by
 * p2p/stack/upgrade.c. */
#ifndef PU_P2P_STACK_SECURE_H
#define PU_P2P_STACK_SECURE_H

#include "base/buf.h"
#include "crypto/key.h"

struct pu_loop;
struct pu_secure;
struct pu_tls_credentials;

struct pu_secure_config {
	const struct pu_key *key;         /* ours, outlives the channel */
	const struct pu_peerid *expected; /* NULL: accept anyone (copied) */
	bool initiator;
	const char *const *muxers; /* offered, in order, NULL-terminated; outlives */
	struct pu_loop *loop;      /* randomness and wall clock */
	/* TLS: the identity's certificate, outlives the channel; NULL: made for it. */
	const struct pu_tls_credentials *tls;
};

struct pu_secure_ops {
	const char *protocol; /* "/noise", "/tls/1.0.0" */
	/* Consumes what it can from the front of in (received bytes) and appends what
	 * must be sent to out. 0: handshake complete and the peer proved its identity;
	 * PU_EAGAIN: more input needed; PU_EPEERID, PU_ECRYPTO, PU_EPROTO: failed, send
	 * what is in out (an alert), then close. */
	int (*handshake)(struct pu_secure *s, struct pu_buf *in, struct pu_buf *out);
	/* Appends the sealed form of data to out. PU_ELIMIT when out is too full:
	 * nothing was written. */
	int (*seal)(struct pu_secure *s, struct pu_bytes data, struct pu_buf *out);
	/* Consumes whole records from in and appends plaintext to out until in is
	 * short of a record or out is full: 0. PU_EEOF: the peer closed properly.
	 * PU_ECRYPTO, PU_EPROTO: forged or malformed. */
	int (*open)(struct pu_secure *s, struct pu_buf *in, struct pu_buf *out);
	/* Appends a goodbye (close_notify) to out, if the protocol has one. */
	void (*close)(struct pu_secure *s, struct pu_buf *out);
	void (*free)(struct pu_secure *s);
};

/* Common head of every implementation; fields are valid after the handshake. */
struct pu_secure {
	const struct pu_secure_ops *ops;
	struct pu_pubkey remote;
	const char *muxer; /* agreed early, one of config.muxers; NULL: negotiate it */
};

#endif
