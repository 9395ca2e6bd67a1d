#include "peerup/identity.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/err.h"
#include "crypto/keystore.h"
#include "lib/lib_internal.h"

_Static_assert((int)PEERUP_PEER_TEXT_MAX >= (int)PU_PEERID_TEXT_MAX, "room for every peer ID");

static int random_seed(uint8_t seed[32])
{
	return getrandom(seed, 32, 0) == 32 ? 0 : PU_ESYS;
}

static struct peerup_identity *identity_new(void)
{
	return pu_crypto_init() < 0 ? NULL : calloc(1, sizeof(struct peerup_identity));
}

/* Hands out id, or frees it when there is no key in it. */
static int finish(struct peerup_identity *id, int r, struct peerup_identity **pid)
{
	if (r < 0) {
		free(id);
		return r;
	}
	pu_peerid_text(&id->key.peer, id->peer);
	*pid = id;
	return 0;
}

int peerup_identity_generate(struct peerup_identity **pid)
{
	struct peerup_identity *id = identity_new();
	uint8_t seed[32];
	int r;

	if (!id)
		return PU_ENOMEM;
	r = random_seed(seed);
	if (r == 0)
		r = pu_key_from_seed(&id->key, seed);
	explicit_bzero(seed, sizeof seed);
	return finish(id, r, pid);
}

int peerup_identity_load(const char *path, struct peerup_identity **pid)
{
	struct peerup_identity *id;

	if (!path)
		return PU_EINVAL;
	id = identity_new();
	return id ? finish(id, pu_keystore_load(path, &id->key), pid) : PU_ENOMEM;
}

int peerup_identity_load_or_create(const char *path, struct peerup_identity **pid)
{
	struct peerup_identity *id;
	uint8_t seed[32];
	int r;

	if (!path)
		return PU_EINVAL;
	id = identity_new();
	if (!id)
		return PU_ENOMEM;
	r = random_seed(seed);
	if (r == 0)
		r = pu_keystore_load_or_create(path, seed, &id->key);
	explicit_bzero(seed, sizeof seed);
	return finish(id, r, pid);
}

void peerup_identity_free(struct peerup_identity *id)
{
	if (!id)
		return;
	pu_key_deinit(&id->key);
	free(id);
}

const char *peerup_identity_peer(const struct peerup_identity *id)
{
	return id->peer;
}

int peerup_peer_normalize(const char *text, char *out)
{
	struct pu_peerid id;
	int r = text ? pu_peerid_from_text(&id, text) : PU_EINVAL;

	if (r == 0)
		pu_peerid_text(&id, out);
	return r;
}
