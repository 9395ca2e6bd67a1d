#include <unistd.h>

#include "base/err.h"
#include "cli/prompt.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/relay_addr.h"
#include "cli/setup.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"

enum { RELAYS_MAX = 32, LINE_LEN = 700 };

struct answers {
	const char *relay[RELAYS_MAX];
	size_t n;
	char typed[PU_MULTIADDR_TEXT_MAX];
};

static int ask_relay(struct pu_cli *c, struct answers *a)
{
	char line[LINE_LEN], peer[LINE_LEN];
	int r;

	if (!pu_prompt("Relay (multiaddr or IP[:PORT], empty for none): ", line, sizeof line) ||
	    line[0] == '\0')
		return 0;
	if (line[0] != '/' && !pu_prompt("Peer ID of the relay: ", peer, sizeof peer))
		return pu_cli_fail(c, "init", NULL, "no answer");
	r = pu_relay_addr_parse(c, line, line[0] == '/' ? NULL : peer, a->typed);
	if (r == 0)
		a->relay[a->n++] = a->typed;
	return r;
}

static int collect(struct pu_cli *c, struct answers *a)
{
	const char *text, *network = pu_cli_flag(c, "network", 0);
	int r;

	if (network && !pu_config_is_label(network))
		return pu_cli_misuse(c, "--network", "a-z, 0-9 and '-' are allowed, at most 63");
	for (int i = 0; (text = pu_cli_flag(c, "relay", i)); i++) {
		if (a->n == RELAYS_MAX)
			return pu_cli_misuse(c, "--relay", "too many");
		r = pu_relay_addr_check(c, text);
		if (r)
			return r;
		a->relay[a->n++] = text;
	}
	if (a->n == 0 && !c->json && !pu_cli_has(c, "non-interactive") && isatty(STDIN_FILENO))
		return ask_relay(c, a);
	return 0;
}

static int parse_port(struct pu_cli *c, unsigned *pport)
{
	const char *text = pu_cli_flag(c, "port", 0);
	uint64_t v = 0;

	if (text && (pu_config_uint(text, &v) < 0 || v > 65535))
		return pu_cli_misuse(c, "--port", "%s is not a port, allowed is 0 to 65535", text);
	*pport = (unsigned)v;
	return 0;
}

static int find_place(struct pu_cli *c, struct pu_paths *paths)
{
	const char *dir = pu_cli_flag(c, "dir", 0);
	char config[PU_PATHS_LEN] = "";
	struct pu_paths_env env;

	pu_paths_env_get(&env);
	if (c->config && dir)
		return pu_cli_misuse(c, "--dir", "cannot be combined with --config");
	if (!c->config && dir && pu_paths_join(config, dir, PU_PATHS_CONFIG_NAME) < 0)
		return pu_cli_fail(c, dir, NULL, "the path is too long");
	if (!c->config && !dir) {
		/* The place is needed to derive the place: ask for the home first. */
		if (pu_paths_for_config(paths, &env, "/", &c->why) < 0 ||
		    pu_paths_join(config, paths->user_dir, PU_PATHS_CONFIG_NAME) < 0)
			return PU_CLI_FAILED;
	}
	return pu_paths_for_config(paths, &env, c->config ? c->config : config, &c->why) < 0 ?
		       PU_CLI_FAILED :
		       0;
}

int pu_cmd_init(struct pu_cli *c)
{
	struct pu_setup s = { .network = pu_cli_flag(c, "network", 0) };
	struct answers a = { .n = 0 };
	char id[PU_PEERID_TEXT_MAX];
	struct pu_paths paths;
	struct pu_peerid peer;
	int r = find_place(c, &paths);

	if (r == 0 && access(paths.config, F_OK) == 0)
		r = pu_cli_fail(c, paths.config, "peerup-vpn status",
				"there is a config already, it was not touched");
	if (r == 0)
		r = parse_port(c, &s.port);
	if (r == 0)
		r = collect(c, &a);
	s.relays = a.relay;
	s.n_relays = a.n;
	if (r == 0)
		r = pu_setup_node(c, &paths, &s, &peer);
	if (r)
		return r;
	if (c->json)
		return pu_out_json(json_pack("{s:o, s:s}", "config", pu_json_text(paths.config),
					     "peer_id", pu_peerid_text(&peer, id)));
	printf("Config:       %s\n", paths.config);
	pu_setup_next_steps(c, &peer);
	return PU_CLI_OK;
}
