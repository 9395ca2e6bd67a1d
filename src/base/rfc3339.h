/* Times of day as text: 2026-03-01T12:00:00Z (RFC 3339). */
#ifndef PU_BASE_RFC3339_H
#define PU_BASE_RFC3339_H

#include "base/bytes.h"

enum { PU_RFC3339_MAX = 32 };

/* Date, T or t, time with optional fraction (dropped), Z, z or ±hh:mm. Years 1 to
 * 9999; second 60 counts as the next minute. PU_EINVAL. */
int pu_rfc3339_parse(const char *s, int64_t *punix);
/* In UTC with seconds; out has PU_RFC3339_MAX bytes. Returns out. */
const char *pu_rfc3339_text(int64_t unix_s, char *out);

#endif
