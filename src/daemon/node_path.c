#include "daemon/node_path.h"

#include "base/err.h"
#include "base/log.h"

static int punch(void *arg, const struct pu_peerid *peer)
{
	const struct pu_node *n = arg;

	return n->reachability ? pu_dcutr_try(pu_reachability_dcutr(n->reachability), peer)
			       : PU_ENOTSUP;
}

static void search(void *arg, const struct pu_peerid *peer)
{
	struct pu_node *n = arg;

	if (n->reachability)
		pu_reachability_search(n->reachability, peer);
}

static bool limit_of(void *arg, const struct pu_conn *c, struct pu_circuit_limit *out)
{
	struct pu_node *n = arg;

	return n->reachability &&
	       pu_circuit_limit_of(pu_reachability_circuits(n->reachability), c, out);
}

static void on_failed(void *arg, const struct pu_peerid *peer)
{
	pu_path_unreachable(((struct pu_node *)arg)->path, peer);
}

static void on_dialed(void *arg, const struct pu_peerid *peer, const struct pu_conn *c,
		      pu_time took)
{
	struct pu_node *n = arg;
	bool relayed = c && pu_multiaddr_has(&c->remote, PU_MA_P2P_CIRCUIT);

	pu_events_tell(&n->events, &(struct pu_event){
		.kind = PU_EVENT_DIAL, .peer = peer,
		.what = !c ? "none" : relayed ? "RELAYED" : "DIRECT",
		.n = c != NULL, .duration_us = took / 1000 });
}

int pu_node_path_new(struct pu_node *n)
{
	const struct pu_path_options opt = { .punch = punch, .find = search, .limit = limit_of,
					     .arg = n };
	int r = pu_reach_new(n->host, &n->reach);

	if (r == 0)
		r = pu_path_new(n->host, &opt, &n->path);
	if (r == 0)
		pu_reach_on_failed(n->reach, on_failed, n);
	if (r == 0)
		pu_reach_on_dialed(n->reach, on_dialed, n);
	return r;
}

void pu_node_path_free(struct pu_node *n)
{
	pu_reach_free(n->reach);
	pu_path_free(n->path);
	n->reach = NULL;
	n->path = NULL;
}

void pu_node_keep(struct pu_node *n, const struct pu_peerid *peer, bool on)
{
	int r;

	if (!on) {
		pu_reach_unwant(n->reach, peer);
		pu_path_unwant(n->path, peer);
		return;
	}
	r = pu_reach_want(n->reach, peer);
	if (r == 0)
		r = pu_path_want(n->path, peer);
	if (r < 0)
		pu_log(PU_LOG_ERROR, "node", "cannot look after a peer", PU_KV_ERR(r));
}

void pu_node_path_network_changed(struct pu_node *n)
{
	pu_reach_network_changed(n->reach);
	pu_path_network_changed(n->path);
}
