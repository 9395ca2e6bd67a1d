/* Public keys, private keys and peer IDs from strangers and from files. */
#include <stdint.h>
#include <stdlib.h>

#include "crypto/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_peerid(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), out[PU_PEERID_TEXT_MAX];
	struct pu_peerid id, again;

	memcpy(text, data, size);
	text[size] = '\0';
	if (pu_peerid_from_text(&id, text) == 0 || pu_peerid_from_bytes(&id, pu_bytes(data, size)) == 0)
		if (pu_peerid_from_text(&again, pu_peerid_text(&id, out)) < 0 ||
		    !pu_peerid_eq(&id, &again))
			abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_bytes in = pu_bytes(data, size);
	struct pu_pubkey k, again;
	struct pu_key priv;

	pu_crypto_init();
	fuzz_peerid(data, size);
	if (pu_key_decode(&priv, in) == 0)
		pu_key_deinit(&priv);
	if (pu_pubkey_decode(&k, in) == 0) {
		if (pu_pubkey_decode(&again, pu_bytes(k.encoded, k.len)) < 0 ||
		    !pu_peerid_eq(&k.peer, &again.peer))
			abort();
		pu_pubkey_verify(&k, in, in);
	}
	return 0;
}
