/* Why a peer is reached as it is: everything the daemon knows about the ways to it. */
#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/summary.h"

static double number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void print_head(const struct pu_cli *c, const json_t *w)
{
	char name[PU_SUMMARY_TEXT_MAX], id[PU_SUMMARY_TEXT_MAX], path[PU_SUMMARY_TEXT_MAX];
	char reason[PU_SUMMARY_TEXT_MAX];

	pu_summary_text(w, "path", path);
	pu_summary_text(w, "name", name);
	printf("%s%s%s%s%s  %s%s%s\n", pu_out_on(c, PU_OUT_BOLD), name, name[0] ? "  " : "",
	       pu_summary_text(w, "peer_id", id), pu_out_off(c), path, path[0] ? ": " : "",
	       pu_summary_text(w, "reason", reason));
}

static void print_improvement(const json_t *w)
{
	const json_t *o = json_object_get(w, "improvement");
	char sought[PU_SUMMARY_TEXT_MAX], err[PU_SUMMARY_TEXT_MAX], next[PU_SUMMARY_TEXT_MAX];
	long long tries = json_integer_value(json_object_get(o, "tries"));

	pu_summary_text(o, "sought", sought);
	if (strcmp(sought, "nothing") == 0)
		return;
	printf("  wanted: %s, %lld %s so far", sought, tries, tries == 1 ? "try" : "tries");
	pu_summary_text(o, "last_error", err);
	pu_summary_text(o, "next_try", next);
	printf("%s%s%s%s%s\n", err[0] ? ", the last one: " : "", err, next[0] ? ", next at " : "",
	       next, json_is_true(json_object_get(o, "trying")) ? ", one under way" : "");
}

static void print_connection(const struct pu_cli *c, const json_t *v)
{
	char state[PU_SUMMARY_TEXT_MAX], type[PU_SUMMARY_TEXT_MAX], transport[PU_SUMMARY_TEXT_MAX];
	char addr[PU_SUMMARY_TEXT_MAX], since[PU_SUMMARY_TEXT_MAX], dir[PU_SUMMARY_TEXT_MAX];
	const json_t *rtt = json_object_get(v, "last_rtt_ms"),
		     *silent = json_object_get(v, "silent_ms");
	const json_t *limit = json_object_get(v, "limit");

	pu_summary_text(v, "state", state);
	printf("  %s%-7s%s  %s %s  %s  %s since %s",
	       pu_out_on(c, strcmp(state, "active") == 0 ? PU_OUT_GREEN :
			    strcmp(state, "suspect") == 0 ? PU_OUT_RED : PU_OUT_FAINT),
	       state, pu_out_off(c), pu_summary_text(v, "path_type", type),
	       pu_summary_text(v, "transport", transport), pu_summary_text(v, "address", addr),
	       pu_summary_text(v, "direction", dir), pu_summary_text(v, "since", since));
	if (rtt)
		printf("  rtt %.1f ms", json_number_value(rtt));
	if (silent)
		printf("  silent for %.1f s", json_number_value(silent) / 1000);
	if (limit)
		printf("  limit %.0f s, %.0f bytes", number(limit, "duration_seconds"),
		       number(limit, "data_bytes"));
	putchar('\n');
}

static void print_attempt(const json_t *t)
{
	char at[PU_SUMMARY_TEXT_MAX], stage[PU_SUMMARY_TEXT_MAX], result[PU_SUMMARY_TEXT_MAX];

	pu_summary_text(t, "result", result);
	printf("           %s  %s after %.0f ms%s%s\n", pu_summary_text(t, "at", at),
	       strcmp(result, "ok") == 0 ? "connected" : result, number(t, "took_ms"),
	       strcmp(result, "ok") == 0 ? "" : ", stage ",
	       strcmp(result, "ok") == 0 ? "" : pu_summary_text(t, "stage", stage));
}

static void print_address(const json_t *a)
{
	char addr[PU_SUMMARY_TEXT_MAX], source[PU_SUMMARY_TEXT_MAX];
	const json_t *list = json_object_get(a, "attempts"), *v;
	size_t i;

	printf("  address  %s  (", pu_summary_text(a, "address", addr));
	json_array_foreach(json_object_get(a, "sources"), i, v)
		printf("%s%s", i ? ", " : "",
		       pu_out_clean(json_string_value(v), source, sizeof source));
	putchar(')');
	if (!json_is_true(json_object_get(a, "usable")))
		printf("  no transport of ours");
	if (json_is_true(json_object_get(a, "dialing")))
		printf("  being dialled");
	if (json_object_get(a, "retry_in_ms"))
		printf("  not again for %.0f s", number(a, "retry_in_ms") / 1000);
	putchar('\n');
	if (json_array_size(list) == 0)
		puts("           never tried");
	json_array_foreach(list, i, v)
		print_attempt(v);
}

static void print_relay_dial(const json_t *d)
{
	char relay[PU_SUMMARY_TEXT_MAX], result[PU_SUMMARY_TEXT_MAX], status[PU_SUMMARY_TEXT_MAX];
	char at[PU_SUMMARY_TEXT_MAX];

	pu_summary_text(d, "status", status);
	printf("  relay    %.16s...  %s  %s%s%s\n", pu_summary_text(d, "relay", relay),
	       pu_summary_text(d, "at", at), pu_summary_text(d, "result", result),
	       status[0] ? ", it said " : "", status);
}

static void print_why(const struct pu_cli *c, const json_t *w)
{
	const json_t *v;
	size_t i;

	print_head(c, w);
	print_improvement(w);
	json_array_foreach(json_object_get(w, "connections"), i, v)
		print_connection(c, v);
	json_array_foreach(json_object_get(w, "addresses"), i, v)
		print_address(v);
	json_array_foreach(json_object_get(w, "relay_dials"), i, v)
		print_relay_dial(v);
	if (json_is_true(json_object_get(w, "udp_seems_blocked")))
		puts("  UDP seems to be blocked in this network.");
	if (json_is_true(json_object_get(w, "ipv6_seems_blocked")))
		puts("  IPv6 seems to be blocked in this network.");
}

static int why(struct pu_cli *c, struct pu_local *l)
{
	struct pu_client cl = { .paths = &l->paths };
	char path[32 + PU_PEERID_TEXT_MAX], id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;
	json_t *data = NULL;
	int r = pu_local_resolve(c, l, c->arg[0], &peer);

	if (r)
		return r;
	snprintf(path, sizeof path, "/v1/why/%s", pu_peerid_text(&peer, id));
	if (pu_client_call(&cl, "GET", path, NULL, &data, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json(data);
	print_why(c, data);
	json_decref(data);
	return PU_CLI_OK;
}

int pu_cmd_why(struct pu_cli *c)
{
	return pu_local_run(c, false, why);
}
