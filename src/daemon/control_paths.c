#include "daemon/control_paths.h"

#include <stdio.h>

#include "base/err.h"
#include "p2p/circuit/message.h"

/* Unix time of a moment of the loop. */
static int64_t unix_of(const struct pu_node *n, pu_time t)
{
	int64_t ago = ((int64_t)pu_loop_now(n->loop) - (int64_t)t) / 1000000000;

	return pu_loop_unix(n->loop) - ago;
}

const char *pu_control_path_type(const struct pu_conn *c)
{
	return pu_multiaddr_has(&c->remote, PU_MA_P2P_CIRCUIT) ? "RELAYED" : "DIRECT";
}

const char *pu_control_transport(const struct pu_conn *c)
{
	const struct pu_multiaddr *ma = &c->remote;

	if (pu_multiaddr_has(ma, PU_MA_QUIC_V1) || pu_multiaddr_has(ma, PU_MA_QUIC))
		return "quic";
	if (pu_multiaddr_has(ma, PU_MA_WS) || pu_multiaddr_has(ma, PU_MA_WSS))
		return "websocket";
	return pu_multiaddr_has(ma, PU_MA_TCP) ? "tcp" : "unknown";
}

static const char *ip_version(const struct pu_multiaddr *ma)
{
	if (pu_multiaddr_has(ma, PU_MA_IP6))
		return "ipv6";
	return pu_multiaddr_has(ma, PU_MA_IP4) ? "ipv4" : "unknown";
}

static void fill_path(const struct pu_node *n, const struct pu_host_path *hp,
		      struct pu_api_path *out)
{
	const struct pu_conn *c = hp->c;
	struct pu_circuit_limit limit = { 0 };

	*out = (struct pu_api_path){
		.peer = c->peer,
		.path = pu_control_path_type(c),
		.transport = pu_control_transport(c),
		.ip_version = ip_version(&c->remote),
		.remote = &c->remote,
		.connected_at = unix_of(n, c->opened_at),
		.rtt = pu_conn_rtt(c),
		.state = hp->state,
		.since = unix_of(n, hp->since),
		.silent = hp->silent,
		.n_suspected = hp->n_suspected,
		.inbound = c->inbound,
		.n_streams = c->n_streams,
		.rx_bytes = c->rx_bytes,
		.tx_bytes = c->tx_bytes,
	};
	if (!n->reachability || !c->limited ||
	    !pu_circuit_limit_of(pu_reachability_circuits(n->reachability), c, &limit))
		return;
	out->has_limit = limit.told;
	out->limit_duration = limit.duration;
	out->limit_data = limit.data;
}

struct each {
	struct pu_node *node;
	pu_api_path_fn *fn;
	void *arg;
};

static void show(void *arg, struct pu_conn *c)
{
	struct each *e = arg;
	struct pu_host_path hp;
	struct pu_api_path p;

	if (pu_host_conn(e->node->host, &c->peer) != c ||
	    pu_host_paths(e->node->host, &c->peer, &hp, 1) == 0)
		return;
	fill_path(e->node, &hp, &p);
	e->fn(e->arg, &p);
}

void pu_control_each_path(struct pu_node *n, pu_api_path_fn *fn, void *fn_arg)
{
	struct each e = { n, fn, fn_arg };

	pu_host_each_conn(n->host, show, &e);
}

static void reason_for_none(const struct pu_node *n, const struct pu_peerid *peer, char *out,
			    size_t cap)
{
	struct pu_multiaddr any;
	struct pu_reach_info i;

	if (pu_host_peer_addrs(n->host, peer, &any, 1) == 0)
		snprintf(out, cap, "not connected: no address is known");
	else if (pu_reach_info(n->reach, peer, &i) && i.last_error)
		snprintf(out, cap, "not connected: %s", pu_err_text(i.last_error));
	else
		snprintf(out, cap, "not connected");
}

static const char *reason_for_one(enum pu_worth worth)
{
	switch (worth) {
	case PU_WORTH_RELAYED:
		return "no direct path has worked yet";
	case PU_WORTH_DIRECT_STREAM:
		return "direct; QUIC has not worked yet";
	case PU_WORTH_DIRECT:
		break;
	}
	return "direct, the best kind of path";
}

/* A peer with addresses in the config is called whether we let it call us or not. */
static void add_rights(struct pu_node *n, const struct pu_peerid *peer, char *out, size_t cap)
{
	const struct pu_roster_peer *p = pu_roster_find(n->roster, peer);
	size_t len = strlen(out);

	if (p && p != n->self && p->configured && !pu_roster_allowed(p, pu_loop_unix(n->loop)))
		snprintf(out + len, cap - len, "; not authorized here, called because the config "
					       "has its addresses");
}

static void path_reason(struct pu_node *n, const struct pu_peerid *peer, char *out, size_t cap)
{
	struct pu_host_path v[2];
	size_t n_paths = pu_host_paths(n->host, peer, v, PU_ARRAY_LEN(v));

	if (n_paths == 0)
		reason_for_none(n, peer, out, cap);
	else if (v[0].state == PU_HOST_PATH_SUSPECT)
		snprintf(out, cap, "silent for %.1f s, and there is no other path yet",
			 (double)v[0].silent / 1e9);
	else if (n_paths == 1 || v[0].worth == PU_WORTH_RELAYED)
		snprintf(out, cap, "%s", reason_for_one(v[0].worth));
	else
		snprintf(out, cap, "%s", pu_host_why_preferred(v[0].c, v[1].c));
}

void pu_control_reason(struct pu_node *n, const struct pu_peerid *peer, char *out, size_t cap)
{
	path_reason(n, peer, out, cap);
	add_rights(n, peer, out, cap);
}

static void fill_improvement(const struct pu_node *n, const struct pu_peerid *peer,
			     struct pu_api_why *out)
{
	struct pu_path_info i = { .next_try = PU_TIME_NEVER };
	struct pu_reach_info reach;

	out->goal = pu_path_goal_text(PU_PATH_NONE);
	if (out->n_paths > 0 && pu_path_info(n->path, peer, &i)) {
		out->goal = pu_path_goal_text(i.goal);
		out->trying = i.trying;
		out->tries = i.tries;
		out->last_error = i.last_error ? pu_err_text(i.last_error) : NULL;
	} else if (out->n_paths == 0 && pu_reach_info(n->reach, peer, &reach)) {
		out->goal = "a connection";
		out->trying = reach.next_attempt == PU_TIME_NEVER;
		out->tries = reach.failures;
		out->last_error = reach.last_error ? pu_err_text(reach.last_error) : NULL;
		i.next_try = reach.next_attempt;
	}
	if (i.next_try != PU_TIME_NEVER)
		out->next_try = unix_of(n, i.next_try);
}

static void fill_relay_dials(const struct pu_node *n, const struct pu_peerid *peer,
			     struct pu_api_why *out)
{
	struct pu_circuit_outcome v[PU_API_RELAY_DIALS_MAX];

	if (!n->reachability)
		return;
	out->n_relay_dials = pu_circuit_outcomes(pu_reachability_circuits(n->reachability), peer,
						 v, PU_ARRAY_LEN(v));
	for (size_t i = 0; i < out->n_relay_dials; i++)
		out->relay_dial[i] = (struct pu_api_relay_dial){
			.relay = v[i].relay,
			.err = v[i].err,
			.status = v[i].status ? pu_circuit_message_status_name(v[i].status) : NULL,
			.at = unix_of(n, v[i].at),
		};
}

int pu_control_why(struct pu_node *n, const struct pu_peerid *peer, struct pu_api_why *out)
{
	const struct pu_roster_peer *p = pu_roster_find(n->roster, peer);
	struct pu_host_path v[PU_API_PATHS_MAX];

	out->n_paths = pu_host_paths(n->host, peer, v, PU_ARRAY_LEN(v));
	out->n_addrs = pu_host_candidates(n->host, peer, out->addr, PU_API_ADDRS_MAX);
	if (!p && out->n_paths == 0 && out->n_addrs == 0)
		return PU_ENOENT;
	out->name = p && p->name[0] ? p->name : NULL;
	for (size_t i = 0; i < out->n_paths; i++)
		fill_path(n, &v[i], &out->path[i]);
	pu_control_reason(n, peer, out->reason, sizeof out->reason);
	fill_improvement(n, peer, out);
	fill_relay_dials(n, peer, out);
	out->now = pu_loop_now(n->loop);
	out->clock = unix_of(n, 0);
	out->black_holes = pu_host_black_holes(n->host);
	return 0;
}

void pu_control_path_counters(const struct pu_node *n, pu_api_counter_fn *fn, void *fn_arg)
{
	uint64_t improved = 0, replaced = 0, renewed = 0;
	struct pu_path_info i;

	for (uint32_t h = 1; h <= pu_roster_count(n->roster); h++) {
		if (!pu_path_info(n->path, &pu_roster_at(n->roster, h)->id, &i))
			continue;
		improved += i.improved;
		replaced += i.replaced;
		renewed += i.renewed;
	}
	fn(fn_arg, "paths_improved", improved);
	fn(fn_arg, "paths_replaced", replaced);
	fn(fn_arg, "paths_renewed", renewed);
}
