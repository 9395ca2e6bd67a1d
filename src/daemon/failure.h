/* Why something that a user asked for did not work, in the form in which every
 * command reports it: "peerup-vpn: what: why", then "try: hint". */
#ifndef PU_DAEMON_FAILURE_H
#define PU_DAEMON_FAILURE_H

#include "base/bytes.h"

struct pu_failure {
	char what[256]; /* the file, device or command at fault; "" while unset */
	char why[1024];
	char hint[512]; /* a command that helps; "" when there is none */
};

static inline bool pu_failure_is_set(const struct pu_failure *f)
{
	return f->what[0] != '\0' || f->why[0] != '\0';
}

/* Fills f unless it is NULL or already set: the first cause is the one to tell.
 * what and hint may be NULL. Returns err, so that callers can `return` it. */
int pu_failure_set(struct pu_failure *f, int err, const char *what, const char *hint,
		   const char *why_fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
