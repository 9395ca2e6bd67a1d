/* The journal of an enrolment: what is to be done, as one JSON object in a file. Only for
 * daemon/enrolment.c. */
#ifndef PU_DAEMON_ENROLMENT_JOURNAL_H
#define PU_DAEMON_ENROLMENT_JOURNAL_H

#include "daemon/enrolment.h"

/* The file beside that config, into out (PATH_MAX bytes). PU_ELIMIT. */
int pu_enrolment_journal_path(const char *config, char *out);
int pu_enrolment_journal_write(const char *path, const struct pu_enrolment *e,
			       const struct pu_file_owner *owner);
/* PU_ENOENT: there is none; PU_EINVAL: not one that we wrote. e->peer is allocated. */
int pu_enrolment_journal_read(const char *path, struct pu_enrolment *e);

#endif
