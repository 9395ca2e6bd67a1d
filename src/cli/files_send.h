/* The sending end of a transfer. */
#ifndef PU_CLI_FILES_SEND_H
#define PU_CLI_FILES_SEND_H

#include "cli/files_conn.h"
#include "cli/files_report.h"
#include "cli/files_source.h"

/* Offers s over c and sends what is wanted; blocks. 0: both sides are done, though files may
 * have failed (out says how many); PU_EDENIED: ended for out->status; PU_ECANCELED: stop_fd;
 * otherwise the connection broke. What was sent in part is taken up by the next transfer. */
int pu_files_send(struct pu_files_conn *c, const struct pu_files_source *s,
		  const struct pu_files_events *ev, void *arg, struct pu_files_result *out);

#endif
