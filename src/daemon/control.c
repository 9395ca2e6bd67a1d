#include "daemon/control_internal.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "daemon/control_invite.h"
#include "daemon/control_paths.h"
#include "p2p/circuit/message.h"

struct ping {
	struct pu_list node;
	struct pu_control *owner; /* NULL once canceled */
	uint64_t id;
	pu_api_ping_fn *on_done;
	void *arg;
};

struct trace {
	struct pu_list node;
	uint64_t id;
	struct pu_trace *t;
	pu_trace_fn *on_done;
	void *arg;
};

int pu_control_new(const struct pu_control_options *opt, struct pu_control **pc)
{
	const struct pu_pairing_options popt = { .node = opt->node, .reload = opt->reload,
						 .arg = opt->arg };
	struct pu_control *c = calloc(1, sizeof *c);
	int r;

	if (!c)
		return PU_ENOMEM;
	c->opt = *opt;
	pu_list_init(&c->pings);
	pu_list_init(&c->traces);
	pu_list_init(&c->wakes);
	r = pu_proxies_new(opt->node->host, opt->node->net, &c->proxies);
	if (r == 0)
		r = pu_pairing_new(&popt, &c->pairing);
	if (r < 0) {
		pu_proxies_free(c->proxies);
		free(c);
		return r;
	}
	*pc = c;
	return 0;
}

struct pu_pairing *pu_control_pairing(struct pu_control *c)
{
	return c->pairing;
}

static void ping_abandon(struct ping *g)
{
	pu_list_remove(&g->node);
	g->owner = NULL;
}

static void trace_abandon(struct trace *g)
{
	pu_list_remove(&g->node);
	pu_trace_cancel(g->t);
	free(g);
}

void pu_control_free(struct pu_control *c)
{
	if (!c)
		return;
	PU_LIST_FOREACH (it, tmp, &c->pings)
		ping_abandon(PU_CONTAINER_OF(it, struct ping, node));
	PU_LIST_FOREACH (jt, jtmp, &c->traces)
		trace_abandon(PU_CONTAINER_OF(jt, struct trace, node));
	pu_control_wakes_drop(c);
	pu_pairing_free(c->pairing);
	pu_proxies_free(c->proxies);
	free(c);
}

static void fill_vpn(struct pu_control *c, struct pu_api_vpn *out)
{
	const struct pu_vpn_info *i = &c->vpn_info;

	if (!c->opt.vpn)
		return;
	pu_vpn_info(c->opt.vpn, &c->vpn_info);
	*out = (struct pu_api_vpn){
		.up = true,
		.interface = i->interface,
		.ipv4 = i->ipv4,
		.ipv6 = i->ipv6,
		.subnet = i->subnet,
		.ipv6_prefix = i->ipv6_prefix,
		.mtu = i->mtu,
		.dns_method = i->dns_method,
		.dns_server = i->dns_server,
		.dns_suffix = c->opt.node->cfg->vpn.dns_suffix,
	};
}

/* "203.0.113.7:4001"; STUN is asked over IPv4. */
static void fill_external(struct pu_control *c, const struct pu_stun_report *stun,
			  struct pu_api_status *out)
{
	char ip[INET_ADDRSTRLEN];
	union pu_sockaddr sa;

	for (size_t i = 0; i < stun->n_external; i++) {
		size_t n = out->n_external_addrs;

		if (pu_multiaddr_to_sockaddr(&stun->external[i], &sa) < 0 ||
		    sa.sa.sa_family != AF_INET)
			continue;
		inet_ntop(AF_INET, &sa.v4.sin_addr, ip, sizeof ip);
		snprintf(c->external[n], sizeof c->external[n], "%s:%u", ip,
			 ntohs(sa.v4.sin_port));
		c->externals[n] = c->external[n];
		out->n_external_addrs++;
	}
	out->external_addrs = c->externals;
}

static void fill_reach(struct pu_control *c, struct pu_api_status *out)
{
	struct pu_reachability_info *i = &c->reach_info;

	pu_reachability_info(c->opt.node->reachability, i);
	out->is_relaying = i->relaying;
	out->has_global_ipv4 = i->grade.global_ip4;
	out->has_global_ipv6 = i->grade.global_ip6;
	out->reach_grade = i->grade.letter;
	out->reach_label = i->grade.label;
	out->reach_text = i->grade.text;
	out->reach_evidence = i->grade.evidence;
	if (i->stun.asked > 0)
		out->nat_type = pu_nat_type_text(i->stun.type);
	fill_external(c, &i->stun, out);
}

static void fill_relays(struct pu_control *c, struct pu_api_status *out)
{
	out->relays = c->relays;
	out->n_relays = pu_reachability_relays(c->opt.node->reachability, c->relay_info,
					       PU_ARRAY_LEN(c->relay_info));
	for (size_t i = 0; i < out->n_relays; i++) {
		const struct pu_relay_info *from = &c->relay_info[i];

		c->relays[i] = (struct pu_api_relay){
			.relay = from->relay,
			.addr = &from->addr,
			.state = pu_relay_state_text(from->state),
			.expires = from->expires,
			.err = from->err,
			.status = from->status ? pu_circuit_message_status_name(from->status)
					       : NULL,
		};
	}
}

static void status(void *arg, struct pu_api_status *out)
{
	struct pu_control *c = arg;
	struct pu_node *n = c->opt.node;
	struct pu_host_stats hs;

	pu_host_stats(n->host, &hs);
	out->peer = &n->key.peer;
	out->name = n->self->name[0] ? n->self->name : NULL;
	out->config = n->cfg->path;
	out->uptime_s = (pu_loop_now(n->loop) - n->started_at) / PU_SEC(1);
	out->connected_peers = hs.n_peers;
	out->n_services = pu_services_count(n->services);
	out->listen = c->listen;
	out->n_listen = pu_host_addrs(n->host, c->listen, PU_ARRAY_LEN(c->listen));
	fill_reach(c, out);
	fill_relays(c, out);
	fill_vpn(c, &out->vpn);
}

static void fill_connection(const struct pu_node *n, struct pu_api_peer *out)
{
	struct pu_conn *conn = pu_host_conn(n->host, &out->id);

	if (!conn)
		return;
	out->connected = true;
	out->path = pu_control_path_type(conn);
	out->transport = pu_control_transport(conn);
	out->security = conn->security;
	out->remote = &conn->remote;
	out->connected_at = pu_loop_unix(n->loop) -
			    (int64_t)((pu_loop_now(n->loop) - conn->opened_at) / PU_SEC(1));
	out->rtt = pu_conn_rtt(conn);
	out->rx_bytes = conn->rx_bytes;
	out->tx_bytes = conn->tx_bytes;
	if (pu_host_peer_identified(n->host, &out->id))
		out->agent = pu_host_peer_agent(n->host, &out->id);
}

static void fill_session(const struct pu_node *n, struct pu_api_peer *out)
{
	struct pu_session_stats s;
	size_t limit;

	if (!pu_sessions_stats(n->sessions, &out->id, &s))
		return;
	limit = pu_sessions_limit(n->sessions, &out->id);
	out->carrier = s.carrier;
	out->mtu = limit < PU_PKT_MAX ? (unsigned)limit : 0;
}

static void show_peer(struct pu_control *c, const struct pu_peerid *id,
		      const struct pu_roster_peer *p, pu_api_peer_fn *fn, void *fn_arg)
{
	struct pu_node *n = c->opt.node;
	struct pu_multiaddr addrs[PU_HOST_ADDRS_PER_PEER];
	struct pu_api_service services[PU_OFFERS_SERVICES_MAX];
	char v4[INET_ADDRSTRLEN], v6[INET6_ADDRSTRLEN], reason[192];
	struct pu_api_peer out = { .id = *id, .addrs = addrs, .reason = reason };

	pu_control_reason(n, id, reason, sizeof reason);
	if (p) {
		out.name = p->name[0] ? p->name : NULL;
		out.authorized = pu_roster_allowed(p, pu_loop_unix(n->loop));
		out.access = p->access;
		out.trust = p->trust;
		out.told = p->offer_known;
		out.granted = p->granted;
		out.ipv4 = inet_ntop(AF_INET, p->local.v4, v4, sizeof v4);
		out.ipv6 = inet_ntop(AF_INET6, p->local.v6, v6, sizeof v6);
		out.services = services;
		for (; out.n_services < p->n_services; out.n_services++)
			services[out.n_services] = (struct pu_api_service){
				.name = p->services[out.n_services].name,
				.port = p->services[out.n_services].port,
			};
	}
	out.n_addrs = pu_host_peer_addrs(n->host, id, addrs, PU_ARRAY_LEN(addrs));
	fill_connection(n, &out);
	fill_session(n, &out);
	fn(fn_arg, &out);
}

struct each_conn {
	struct pu_control *control;
	pu_api_peer_fn *fn;
	void *arg;
};

/* Connected peers that are in no list of ours, once each. */
static void show_unlisted(void *arg, struct pu_conn *conn)
{
	struct each_conn *e = arg;
	struct pu_node *n = e->control->opt.node;

	if (!pu_roster_find(n->roster, &conn->peer) && pu_host_conn(n->host, &conn->peer) == conn)
		show_peer(e->control, &conn->peer, NULL, e->fn, e->arg);
}

static bool is_listed(const struct pu_node *n, const struct pu_roster_peer *p)
{
	return p != n->self && (p->authorized || p->name[0] || p->configured ||
				pu_host_conn(n->host, &p->id));
}

static void each_peer(void *arg, pu_api_peer_fn *fn, void *fn_arg)
{
	struct pu_control *c = arg;
	struct pu_node *n = c->opt.node;
	struct each_conn e = { .control = c, .fn = fn, .arg = fn_arg };

	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++) {
		struct pu_roster_peer *p = pu_roster_at(n->roster, h);

		if (is_listed(n, p))
			show_peer(c, &p->id, p, fn, fn_arg);
	}
	pu_host_each_conn(n->host, show_unlisted, &e);
}

static void session_counters(const struct pu_node *n, pu_api_counter_fn *fn, void *fn_arg)
{
	struct pu_session_stats sum = { 0 }, s;

	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++) {
		if (!pu_sessions_stats(n->sessions, &pu_roster_at(n->roster, h)->id, &s))
			continue;
		sum.tx_packets += s.tx_packets;
		sum.tx_bytes += s.tx_bytes;
		sum.rx_packets += s.rx_packets;
		sum.rx_bytes += s.rx_bytes;
		sum.dropped_full += s.dropped_full;
		sum.dropped_old += s.dropped_old;
		sum.dropped_malformed += s.dropped_malformed;
		sum.too_big += s.too_big;
		sum.halves += s.halves;
	}
	fn(fn_arg, "session_tx_packets", sum.tx_packets);
	fn(fn_arg, "session_tx_bytes", sum.tx_bytes);
	fn(fn_arg, "session_rx_packets", sum.rx_packets);
	fn(fn_arg, "session_rx_bytes", sum.rx_bytes);
	fn(fn_arg, "session_dropped_full", sum.dropped_full);
	fn(fn_arg, "session_dropped_old", sum.dropped_old);
	fn(fn_arg, "session_dropped_malformed", sum.dropped_malformed);
	fn(fn_arg, "session_too_big", sum.too_big);
	fn(fn_arg, "session_halves", sum.halves);
}

static void roam_counters(const struct pu_node *n, pu_api_counter_fn *fn, void *arg)
{
	struct pu_roam_stats s = { 0 };

	if (n->roam)
		pu_roam_stats(n->roam, &s);
	fn(arg, "roam_migrated", s.migrated);
	fn(arg, "roam_followed", s.followed);
	fn(arg, "roam_renewed", s.renewed);
	fn(arg, "roam_given_up", s.given_up);
}

static void each_counter(void *arg, pu_api_counter_fn *fn, void *fn_arg)
{
	struct pu_control *c = arg;
	struct pu_host_stats hs;

	pu_host_stats(c->opt.node->host, &hs);
	fn(fn_arg, "inbound_accepted", hs.inbound_accepted);
	fn(fn_arg, "inbound_gated", c->opt.node->gated);
	fn(fn_arg, "inbound_failed", hs.inbound_failed);
	fn(fn_arg, "dials", hs.dials);
	fn(fn_arg, "dials_failed", hs.dials_failed);
	fn(fn_arg, "streams_in", hs.streams_in);
	fn(fn_arg, "streams_out", hs.streams_out);
	fn(fn_arg, "streams_refused", hs.streams_refused);
	pu_reachability_each_counter(c->opt.node->reachability, fn, fn_arg);
	fn(fn_arg, "paths_went_silent", hs.went_silent);
	fn(fn_arg, "paths_recovered", hs.recovered);
	fn(fn_arg, "paths_closed_silent", hs.closed_silent);
	pu_control_path_counters(c->opt.node, fn, fn_arg);
	roam_counters(c->opt.node, fn, fn_arg);
	session_counters(c->opt.node, fn, fn_arg);
	if (c->opt.vpn)
		pu_vpn_each_counter(c->opt.vpn, fn, fn_arg);
}

static int resolve(void *arg, const char *text, struct pu_peerid *peer, bool *pfrom_id)
{
	struct pu_control *c = arg;

	return pu_node_resolve(c->opt.node, text, peer, pfrom_id);
}

static void on_pong(void *arg, int err, const char *text, pu_time rtt, struct pu_conn *conn)
{
	struct ping *g = arg;
	struct pu_api_ping_result r = { .err = err, .rtt = rtt, .error = text };

	r.relayed = conn && pu_multiaddr_has(&conn->remote, PU_MA_P2P_CIRCUIT);
	r.unreachable = err < 0 && !conn && err != PU_ENOPROTO;
	if (g->owner) {
		pu_list_remove(&g->node);
		g->on_done(g->arg, &r);
	}
	free(g);
}

static int ping(void *arg, const struct pu_peerid *peer, pu_api_ping_fn *on_done, void *done_arg,
		uint64_t *pid)
{
	struct pu_control *c = arg;
	struct ping *g = calloc(1, sizeof *g);
	int r;

	if (!g)
		return PU_ENOMEM;
	*g = (struct ping){ .owner = c, .id = ++c->next_ping, .on_done = on_done, .arg = done_arg };
	pu_list_append(&c->pings, &g->node);
	*pid = g->id;
	r = pu_pingpong_send(c->opt.node->pingpong, peer, on_pong, g);
	if (r < 0) {
		pu_list_remove(&g->node);
		free(g);
	}
	return r;
}

static void ping_cancel(void *arg, uint64_t id)
{
	struct pu_control *c = arg;

	PU_LIST_FOREACH (it, tmp, &c->pings) {
		struct ping *g = PU_CONTAINER_OF(it, struct ping, node);

		if (g->id == id)
			ping_abandon(g);
	}
}

static void on_traced(void *arg, const struct pu_trace_result *r)
{
	struct trace *g = arg;
	pu_trace_fn *on_done = g->on_done;
	void *done_arg = g->arg;

	pu_list_remove(&g->node);
	free(g);
	on_done(done_arg, r);
}

static int trace(void *arg, const struct pu_peerid *peer, pu_trace_fn *on_done, void *done_arg,
		 uint64_t *pid)
{
	struct pu_control *c = arg;
	struct trace *g = calloc(1, sizeof *g);
	int r;

	if (!g)
		return PU_ENOMEM;
	*g = (struct trace){ .id = ++c->next_ping, .on_done = on_done, .arg = done_arg };
	r = pu_trace_start(c->opt.node->host, peer, on_traced, g, &g->t);
	if (r < 0) {
		free(g);
		return r;
	}
	pu_list_append(&c->traces, &g->node);
	*pid = g->id;
	return 0;
}

static void trace_cancel(void *arg, uint64_t id)
{
	struct pu_control *c = arg;

	PU_LIST_FOREACH (it, tmp, &c->traces) {
		struct trace *g = PU_CONTAINER_OF(it, struct trace, node);

		if (g->id == id)
			trace_abandon(g);
	}
}

static void each_path(void *arg, pu_api_path_fn *fn, void *fn_arg)
{
	struct pu_control *c = arg;

	pu_control_each_path(c->opt.node, fn, fn_arg);
}

static int why(void *arg, const struct pu_peerid *peer, struct pu_api_why *out)
{
	struct pu_control *c = arg;

	return pu_control_why(c->opt.node, peer, out);
}

static int reload(void *arg, struct pu_failure *failure)
{
	struct pu_control *c = arg;

	return c->opt.reload(c->opt.arg, failure);
}

static void shut_down(void *arg)
{
	struct pu_control *c = arg;

	c->opt.shutdown(c->opt.arg);
}

const struct pu_api_ops pu_control_ops = {
	.status = status,
	.each_peer = each_peer,
	.each_counter = each_counter,
	.resolve = resolve,
	.ping = ping,
	.ping_cancel = ping_cancel,
	.reload = reload,
	.shutdown = shut_down,
	.each_path = each_path,
	.why = why,
	.trace = trace,
	.trace_cancel = trace_cancel,
	.wake = pu_control_wake,
	.wake_cancel = pu_control_wake_cancel,
	.invite = pu_control_invite,
	.invite_find = pu_control_invite_find,
	.each_invite = pu_control_each_invite,
	.invite_cancel = pu_control_invite_cancel,
	.join = pu_control_join,
	.join_cancel = pu_control_join_cancel,
	.each_offered = pu_control_each_offered,
	.expose = pu_control_expose,
	.unexpose = pu_control_unexpose,
	.each_peer_service = pu_control_each_peer_service,
	.connect = pu_control_connect,
	.connect_cancel = pu_control_connect_cancel,
	.disconnect = pu_control_disconnect,
	.each_proxy = pu_control_each_proxy,
	.gating = pu_control_gating,
	.each_member = pu_control_each_member,
	.member_add = pu_control_member_add,
	.member_remove = pu_control_member_remove,
	.each_vpn_route = pu_control_each_vpn_route,
};
