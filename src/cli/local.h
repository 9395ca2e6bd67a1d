/* The node's files as commands read and edit them. */
#ifndef PU_CLI_LOCAL_H
#define PU_CLI_LOCAL_H

#include "cli/cli.h"
#include "crypto/key.h"
#include "daemon/config.h"
#include "daemon/config_edit.h"
#include "overlay/member.h"
#include "overlay/name.h"

struct pu_oneshot;

struct pu_local {
	struct pu_paths paths;
	struct pu_config *cfg;
	struct pu_names *names;
	uint8_t hash_key[16];
};

/* Finds and loads the config. warnings: show them on stderr. All errors of the file
 * are shown, not only the first. 0 or an exit code. pu_local_close() in any case. */
int pu_local_open(struct pu_cli *c, struct pu_local *l, bool warnings);
void pu_local_close(struct pu_local *l);

/* A node of our own, where no daemon runs: says so, with what it does instead ("asking").
 * 0 or an exit code; pu_oneshot_free() it. */
int pu_local_oneshot(struct pu_cli *c, struct pu_local *l, const char *verb,
		     struct pu_oneshot **po);

/* Opens, calls fn, closes; returns its exit code. */
int pu_local_run(struct pu_cli *c, bool warnings, int (*fn)(struct pu_cli *c, struct pu_local *l));

/* Name or peer ID → peer; 0 or an exit code. */
int pu_local_resolve(struct pu_cli *c, const struct pu_local *l, const char *text,
		     struct pu_peerid *peer);
/* The authorized_keys file: --file or that of the config. */
const char *pu_local_members_file(const struct pu_cli *c, const struct pu_local *l);
int pu_local_members(struct pu_cli *c, const struct pu_local *l, pu_member_warn_fn *warn,
		     void *warn_arg, struct pu_members **pset);
/* The identity; made when it is missing. The caller wipes it. */
int pu_local_key(struct pu_cli *c, const struct pu_local *l, struct pu_key *key);

/* Edits of the config: open, any number of pu_config_edit_…, save. */
int pu_local_edit(struct pu_cli *c, const struct pu_local *l, struct pu_config_edit **pe);
/* Checks, writes and closes e. r: result of the edits so far; when it is < 0, nothing
 * is written and place (the key in question) names the fault. */
int pu_local_save(struct pu_cli *c, const struct pu_local *l, PU_TAKES struct pu_config_edit *e,
		  int r, const char *place);

/* Asks a running daemon to take over edited files. True when one runs and did.
 * Whatever else happened is told on stderr: the files are right already. */
bool pu_local_reload(const struct pu_local *l);
/* The sentence for a person about that. */
const char *pu_local_applied_text(bool applied);

/* Remarks about a config file on stderr; returns the number of errors. */
size_t pu_local_show_diags(const struct pu_config_diags *d, const char *path, bool warnings);

#endif
