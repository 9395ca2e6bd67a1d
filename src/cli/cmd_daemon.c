/* daemon status, services, peers, paths, ping, connect, disconnect, stop: the answers of the
 * running daemon in its own words. Scripts for the Go program read them. */
#include <stdlib.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/out.h"
#include "cli/summary.h"
#include "daemon/config_value.h"
#include "daemon/json_text.h"

enum {
	PING_COUNT = 4,
	PING_INTERVAL_MS = 1000,
	PING_COUNT_MAX = 1000,
	PING_INTERVAL_MAX_MS = 60000,
	PING_EXTRA_MS = 60000, /* to connect and to answer */
};

/* Asks and prints the answer: its text form, or its data with --json. */
static int ask_and_print(struct pu_cli *c, struct pu_client *cl, const char *method,
			 const char *path, json_t *body)
{
	json_t *data;
	char *text;
	int r;

	if (c->json) {
		r = pu_client_call(cl, method, path, body, &data, &c->why);
		return r < 0 ? PU_CLI_FAILED : pu_out_json_indented(data);
	}
	r = pu_client_text(cl, method, path, body, &text, &c->why);
	if (r < 0)
		return PU_CLI_FAILED;
	pu_out_text(text);
	free(text);
	return PU_CLI_OK;
}

int pu_cmd_daemon_show(struct pu_cli *c)
{
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	char path[64];
	int r = pu_client_find_paths(c, &paths);

	snprintf(path, sizeof path, "/v1/%s%s", c->command->verb,
		 pu_cli_has(c, "all") ? "?all=true" : "");
	return r ? r : ask_and_print(c, &cl, "GET", path, NULL);
}

int pu_cmd_daemon_connections(struct pu_cli *c)
{
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	int r = pu_client_find_paths(c, &paths);

	return r ? r : ask_and_print(c, &cl, "GET", "/v1/connect", NULL);
}

static int take_number(struct pu_cli *c, const char *flag, uint64_t max, uint64_t *pv)
{
	const char *text = pu_cli_flag(c, flag, 0);

	if (text && (pu_config_uint(text, pv) < 0 || *pv == 0 || *pv > max))
		return pu_cli_misuse(c, flag, "%s is not a number from 1 to %llu", text,
				     (unsigned long long)max);
	return 0;
}

int pu_cmd_daemon_ping(struct pu_cli *c)
{
	uint64_t count = PING_COUNT, interval = PING_INTERVAL_MS;
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	int r = take_number(c, "count", PING_COUNT_MAX, &count);

	if (r == 0)
		r = take_number(c, "interval", PING_INTERVAL_MAX_MS, &interval);
	if (r == 0)
		r = pu_client_find_paths(c, &paths);
	if (r)
		return r;
	cl.timeout_ms = (int)(count * interval) + PING_EXTRA_MS;
	return ask_and_print(c, &cl, "POST", "/v1/ping",
			     json_pack("{s:o, s:I, s:I}", "peer", pu_json_text(c->arg[0]), "count",
				       (json_int_t)count, "interval_ms", (json_int_t)interval));
}

static int require(struct pu_cli *c, const char *flag, const char **pvalue)
{
	*pvalue = pu_cli_flag(c, flag, 0);
	if (*pvalue && **pvalue)
		return 0;
	return pu_cli_misuse(c, "daemon connect", "--peer, --service and --listen are required");
}

int pu_cmd_daemon_connect(struct pu_cli *c)
{
	char id[PU_SUMMARY_TEXT_MAX], addr[PU_SUMMARY_TEXT_MAX];
	const char *peer, *service, *listen;
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	json_t *data;
	int r = require(c, "peer", &peer);

	if (r == 0)
		r = require(c, "service", &service);
	if (r == 0)
		r = require(c, "listen", &listen);
	if (r == 0)
		r = pu_client_find_paths(c, &paths);
	if (r)
		return r;
	if (pu_client_call(&cl, "POST", "/v1/connect",
			   json_pack("{s:o, s:o, s:o}", "peer", pu_json_text(peer), "service",
				     pu_json_text(service), "listen", pu_json_text(listen)),
			   &data, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json_indented(data);
	printf("Proxy created: %s -> %s:%s (listen: %s)\n", pu_summary_text(data, "id", id), peer,
	       service, pu_summary_text(data, "listen_address", addr));
	json_decref(data);
	return PU_CLI_OK;
}

/* An answer of which only its coming matters. */
static int command(struct pu_cli *c, const char *method, const char *path, const char *said)
{
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	json_t *data;
	int r = pu_client_find_paths(c, &paths);

	if (r)
		return r;
	if (pu_client_call(&cl, method, path, NULL, &data, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json_indented(data);
	json_decref(data);
	puts(said);
	return PU_CLI_OK;
}

int pu_cmd_daemon_disconnect(struct pu_cli *c)
{
	char path[PU_ASK_PATH_MAX] = "/v1/connect/";
	size_t n = strlen(path);

	if (!c->arg[0][0] || pu_ask_escape(c->arg[0], path + n, sizeof path - n) < 0)
		return pu_cli_misuse(c, c->arg[0], "not the id of a proxy");
	return command(c, "DELETE", path, "Proxy disconnected.");
}

int pu_cmd_daemon_stop(struct pu_cli *c)
{
	return command(c, "POST", "/v1/shutdown", "Shutdown requested.");
}
