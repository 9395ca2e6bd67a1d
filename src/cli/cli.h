/* One invocation of the program: its command, flags and where its answers go. */
#ifndef PU_CLI_CLI_H
#define PU_CLI_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "daemon/failure.h"
#include "daemon/paths.h"

/* What scripts rely on. */
enum pu_cli_exit { PU_CLI_OK = 0, PU_CLI_FAILED = 1, PU_CLI_USAGE = 2 };

enum { PU_CLI_VALUES_MAX = 64, PU_CLI_ARGS_MAX = 64 };

struct pu_cli_flag {
	const char *name;  /* "relay", without dashes */
	char letter;       /* 'c' of -c; 0: none */
	const char *value; /* "ADDR": takes a value; NULL: a switch */
	const char *help;
};

struct pu_cli;

struct pu_cli_command {
	const char *noun, *verb; /* "auth", "add"; verb NULL: one word */
	const char *args;        /* "<peer id> [file]" */
	int min_args, max_args;
	const struct pu_cli_flag *flags; /* ends with name NULL; may be NULL */
	int (*run)(struct pu_cli *c);    /* enum pu_cli_exit */
	const char *help;
};

/* A flag as given; several of one name keep their order. */
struct pu_cli_value {
	const struct pu_cli_flag *flag;
	const char *text; /* "" for a switch */
};

struct pu_cli {
	const struct pu_cli_command *command;
	const char *arg[PU_CLI_ARGS_MAX]; /* positional, NULL behind the last */
	int n_args;
	struct pu_cli_value value[PU_CLI_VALUES_MAX];
	int n_values;
	const char *config; /* --config, or that of --instance; NULL: search */
	char instance_config[PU_PATHS_LEN];
	bool json, color;
	struct pu_failure why; /* set when the command fails */
};

/* The whole program; returns its exit code. */
int pu_cli_main(int argc, char **argv);

/* All commands, ending with noun NULL. */
extern const struct pu_cli_command pu_cli_commands[];

/* Value of the n-th flag of that name, NULL when there are not so many. */
const char *pu_cli_flag(const struct pu_cli *c, const char *name, int n);
bool pu_cli_has(const struct pu_cli *c, const char *name);

/* Reports by its return value: `return pu_cli_fail(c, …)`. */
int pu_cli_fail(struct pu_cli *c, const char *what, const char *hint, const char *why_fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* A flag or argument is wrong: exit code 2. */
int pu_cli_misuse(struct pu_cli *c, const char *what, const char *why_fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One function per command, in cmd_<noun>.c. */
int pu_cmd_init(struct pu_cli *c);
int pu_cmd_up(struct pu_cli *c);
int pu_cmd_down(struct pu_cli *c);
int pu_cmd_daemon(struct pu_cli *c);
int pu_cmd_daemon_show(struct pu_cli *c);
int pu_cmd_daemon_ping(struct pu_cli *c);
int pu_cmd_daemon_connect(struct pu_cli *c);
int pu_cmd_daemon_connections(struct pu_cli *c);
int pu_cmd_daemon_disconnect(struct pu_cli *c);
int pu_cmd_daemon_stop(struct pu_cli *c);
int pu_cmd_proxy(struct pu_cli *c);
int pu_cmd_send(struct pu_cli *c);
int pu_cmd_receive(struct pu_cli *c);
int pu_cmd_events(struct pu_cli *c);
int pu_cmd_vpn(struct pu_cli *c);
int pu_cmd_peer_services(struct pu_cli *c);
int pu_cmd_status(struct pu_cli *c);
int pu_cmd_whoami(struct pu_cli *c);
int pu_cmd_auth_add(struct pu_cli *c);
int pu_cmd_auth_list(struct pu_cli *c);
int pu_cmd_auth_set(struct pu_cli *c);
int pu_cmd_auth_remove(struct pu_cli *c);
int pu_cmd_auth_validate(struct pu_cli *c);
int pu_cmd_verify(struct pu_cli *c);
int pu_cmd_discover(struct pu_cli *c);
int pu_cmd_wake(struct pu_cli *c);
int pu_cmd_peer_set_mac(struct pu_cli *c);
int pu_cmd_name_add(struct pu_cli *c);
int pu_cmd_name_list(struct pu_cli *c);
int pu_cmd_name_remove(struct pu_cli *c);
int pu_cmd_service_add(struct pu_cli *c);
int pu_cmd_service_list(struct pu_cli *c);
int pu_cmd_service_remove(struct pu_cli *c);
int pu_cmd_service_enable(struct pu_cli *c);
int pu_cmd_service_disable(struct pu_cli *c);
int pu_cmd_peer_add(struct pu_cli *c);
int pu_cmd_peer_list(struct pu_cli *c);
int pu_cmd_peer_remove(struct pu_cli *c);
int pu_cmd_config(struct pu_cli *c);
int pu_cmd_relay_serve(struct pu_cli *c);
int pu_cmd_relay_setup(struct pu_cli *c);
int pu_cmd_relay_info(struct pu_cli *c);
int pu_cmd_relay_authorize(struct pu_cli *c);
int pu_cmd_relay_deauthorize(struct pu_cli *c);
int pu_cmd_relay_list_peers(struct pu_cli *c);
int pu_cmd_relay_pair(struct pu_cli *c);
int pu_cmd_relay_config(struct pu_cli *c);
int pu_cmd_relay_version(struct pu_cli *c);
int pu_cmd_relay_add(struct pu_cli *c);
int pu_cmd_relay_list(struct pu_cli *c);
int pu_cmd_relay_remove(struct pu_cli *c);
int pu_cmd_invite(struct pu_cli *c);
int pu_cmd_invite_list(struct pu_cli *c);
int pu_cmd_invite_cancel(struct pu_cli *c);
int pu_cmd_join(struct pu_cli *c);
int pu_cmd_ping(struct pu_cli *c);
int pu_cmd_traceroute(struct pu_cli *c);
int pu_cmd_paths(struct pu_cli *c);
int pu_cmd_why(struct pu_cli *c);
int pu_cmd_resolve(struct pu_cli *c);
int pu_cmd_version(struct pu_cli *c);
int pu_cmd_help(struct pu_cli *c);

#endif
