/* A transfer as people and scripts see it: one line that grows on a terminal, a line for each
 * file elsewhere, lines of JSON with --json. */
#ifndef PU_CLI_FILES_SHOW_H
#define PU_CLI_FILES_SHOW_H

#include "cli/cli.h"
#include "cli/files_report.h"

struct pu_files_show {
	const struct pu_cli *c;
	const char *peer;  /* as people call it */
	const char *id;    /* its peer ID */
	bool sending, bar; /* bar: on a terminal */
	uint64_t total, done, moved;
	int64_t begun_ms, shown_ms;
	bool drawn;
	const struct pu_files_entry *entry; /* under way; NULL: none */
	uint64_t entry_at;
};

void pu_files_show_init(struct pu_files_show *s, const struct pu_cli *c, const char *peer,
			const char *id, bool sending);
extern const struct pu_files_events pu_files_show_events; /* arg: struct pu_files_show */
/* The last line; err as of the engines. */
void pu_files_show_end(struct pu_files_show *s, const struct pu_files_result *r, int err);
/* What the sender leaves out: pu_files_skip_fn. */
void pu_files_show_skip(void *arg, const char *path, const char *why);

#endif
