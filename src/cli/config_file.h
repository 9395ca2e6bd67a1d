/* The config of the node or of the relay on this machine, as `config …` and `relay
 * config …` treat it alike. */
#ifndef PU_CLI_CONFIG_FILE_H
#define PU_CLI_CONFIG_FILE_H

#include "cli/cli.h"
#include "daemon/config_diff.h"

struct pu_config_file {
	bool relay;
	char path[PU_PATHS_LEN]; /* need not exist */
	struct pu_paths paths;   /* of a node; zero for a relay */
};

/* --config, or where the program looks for it. 0 or an exit code. */
int pu_config_file_find(struct pu_cli *c, bool relay, struct pu_config_file *f);
/* "peerup-vpn config confirm", with "relay" in it for a relay and --config where it was
 * given: for hints. Returns out. */
const char *pu_config_file_command(const struct pu_cli *c, const struct pu_config_file *f,
				   const char *action, char *out, size_t cap);

/* Reads the file at path, which may be another one than f->path, and checks it as if it
 * stood there; all remarks are shown. *ptext is the caller's. 0 or an exit code. */
int pu_config_file_read(struct pu_cli *c, const struct pu_config_file *f, const char *path,
			char **ptext, size_t *plen);
/* Whether such a text could be used, without a word about it. 0, PU_ECONFIG, … */
int pu_config_file_check(const struct pu_config_file *f, struct pu_bytes text);
/* Whether the file in place could. Also PU_ENOENT, PU_EPERM, … */
int pu_config_file_check_own(const struct pu_config_file *f);
/* What differs between two good texts and needs a restart. */
void pu_config_file_diff(const struct pu_config_file *f, struct pu_bytes a, struct pu_bytes b,
			 struct pu_config_diff *out);

#endif
