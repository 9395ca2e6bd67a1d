/* Whatever is accepted as bytes must survive its own text. */
#include <stdint.h>
#include <stdlib.h>

#include "p2p/addr/multiaddr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pu_multiaddr ma, again;
	char text[PU_MULTIADDR_TEXT_MAX];
	union pu_sockaddr sa;
	struct pu_peerid id;

	if (pu_multiaddr_from_bytes(&ma, pu_bytes(data, size)) < 0)
		return 0;
	if (pu_multiaddr_from_text(&again, pu_multiaddr_text(&ma, text)) < 0 ||
	    !pu_multiaddr_eq(&ma, &again))
		abort();
	pu_multiaddr_kind(&ma);
	pu_multiaddr_is_public(&ma);
	if (!pu_multiaddr_has(&ma, PU_MA_IP6ZONE))
		pu_multiaddr_to_sockaddr(&ma, &sa);
	pu_multiaddr_split_peer(&ma, &again, &id);
	return 0;
}
