/* The identity key as a running program takes it. */
#ifndef PU_DAEMON_IDENTITY_H
#define PU_DAEMON_IDENTITY_H

#include "base/file.h"
#include "base/loop.h"
#include "crypto/key.h"
#include "daemon/failure.h"

/* Loads the key, or makes the file, which belongs to owner then (may be NULL). The caller
 * wipes it with pu_key_deinit(). */
int pu_identity_load(struct pu_loop *loop, const char *file, const struct pu_file_owner *owner,
		     struct pu_key *key, struct pu_failure *why);

#endif
