#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "cli/background.h"
#include "cli/client.h"
#include "cli/heal.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/setup.h"
#include "cli/summary.h"
#include "cli/supervise.h"
#include "daemon/janitor.h"

enum { DOWN_TIMEOUT_MS = 15000 };

/* `up` on a new machine: the user wants to be in, not to read about init. */
static int ensure_config(struct pu_cli *c)
{
	const struct pu_setup none = { .network = NULL };
	char config[PU_PATHS_LEN];
	struct pu_paths_env env;
	struct pu_paths paths;
	struct pu_peerid peer;
	int r;

	pu_paths_env_get(&env);
	if (pu_paths_find(&paths, &env, c->config, &c->why) < 0)
		return PU_CLI_FAILED;
	if (paths.config[0])
		return 0;
	if (pu_paths_join(config, paths.user_dir, PU_PATHS_CONFIG_NAME) < 0 ||
	    pu_paths_for_config(&paths, &env, config, &c->why) < 0)
		return PU_CLI_FAILED;
	r = pu_setup_node(c, &paths, &none, &peer);
	if (r || c->json)
		return r;
	printf("Made a new config: %s\n", config);
	pu_setup_next_steps(c, &peer);
	putchar('\n');
	return 0;
}

static int show_up(struct pu_cli *c, struct pu_local *l, const char *log_path)
{
	struct pu_client cl = { .paths = &l->paths };
	json_t *status = NULL;
	int pid = 0;

	if (pu_client_call(&cl, "GET", "/v1/status", NULL, &status, &c->why) < 0)
		return PU_CLI_FAILED;
	pu_client_is_up(&l->paths, &pid);
	if (c->json) {
		json_object_set_new(status, "running", json_true());
		json_object_set_new(status, "pid", json_integer(pid));
		return pu_out_json(status);
	}
	pu_summary_node(c, status);
	json_decref(status);
	printf("  %s%-10s%s %s\n", pu_out_on(c, PU_OUT_FAINT), "log", pu_out_off(c), log_path);
	printf("\nStop with: sudo peerup-vpn down\n");
	return PU_CLI_OK;
}

/* A daemon answers already: fine when it has the device. */
static int already_up(struct pu_cli *c, struct pu_local *l, const char *log_path)
{
	struct pu_client cl = { .paths = &l->paths };
	json_t *status = NULL;
	bool up;

	if (pu_client_call(&cl, "GET", "/v1/status", NULL, &status, &c->why) < 0)
		return PU_CLI_FAILED;
	up = json_is_true(json_object_get(json_object_get(status, "vpn"), "up"));
	json_decref(status);
	if (!up)
		return pu_cli_fail(c, "daemon", "peerup-vpn down",
				   "one runs already, without a network device");
	if (!c->json)
		puts("Already up.");
	return show_up(c, l, log_path);
}

static int run_daemon(struct pu_cli *c, struct pu_local *l, bool force_vpn)
{
	struct pu_daemon_options opt = { .paths = l->paths, .force_vpn = force_vpn,
					 .why = &c->why };
	int r;

	/* The daemon reads the config itself; ours is only in the way. */
	pu_local_close(l);
	r = pu_supervise_node(&opt);
	return r < 0 ? pu_cli_fail(c, "daemon", NULL, "%s", pu_err_text(r)) : PU_CLI_OK;
}

static int up(struct pu_cli *c, struct pu_local *l)
{
	struct pu_daemon_options opt = { .paths = l->paths, .force_vpn = true };
	char log_path[PU_PATHS_LEN];
	int r;

	if (pu_paths_join(log_path, l->paths.state_dir, "peerup.log") < 0)
		return pu_cli_fail(c, l->paths.state_dir, NULL, "the path is too long");
	if (pu_client_is_up(&l->paths, NULL))
		return already_up(c, l, log_path);
	r = pu_file_make_dirs(l->paths.state_dir, 0700, &l->paths.owner);
	if (r < 0)
		return pu_cli_fail(c, l->paths.state_dir, NULL, "%s", pu_err_text(r));
	if (pu_cli_has(c, "foreground"))
		return run_daemon(c, l, true);
	/* Its log is a file, wherever ours goes. */
	if (!pu_cli_has(c, "log-format"))
		pu_log_set_fields(NULL);
	r = pu_background_start(&opt, log_path, &c->why);
	return r < 0 ? PU_CLI_FAILED : show_up(c, l, log_path);
}

int pu_cmd_up(struct pu_cli *c)
{
	int r = pu_out_set_log(c);

	if (r == 0)
		r = pu_heal(c, false);
	if (r == 0)
		r = ensure_config(c);
	return r ? r : pu_local_run(c, true, up);
}

static int run_foreground(struct pu_cli *c, struct pu_local *l)
{
	return run_daemon(c, l, false);
}

int pu_cmd_daemon(struct pu_cli *c)
{
	int r = pu_out_set_log(c);

	if (r == 0)
		r = pu_heal(c, false);
	return r ? r : pu_local_run(c, true, run_foreground);
}

/* Waits until the process is gone; true when it is. */
static bool await_end(int pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	if (fd < 0)
		return true; /* gone already */
	n = poll(&p, 1, DOWN_TIMEOUT_MS);
	close(fd);
	return n == 1;
}

int pu_cmd_down(struct pu_cli *c)
{
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	json_t *data = NULL;
	int pid = 0, r = pu_client_find_paths(c, &paths);

	if (r)
		return r;
	pu_client_is_up(&paths, &pid);
	r = pu_client_call(&cl, "POST", "/v1/shutdown", NULL, &data, &c->why);
	json_decref(data);
	if (r == PU_EREFUSED) {
		if (paths.config[0])
			pu_janitor_recover(paths.state_dir);
		c->why = (struct pu_failure){ .what = "" };
		if (c->json)
			return pu_out_json(json_pack("{s:s}", "status", "not running"));
		puts("Not running.");
		return PU_CLI_OK;
	}
	if (r < 0)
		return PU_CLI_FAILED;
	if (pid > 0 && !await_end(pid))
		return pu_cli_fail(c, "daemon", NULL, "process %d does not end", pid);
	if (c->json)
		return pu_out_json(json_pack("{s:s}", "status", "stopped"));
	puts("Down.");
	return PU_CLI_OK;
}
