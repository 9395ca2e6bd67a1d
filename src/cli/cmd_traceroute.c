#include "base/err.h"
#include "cli/client.h"
#include "cli/local.h"
#include "cli/out.h"
#include "cli/show_trust.h"
#include "cli/summary.h"
#include "daemon/oneshot.h"
#include "daemon/trace_json.h"

static void print_hop(const json_t *h)
{
	char id[PU_SUMMARY_TEXT_MAX], name[PU_SUMMARY_TEXT_MAX], addr[PU_SUMMARY_TEXT_MAX];
	bool lost = json_object_get(h, "error") != NULL;

	pu_summary_text(h, "name", name);
	if (lost)
		name[0] = '\0';
	printf(" %lld  %.16s...%s%s%s  %s  ",
	       (long long)json_integer_value(json_object_get(h, "hop")),
	       pu_summary_text(h, "peer_id", id), name[0] ? " (" : "", name, name[0] ? ")" : "",
	       pu_summary_text(h, "address", addr));
	if (lost)
		puts("*");
	else
		printf("%.1fms\n", json_number_value(json_object_get(h, "rtt_ms")));
}

static void print_trace(const struct pu_cli *c, const json_t *t, const struct pu_peerid *peer,
			bool by_daemon)
{
	char id[PU_PEERID_SHORT_MAX], path[PU_SUMMARY_TEXT_MAX];
	const json_t *h;
	size_t i;

	printf("traceroute to %s (%s)%s\n", c->arg[0], pu_peerid_short(peer, id),
	       by_daemon ? ":" : "");
	json_array_foreach(json_object_get(t, "hops"), i, h)
		print_hop(h);
	printf("--- path: [%s] ---\n", pu_summary_text(t, "path", path));
}

/* Without a daemon this process is the node for as long as it asks. */
static int trace_directly(struct pu_cli *c, struct pu_local *l, const struct pu_peerid *peer,
			  json_t **pdata)
{
	struct pu_trace_result found;
	struct pu_oneshot *o;
	int r = pu_local_oneshot(c, l, "asking", &o);

	if (r)
		return r;
	pu_oneshot_trace(o, peer, &found);
	pu_oneshot_free(o);
	if (found.err)
		return pu_cli_fail(c, c->arg[0], NULL, "cannot reach peer: %s",
				   pu_err_text(found.err));
	*pdata = pu_trace_json(c->arg[0], peer, &found);
	return 0;
}

static int trace(struct pu_cli *c, struct pu_local *l)
{
	struct pu_client cl = { .paths = &l->paths };
	bool by_daemon = pu_client_is_up(&l->paths, NULL);
	struct pu_peerid peer;
	const char *trust;
	json_t *data = NULL;
	int r = pu_local_resolve(c, l, c->arg[0], &peer);

	if (r)
		return r;
	if (!by_daemon)
		r = trace_directly(c, l, &peer, &data);
	else if (pu_client_call(&cl, "POST", "/v1/traceroute",
				json_pack("{s:s}", "peer", c->arg[0]), &data, &c->why) < 0)
		r = PU_CLI_FAILED;
	if (r)
		return r;
	trust = by_daemon ? pu_show_trust(c, l, c->arg[0], &peer) : NULL;
	if (c->json && trust)
		json_object_set_new(data, "verification", json_string(trust));
	if (c->json)
		return pu_out_json(data);
	print_trace(c, data, &peer, by_daemon);
	json_decref(data);
	return PU_CLI_OK;
}

int pu_cmd_traceroute(struct pu_cli *c)
{
	return pu_local_run(c, false, trace);
}
