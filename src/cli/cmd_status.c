#include <time.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/summary.h"
#include "daemon/json_text.h"

/* What the daemon's own answer says, with the peers beside it. */
static int show_running(struct pu_cli *c, json_t *status, json_t *peers)
{
	const json_t *dns = json_object_get(json_object_get(status, "vpn"), "dns");
	char suffix[PU_SUMMARY_TEXT_MAX];

	json_object_set(status, "peers", peers);
	if (c->json) {
		json_object_set_new(status, "running", json_true());
		return pu_out_json(json_incref(status));
	}
	pu_summary_node(c, status);
	pu_summary_peers(c, status, pu_summary_text(dns, "suffix", suffix));
	return PU_CLI_OK;
}

static int show_files(struct pu_cli *c, struct pu_local *l)
{
	char id[PU_PEERID_TEXT_MAX];
	struct pu_members *set;
	struct pu_key key;
	size_t n;
	int r = pu_local_key(c, l, &key);

	if (r)
		return r;
	pu_peerid_text(&key.peer, id);
	pu_key_deinit(&key);
	r = pu_local_members(c, l, NULL, NULL, &set);
	if (r)
		return r;
	n = pu_member_count(set);
	pu_member_free(set);
	if (c->json)
		return pu_out_json(json_pack("{s:b, s:s, s:o, s:s, s:i, s:i, s:i}", "running", 0,
					     "peer_id", id, "config",
					     pu_json_text(l->paths.config), "network",
					     l->cfg->network, "authorized_peers", (int)n,
					     "services_count", (int)l->cfg->n_services,
					     "names_count", (int)l->cfg->n_names));
	printf("%snot running%s  start with: sudo peerup-vpn up\n", pu_out_on(c, PU_OUT_YELLOW),
	       pu_out_off(c));
	printf("  Peer ID:          %s\n  Config:           %s\n  Network:          %s\n", id,
	       l->paths.config, l->cfg->network[0] ? l->cfg->network : "global (default)");
	printf("  Authorized peers: %zu\n  Services:         %zu\n  Names:            %zu\n", n,
	       l->cfg->n_services, l->cfg->n_names);
	return PU_CLI_OK;
}

int pu_cmd_status(struct pu_cli *c)
{
	json_t *status = NULL, *peers = NULL;
	struct pu_failure why = { .what = "" };
	struct pu_paths paths;
	struct pu_client cl = { .paths = &paths };
	int r = pu_client_find_paths(c, &paths);

	if (r)
		return r;
	r = pu_client_call(&cl, "GET", "/v1/status", NULL, &status, &why);
	if (r == PU_EREFUSED)
		return pu_local_run(c, true, show_files);
	if (r == 0)
		r = pu_client_call(&cl, "GET", "/v1/peers", NULL, &peers, &why);
	if (r < 0) {
		json_decref(status);
		c->why = why;
		return PU_CLI_FAILED;
	}
	r = show_running(c, status, peers);
	json_decref(status);
	json_decref(peers);
	return r;
}
