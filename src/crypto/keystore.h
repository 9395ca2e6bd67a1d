/* The identity key file: PrivateKey protobuf, mode 0600. */
#ifndef PU_CRYPTO_KEYSTORE_H
#define PU_CRYPTO_KEYSTORE_H

#include "crypto/key.h"

/* Loads path. PU_ENOENT; PU_EPERM when group or others have any permission on
 * the file; PU_EINVAL when it is not a key; PU_ENOTSUP when it is a key of another
 * type than Ed25519; PU_EIO. */
int pu_keystore_load(const char *path, struct pu_key *k);
/* Loads path, or makes a key from seed (32 random bytes, wiped) and saves it 0600
 * by temporary file, fsync and rename. The directory must exist. */
int pu_keystore_load_or_create(const char *path, uint8_t seed[32], struct pu_key *k);

#endif
