/* Hardware addresses of network cards. */
#ifndef PU_BASE_MAC_H
#define PU_BASE_MAC_H

#include "base/bytes.h"

enum { PU_MAC_LEN = 6, PU_MAC_TEXT_MAX = 18 };

struct pu_mac {
	bool given; /* false: none */
	uint8_t b[PU_MAC_LEN];
};

/* "aa:bb:cc:dd:ee:ff", also with '-'. PU_EINVAL for anything else, and for an address that is
 * no single card's (broadcast, multicast, all zero). */
int pu_mac_parse(const char *text, struct pu_mac *out);
const char *pu_mac_text(const struct pu_mac *m, char out[PU_MAC_TEXT_MAX]);
/* Can it be the address of one card? b has PU_MAC_LEN bytes. */
bool pu_mac_is_card(const uint8_t *b);

#endif
