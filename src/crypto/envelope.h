/* Signed envelopes (libp2p RFC 0002) and peer records (RFC 0003). */
#ifndef PU_CRYPTO_ENVELOPE_H
#define PU_CRYPTO_ENVELOPE_H

#include "base/buf.h"
#include "crypto/key.h"

enum {
	PU_ENVELOPE_MAX = 8192,
	PU_PEER_RECORD_ADDRS_MAX = 64
};

#define PU_ENVELOPE_DOMAIN_PEER_RECORD "libp2p-peer-record"
#define PU_ENVELOPE_DOMAIN_VOUCHER "libp2p-relay-rsvp"

/* payload_type: the two raw bytes 03 01 or 03 02 (0x0301 peer record, 0x0302 voucher). */
enum { PU_ENVELOPE_PEER_RECORD = 0x0301, PU_ENVELOPE_VOUCHER = 0x0302 };

/* Appends a sealed envelope to out. PU_ELIMIT, PU_ENOMEM. */
int pu_envelope_seal(const struct pu_key *k, const char *domain, unsigned payload_type,
		     struct pu_bytes payload, struct pu_buf *out);
/* Checks size, form, type and signature; *ppayload borrows from in.
 * PU_EPROTO, PU_ECRYPTO. */
int pu_envelope_open(struct pu_bytes in, const char *domain, unsigned payload_type,
		     struct pu_pubkey *signer, struct pu_bytes *ppayload);

/* PeerRecord payload: addrs are binary multiaddrs. */
int pu_peer_record_encode(const struct pu_peerid *peer, uint64_t seq,
			  const struct pu_bytes *addrs, size_t n_addrs, struct pu_buf *out);
/* addrs borrow from payload; at most cap are returned in *pn, more are ignored. */
int pu_peer_record_decode(struct pu_bytes payload, struct pu_peerid *peer, uint64_t *pseq,
			  struct pu_bytes *addrs, size_t cap, size_t *pn);

#endif
