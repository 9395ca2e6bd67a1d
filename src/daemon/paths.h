/* Where things are: the user behind sudo, the config file in use, state, control
 * socket. Both the daemon and the command line ask here, so they always agree. */
#ifndef PU_DAEMON_PATHS_H
#define PU_DAEMON_PATHS_H

#include "base/file.h"
#include "daemon/failure.h"

enum { PU_PATHS_LEN = 1024 }; /* longest path we handle, with terminator */

#define PU_PATHS_SYSTEM_DIR "/etc/peerup"
#define PU_PATHS_SYSTEM_RUN_DIR "/run/peerup"
#define PU_PATHS_SYSTEM_STATE_DIR "/var/lib/peerup"
#define PU_PATHS_CONFIG_NAME "config.yaml"

/* What the surroundings say; a test fills it by hand. Any pointer may be NULL. */
struct pu_paths_env {
	const char *home;        /* $HOME */
	const char *runtime_dir; /* $PEERUP_RUNTIME_DIR */
	const char *state_dir;   /* $STATE_DIRECTORY, from systemd */
	const char *sudo_uid, *sudo_gid;
	uint32_t euid, egid;
};

struct pu_paths {
	/* Who owns new files: the user behind sudo, when the home is really his; not
	 * set otherwise. */
	struct pu_file_owner owner;
	char home[PU_PATHS_LEN];
	char config[PU_PATHS_LEN];  /* absolute; "" when no config was found */
	char user_dir[PU_PATHS_LEN];   /* ~/.config/peerup */
	/* $STATE_DIRECTORY, else beside the config, but /var/lib/peerup for a config
	 * in /etc/peerup. */
	char state_dir[PU_PATHS_LEN];
	/* $PEERUP_RUNTIME_DIR, else user_dir, but /run/peerup for a config in
	 * /etc/peerup. */
	char runtime_dir[PU_PATHS_LEN];
	char socket[PU_PATHS_LEN];     /* runtime_dir/peerup.sock */
	char cookie[PU_PATHS_LEN];     /* runtime_dir/.daemon-cookie */
};

void pu_paths_env_get(struct pu_paths_env *env);

/* Finds the config: config (from --config, must exist) → ./peerup.yaml →
 * ~/.config/peerup/config.yaml → /etc/peerup/config.yaml. No config at all is not
 * an error: config and state_dir are "" then. PU_ENOENT: --config names nothing;
 * PU_ELIMIT: a path is too long; PU_ESYS: no home directory. */
int pu_paths_find(struct pu_paths *p, const struct pu_paths_env *env, const char *config,
		  struct pu_failure *why);
/* As above for a config file that need not exist yet. */
int pu_paths_for_config(struct pu_paths *p, const struct pu_paths_env *env, const char *config,
			struct pu_failure *why);
/* dir/name into out (PU_PATHS_LEN); name itself when it is absolute. PU_ELIMIT. */
int pu_paths_join(char *out, const char *dir, const char *name);

#endif
