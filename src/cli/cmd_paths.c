#include "base/err.h"
#include "cli/client.h"
#include "cli/cli.h"
#include "cli/out.h"
#include "cli/summary.h"

static void print_path(const struct pu_cli *c, const json_t *p)
{
	char id[PU_SUMMARY_TEXT_MAX], type[PU_SUMMARY_TEXT_MAX], transport[PU_SUMMARY_TEXT_MAX];
	char ip[PU_SUMMARY_TEXT_MAX], addr[PU_SUMMARY_TEXT_MAX], rtt[32] = "-";
	const json_t *ms = json_object_get(p, "last_rtt_ms");

	pu_summary_text(p, "path_type", type);
	if (ms)
		snprintf(rtt, sizeof rtt, "%.1f ms", json_number_value(ms));
	printf("%.16s...  %s%-7s%s  %-9s  %-7s  %9s  %s\n", pu_summary_text(p, "peer_id", id),
	       pu_out_on(c, strcmp(type, "DIRECT") == 0 ? PU_OUT_GREEN : PU_OUT_YELLOW), type,
	       pu_out_off(c), pu_summary_text(p, "transport", transport),
	       pu_summary_text(p, "ip_version", ip), rtt, pu_summary_text(p, "address", addr));
}

int pu_cmd_paths(struct pu_cli *c)
{
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	json_t *list = NULL;
	const json_t *v;
	size_t i;

	if (pu_client_find_paths(c, &paths) ||
	    pu_client_call(&cl, "GET", "/v1/paths", NULL, &list, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json(list);
	if (json_array_size(list) == 0)
		puts("No peer is connected.");
	json_array_foreach(list, i, v)
		print_path(c, v);
	json_decref(list);
	return PU_CLI_OK;
}
