/* What key.c and pubkey.c share of the key encodings; see crypto/key.h. */
#ifndef PU_CRYPTO_PUBKEY_H
#define PU_CRYPTO_PUBKEY_H

#include "crypto/key.h"

/* Type and Data of a PublicKey or PrivateKey protobuf; *pdata borrows from pb.
 * PU_EPROTO, PU_ENOTSUP for a type we do not know. */
int pu_pubkey_split(struct pu_bytes pb, enum pu_key_type *ptype, struct pu_bytes *pdata);
/* Encodes canonically and derives the peer ID; data was checked by the caller.
 * PU_EPROTO when too long. */
int pu_pubkey_from_parts(struct pu_pubkey *k, enum pu_key_type type, struct pu_bytes data);

#endif
