/* What the two ends of a transfer tell while it goes on, and when it is over. */
#ifndef PU_CLI_FILES_REPORT_H
#define PU_CLI_FILES_REPORT_H

#include "overlay/files/message.h"

/* All members are set. */
struct pu_files_events {
	/* The other side agreed; already: bytes that it has, or may have. */
	void (*on_begin)(void *arg, const struct pu_files_manifest *m);
	/* A file begins, from that offset. */
	void (*on_file)(void *arg, const struct pu_files_entry *e, uint64_t offset);
	void (*on_bytes)(void *arg, uint64_t n);
	/* It is over. as: the name that it got, when the receiver knows another; same: it was
	 * there already. */
	void (*on_file_done)(void *arg, const struct pu_files_entry *e,
			     enum pu_files_status status, const char *as, bool same);
};

struct pu_files_result {
	uint64_t bytes;      /* that went over the wire as contents */
	unsigned n_files;    /* complete at the receiver, the same ones too */
	unsigned n_same;     /* were there already */
	unsigned n_failed;
	/* Why it ended early; PU_FILES_OK otherwise, or when the connection broke. */
	enum pu_files_status status;
	bool by_other; /* the other side said so */
};

#endif
