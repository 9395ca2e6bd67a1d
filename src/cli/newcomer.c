#include "cli/newcomer.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/setup.h"

/* The place of --config, or that of `init`. *phave: there is one. */
static int find_place(struct pu_cli *c, struct pu_paths *paths, bool *phave)
{
	char config[PU_PATHS_LEN];
	struct pu_paths_env env;

	pu_paths_env_get(&env);
	if (c->config) {
		*phave = access(c->config, F_OK) == 0;
		return pu_paths_for_config(paths, &env, c->config, &c->why);
	}
	if (pu_paths_find(paths, &env, NULL, &c->why) < 0)
		return PU_CLI_FAILED;
	*phave = paths->config[0] != '\0';
	if (*phave)
		return 0;
	if (pu_paths_join(config, paths->user_dir, PU_PATHS_CONFIG_NAME) < 0)
		return pu_cli_fail(c, paths->user_dir, NULL, "the path is too long");
	return pu_paths_for_config(paths, &env, config, &c->why);
}

int pu_newcomer_ensure_config(struct pu_cli *c, const struct pu_code *code)
{
	char relay[PU_MULTIADDR_TEXT_MAX];
	const char *relays[] = { relay };
	struct pu_setup s = { .network = NULL };
	struct pu_paths paths;
	struct pu_peerid peer;
	bool have;
	int r;

	if (find_place(c, &paths, &have) < 0)
		return PU_CLI_FAILED;
	if (have)
		return 0;
	if (code && code->version != PU_CODE_INVITE_V3) {
		pu_multiaddr_text(&code->relay, relay);
		s.relays = relays;
		s.n_relays = 1;
		s.network = code->network[0] ? code->network : NULL;
	}
	r = pu_setup_node(c, &paths, &s, &peer);
	if (r == 0)
		fprintf(stderr, "Made a new config: %s\n", paths.config);
	return r;
}

/* The same program again, with its report on stderr: stdout belongs to what was asked for. */
static int spawn_up(struct pu_cli *c)
{
	static char self[] = "/proc/self/exe";
	char *argv[] = { (char *)"peerup-vpn", (char *)"up", NULL, NULL, NULL };
	posix_spawn_file_actions_t fa;
	int status, r;
	pid_t pid;

	if (c->config) {
		argv[2] = (char *)"--config";
		argv[3] = (char *)c->config;
	}
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, STDERR_FILENO, STDOUT_FILENO);
	r = posix_spawn(&pid, self, &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	if (r != 0)
		return pu_cli_fail(c, "up", "sudo peerup-vpn up", "%s",
				   pu_err_text(pu_err_from_errno(r)));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return pu_cli_fail(c, "up", "sudo peerup-vpn up",
				   "joined, but the network did not come up");
	return 0;
}

int pu_newcomer_up(struct pu_cli *c)
{
	if (geteuid() == 0 && !pu_cli_has(c, "no-up"))
		return spawn_up(c);
	fprintf(stderr, "Next: sudo peerup-vpn up\n");
	return 0;
}

int pu_newcomer_access(struct pu_cli *c, enum pu_access *pa)
{
	const char *text = pu_cli_flag(c, "access", 0);

	*pa = PU_ACCESS_SERVICES;
	if (text && pu_access_parse(text, pa) < 0)
		return pu_cli_misuse(c, "--access", "%s is neither services nor network", text);
	return 0;
}

const char *pu_newcomer_access_text(const char *access)
{
	return access && strcmp(access, "network") == 0 ?
		       "everything on this machine that listens (--access network)" :
		       "the services that this machine offers";
}
