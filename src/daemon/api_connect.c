/* GET and POST /v1/connect, DELETE /v1/connect/{id}. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/api_internal.h"
#include "daemon/json_text.h"
#include "overlay/service.h"

/* A request whose peer is still being reached. */
struct connect {
	struct pu_list node;
	struct pu_api *api;
	struct pu_http_request *rq;
	char *target; /* as typed */
	bool busy;
	uint64_t id; /* when busy */
};

static void connect_free(struct connect *n)
{
	if (n->busy)
		n->api->ops->connect_cancel(n->api->ops_arg, n->id);
	pu_list_remove(&n->node);
	free(n->target);
	free(n);
}

static void reply_connected(const struct connect *n, const struct pu_api_connected *r)
{
	char id[32], quoted[PU_API_QUOTE_MAX];

	if (r->err && r->unreachable) {
		pu_api_reply_error(n->rq, MHD_HTTP_BAD_GATEWAY, "cannot reach peer %s: %s",
				   pu_api_quote(n->target, quoted), r->why);
	} else if (r->err) {
		pu_api_reply_error(n->rq, MHD_HTTP_INTERNAL_SERVER_ERROR,
				   "failed to create listener: %s", r->why);
	} else {
		snprintf(id, sizeof id, "proxy-%llu", (unsigned long long)r->id);
		pu_api_reply(n->rq, MHD_HTTP_OK, json_pack("{s:s, s:s}", "id", id,
							    "listen_address", r->listen));
	}
}

static void on_connected(void *arg, const struct pu_api_connected *r)
{
	struct connect *n = arg;

	n->busy = false;
	reply_connected(n, r);
	connect_free(n);
}

static void on_gone(void *arg)
{
	connect_free(arg);
}

static struct connect *connect_new(struct pu_api_call *c, const char *target)
{
	struct connect *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	n->api = c->api;
	n->rq = c->rq;
	n->target = strdup(target);
	if (!n->target) {
		free(n);
		return NULL;
	}
	pu_list_append(&c->api->connects, &n->node);
	return n;
}

static void start(struct pu_api_call *c, const struct pu_api_connect *want)
{
	struct connect *n = connect_new(c, want->target);
	char quoted[PU_API_QUOTE_MAX];
	int r;

	if (!n) {
		pu_api_reply_text(c->rq, NULL, 0);
		return;
	}
	r = c->api->ops->connect(c->api->ops_arg, want, on_connected, n, &n->id);
	if (r == 0) {
		n->busy = true;
		pu_http_on_gone(c->rq, on_gone, n);
		return;
	}
	if (r == PU_EINVAL)
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR,
				   "failed to create listener: %s is not host:port",
				   pu_api_quote(want->listen, quoted));
	else
		pu_api_reply_error(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, "%s", pu_err_text(r));
	connect_free(n);
}

void pu_api_post_connect(struct pu_api_call *c)
{
	struct pu_api_connect want = { .service = pu_api_body_need(c, "service"),
				       .listen = pu_api_body_need(c, "listen") };
	char quoted[PU_API_QUOTE_MAX];

	if (!pu_api_body_need(c, "peer") || !want.service || !want.listen)
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "peer, service, and listen are required");
	else if (pu_service_name_check_open(want.service) < 0)
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "invalid service name: %s " PU_SERVICE_NAME_RULE,
				   pu_api_quote(want.service, quoted));
	else if (pu_api_body_peer(c, "peer", &want.peer, &want.target))
		start(c, &want);
}

/* "proxy-7" → 7; 0: no such ID. */
static uint64_t proxy_id(const char *text)
{
	static const char prefix[] = "proxy-";
	const char *digits = text + sizeof prefix - 1;

	if (strncmp(text, prefix, sizeof prefix - 1) != 0 || *digits == '0' ||
	    strlen(digits) > 18 || strspn(digits, "0123456789") != strlen(digits))
		return 0;
	return strtoull(digits, NULL, 10);
}

void pu_api_delete_connect(struct pu_api_call *c)
{
	uint64_t id = proxy_id(c->param);

	if (id == 0 || c->api->ops->disconnect(c->api->ops_arg, id) < 0)
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "proxy not found: %s", c->param);
	else
		pu_api_reply(c->rq, MHD_HTTP_OK, json_pack("{s:s}", "status", "disconnected"));
}

static json_t *proxy_json(const struct pu_api_proxy *p)
{
	char id[32], peer[PU_PEERID_TEXT_MAX];
	json_t *o = json_object();

	snprintf(id, sizeof id, "proxy-%llu", (unsigned long long)p->id);
	json_object_set_new(o, "id", json_string(id));
	json_object_set_new(o, "peer", pu_json_text(p->target));
	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(&p->peer, peer)));
	json_object_set_new(o, "service", json_string(p->service));
	json_object_set_new(o, "listen_address", json_string(p->listen));
	json_object_set_new(o, "active_connections", json_integer(p->active));
	json_object_set_new(o, "connections", json_integer((json_int_t)p->opened));
	json_object_set_new(o, "failed", json_integer((json_int_t)p->failed));
	if (p->last_error)
		json_object_set_new(o, "last_error", json_string(p->last_error));
	return o;
}

static void add_proxy(void *arg, const struct pu_api_proxy *p)
{
	struct pu_api_list *to = arg;

	if (to->array)
		json_array_append_new(to->array, proxy_json(p));
	else
		fprintf(to->text, "proxy-%llu\t%s\t%s\t%s\n", (unsigned long long)p->id, p->listen,
			p->target, p->service);
}

void pu_api_get_connect(struct pu_api_call *c)
{
	struct pu_api_list to;

	if (!pu_api_list_begin(c, &to))
		return;
	c->api->ops->each_proxy(c->api->ops_arg, add_proxy, &to);
	pu_api_list_reply(c, &to);
}

void pu_api_connects_drop(struct pu_api *api)
{
	PU_LIST_FOREACH (it, tmp, &api->connects)
		connect_free(PU_CONTAINER_OF(it, struct connect, node));
}
