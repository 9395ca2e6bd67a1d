/* POST /v1/traceroute (reference §6.2). */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/api_internal.h"
#include "daemon/json_text.h"

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

/* Relays show what they are. */
static const char *name_of(const struct pu_trace_result *r, size_t i)
{
	return i + 1 < r->n_hops ? r->hop[i].agent : "";
}

static json_t *hop_json(const struct pu_trace_result *r, size_t i)
{
	char id[PU_PEERID_TEXT_MAX], addr[PU_MULTIADDR_TEXT_MAX], error[128];
	const struct pu_trace_hop *h = &r->hop[i];
	json_t *o = json_object();

	json_object_set_new(o, "hop", json_integer((json_int_t)i + 1));
	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(&h->peer, id)));
	if (name_of(r, i)[0])
		json_object_set_new(o, "name", pu_json_text(name_of(r, i)));
	if (h->addr.len)
		json_object_set_new(o, "address", json_string(pu_multiaddr_text(&h->addr, addr)));
	json_object_set_new(o, "rtt_ms", json_real(pu_api_ms(h->rtt)));
	if (h->err) {
		snprintf(error, sizeof error, "cannot reach peer: %s", pu_err_text(h->err));
		json_object_set_new(o, "error", json_string(error));
	}
	return o;
}

json_t *pu_api_trace_json(const char *target, const struct pu_peerid *peer,
			  const struct pu_trace_result *r)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *hops = json_array();

	for (size_t i = 0; i < r->n_hops; i++)
		json_array_append_new(hops, hop_json(r, i));
	return json_pack("{s:o, s:s, s:s, s:o}", "target", pu_json_text(target), "target_id",
			 pu_peerid_text(peer, id), "path", r->relayed ? "RELAYED" : "DIRECT",
			 "hops", hops);
}

static void print_trace(FILE *f, const struct trace *t, const struct pu_trace_result *r)
{
	char id[PU_PEERID_SHORT_MAX], addr[PU_MULTIADDR_TEXT_MAX];

	fprintf(f, "traceroute to %s (%s):\n", t->target, pu_peerid_short(&t->peer, id));
	for (size_t i = 0; i < r->n_hops; i++) {
		const struct pu_trace_hop *h = &r->hop[i];
		const char *name = h->err ? "" : name_of(r, i);

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
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (r->err) {
		pu_api_reply_error(t->rq, MHD_HTTP_BAD_GATEWAY, "cannot reach peer \"%s\": %s",
				   t->target, pu_err_text(r->err));
		return;
	}
	if (!t->text) {
		pu_api_reply(t->rq, MHD_HTTP_OK, pu_api_trace_json(t->target, &t->peer, r));
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
