/* GET /v1/vpn: the device, its addresses, the name server, and what lies behind peers. */
#include <microhttpd.h>
#include <stdlib.h>

#include "daemon/api_internal.h"
#include "daemon/json_text.h"

static void add_route(void *arg, const struct pu_api_vpn_route *r)
{
	char id[PU_PEERID_TEXT_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "prefix", json_string(r->prefix));
	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(&r->peer, id)));
	if (r->name)
		json_object_set_new(o, "name", pu_json_text(r->name));
	json_object_set_new(o, "in_use", json_boolean(r->in_use));
	json_object_set_new(o, "offered", json_boolean(r->offered));
	json_array_append_new(arg, o);
}

static void print_route(void *arg, const struct pu_api_vpn_route *r)
{
	char id[PU_PEERID_SHORT_MAX];

	fprintf(arg, "  %s\t%s\t%s%s%s\n", r->prefix,
		r->name ? r->name : pu_peerid_short(&r->peer, id), r->in_use ? "in use" : "",
		r->in_use && r->offered ? ", " : "", r->offered ? "offered" : "");
}

static void print_line(FILE *f, const char *title, const char *value)
{
	if (value && *value)
		fprintf(f, "%s: %s\n", title, value);
}

static void print_vpn(FILE *f, const struct pu_api *api, const struct pu_api_vpn *v)
{
	fprintf(f, "up: %s\n", v->up ? "true" : "false");
	if (!v->up)
		return;
	print_line(f, "interface", v->interface);
	print_line(f, "ipv4", v->ipv4);
	print_line(f, "ipv6", v->ipv6);
	print_line(f, "subnet", v->subnet);
	print_line(f, "ipv6_prefix", v->ipv6_prefix);
	fprintf(f, "mtu: %u\n", v->mtu);
	print_line(f, "dns", v->dns_method);
	print_line(f, "dns_server", v->dns_server);
	print_line(f, "dns_suffix", v->dns_suffix);
	fputs("routes:\n", f);
	api->ops->each_vpn_route(api->ops_arg, print_route, f);
}

void pu_api_get_vpn(struct pu_api_call *c)
{
	struct pu_api_status s = { 0 };
	json_t *o, *routes;
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	c->api->ops->status(c->api->ops_arg, &s);
	if (!c->text) {
		o = pu_api_vpn_json(&s.vpn);
		routes = json_array();
		c->api->ops->each_vpn_route(c->api->ops_arg, add_route, routes);
		json_object_set_new(o, "routes", routes);
		pu_api_reply(c->rq, MHD_HTTP_OK, o);
		return;
	}
	f = open_memstream(&text, &len);
	if (f) {
		print_vpn(f, c->api, &s.vpn);
		fclose(f);
	}
	pu_api_reply_text(c->rq, text, len);
}
