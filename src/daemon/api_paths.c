/* GET /v1/paths and /v1/why/{peer}. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "daemon/api_internal.h"
#include "daemon/json_text.h"

static void set_time(json_t *o, const char *key, int64_t unix_s)
{
	char when[PU_RFC3339_MAX];

	json_object_set_new(o, key, json_string(pu_rfc3339_text(unix_s, when)));
}

static void set_addr(json_t *o, const char *key, const struct pu_multiaddr *ma)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	json_object_set_new(o, key, json_string(pu_multiaddr_text(ma, text)));
}

/* The fields of the reference, in its order. */
static json_t *path_json(const struct pu_api_path *p)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(&p->peer, id)));
	json_object_set_new(o, "path_type", json_string(p->path));
	set_addr(o, "address", p->remote);
	set_time(o, "connected_at", p->connected_at);
	json_object_set_new(o, "transport", json_string(p->transport));
	json_object_set_new(o, "ip_version", json_string(p->ip_version));
	if (p->rtt)
		json_object_set_new(o, "last_rtt_ms", json_real(pu_api_ms(p->rtt)));
	return o;
}

static void add_path(void *arg, const struct pu_api_path *p)
{
	struct pu_api_list *to = arg;
	char id[PU_PEERID_SHORT_MAX];

	if (to->array) {
		json_array_append_new(to->array, path_json(p));
		return;
	}
	fprintf(to->text, "%s\t%s\t%s\t%s\trtt=", pu_peerid_short(&p->peer, id), p->path,
		p->transport, p->ip_version);
	if (p->rtt)
		fprintf(to->text, "%.1fms\n", pu_api_ms(p->rtt));
	else
		fputs("-\n", to->text);
}

void pu_api_get_paths(struct pu_api_call *c)
{
	struct pu_api_list to;

	if (!pu_api_list_begin(c, &to))
		return;
	c->api->ops->each_path(c->api->ops_arg, add_path, &to);
	pu_api_list_reply(c, &to);
}

/* --- why ---------------------------------------------------------------------------- */

static const char *state_text(enum pu_host_path_state s)
{
	switch (s) {
	case PU_HOST_PATH_ACTIVE:
		return "active";
	case PU_HOST_PATH_STANDBY:
		return "standby";
	case PU_HOST_PATH_SUSPECT:
		break;
	}
	return "suspect";
}

static void add_limit(json_t *o, const struct pu_api_path *p)
{
	json_t *limit;

	if (!p->has_limit)
		return;
	limit = json_object();
	json_object_set_new(limit, "duration_seconds",
			    json_integer((json_int_t)(p->limit_duration / PU_SEC(1))));
	json_object_set_new(limit, "data_bytes", json_integer((json_int_t)p->limit_data));
	json_object_set_new(o, "limit", limit);
}

static json_t *connection_json(const struct pu_api_path *p)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *o = path_json(p);
	struct pu_peerid relay;

	json_object_del(o, "peer_id");
	json_object_set_new(o, "state", json_string(state_text(p->state)));
	set_time(o, "since", p->since);
	json_object_set_new(o, "direction", json_string(p->inbound ? "inbound" : "outbound"));
	json_object_set_new(o, "streams", json_integer(p->n_streams));
	json_object_set_new(o, "rx_bytes", json_integer((json_int_t)p->rx_bytes));
	json_object_set_new(o, "tx_bytes", json_integer((json_int_t)p->tx_bytes));
	json_object_set_new(o, "times_silent", json_integer(p->n_suspected));
	if (p->silent)
		json_object_set_new(o, "silent_ms", json_real(pu_api_ms(p->silent)));
	if (pu_host_relay_of(p->remote, &relay))
		json_object_set_new(o, "relay", json_string(pu_peerid_text(&relay, id)));
	add_limit(o, p);
	return o;
}

static json_t *attempt_json(const struct pu_api_why *w, const struct pu_addr_attempt *t)
{
	json_t *o = json_object();

	set_time(o, "at", w->clock + (int64_t)(t->at / PU_SEC(1)));
	json_object_set_new(o, "took_ms", json_real(pu_api_ms(t->took)));
	json_object_set_new(o, "stage", json_string(pu_dial_stage_text(t->stage)));
	json_object_set_new(o, "result",
			    json_string(t->err == 0 ? "ok" :
					t->stage == PU_DIAL_OVERTAKEN ? "another one was faster" :
									pu_err_text(t->err)));
	return o;
}

static json_t *sources_json(unsigned sources)
{
	json_t *a = json_array();

	for (int s = 0; s < PU_ADDR_N_SOURCES; s++)
		if (sources & 1u << s)
			json_array_append_new(a, json_string(pu_addr_source_text(s)));
	return a;
}

static json_t *address_json(const struct pu_api_why *w, const struct pu_host_candidate *c)
{
	json_t *o = json_object(), *attempts = json_array();

	set_addr(o, "address", &c->ma);
	json_object_set_new(o, "path_type",
			    json_string(c->worth == PU_WORTH_RELAYED ? "RELAYED" : "DIRECT"));
	json_object_set_new(o, "sources", sources_json(c->sources));
	json_object_set_new(o, "usable", json_boolean(c->usable));
	json_object_set_new(o, "dialing", json_boolean(c->dialing));
	if (c->retry_at > w->now)
		json_object_set_new(o, "retry_in_ms", json_real(pu_api_ms(c->retry_at - w->now)));
	for (size_t i = 0; i < c->n_attempts; i++)
		json_array_append_new(attempts, attempt_json(w, &c->attempt[i]));
	json_object_set_new(o, "attempts", attempts);
	return o;
}

static json_t *relay_dial_json(const struct pu_api_relay_dial *d)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "relay", json_string(pu_peerid_text(&d->relay, id)));
	set_time(o, "at", d->at);
	json_object_set_new(o, "result", json_string(d->err ? pu_err_text(d->err) : "ok"));
	if (d->status)
		json_object_set_new(o, "status", json_string(d->status));
	return o;
}

static json_t *improvement_json(const struct pu_api_why *w)
{
	json_t *o = json_object();

	json_object_set_new(o, "sought", json_string(w->goal));
	json_object_set_new(o, "trying", json_boolean(w->trying));
	json_object_set_new(o, "tries", json_integer(w->tries));
	if (w->last_error)
		json_object_set_new(o, "last_error", json_string(w->last_error));
	if (w->next_try)
		set_time(o, "next_try", w->next_try);
	return o;
}

static json_t *why_json(const struct pu_api_why *w, const struct pu_peerid *peer)
{
	json_t *conns = json_array(), *addrs = json_array(), *dials = json_array();
	char id[PU_PEERID_TEXT_MAX];
	json_t *o = json_object();

	for (size_t i = 0; i < w->n_paths; i++)
		json_array_append_new(conns, connection_json(&w->path[i]));
	for (size_t i = 0; i < w->n_addrs; i++)
		json_array_append_new(addrs, address_json(w, &w->addr[i]));
	for (size_t i = 0; i < w->n_relay_dials; i++)
		json_array_append_new(dials, relay_dial_json(&w->relay_dial[i]));
	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(peer, id)));
	if (w->name)
		json_object_set_new(o, "name", pu_json_text(w->name));
	json_object_set_new(o, "connected", json_boolean(w->n_paths > 0));
	json_object_set_new(o, "path", json_string(w->n_paths ? w->path[0].path : ""));
	json_object_set_new(o, "reason", pu_json_text(w->reason));
	json_object_set_new(o, "improvement", improvement_json(w));
	json_object_set_new(o, "connections", conns);
	json_object_set_new(o, "addresses", addrs);
	json_object_set_new(o, "relay_dials", dials);
	json_object_set_new(o, "udp_seems_blocked", json_boolean(w->black_holes.udp));
	json_object_set_new(o, "ipv6_seems_blocked", json_boolean(w->black_holes.ip6));
	return o;
}

void pu_api_get_why(struct pu_api_call *c)
{
	struct pu_api_why *w;
	struct pu_peerid peer;
	bool from_id;
	int r;

	if (c->api->ops->resolve(c->api->ops_arg, c->param, &peer, &from_id) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "name not found: %s", c->param);
		return;
	}
	w = calloc(1, sizeof *w); /* too large for a stack frame */
	if (!w) {
		pu_api_reply_text(c->rq, NULL, 0);
		return;
	}
	r = c->api->ops->why(c->api->ops_arg, &peer, w);
	if (r < 0)
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "nothing is known about %s",
				   c->param);
	else
		pu_api_reply(c->rq, MHD_HTTP_OK, why_json(w, &peer));
	free(w);
}
