#include "daemon/node_roam.h"

#include "base/log.h"
#include "daemon/node_path.h"

void pu_node_network_changed(struct pu_node *n, const struct pu_multiaddr *ips, size_t n_ips)
{
	pu_host_set_interface_addrs(n->host, ips, n_ips);
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
