/* The receiving end of a transfer. */
#ifndef PU_CLI_FILES_RECEIVE_H
#define PU_CLI_FILES_RECEIVE_H

#include "cli/files_conn.h"
#include "cli/files_report.h"
#include "cli/files_store.h"

struct pu_files_receive_options {
	const struct pu_files_store *store;
	uint64_t max_bytes; /* of one transfer, the files that are there already too */
	/* Asks whoever decides: OK, DECLINED, or STOPPED when stop_fd became readable. */
	enum pu_files_status (*on_offer)(void *arg, const struct pu_files_manifest *m);
	const struct pu_files_events *ev;
	void *arg; /* of both */
};

/* Receives one transfer; blocks. As pu_files_send(). What is not complete stays as a part. */
int pu_files_receive(struct pu_files_conn *c, const struct pu_files_receive_options *opt,
		     struct pu_files_result *out);

#endif
