/* relay pair: codes by which others join, made by the relay that runs here. */
#include <stdlib.h>
#include <time.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "cli/out.h"
#include "cli/relay_local.h"
#include "cli/summary.h"
#include "daemon/ask.h"
#include "daemon/config_value.h"
#include "daemon/relay_admin.h"

enum { TIMEOUT_MS = 10000, STATUS_OK = 200 };

/* Why nobody answered, in terms of the relay. */
static int no_relay(struct pu_cli *c, int err, const char *socket_path,
		    const struct pu_failure *why)
{
	char hint[256];

	if (err == PU_EREFUSED) {
		snprintf(hint, sizeof hint, "peerup-vpn relay serve%s%.200s",
			 c->config ? " --config " : "", c->config ? c->config : "");
		return pu_cli_fail(c, "relay", hint, "not running (%s)", socket_path);
	}
	if (err == PU_EPERM)
		return pu_cli_fail(c, socket_path, "the same command with sudo",
				   "the relay belongs to another user");
	return pu_cli_fail(c, strcmp(why->what, "daemon") == 0 ? "relay" : why->what, NULL, "%s",
			   why->why);
}

/* *pv: the answer. 0 or an exit code. */
static int ask(struct pu_cli *c, const char *method, const char *path, PU_TAKES json_t *body,
	       json_t **pv)
{
	char socket_path[PU_RELAY_ADMIN_PATH_MAX], cookie_path[PU_RELAY_ADMIN_PATH_MAX];
	struct pu_ask_target to = { .socket_path = socket_path, .cookie_path = cookie_path,
				    .timeout_ms = TIMEOUT_MS };
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct pu_failure why = { .what = "" };
	struct pu_ask_answer a = { .body = NULL };
	int r = pu_relay_admin_paths(pu_relay_local_path(c), socket_path, cookie_path);

	json_decref(body);
	if (r == 0)
		r = pu_ask(&to, method, path, text, &a, &why);
	free(text);
	if (r < 0)
		return no_relay(c, r, socket_path, &why);
	*pv = json_loadb(a.body, a.len, 0, NULL);
	free(a.body);
	if (*pv && a.status == STATUS_OK)
		return 0;
	r = pu_cli_fail(c, "relay", NULL, "%s",
			*pv && json_is_object(*pv) && json_object_get(*pv, "error")
				? json_string_value(json_object_get(*pv, "error"))
				: "an answer that makes no sense");
	json_decref(*pv);
	return r;
}

/* --- codes ------------------------------------------------------------------------ */

static const char *left(const char *expires_at, char out[PU_SUMMARY_TEXT_MAX])
{
	int64_t at;

	if (!expires_at || pu_rfc3339_parse(expires_at, &at) < 0)
		return "unknown";
	at -= time(NULL);
	return pu_summary_duration(at > 0 ? at : 0, out);
}

static void print_codes(const struct pu_cli *c, const json_t *v)
{
	const json_t *codes = json_object_get(v, "codes"), *code;
	char text[PU_SUMMARY_TEXT_MAX];
	size_t i, n = json_array_size(codes);

	printf("Pairing code%s generated (expires in %s):\n\n", n == 1 ? "" : "s",
	       left(json_string_value(json_object_get(v, "expires_at")), text));
	json_array_foreach(codes, i, code) {
		if (n > 1)
			printf("%sCode %zu:%s  ", pu_out_on(c, PU_OUT_FAINT), i + 1,
			       pu_out_off(c));
		printf("%s\n", json_string_value(code));
	}
	printf("\nGroup ID: %s\n\nOn each machine: peerup-vpn join <code>\n",
	       pu_summary_text(v, "group_id", text));
}

static int parse_seconds(struct pu_cli *c, const char *flag, const char *def, json_int_t *out)
{
	const char *text = pu_cli_flag(c, flag, 0);
	char what[32];
	pu_time t;

	if (!text)
		text = def;
	snprintf(what, sizeof what, "--%s", flag);
	if (pu_config_duration(text, &t) < 0 || (t > 0 && t < PU_SEC(1)))
		return pu_cli_misuse(c, what, "%s is not a duration such as 10m or 24h", text);
	*out = (json_int_t)(t / PU_SEC(1));
	return 0;
}

static int make(struct pu_cli *c)
{
	const char *count = pu_cli_flag(c, "count", 0), *network = pu_cli_flag(c, "namespace", 0);
	json_int_t ttl, expires;
	uint64_t n = 1;
	json_t *body, *v;
	int r = 0;

	if (count && (pu_config_uint(count, &n) < 0 || n < 1 || n > PU_GROUP_CODES_MAX))
		return pu_cli_misuse(c, "--count", "%s is not a number from 1 to %d", count,
				     PU_GROUP_CODES_MAX);
	if (network && *network && !pu_config_is_label(network))
		return pu_cli_misuse(c, "--namespace", "%s is not a name of 1 to 63 of a-z, 0-9 "
				     "and -", network);
	r = parse_seconds(c, "ttl", "1h", &ttl);
	if (r == 0)
		r = parse_seconds(c, "expires", "0", &expires);
	if (r)
		return r;
	if (ttl == 0)
		return pu_cli_misuse(c, "--ttl", "0 would make codes that nobody can use");
	body = json_pack("{s:I, s:I, s:I}", "count", (json_int_t)n, "ttl_seconds", ttl,
			 "expires_seconds", expires);
	if (network)
		json_object_set_new(body, "namespace", json_string(network));
	r = ask(c, "POST", "/v1/pair", body, &v);
	if (r)
		return r;
	if (c->json)
		return pu_out_json(v);
	print_codes(c, v);
	json_decref(v);
	return PU_CLI_OK;
}

/* --- groups ----------------------------------------------------------------------- */

static void print_group(const struct pu_cli *c, const json_t *g)
{
	const char *at = json_string_value(json_object_get(g, "expires_at"));
	char id[PU_SUMMARY_TEXT_MAX], name[PU_SUMMARY_TEXT_MAX], rest[PU_SUMMARY_TEXT_MAX];
	const json_t *p;
	int64_t when = 0;
	size_t i;

	if (at)
		(void)pu_rfc3339_parse(at, &when);
	printf("  %s  %lld/%lld used  ", pu_summary_text(g, "id", id),
	       (long long)json_integer_value(json_object_get(g, "used")),
	       (long long)json_integer_value(json_object_get(g, "total")));
	if (when > time(NULL))
		printf("active (%s remaining)\n", left(at, rest));
	else
		puts("expired");
	json_array_foreach(json_object_get(g, "peers"), i, p)
		printf("    %s%s%s%s%s\n", pu_summary_text(p, "peer_id", id),
		       pu_out_on(c, PU_OUT_FAINT),
		       json_string_length(json_object_get(p, "name")) ? "  # " : "",
		       pu_summary_text(p, "name", name), pu_out_off(c));
}

static int list(struct pu_cli *c)
{
	json_t *v, *g;
	size_t i;
	int r = ask(c, "GET", "/v1/pair", NULL, &v);

	if (r)
		return r;
	if (c->json)
		return pu_out_json(v);
	if (json_array_size(v) == 0)
		puts("No pairing groups.");
	else
		puts("Pairing groups:");
	json_array_foreach(v, i, g)
		print_group(c, g);
	json_decref(v);
	return PU_CLI_OK;
}

static int revoke_group(struct pu_cli *c, const char *id)
{
	char path[sizeof "/v1/pair/" + PU_GROUP_ID_MAX];
	json_t *v;
	int r;

	if (!pu_group_id_ok(pu_bytes_str(id)))
		return pu_cli_fail(c, id, "peerup-vpn relay pair --list", "not the ID of a group");
	snprintf(path, sizeof path, "/v1/pair/%s", id);
	r = ask(c, "DELETE", path, NULL, &v);
	if (r) {
		snprintf(c->why.hint, sizeof c->why.hint, "%s",
			 c->why.hint[0] ? c->why.hint : "peerup-vpn relay pair --list");
		return r;
	}
	json_decref(v);
	if (c->json)
		return pu_out_json(json_pack("{s:s, s:s}", "group_id", id, "status", "revoked"));
	printf("Pairing group %s revoked. Who has joined with it stays a member.\n", id);
	return PU_CLI_OK;
}

int pu_cmd_relay_pair(struct pu_cli *c)
{
	const char *id = pu_cli_flag(c, "revoke", 0);
	bool make_flags = pu_cli_has(c, "count") || pu_cli_has(c, "ttl") ||
			  pu_cli_has(c, "expires") || pu_cli_has(c, "namespace");

	if ((id && pu_cli_has(c, "list")) || (make_flags && (id || pu_cli_has(c, "list"))))
		return pu_cli_misuse(c, id ? "--revoke" : "--list", "stands alone");
	if (id)
		return revoke_group(c, id);
	return pu_cli_has(c, "list") ? list(c) : make(c);
}
