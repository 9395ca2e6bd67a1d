/* What a peer that comes to us by itself is called here. */
#ifndef PU_DAEMON_ENROLMENT_NAME_H
#define PU_DAEMON_ENROLMENT_NAME_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PU_ENROLMENT_NAME_MAX = 64, /* as the config has it */
	PU_ENROLMENT_NAME_CUT = 63, /* of one from elsewhere: what DNS serves */
};

/* Letters, digits, '.', '_' and '-' of a name from elsewhere, 63 at most, no '.' or '-' at its
 * ends; true when something is left. What could be taken for a peer ID is no name. */
bool pu_enrolment_clean_name(const char *from, char out[PU_ENROLMENT_NAME_MAX + 1]);
/* Its comment in authorized_keys: the clean name, or without one ("") how it came and the day,
 * "paired-2026-03-01". how: at most 32 bytes, "paired-". */
void pu_enrolment_comment(const char *name, const char *how, int64_t now,
			  char out[PU_ENROLMENT_NAME_MAX + 1]);

#endif
