/* GET /v1/services and /v1/peers/{peer}/services, POST /v1/expose, DELETE /v1/expose/{name}. */
#include <microhttpd.h>

#include "base/err.h"
#include "daemon/api_internal.h"
#include "daemon/json_text.h"
#include "overlay/service.h"

/* The fields of the reference, in its order, then ours. */
static json_t *offered_json(const struct pu_api_offered *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "name", json_string(s->name));
	json_object_set_new(o, "protocol", json_string(s->protocol));
	json_object_set_new(o, "local_address", pu_json_text(s->local_address));
	json_object_set_new(o, "enabled", json_boolean(s->enabled));
	if (s->port)
		json_object_set_new(o, "port", json_integer(s->port));
	json_object_set_new(o, "temporary", json_boolean(s->temporary));
	json_object_set_new(o, "active_connections", json_integer(s->active));
	json_object_set_new(o, "connections", json_integer((json_int_t)s->opened));
	json_object_set_new(o, "refused", json_integer((json_int_t)s->refused));
	return o;
}

static void add_offered(void *arg, const struct pu_api_offered *s)
{
	struct pu_api_list *to = arg;

	if (to->array)
		json_array_append_new(to->array, offered_json(s));
	else
		fprintf(to->text, "%s\t%s\t%s\t%s\n", s->name, s->local_address, s->protocol,
			s->enabled ? "enabled" : "disabled");
}

void pu_api_get_services(struct pu_api_call *c)
{
	struct pu_api_list to;

	if (!pu_api_list_begin(c, &to))
		return;
	c->api->ops->each_offered(c->api->ops_arg, add_offered, &to);
	pu_api_list_reply(c, &to);
}

static void add_service(void *arg, const struct pu_api_service *s)
{
	struct pu_api_list *to = arg;
	char protocol[PU_HOST_PROTOCOL_MAX + 1];
	json_t *o;

	pu_service_protocol(s->name, 0, protocol);
	if (to->text) {
		fprintf(to->text, "%s\t", s->name);
		fprintf(to->text, s->port ? "%u" : "-", s->port);
		fprintf(to->text, "\t%s\n", protocol);
		return;
	}
	o = json_object();
	json_object_set_new(o, "name", json_string(s->name));
	json_object_set_new(o, "protocol", json_string(protocol));
	if (s->port)
		json_object_set_new(o, "port", json_integer(s->port));
	json_array_append_new(to->array, o);
}

void pu_api_get_peer_services(struct pu_api_call *c)
{
	struct pu_api_list to;
	struct pu_peerid peer;
	bool from_id;

	if (c->api->ops->resolve(c->api->ops_arg, c->param, &peer, &from_id) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "name not found: %s", c->param);
		return;
	}
	if (!pu_api_list_begin(c, &to))
		return;
	if (c->api->ops->each_peer_service(c->api->ops_arg, &peer, add_service, &to) == 0) {
		pu_api_list_reply(c, &to);
		return;
	}
	pu_api_list_drop(&to);
	pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "nothing is known about %s", c->param);
}

/* The peers that alone may use it; false: the answer has been given. */
static bool read_peers(struct pu_api_call *c, struct pu_api_expose *e,
		       struct pu_peerid peers[PU_API_EXPOSE_PEERS_MAX])
{
	json_t *list = json_object_get(c->body, "peers"), *v;
	char quoted[PU_API_QUOTE_MAX];
	bool from_id;
	size_t i;

	if (!json_is_array(list))
		return true;
	if (json_array_size(list) > PU_API_EXPOSE_PEERS_MAX) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "at most %d peers",
				   PU_API_EXPOSE_PEERS_MAX);
		return false;
	}
	json_array_foreach(list, i, v) {
		const char *text = json_string_value(v);

		if (!text ||
		    c->api->ops->resolve(c->api->ops_arg, text, &peers[i], &from_id) < 0) {
			pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST, "cannot resolve peer %s",
					   pu_api_quote(text ? text : "", quoted));
			return false;
		}
	}
	e->peers = peers;
	e->n_peers = json_array_size(list);
	return true;
}

static bool read_greeting(struct pu_api_call *c, struct pu_api_expose *e,
			  struct pu_greeting_words *words)
{
	const char *hello = pu_api_body_need(c, "hello"), *reply = pu_api_body_need(c, "reply");

	if (!hello && !reply)
		return true;
	if (!hello || !reply || pu_greeting_words_set(words, hello, reply) < 0) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "hello and reply go together, %d to %d letters and digits each",
				   PU_GREETING_WORD_MIN, PU_GREETING_WORD_MAX);
		return false;
	}
	e->greeting = words;
	return true;
}

void pu_api_post_expose(struct pu_api_call *c)
{
	struct pu_api_expose e = { .name = pu_api_body_need(c, "name"),
				   .local_address = pu_api_body_need(c, "local_address") };
	struct pu_peerid peers[PU_API_EXPOSE_PEERS_MAX];
	struct pu_greeting_words words;
	struct pu_failure why = { .what = "" };

	if (!e.name || !e.local_address) {
		pu_api_reply_error(c->rq, MHD_HTTP_BAD_REQUEST,
				   "name and local_address are required");
		return;
	}
	if (!read_peers(c, &e, peers) || !read_greeting(c, &e, &words))
		return;
	if (c->api->ops->expose(c->api->ops_arg, &e, &why) < 0)
		pu_api_reply_failure(c->rq, MHD_HTTP_INTERNAL_SERVER_ERROR, &why);
	else
		pu_api_reply(c->rq, MHD_HTTP_OK, json_pack("{s:s}", "status", "exposed"));
	explicit_bzero(&words, sizeof words);
}

void pu_api_delete_expose(struct pu_api_call *c)
{
	char quoted[PU_API_QUOTE_MAX];

	if (pu_service_name_check(c->param) == PU_EINVAL)
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND,
				   "invalid service name: %s " PU_SERVICE_NAME_RULE,
				   pu_api_quote(c->param, quoted));
	else if (c->api->ops->unexpose(c->api->ops_arg, c->param) < 0)
		pu_api_reply_error(c->rq, MHD_HTTP_NOT_FOUND, "service not found: %s", c->param);
	else
		pu_api_reply(c->rq, MHD_HTTP_OK, json_pack("{s:s}", "status", "unexposed"));
}
