#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/codec.h"
#include "base/err.h"
#include "flow.h"
#include "p2p/proto/ping.h"
#include "p2p/transport/net_uv.h"
#include "p2p/transport/ws.h"

/* Events. */

void emit(const char *event, json_t *members)
{
	json_t *e = members ? members : json_object();
	char *line;

	json_object_set_new(e, "event", json_string(event));
	line = json_dumps(e, JSON_COMPACT);
	puts(line ? line : "{\"event\":\"error\",\"stage\":\"command\",\"text\":\"json\"}");
	fflush(stdout);
	free(line);
	json_decref(e);
}

void emit_error(const char *stage, const struct pu_peerid *id, const char *text)
{
	char buf[PU_PEERID_TEXT_MAX];
	json_t *e = json_pack("{s:s,s:s}", "stage", stage, "text", text);

	if (id && !pu_peerid_empty(id))
		json_object_set_new(e, "peer", json_string(pu_peerid_text(id, buf)));
	emit("error", e);
}

static json_t *addr_text(const struct pu_multiaddr *ma)
{
	char text[PU_MULTIADDR_TEXT_MAX];

	return json_string(pu_multiaddr_text(ma, text));
}

static json_t *describe(const struct pu_conn *c)
{
	char id[PU_PEERID_TEXT_MAX];
	const char *security = strcmp(c->security, "noise") == 0 ? "/noise"
			       : strcmp(c->security, "tls") == 0 ? "/tls/1.0.0"
								 : c->security;
	const char *muxer = strcmp(c->muxer, "yamux") == 0 ? "/yamux/1.0.0" : c->muxer;

	return json_pack("{s:s,s:o,s:s,s:s,s:s,s:b,s:b}", "peer", pu_peerid_text(&c->peer, id),
			 "addr", addr_text(&c->remote), "direction",
			 c->inbound ? "inbound" : "outbound", "security", security, "muxer", muxer,
			 "early", c->early_muxer, "limited", c->limited);
}

static void on_connected(void *arg, struct pu_conn *c)
{
	(void)arg;
	emit("connected", describe(c));
}

static void on_disconnected(void *arg, struct pu_conn *c, int err, uint64_t code, bool last)
{
	char id[PU_PEERID_TEXT_MAX];

	(void)arg;
	(void)last;
	emit("disconnected", json_pack("{s:s,s:s,s:I}", "peer", pu_peerid_text(&c->peer, id), "why",
				       pu_err_text(err), "code", (json_int_t)code));
}

static void add_protocol(void *arg, const char *protocol)
{
	json_array_append_new(arg, json_string(protocol));
}

static void on_identified(void *arg, struct pu_conn *c)
{
	static const char *const records[] = { "none", "valid", "invalid" };
	struct peer *p = arg;
	struct pu_multiaddr ma[PU_HOST_ADDRS_PER_PEER];
	size_t n = pu_host_peer_addrs(p->host, &c->peer, ma, PU_ARRAY_LEN(ma));
	struct pu_host_identity who = { 0 };
	char id[PU_PEERID_TEXT_MAX];
	json_t *protocols = json_array(), *addrs = json_array();

	pu_host_each_protocol(p->host, &c->peer, add_protocol, protocols);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(addrs, addr_text(&ma[i]));
	pu_host_peer_identity(p->host, &c->peer, &who);
	emit("identified", json_pack("{s:s,s:s,s:o,s:o,s:o,s:s}", "peer",
				     pu_peerid_text(&c->peer, id), "agent",
				     pu_host_peer_agent(p->host, &c->peer), "protocols", protocols,
				     "addrs", addrs, "observed", addr_text(&who.observed),
				     "signedRecord", records[who.record]));
}

/* Commands. */

static bool read_peer(json_t *cmd, struct pu_peerid *id)
{
	const char *text = json_string_value(json_object_get(cmd, "peer"));

	if (text && pu_peerid_from_text(id, text) == 0)
		return true;
	emit_error("command", NULL, "peer is missing or not a peer ID");
	return false;
}

struct dialing {
	struct pu_peerid id;
};

static void on_dialed(void *arg, int err, struct pu_conn *c)
{
	struct dialing *d = arg;

	(void)c;
	if (err < 0)
		emit_error("dial", &d->id, pu_err_text(err));
	free(d);
}

static void do_dial(struct peer *p, json_t *cmd)
{
	const char *text = json_string_value(json_object_get(cmd, "addr"));
	struct dialing *d = calloc(1, sizeof *d);
	struct pu_multiaddr ma, rest;
	int r = text && d ? pu_multiaddr_from_text(&ma, text) : PU_EINVAL;

	if (r == 0)
		r = pu_multiaddr_split_peer(&ma, &rest, &d->id);
	if (r == 0)
		r = pu_host_add_addr(p->host, &d->id, &rest, true);
	if (r == 0)
		r = pu_host_connect(p->host, &d->id, on_dialed, d, NULL);
	if (r < 0)
		on_dialed(d, r, NULL);
}

struct pinging {
	struct peer *p;
	struct pu_peerid id;
	json_int_t seq, n;
};

static void ping_next(struct pinging *pg);

static void on_ping(void *arg, int err, pu_time rtt)
{
	struct pinging *pg = arg;
	char id[PU_PEERID_TEXT_MAX];

	if (err < 0) {
		emit_error("ping", &pg->id, pu_err_text(err));
		free(pg);
		return;
	}
	emit("ping", json_pack("{s:s,s:I,s:f}", "peer", pu_peerid_text(&pg->id, id), "seq",
			       ++pg->seq, "ms", (double)rtt / 1e6));
	ping_next(pg);
}

static void ping_next(struct pinging *pg)
{
	int r = 0;

	if (pg->seq < pg->n)
		r = pu_ping(pg->p->host, &pg->id, NULL, on_ping, pg, NULL);
	else
		free(pg);
	if (r < 0)
		on_ping(pg, r, 0);
}

static void do_ping(struct peer *p, json_t *cmd)
{
	struct pinging *pg = calloc(1, sizeof *pg);

	if (!pg || !read_peer(cmd, &pg->id)) {
		free(pg);
		return;
	}
	pg->p = p;
	pg->n = json_integer_value(json_object_get(cmd, "n"));
	if (pg->n < 1)
		pg->n = 1;
	ping_next(pg);
}

static void do_open(struct peer *p, json_t *cmd)
{
	const char *proto = json_string_value(json_object_get(cmd, "proto"));
	const char *data = json_string_value(json_object_get(cmd, "data"));
	json_int_t bytes = json_integer_value(json_object_get(cmd, "bytes"));
	json_int_t count = json_integer_value(json_object_get(cmd, "count"));
	struct pu_peerid id;

	if (!read_peer(cmd, &id))
		return;
	if (!proto) {
		emit_error("command", &id, "proto is missing");
		return;
	}
	for (json_int_t i = 0; i < (count > 0 ? count : 1); i++)
		flow_open(p, &id, proto, (uint64_t)bytes, data ? data : "");
}

static void do_serve(struct peer *p, json_t *cmd, bool service)
{
	const char *name = json_string_value(json_object_get(cmd, "name"));
	const char *reply = json_string_value(json_object_get(cmd, "reply"));
	char protocol[PU_HOST_PROTOCOL_MAX + 1];
	int r = PU_EINVAL;

	if (name && service)
		snprintf(protocol, sizeof protocol, "/peerup/%s/1.0.0", name);
	else if (name)
		snprintf(protocol, sizeof protocol, "%s", name);
	if (name)
		r = flow_handle(p, protocol, service ? (reply ? reply : "") : NULL);
	if (r < 0)
		emit_error("command", NULL, pu_err_text(r));
	else
		emit(service ? "serving" : "added", json_pack("{s:s}", "name", name));
}

static void add_conn(void *arg, struct pu_conn *c)
{
	json_t *e = describe(c);

	json_object_set_new(e, "streams", json_integer(c->n_streams));
	json_array_append_new(arg, e);
}

static void do_conns(struct peer *p, json_t *cmd)
{
	json_t *list = json_array();

	(void)cmd;
	pu_host_each_conn(p->host, add_conn, list);
	emit("conns", json_pack("{s:o}", "conns", list));
}

static void do_disconnect(struct peer *p, json_t *cmd)
{
	struct pu_peerid id;

	if (read_peer(cmd, &id))
		pu_host_disconnect(p->host, &id, PU_CONN_CODE_NORMAL);
}

void peer_command(struct peer *p, const char *line, size_t len)
{
	json_error_t err;
	json_t *cmd = json_loadb(line, len, 0, &err);
	const char *what = json_string_value(json_object_get(cmd, "do"));

	if (!what)
		emit_error("command", NULL, cmd ? "do is missing" : err.text);
	else if (strcmp(what, "dial") == 0)
		do_dial(p, cmd);
	else if (strcmp(what, "reserve") == 0)
		circuit_reserve(p, json_string_value(json_object_get(cmd, "addr")));
	else if (strcmp(what, "ping") == 0)
		do_ping(p, cmd);
	else if (strcmp(what, "open") == 0)
		do_open(p, cmd);
	else if (strcmp(what, "serve") == 0)
		do_serve(p, cmd, true);
	else if (strcmp(what, "addproto") == 0)
		do_serve(p, cmd, false);
	else if (strcmp(what, "conns") == 0)
		do_conns(p, cmd);
	else if (strcmp(what, "disconnect") == 0)
		do_disconnect(p, cmd);
	else if (strcmp(what, "autonat") == 0 && p->autonat)
		pu_autonat_network_changed(p->autonat);
	else if (strcmp(what, "quit") == 0)
		peer_quit(p);
	else if (!kad_command(p, what, cmd))
		emit_error("command", NULL, "unknown command");
	json_decref(cmd);
}

/* Start and end. */

static int read_security(struct pu_tcp_transport_options *o, const char *text)
{
	size_t n = 0;

	while (*text && n < PU_ARRAY_LEN(o->order)) {
		size_t len = strcspn(text, ",");

		if (len == 5 && strncmp(text, "noise", len) == 0)
			o->order[n++] = PU_SECURITY_NOISE;
		else if (len == 3 && strncmp(text, "tls", len) == 0)
			o->order[n++] = PU_SECURITY_TLS;
		else
			return PU_EINVAL;
		text += len + (text[len] == ',');
	}
	return *text ? PU_EINVAL : 0;
}

static void tell_interfaces(struct peer *p)
{
	struct pu_multiaddr ma[32];
	uv_interface_address_t *list;
	int n, k = 0;

	if (uv_interface_addresses(&list, &n) < 0)
		return;
	for (int i = 0; i < n && k < (int)PU_ARRAY_LEN(ma); i++) {
		bool v4 = list[i].address.address4.sin_family == AF_INET;
		struct pu_bytes ip = v4 ? pu_bytes(&list[i].address.address4.sin_addr, 4)
					: pu_bytes(&list[i].address.address6.sin6_addr, 16);

		if (!v4 && IN6_IS_ADDR_LINKLOCAL(&list[i].address.address6.sin6_addr))
			continue;
		ma[k].len = 0;
		if (pu_multiaddr_append(&ma[k], v4 ? PU_MA_IP4 : PU_MA_IP6, ip) == 0)
			k++;
	}
	uv_free_interface_addresses(list, n);
	pu_host_set_interface_addrs(p->host, ma, (size_t)k);
	if (p->mdns)
		pu_mdns_set_interfaces(p->mdns, ma, (size_t)k);
}

static int listen_all(struct peer *p, const char *list)
{
	char text[PU_MULTIADDR_TEXT_MAX];
	struct pu_multiaddr ma;
	int r = 0;

	while (r == 0 && *list) {
		size_t len = strcspn(list, ",");

		snprintf(text, sizeof text, "%.*s", (int)len, list);
		r = pu_multiaddr_from_text(&ma, text);
		if (r == 0)
			r = pu_host_listen(p->host, &ma);
		list += len + (list[len] == ',');
	}
	return r;
}

static void emit_ready(struct peer *p)
{
	struct pu_multiaddr ma[64];
	size_t n = pu_host_addrs(p->host, ma, PU_ARRAY_LEN(ma));
	char id[PU_PEERID_TEXT_MAX];
	json_t *addrs = json_array();

	for (size_t i = 0; i < n; i++) {
		pu_multiaddr_append(&ma[i], PU_MA_P2P, pu_peerid_bytes(&p->key.peer));
		json_array_append_new(addrs, addr_text(&ma[i]));
	}
	emit("ready", json_pack("{s:s,s:o,s:s}", "peer", pu_peerid_text(&p->key.peer, id), "addrs",
				addrs, "agent", p->agent));
}

static bool nobody(void *arg, const struct pu_peerid *peer, const struct pu_multiaddr *remote)
{
	return false;
}

static int make_host(struct peer *p, const struct options *opt)
{
	struct pu_host_config cfg = { .agent = opt->agent, .gate = opt->gate ? nobody : NULL };
	uint8_t seed[32];
	int r;

	if (pu_hex_decode(opt->seed, strlen(opt->seed), seed, sizeof seed) != sizeof seed)
		return PU_EINVAL;
	r = read_security(&cfg.tcp, opt->security);
	if (r == 0)
		r = pu_crypto_init();
	if (r == 0)
		r = pu_key_from_seed(&p->key, seed);
	if (r == 0)
		r = pu_loop_uv_new(&p->driver);
	if (r < 0)
		return r;
	p->loop = pu_loop_uv_loop(p->driver);
	r = pu_net_uv_new(p->loop, &p->net);
	cfg.loop = p->loop;
	cfg.net = p->net;
	cfg.key = &p->key;
	if (r == 0)
		r = pu_host_new(&cfg, &p->host);
	return r < 0 ? r : pu_ws_transport_add(p->host, &cfg.tcp, NULL);
}

int peer_start(struct peer *p, const struct options *opt)
{
	int r = make_host(p, opt);

	p->agent = opt->agent;
	if (r == 0) {
		p->observer = (struct pu_host_observer){ .on_connected = on_connected,
							 .on_disconnected = on_disconnected,
							 .on_identified = on_identified,
							 .arg = p };
		pu_host_observe(p->host, &p->observer);
		r = flow_handle_all(p);
	}
	if (r == 0)
		r = listen_all(p, opt->listen);
	if (r == 0)
		r = circuit_start(p, opt);
	if (r == 0)
		r = kad_start(p, opt);
	if (r == 0 && opt->punch)
		r = punch_start(p);
	if (r == 0 && opt->autonat)
		r = autonat_start(p);
	if (r == 0 && opt->mdns)
		r = mdns_start(p);
	if (r < 0) {
		emit_error("listen", NULL, pu_err_text(r));
		return r;
	}
	tell_interfaces(p);
	emit_ready(p);
	return 0;
}

static void on_stopped(void *arg)
{
	struct peer *p = arg;

	pu_loop_uv_stop(p->driver);
}

void peer_quit(struct peer *p)
{
	if (p->quitting)
		return;
	p->quitting = true;
	pu_host_unobserve(p->host, &p->observer);
	kad_stop(p);
	pu_dcutr_free(p->dcutr);
	pu_autonat_free(p->autonat);
	pu_mdns_free(p->mdns);
	circuit_stop(p);
	pu_host_stop(p->host, on_stopped, p);
}
