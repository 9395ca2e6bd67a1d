#include "daemon/paths.h"

#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

void pu_paths_env_get(struct pu_paths_env *env)
{
	*env = (struct pu_paths_env){
		.home = getenv("HOME"),
		.runtime_dir = getenv("PEERUP_RUNTIME_DIR"),
		.state_dir = getenv("STATE_DIRECTORY"),
		.sudo_uid = getenv("SUDO_UID"),
		.sudo_gid = getenv("SUDO_GID"),
		.euid = geteuid(),
		.egid = getegid(),
	};
}

static int copy(char *out, const char *s)
{
	size_t n = strlen(s);

	if (n >= PU_PATHS_LEN)
		return PU_ELIMIT;
	memcpy(out, s, n + 1);
	return 0;
}

int pu_paths_join(char *out, const char *dir, const char *name)
{
	size_t n = strlen(dir);
	const char *slash = n > 0 && dir[n - 1] == '/' ? "" : "/";

	if (name[0] == '/')
		return copy(out, name);
	return snprintf(out, PU_PATHS_LEN, "%s%s%s", dir, slash, name) < PU_PATHS_LEN ?
		       0 :
		       PU_ELIMIT;
}

static bool parse_id(const char *s, uint32_t *pv)
{
	char *end;
	unsigned long v;

	if (!s || !*s)
		return false;
	v = strtoul(s, &end, 10);
	if (*end || v > INT32_MAX)
		return false;
	*pv = (uint32_t)v;
	return true;
}

static bool home_of(uint32_t uid, char *out)
{
	const struct passwd *pw = getpwuid(uid);

	return pw && pw->pw_dir && pw->pw_dir[0] == '/' && copy(out, pw->pw_dir) == 0;
}

/* sudo leaves HOME at root's home, where nobody looks for his own configuration. A
 * HOME that was set on purpose is respected. */
static int find_home(struct pu_paths *p, const struct pu_paths_env *env)
{
	char root_home[PU_PATHS_LEN];
	uint32_t uid = 0, gid = 0;
	bool sudo = env->euid == 0 && parse_id(env->sudo_uid, &uid) && uid != 0 &&
		    parse_id(env->sudo_gid, &gid);
	struct stat st;

	if (!home_of(0, root_home))
		copy(root_home, "/root");
	if (sudo && (!env->home || strcmp(env->home, root_home) == 0)) {
		if (!home_of(uid, p->home))
			return PU_ESYS;
	} else if (env->home && env->home[0] == '/') {
		if (copy(p->home, env->home) < 0)
			return PU_ELIMIT;
	} else if (!home_of(env->euid, p->home)) {
		return PU_ESYS;
	}
	if (sudo && stat(p->home, &st) == 0 && st.st_uid == uid)
		p->owner = (struct pu_file_owner){ .set = true, .uid = uid, .gid = gid };
	return 0;
}

static bool in_dir(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && path[n] == '/';
}

static void parent_dir(const char *path, char *out)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == path ? 1 : (size_t)(slash - path);

	memcpy(out, path, n);
	out[n] = '\0';
}

/* "work" for dir/work/config.yaml. */
static const char *instance_in(const char *config, const char *dir,
			       char out[PU_PATHS_INSTANCE_MAX + 1])
{
	const char *name, *slash;
	size_t n;

	if (!in_dir(config, dir))
		return NULL;
	name = config + strlen(dir) + 1;
	slash = strchr(name, '/');
	n = slash ? (size_t)(slash - name) : 0;
	if (!slash || strchr(slash + 1, '/') || n == 0 || n > PU_PATHS_INSTANCE_MAX)
		return NULL;
	memcpy(out, name, n);
	out[n] = '\0';
	return pu_paths_instance_ok(out) ? out : NULL;
}

/* Root works for the account that the daemon of the system runs as. */
static void adopt_owner(struct pu_paths *p, const struct pu_paths_env *env, const char *dir)
{
	struct stat st;

	p->owner = (struct pu_file_owner){ .set = false };
	if (env->euid == 0 && stat(dir, &st) == 0 && st.st_uid != 0)
		p->owner =
			(struct pu_file_owner){ .set = true, .uid = st.st_uid, .gid = st.st_gid };
}

static int choose_runtime(struct pu_paths *p, const struct pu_paths_env *env)
{
	char name[PU_PATHS_INSTANCE_MAX + 1];

	if (env->runtime_dir && env->runtime_dir[0])
		return copy(p->runtime_dir, env->runtime_dir);
	if (instance_in(p->config, PU_PATHS_SYSTEM_DIR, name)) {
		snprintf(p->runtime_dir, sizeof p->runtime_dir, PU_PATHS_SYSTEM_RUN_DIR "-%s",
			 name);
		return 0;
	}
	if (in_dir(p->config, PU_PATHS_SYSTEM_DIR))
		return copy(p->runtime_dir, PU_PATHS_SYSTEM_RUN_DIR);
	if (instance_in(p->config, p->user_dir, name)) {
		parent_dir(p->config, p->runtime_dir);
		return 0;
	}
	return copy(p->runtime_dir, p->user_dir);
}

static int choose_state(struct pu_paths *p, const struct pu_paths_env *env)
{
	char name[PU_PATHS_INSTANCE_MAX + 1];
	int r = 0;

	if (env->state_dir && env->state_dir[0]) {
		r = copy(p->state_dir, env->state_dir);
		p->state_dir[strcspn(p->state_dir, ":")] = '\0'; /* systemd may list several */
	} else if (instance_in(p->config, PU_PATHS_SYSTEM_DIR, name)) {
		snprintf(p->state_dir, sizeof p->state_dir, PU_PATHS_SYSTEM_STATE_DIR "-%s", name);
	} else if (in_dir(p->config, PU_PATHS_SYSTEM_DIR)) {
		r = copy(p->state_dir, PU_PATHS_SYSTEM_STATE_DIR);
	} else if (p->config[0]) {
		parent_dir(p->config, p->state_dir);
	}
	return r;
}

/* Everything that follows from p->config. */
static int derive(struct pu_paths *p, const struct pu_paths_env *env)
{
	if (in_dir(p->config, PU_PATHS_SYSTEM_DIR))
		adopt_owner(p, env, PU_PATHS_SYSTEM_DIR);
	else if (in_dir(p->config, PU_PATHS_RELAY_DIR))
		adopt_owner(p, env, PU_PATHS_RELAY_DIR);
	if (choose_runtime(p, env) < 0 || choose_state(p, env) < 0 ||
	    pu_paths_join(p->socket, p->runtime_dir, "peerup.sock") < 0 ||
	    pu_paths_join(p->cookie, p->runtime_dir, ".daemon-cookie") < 0)
		return PU_ELIMIT;
	return 0;
}

static int make_absolute(char *out, const char *path)
{
	char cwd[PATH_MAX];

	if (path[0] == '/')
		return copy(out, path);
	if (!getcwd(cwd, sizeof cwd))
		return PU_ESYS;
	return pu_paths_join(out, cwd, path);
}

static int start(struct pu_paths *p, const struct pu_paths_env *env, struct pu_failure *why)
{
	int r;

	*p = (struct pu_paths){ 0 };
	r = find_home(p, env);
	if (r < 0)
		return pu_failure_set(why, r, "HOME", NULL, "no home directory is known");
	r = pu_paths_join(p->user_dir, p->home, ".config/peerup");
	if (r < 0)
		return pu_failure_set(why, r, "HOME", NULL, "the path is too long");
	return 0;
}

static int finish(struct pu_paths *p, const struct pu_paths_env *env, struct pu_failure *why)
{
	int r = derive(p, env);

	if (r < 0)
		return pu_failure_set(why, r, "config", NULL, "a path is too long");
	return 0;
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int search(struct pu_paths *p)
{
	char candidate[3][PU_PATHS_LEN];

	if (make_absolute(candidate[0], "peerup.yaml") < 0 ||
	    pu_paths_join(candidate[1], p->user_dir, PU_PATHS_CONFIG_NAME) < 0 ||
	    pu_paths_join(candidate[2], PU_PATHS_SYSTEM_DIR, PU_PATHS_CONFIG_NAME) < 0)
		return PU_ELIMIT;
	for (size_t i = 0; i < PU_ARRAY_LEN(candidate); i++)
		if (exists(candidate[i]))
			return copy(p->config, candidate[i]);
	return 0;
}

int pu_paths_find(struct pu_paths *p, const struct pu_paths_env *env, const char *config,
		  struct pu_failure *why)
{
	int r;

	if (config) {
		r = pu_paths_for_config(p, env, config, why);
		if (r == 0 && !exists(p->config))
			return pu_failure_set(why, PU_ENOENT, config, NULL,
					      "no such config file");
		return r;
	}
	r = start(p, env, why);
	if (r < 0)
		return r;
	r = search(p);
	if (r < 0)
		return pu_failure_set(why, r, "config", NULL, "a path is too long");
	return finish(p, env, why);
}

int pu_paths_for_config(struct pu_paths *p, const struct pu_paths_env *env, const char *config,
			struct pu_failure *why)
{
	int r = start(p, env, why);

	if (r < 0)
		return r;
	r = make_absolute(p->config, config);
	if (r < 0)
		return pu_failure_set(why, r, config, NULL, "the path is too long");
	return finish(p, env, why);
}

bool pu_paths_instance_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > PU_PATHS_INSTANCE_MAX || name[0] == '-' || name[n - 1] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

const char *pu_paths_instance_of(const struct pu_paths *p, char out[PU_PATHS_INSTANCE_MAX + 1])
{
	const char *name = instance_in(p->config, PU_PATHS_SYSTEM_DIR, out);

	return name ? name : instance_in(p->config, p->user_dir, out);
}

int pu_paths_instance(char *out, const struct pu_paths_env *env, const char *name,
		      struct pu_failure *why)
{
	char system[PU_PATHS_LEN];
	struct pu_paths p;
	int r = start(&p, env, why);

	if (r < 0)
		return r;
	if (snprintf(out, PU_PATHS_LEN, "%.900s/%s/" PU_PATHS_CONFIG_NAME, p.user_dir, name) >=
	    PU_PATHS_LEN)
		return pu_failure_set(why, PU_ELIMIT, name, NULL, "the path is too long");
	snprintf(system, sizeof system, PU_PATHS_SYSTEM_DIR "/%s/" PU_PATHS_CONFIG_NAME, name);
	if (!exists(out) && (exists(system) || env->euid == 0))
		return copy(out, system);
	return 0;
}
