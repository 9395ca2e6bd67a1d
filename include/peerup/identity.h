/* Who a host is: an Ed25519 key, whose public part is the peer ID. */
#ifndef PEERUP_IDENTITY_H
#define PEERUP_IDENTITY_H

#include "peerup/error.h"
#include "peerup/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct peerup_identity;

/* A new key that exists in memory only. PEERUP_ENOMEM, PEERUP_ESYS. */
PEERUP_API int peerup_identity_generate(struct peerup_identity **pid);
/* From a file with a libp2p private key, as the peerup-vpn program and go-libp2p write
 * it. PEERUP_ENOENT; PEERUP_EPERM when group or others may do anything with the file;
 * PEERUP_EINVAL when it is no key; PEERUP_ENOTSUP when it is no Ed25519 key;
 * PEERUP_EIO, PEERUP_ENOMEM, PEERUP_ESYS. */
PEERUP_API int peerup_identity_load(const char *path, struct peerup_identity **pid);
/* The same; a file that is not there is made, with mode 0600, from a new key. Its
 * directory must exist. */
PEERUP_API int peerup_identity_load_or_create(const char *path, struct peerup_identity **pid);
/* Wipes the key. Hosts have their own copy. NULL is fine. */
PEERUP_API void peerup_identity_free(struct peerup_identity *id);

/* The peer ID; lives as long as the identity. */
PEERUP_API const char *peerup_identity_peer(const struct peerup_identity *id);

/* A peer ID in any of its spellings ("12D3…", "Qm…", CIDs) as the one that this library
 * uses, so that strcmp() compares; out has PEERUP_PEER_TEXT_MAX bytes.
 * PEERUP_EINVAL. */
PEERUP_API int peerup_peer_normalize(const char *text, char *out);

#ifdef __cplusplus
}
#endif
#endif
