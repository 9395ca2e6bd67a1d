/* GET /v1/status and /v1/peers. */
#include <microhttpd.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/rfc3339.h"
#include "daemon/api_internal.h"
#include "daemon/json_text.h"
#include "daemon/peer_json.h"

/* Sets key only when there is something to say. */
static void set_str(json_t *o, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(o, key, pu_json_text(value));
}

static json_t *addr_list(const struct pu_multiaddr *v, size_t n, bool circuit)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_has(&v[i], PU_MA_P2P_CIRCUIT) == circuit)
			json_array_append_new(a, json_string(pu_multiaddr_text(&v[i], text)));
	return a;
}

json_t *pu_api_vpn_json(const struct pu_api_vpn *v)
{
	json_t *o = json_pack("{s:b}", "up", v->up), *dns;

	if (!v->up)
		return o;
	set_str(o, "interface", v->interface);
	set_str(o, "ipv4", v->ipv4);
	set_str(o, "ipv6", v->ipv6);
	set_str(o, "subnet", v->subnet);
	set_str(o, "ipv6_prefix", v->ipv6_prefix);
	json_object_set_new(o, "mtu", json_integer(v->mtu));
	dns = json_object();
	set_str(dns, "method", v->dns_method);
	set_str(dns, "server", v->dns_server);
	set_str(dns, "suffix", v->dns_suffix);
	json_object_set_new(o, "dns", dns);
	return o;
}

static void add_counter(void *arg, const char *name, uint64_t value)
{
	json_object_set_new(arg, name, json_integer((json_int_t)value));
}

static void add_external(json_t *o, const struct pu_api_status *s)
{
	json_t *a;

	if (s->n_external_addrs == 0)
		return;
	a = json_array();
	for (size_t i = 0; i < s->n_external_addrs; i++)
		json_array_append_new(a, json_string(s->external_addrs[i]));
	json_object_set_new(o, "stun_external_addrs", a);
}

static json_t *relay_json(const struct pu_api_relay *r)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX], when[PU_RFC3339_MAX];
	json_t *o = json_object();

	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(&r->relay, id)));
	json_object_set_new(o, "address", json_string(pu_multiaddr_text(r->addr, text)));
	json_object_set_new(o, "state", json_string(r->state));
	if (r->expires)
		set_str(o, "expires", pu_rfc3339_text(r->expires, when));
	if (r->err < 0)
		set_str(o, "error", pu_err_text(r->err));
	set_str(o, "status", r->status);
	return o;
}

static json_t *relays_json(const struct pu_api_status *s)
{
	json_t *a = json_array();

	for (size_t i = 0; i < s->n_relays; i++)
		json_array_append_new(a, relay_json(&s->relays[i]));
	return a;
}

static json_t *status_json(struct pu_api *api, const struct pu_api_status *s)
{
	char id[PU_PEERID_TEXT_MAX], grade[2] = { s->reach_grade, '\0' };
	json_t *o = json_object(), *counters = json_object();

	json_object_set_new(o, "peer_id", json_string(pu_peerid_text(s->peer, id)));
	json_object_set_new(o, "version", json_string(api->version));
	json_object_set_new(o, "uptime_seconds", json_integer((json_int_t)s->uptime_s));
	json_object_set_new(o, "connected_peers", json_integer(s->connected_peers));
	json_object_set_new(o, "listen_addresses", addr_list(s->listen, s->n_listen, false));
	json_object_set_new(o, "relay_addresses", addr_list(s->listen, s->n_listen, true));
	json_object_set_new(o, "services_count", json_integer(s->n_services));
	json_object_set_new(o, "has_global_ipv6", json_boolean(s->has_global_ipv6));
	json_object_set_new(o, "has_global_ipv4", json_boolean(s->has_global_ipv4));
	set_str(o, "nat_type", s->nat_type);
	add_external(o, s);
	json_object_set_new(o, "is_relaying", json_boolean(s->is_relaying));
	json_object_set_new(o, "reachability",
			    json_pack("{s:s, s:s, s:s, s:s}", "grade", grade, "label",
				      s->reach_label ? s->reach_label : "", "description",
				      s->reach_text ? s->reach_text : "", "evidence",
				      s->reach_evidence ? s->reach_evidence : ""));
	set_str(o, "name", s->name);
	set_str(o, "config", s->config);
	json_object_set_new(o, "relays", relays_json(s));
	json_object_set_new(o, "vpn", pu_api_vpn_json(&s->vpn));
	api->ops->each_counter(api->ops_arg, add_counter, counters);
	json_object_set_new(o, "counters", counters);
	return o;
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void print_addrs(FILE *f, const char *title, const struct pu_api_status *s, bool circuit)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < s->n_listen; i++)
		n += pu_multiaddr_has(&s->listen[i], PU_MA_P2P_CIRCUIT) == circuit;
	fprintf(f, "%s: %zu\n", title, n);
	for (size_t i = 0; i < s->n_listen; i++)
		if (pu_multiaddr_has(&s->listen[i], PU_MA_P2P_CIRCUIT) == circuit)
			fprintf(f, "  %s\n", pu_multiaddr_text(&s->listen[i], text));
}

static void print_relays(FILE *f, const struct pu_api_status *s)
{
	char id[PU_PEERID_SHORT_MAX], when[PU_RFC3339_MAX];

	fprintf(f, "relays: %zu\n", s->n_relays);
	for (size_t i = 0; i < s->n_relays; i++) {
		const struct pu_api_relay *r = &s->relays[i];

		fprintf(f, "  %s %s", pu_peerid_short(&r->relay, id), r->state);
		if (r->expires)
			fprintf(f, " until %s", pu_rfc3339_text(r->expires, when));
		if (r->err < 0)
			fprintf(f, ": %s", r->status ? r->status : pu_err_text(r->err));
		fputc('\n', f);
	}
}

static void print_status(FILE *f, const struct pu_api *api, const struct pu_api_status *s)
{
	char id[PU_PEERID_TEXT_MAX];

	fprintf(f, "peer_id: %s\nversion: %s\nuptime: %llus\n", pu_peerid_text(s->peer, id),
		api->version, (unsigned long long)s->uptime_s);
	fprintf(f, "connected_peers: %u\nservices: %u\n", s->connected_peers, s->n_services);
	fprintf(f, "global_ipv6: %s\nglobal_ipv4: %s\nis_relaying: %s\n", yes(s->has_global_ipv6),
		yes(s->has_global_ipv4), yes(s->is_relaying));
	fprintf(f, "reachability: [%c] %s - %s\n", s->reach_grade ? s->reach_grade : '?',
		s->reach_label ? s->reach_label : "", s->reach_text ? s->reach_text : "");
	if (s->nat_type)
		fprintf(f, "nat_type: %s\n", s->nat_type);
	if (s->n_external_addrs > 0)
		fprintf(f, "stun_external_addrs: %zu\n", s->n_external_addrs);
	for (size_t i = 0; i < s->n_external_addrs; i++)
		fprintf(f, "  %s\n", s->external_addrs[i]);
	print_addrs(f, "listen_addresses", s, false);
	print_addrs(f, "relay_addresses", s, true);
	if (s->reach_evidence && *s->reach_evidence)
		fprintf(f, "evidence: %s\n", s->reach_evidence);
	print_relays(f, s);
}

void pu_api_get_status(struct pu_api_call *c)
{
	struct pu_api_status s = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	c->api->ops->status(c->api->ops_arg, &s);
	if (!c->text) {
		pu_api_reply(c->rq, MHD_HTTP_OK, status_json(c->api, &s));
		return;
	}
	f = open_memstream(&text, &len);
	if (f) {
		print_status(f, c->api, &s);
		fclose(f);
	}
	pu_api_reply_text(c->rq, text, len);
}

static json_t *services_json(const struct pu_api_peer *p)
{
	json_t *a = json_array(), *o;

	for (size_t i = 0; i < p->n_services; i++) {
		o = json_object();
		set_str(o, "name", p->services[i].name);
		if (p->services[i].port)
			json_object_set_new(o, "port", json_integer(p->services[i].port));
		json_array_append_new(a, o);
	}
	return a;
}

static void add_connection(json_t *o, const struct pu_api_peer *p)
{
	char text[PU_MULTIADDR_TEXT_MAX], when[PU_RFC3339_MAX];

	set_str(o, "path", p->path);
	set_str(o, "transport", p->transport);
	set_str(o, "security", p->security);
	if (p->remote)
		set_str(o, "remote_address", pu_multiaddr_text(p->remote, text));
	set_str(o, "connected_at", pu_rfc3339_text(p->connected_at, when));
	if (p->rtt)
		json_object_set_new(o, "rtt_ms", json_real(pu_api_ms(p->rtt)));
	json_object_set_new(o, "rx_bytes", json_integer((json_int_t)p->rx_bytes));
	json_object_set_new(o, "tx_bytes", json_integer((json_int_t)p->tx_bytes));
	set_str(o, "carrier", p->carrier);
	if (p->mtu)
		json_object_set_new(o, "mtu", json_integer(p->mtu));
}

json_t *pu_peer_json(const struct pu_api_peer *p)
{
	char id[PU_PEERID_TEXT_MAX], text[PU_MULTIADDR_TEXT_MAX];
	json_t *o = json_object(), *addrs = json_array();

	set_str(o, "id", pu_peerid_text(&p->id, id));
	for (size_t i = 0; i < p->n_addrs; i++)
		json_array_append_new(addrs, json_string(pu_multiaddr_text(&p->addrs[i], text)));
	json_object_set_new(o, "addresses", addrs);
	set_str(o, "agent_version", p->agent);
	set_str(o, "name", p->name);
	json_object_set_new(o, "authorized", json_boolean(p->authorized));
	if (p->authorized) {
		set_str(o, "access", pu_access_text(p->access));
		set_str(o, "verification", pu_sas_state_text(p->trust));
	}
	if (p->told)
		set_str(o, "granted", pu_access_text(p->granted));
	json_object_set_new(o, "connected", json_boolean(p->connected));
	if (p->connected)
		add_connection(o, p);
	set_str(o, "path_reason", p->reason);
	set_str(o, "ipv4", p->ipv4);
	set_str(o, "ipv6", p->ipv6);
	json_object_set_new(o, "services", services_json(p));
	return o;
}

struct peers {
	struct pu_api_list list;
	bool all;
};

/* Strangers of the wider libp2p network that only pass by are left out, unless the
 * client asks for all. */
static bool is_ours(const struct pu_api_peer *p)
{
	static const char *const agents[] = { "peerup/", "relay-server/" };

	if (p->authorized || (p->name && *p->name))
		return true;
	for (size_t i = 0; i < PU_ARRAY_LEN(agents) && p->agent; i++)
		if (strncmp(p->agent, agents[i], strlen(agents[i])) == 0)
			return true;
	return false;
}

static void add_peer(void *arg, const struct pu_api_peer *p)
{
	struct peers *to = arg;
	char id[PU_PEERID_SHORT_MAX];

	if (!to->all && !is_ours(p))
		return;
	if (to->list.array)
		json_array_append_new(to->list.array, pu_peer_json(p));
	else
		fprintf(to->list.text, "%s\t%s\t%zu addrs\n", pu_peerid_short(&p->id, id),
			p->agent && *p->agent ? p->agent : "unknown", p->n_addrs);
}

void pu_api_get_peers(struct pu_api_call *c)
{
	const char *all = pu_http_query(c->rq, "all");
	struct peers to = { .all = all && strcmp(all, "true") == 0 };

	if (!pu_api_list_begin(c, &to.list))
		return;
	c->api->ops->each_peer(c->api->ops_arg, add_peer, &to);
	pu_api_list_reply(c, &to.list);
}
