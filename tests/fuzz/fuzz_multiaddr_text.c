/* Whatever is accepted as text is a valid binary multiaddr whose text is stable. */
#include <stdint.h>
#include <stdlib.h>

#include "p2p/addr/multiaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_multiaddr ma, again;
	char out[PU_MULTIADDR_TEXT_MAX], *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	if (pu_multiaddr_from_text(&ma, text) == 0) {
		if (pu_multiaddr_from_bytes(&again, pu_multiaddr_bytes(&ma)) < 0)
			abort();
		if (pu_multiaddr_from_text(&again, pu_multiaddr_text(&ma, out)) < 0 ||
		    !pu_multiaddr_eq(&ma, &again))
			abort();
	}
	free(text);
	return 0;
}
