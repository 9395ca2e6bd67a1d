#include "daemon/node_roam.h"

#include "base/log.h"
#include "daemon/node_path.h"

static bool has(const struct pu_multiaddr *v, size_t n, const struct pu_multiaddr *ip)
{
	for (size_t i = 0; i < n; i++)
		if (pu_multiaddr_eq(&v[i], ip))
			return true;
	return false;
}

/* Addresses of that family that a has and b has not. */
static unsigned n_new(const struct pu_multiaddr *a, size_t n_a, const struct pu_multiaddr *b,
		      size_t n_b, int proto)
{
	unsigned n = 0;

	for (size_t i = 0; i < n_a; i++)
		n += pu_multiaddr_has(&a[i], proto) && !has(b, n_b, &a[i]);
	return n;
}

static void tell_family(struct pu_node *n, const struct pu_multiaddr *ips, size_t n_ips, int proto,
			const char *what)
{
	size_t n_old;
	const struct pu_multiaddr *old = pu_reachability_ips(n->reachability, &n_old);

	if (n_new(ips, n_ips, old, n_old, proto) + n_new(old, n_old, ips, n_ips, proto) > 0)
		pu_events_tell(&n->events, &(struct pu_event){ .kind = PU_EVENT_NETWORK,
							       .what = what });
}

static void count_addresses(struct pu_node *n, const struct pu_multiaddr *ips, size_t n_ips)
{
	n->n_ipv4 = n->n_ipv6 = 0;
	for (size_t i = 0; i < n_ips; i++) {
		n->n_ipv4 += pu_multiaddr_has(&ips[i], PU_MA_IP4);
		n->n_ipv6 += pu_multiaddr_has(&ips[i], PU_MA_IP6);
	}
}

void pu_node_network_changed(struct pu_node *n, const struct pu_multiaddr *ips, size_t n_ips)
{
	pu_host_set_interface_addrs(n->host, ips, n_ips);
	count_addresses(n, ips, n_ips);
	pu_roam_network_changed(n->roam, ips, n_ips);
	tell_family(n, ips, n_ips, PU_MA_IP4, "ipv4");
	tell_family(n, ips, n_ips, PU_MA_IP6, "ipv6");
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
