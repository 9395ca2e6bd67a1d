/* Short authentication strings: what two people read to each other to be sure that no one
 * sits between their machines. Both ends derive them from the two peer IDs. */
#ifndef PU_OVERLAY_SAS_H
#define PU_OVERLAY_SAS_H

#include "crypto/peerid.h"

enum {
	PU_SAS_EMOJIS = 4,
	PU_SAS_EMOJI_MAX = 8, /* one, with terminator */
	PU_SAS_TEXT_MAX = PU_SAS_EMOJIS * PU_SAS_EMOJI_MAX,
};

struct pu_sas {
	char emoji[PU_SAS_TEXT_MAX]; /* four, with spaces between them */
	char numbers[8];             /* "777-833" */
	char stored[16];             /* "sha256:cb6714e5": the value of verified= */
};

/* The order of a and b does not matter. */
void pu_sas_of(const struct pu_peerid *a, const struct pu_peerid *b, struct pu_sas *out);

enum pu_sas_state {
	PU_SAS_UNVERIFIED,
	PU_SAS_VERIFIED,
	PU_SAS_STALE, /* compared once, but for another pair of identities */
};

/* What the stored value (the member's verified=, "" when absent) is worth between these two.
 * Everything that shows whether a peer is verified asks here. */
enum pu_sas_state pu_sas_check(const struct pu_peerid *self, const struct pu_peerid *peer,
			       const char *stored);

/* "unverified", "verified", "stale" */
const char *pu_sas_state_text(enum pu_sas_state s);

/* The emoji of one byte. Returns out. */
const char *pu_sas_emoji(uint8_t i, char out[PU_SAS_EMOJI_MAX]);

#endif
