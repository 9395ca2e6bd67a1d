#include "daemon/identity.h"

#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "crypto/keystore.h"

int pu_identity_load(struct pu_loop *loop, const char *file, const struct pu_file_owner *owner,
		     struct pu_key *key, struct pu_failure *why)
{
	bool existed = access(file, F_OK) == 0;
	uint8_t seed[32];
	int r;

	pu_loop_random(loop, seed, sizeof seed);
	r = pu_keystore_load_or_create(file, seed, key);
	explicit_bzero(seed, sizeof seed);
	if (r == 0 && !existed && owner && owner->set && lchown(file, owner->uid, owner->gid) < 0)
		r = PU_EPERM;
	if (r == PU_EPERM) {
		char hint[512];

		snprintf(hint, sizeof hint, "chmod 600 %.400s", file);
		return pu_failure_set(why, r, file, hint,
				      "the identity key can be read by others, or not by us");
	}
	if (r < 0)
		return pu_failure_set(why, r, file, NULL, "cannot load the identity key: %s",
				      pu_err_text(r));
	return 0;
}
