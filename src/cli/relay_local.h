/* The files of a relay as commands read and edit them. */
#ifndef PU_CLI_RELAY_LOCAL_H
#define PU_CLI_RELAY_LOCAL_H

#include "cli/cli.h"
#include "daemon/relay_config.h"
#include "overlay/member.h"

struct pu_relay_local {
	const char *path; /* of the config: --config, or relay-server.yaml here */
	struct pu_relay_config *cfg;
	struct pu_file_owner owner; /* the user behind sudo */
};

/* --config, or relay-server.yaml in the working directory. */
const char *pu_relay_local_path(const struct pu_cli *c);
/* Who owns the relay's files: the user behind sudo, or the system's account for it. */
struct pu_file_owner pu_relay_local_owner(const struct pu_cli *c);
/* The same for the files beside a config that need not exist yet. */
struct pu_file_owner pu_relay_local_owner_of(const char *config);
/* Opens, calls fn, closes; returns its exit code. warnings: show them on stderr. */
int pu_relay_local_run(struct pu_cli *c, bool warnings,
		       int (*fn)(struct pu_cli *c, struct pu_relay_local *l));
/* Loads the config; all its errors are told. 0 or an exit code. */
int pu_relay_local_load(struct pu_cli *c, const char *path, bool warnings,
			struct pu_relay_config **pcfg);
/* The authorized keys; 0 or an exit code. */
int pu_relay_local_members(struct pu_cli *c, const struct pu_relay_local *l,
			   struct pu_members **pset);

#endif
