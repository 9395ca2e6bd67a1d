/* vpn and peer services: views of the running daemon. */
#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/summary.h"

int pu_cmd_vpn(struct pu_cli *c)
{
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	json_t *vpn;

	if (pu_client_find_paths(c, &paths) ||
	    pu_client_call(&cl, "GET", "/v1/vpn", NULL, &vpn, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json(vpn);
	pu_summary_vpn(c, vpn);
	json_decref(vpn);
	return PU_CLI_OK;
}

static void print_services(const struct pu_cli *c, const json_t *list)
{
	char name[PU_SUMMARY_TEXT_MAX], port[16];
	const json_t *v;
	size_t i;

	if (json_array_size(list) == 0)
		printf("%s offers no services to this node.\n", c->arg[0]);
	json_array_foreach(list, i, v) {
		json_int_t n = json_integer_value(json_object_get(v, "port"));

		snprintf(port, sizeof port, n ? "%lld" : "-", (long long)n);
		printf("%-20s port %s\n", pu_summary_text(v, "name", name), port);
	}
}

static int services(struct pu_cli *c, struct pu_local *l)
{
	struct pu_client cl = { .paths = &l->paths };
	char path[64 + PU_PEERID_TEXT_MAX], id[PU_PEERID_TEXT_MAX];
	struct pu_peerid peer;
	json_t *list;
	int r = pu_local_resolve(c, l, c->arg[0], &peer);

	if (r)
		return r;
	snprintf(path, sizeof path, "/v1/peers/%s/services", pu_peerid_text(&peer, id));
	if (pu_client_call(&cl, "GET", path, NULL, &list, &c->why) < 0)
		return PU_CLI_FAILED;
	if (c->json)
		return pu_out_json(list);
	print_services(c, list);
	json_decref(list);
	return PU_CLI_OK;
}

int pu_cmd_peer_services(struct pu_cli *c)
{
	return pu_local_run(c, false, services);
}
