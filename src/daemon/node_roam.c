#include "daemon/node_roam.h"

#include "base/log.h"
#include "daemon/node_path.h"

/* Counts them again and tells of a change in their number or, when that stayed, of any. */
static void note_addresses(struct pu_node *n, const struct pu_multiaddr *ips, size_t n_ips)
{
	unsigned v4 = 0, v6 = 0;
	bool same;

	for (size_t i = 0; i < n_ips; i++) {
		v4 += pu_multiaddr_has(&ips[i], PU_MA_IP4);
		v6 += pu_multiaddr_has(&ips[i], PU_MA_IP6);
	}
	same = v4 == n->n_ipv4 && v6 == n->n_ipv6;
	if (same || v4 != n->n_ipv4)
		pu_events_tell(&n->events, &(struct pu_event){ .kind = PU_EVENT_NETWORK,
							       .what = "ipv4", .n = v4 });
	if (same || v6 != n->n_ipv6)
		pu_events_tell(&n->events, &(struct pu_event){ .kind = PU_EVENT_NETWORK,
							       .what = "ipv6", .n = v6 });
	n->n_ipv4 = v4;
	n->n_ipv6 = v6;
}

void pu_node_network_changed(struct pu_node *n, const struct pu_multiaddr *ips, size_t n_ips)
{
	pu_host_set_interface_addrs(n->host, ips, n_ips);
	note_addresses(n, ips, n_ips);
	pu_roam_network_changed(n->roam, ips, n_ips);
	pu_reachability_network_changed(n->reachability, ips, n_ips);
	pu_node_path_network_changed(n);
	if (n->on_network_change)
		n->on_network_change(n->network_arg);
}

void pu_node_on_network_change(struct pu_node *n, pu_job_fn *fn, void *arg)
{
	n->on_network_change = fn;
	n->network_arg = arg;
}

static void on_gap(void *arg, pu_time gap)
{
	struct pu_node *n = arg;

	pu_log(PU_LOG_INFO, "node", "woke up", PU_KV_U64("after_s", gap / PU_SEC(1)));
	pu_roam_resumed(n->roam);
	pu_reachability_resumed(n->reachability);
	pu_node_path_network_changed(n);
}

void pu_node_roam_start(struct pu_node *n)
{
	pu_loop_watch_gaps(n->loop, &n->gaps, on_gap, n);
}

void pu_node_roam_stop(struct pu_node *n)
{
	pu_loop_unwatch_gaps(&n->gaps);
}
