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
#define PU_PATHS_RELAY_DIR "/etc/peerup-relay"

/* Longest name of a network beside the ordinary one ("work"): with "pu-" in front it names
 * an interface. */
enum { PU_PATHS_INSTANCE_MAX = 12 };

/* What the surroundings say; a test fills it by hand. Any pointer may be NULL. */
struct pu_paths_env {
	const char *home;        /* $HOME */
	const char *runtime_dir; /* $PEERUP_RUNTIME_DIR */
	const char *state_dir;   /* $STATE_DIRECTORY, from systemd */
	const char *sudo_uid, *sudo_gid;
	uint32_t euid, egid;
};

struct pu_paths {
	/* Who owns new files: the user behind sudo, when the home is really his; of a config
	 * in /etc/peerup or /etc/peerup-relay the owner of that directory, when he is not root;
	 * not set otherwise. */
	struct pu_file_owner owner;
	char home[PU_PATHS_LEN];
	char config[PU_PATHS_LEN];  /* absolute; "" when no config was found */
	char user_dir[PU_PATHS_LEN];   /* ~/.config/peerup */
	/* $STATE_DIRECTORY, else beside the config, but /var/lib/peerup for a config
	 * in /etc/peerup, and /var/lib/peerup-work for one in /etc/peerup/work. */
	char state_dir[PU_PATHS_LEN];
	/* $PEERUP_RUNTIME_DIR, else user_dir, but /run/peerup for a config in
	 * /etc/peerup, /run/peerup-work for one in /etc/peerup/work, and user_dir/work for
	 * one there. */
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
/* The config of the network of that name: ~/.config/peerup/<name>/config.yaml when it is
 * there, else /etc/peerup/<name>/config.yaml when that is there or we are root, else the
 * former. name is checked with pu_paths_instance_ok(). PU_ELIMIT, PU_ESYS. */
int pu_paths_instance(char *out, const struct pu_paths_env *env, const char *name,
		      struct pu_failure *why);
/* 1 to 12 of a-z, 0-9 and '-', no '-' at the ends. */
bool pu_paths_instance_ok(const char *name);
/* The name in the path of such a config, NULL when it is another one. */
const char *pu_paths_instance_of(const struct pu_paths *p, char out[PU_PATHS_INSTANCE_MAX + 1]);
/* dir/name into out (PU_PATHS_LEN); name itself when it is absolute. PU_ELIMIT. */
int pu_paths_join(char *out, const char *dir, const char *name);

#endif
