/* POST /v1/traceroute. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/api_internal.h"
#include "daemon/trace_json.h"

struct trace {
	struct pu_list node;
	struct pu_api *api;
	struct pu_http_request *rq;
	struct pu_peerid peer;
	char *target; /* as typed */
	bool text, busy;
	uint64_t id; /* when busy */
};

static void trace_free(struct trace *t)
{
	if (t->busy)
		t->api->ops->trace_cancel(t->api->ops_arg, t->id);
	pu_list_remove(&t->node);
	free(t->target);
	free(t);
}

static void print_trace(FILE *f, const struct trace *t, const struct pu_trace_result *r)
{
	char id[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	fprintf(f, "traceroute to %s (%s):\n", t->target, pu_peerid_short(&t->peer, id));
	for (size_t i = 0; i < r->n_hops; i++) {
		const struct pu_trace_hop *h = &r->hop[i];
		const char *name = h->err ? "" : pu_trace_name(r, i);

		fprintf(f, " %zu  %s%s%s%s  %s  ", i + 1, pu_peerid_short(&h->peer, id),
			name[0] ? " (" : "", name, name[0] ? ")" : "",
			pu_multiaddr_text(&h->addr, addr));
		if (h->err)
			fputs("*\n", f);
		else
			fprintf(f, "%.1fms\n", pu_api_ms(h->rtt));
	}
	fprintf(f, "--- path: [%s] ---\n", r->relayed ? "RELAYED" : "DIRECT");
}

static void reply(const struct trace *t, const struct pu_trace_result *r)
{
	char quoted[PU_API_QUOTE_MAX], *text = NULL;
	size_t len = 0;
	FILE *f;

	if (r->err) {
		pu_api_reply_error(t->rq, MHD_HTTP_BAD_GATEWAY, "cannot reach peer %s: %s",
				   pu_api_quote(t->target, quoted), pu_err_text(r->err));
		return;
	}
	if (!t->text) {
		pu_api_reply(t->rq, MHD_HTTP_OK, pu_trace_json(t->target, &t->peer, r));
		return;
	}
	f = open_memstream(&text, &len);
	if (f) {
		print_trace(f, t, r);
		fclose(f);
	}
	pu_api_reply_text(t->rq, text, len);
}

static void on_done(void *arg, const struct pu_trace_result *r)
{
	struct trace *t = arg;

	t->busy = false;
	reply(t, r);
	trace_free(t);
}

static void on_gone(void *arg)
{
	trace_free(arg);
}

void pu_api_post_trace(struct pu_api_call *c)
{
	struct pu_peerid peer;
	const char *target;
	struct trace *t;
	int r;

	if (!pu_api_body_peer(c, "peer", &peer, &target))
		return;
	t = calloc(1, sizeof *t);
	if (t)
		t->target = strdup(target);
	if (!t || !t->target) {
		free(t);
		pu_api_reply_text(c->rq, NULL, 0);
		return;
	}
	t->api = c->api;
	t->rq = c->rq;
	t->peer = peer;
	t->text = c->text;
	pu_list_append(&c->api->traces, &t->node);
	r = c->api->ops->trace(c->api->ops_arg, &peer, on_done, t, &t->id);
	if (r < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", pu_err_text(r));
		trace_free(t);
		return;
	}
	t->busy = true;
	pu_http_on_gone(c->rq, on_gone, t);
}

void pu_api_traces_drop(struct pu_api *api)
{
	PU_LIST_FOREACH (it, tmp, &api->traces)
		trace_free(PU_CONTAINER_OF(it, struct trace, node));
}
