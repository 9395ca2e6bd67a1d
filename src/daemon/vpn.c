#include "daemon/vpn.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/loop_uv.h"
#include "daemon/interfaces.h"
#include "daemon/zone.h"
#include "platform/platform.h"
#include "tun/dns/server.h"

struct pu_vpn {
	struct pu_node *node;
	struct pu_platform *platform;
	struct pu_tun_device dev;
	bool dev_open;
	struct pu_bridge *bridge;
	struct pu_vpn_routes routes;
	struct pu_dns_server *dns;
	char *dns_suffix; /* for its life: the config that names it may be replaced */
	const char *dns_method;
	unsigned mtu;
	uint8_t dns_addr[4]; /* of the name server; IPv4 only: a second IPv6 address might be
			      * chosen as source, and peers would call that spoofed */
	uv_poll_t *poll; /* owns itself once it is being closed */
	struct pu_timer pause;
	pu_job_fn *on_lost;
	void *lost_arg;
};

static const char *prefix_text(const struct pu_prefix *p, char *out, size_t cap)
{
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(p->family, p->addr, addr, sizeof addr);
	snprintf(out, cap, "%s/%u", addr, p->bits);
	return out;
}

static struct pu_prefix host_prefix(int family, const void *addr)
{
	struct pu_prefix p = { .family = (uint8_t)family, .bits = family == AF_INET ? 32 : 128 };

	memcpy(p.addr, addr, family == AF_INET ? 4 : 16);
	return p;
}

/* --- the device and the kernel's tables ----------------------------------------- */

static int check_overlap(struct pu_vpn *v, const struct pu_prefix *prefix, const char *option,
			 struct pu_failure *why)
{
	const char *ifname = v->node->cfg->vpn.interface;
	char route[256], text[64], hint[256];
	int r = pu_platform_route_overlap(v->platform, ifname, prefix, route, sizeof route);

	if (r <= 0)
		return r;
	snprintf(hint, sizeof hint,
		 "set `%s:` under `vpn:` in %.128s to a free range, e.g. 10.%u.0.0/16", option,
		 v->node->cfg->path, 65 + (unsigned)(v->node->key.peer.b[10] % 64));
	return pu_failure_set(why, PU_EEXIST, prefix_text(prefix, text, sizeof text), hint,
			      "overlaps the route `%s` of this machine", route);
}

static int open_device(struct pu_vpn *v, struct pu_failure *why)
{
	const char *name = v->node->cfg->vpn.interface;
	int r = pu_tun_device_open(&v->dev, name);

	switch (r) {
	case 0:
		v->dev_open = true;
		return 0;
	case PU_ENOENT:
		return pu_failure_set(why, r, "/dev/net/tun", "modprobe tun",
				      "the kernel offers no TUN devices");
	case PU_EPERM:
		return pu_failure_set(why, r, name, "sudo peerup-vpn up",
				      "creating a network device needs root");
	case PU_EEXIST:
	case PU_EADDRINUSE:
		return pu_failure_set(why, r, name,
				      "set another `interface:` under `vpn:` in the config",
				      "another network interface has that name");
	}
	return pu_failure_set(why, r, name, NULL, "cannot create the device: %s", pu_err_text(r));
}

static int configure_device(struct pu_vpn *v, struct pu_failure *why)
{
	const struct pu_config_vpn *cfg = &v->node->cfg->vpn;
	const struct pu_vip *own = &v->node->self->local;
	/* Our own address first: the kernel takes the first as source. */
	const struct pu_prefix addrs[] = {
		host_prefix(AF_INET, own->v4),
		host_prefix(AF_INET6, own->v6),
		host_prefix(AF_INET, v->dns_addr),
	};
	int r = pu_platform_link_up(v->platform, v->dev.name, v->mtu, PU_VPN_TXQUEUELEN);

	for (size_t i = 0; r == 0 && i < PU_ARRAY_LEN(addrs); i++) {
		r = pu_platform_addr_add(v->platform, v->dev.name, &addrs[i]);
		if (r < 0 && addrs[i].family == AF_INET6) {
			pu_log(PU_LOG_WARN, "vpn", "no IPv6 on the device", PU_KV_ERR(r));
			r = 0;
		}
	}
	if (r == 0)
		r = pu_platform_route_add(v->platform, v->dev.name, &cfg->subnet);
	if (r == 0 && pu_platform_route_add(v->platform, v->dev.name, &cfg->ipv6_prefix) < 0)
		pu_log_msg(PU_LOG_WARN, "vpn", "no IPv6 route on the device");
	if (r < 0)
		return pu_failure_set(why, r, v->dev.name, "sudo peerup-vpn up",
				      "cannot configure the device: %s", pu_err_text(r));
	return 0;
}

/* --- names ---------------------------------------------------------------------- */

static struct pu_dns_endpoint endpoint_of(const struct pu_prefix *p)
{
	return (struct pu_dns_endpoint){
		.ip = p->family == AF_INET ? pu_ip4(p->addr) : pu_ip6(p->addr),
		.port = 53,
	};
}

/* Methods that make every question of the host come to us first. */
static bool is_system_resolver(const struct pu_vpn *v)
{
	return strcmp(v->dns_method, "resolvconf") == 0 ||
	       strcmp(v->dns_method, "resolv-conf") == 0;
}

static void refresh_upstreams(struct pu_vpn *v)
{
	struct pu_dns_endpoint upstreams[PU_DNS_SERVER_UPSTREAMS_MAX];
	struct pu_prefix up[PU_DNS_SERVER_UPSTREAMS_MAX];
	size_t n;

	if (!v->dns || !is_system_resolver(v))
		return;
	n = pu_platform_dns_upstreams(v->platform, up, PU_ARRAY_LEN(up));
	for (size_t i = 0; i < n; i++)
		upstreams[i] = endpoint_of(&up[i]);
	if (pu_dns_server_set_upstreams(v->dns, upstreams, n) < 0)
		pu_log_msg(PU_LOG_WARN, "vpn", "cannot forward names that are not ours");
}

/* Without it names still work for those who ask our server. */
static void tell_resolver(struct pu_vpn *v, const struct pu_prefix *own)
{
	const struct pu_config_vpn *cfg = &v->node->cfg->vpn;
	char domains[PU_ZONE_DOMAINS_MAX];
	int r;

	pu_zone_domains(v->node, domains);
	r = pu_platform_dns_set(v->platform, v->dev.name, pu_vpn_dns_text(cfg->dns), domains, own,
				1, v->node->paths.state_dir, &v->dns_method);
	if (r == PU_ENOTSUP)
		pu_log(PU_LOG_WARN, "vpn",
		       "/etc/resolv.conf is another program's, which cannot be told about our "
		       "names; `vpn.dns: resolv-conf` would manage it all the same",
		       PU_KV_STR("config", v->node->cfg->path));
	else if (r == PU_EADDRINUSE)
		pu_log(PU_LOG_WARN, "vpn",
		       "/etc/resolv.conf is managed for another network of this machine, and can "
		       "name one only; our names are known to those who ask our server",
		       PU_KV_STR("config", v->node->cfg->path));
	else if (r < 0)
		pu_log(PU_LOG_WARN, "vpn", "the host's resolver was not set up", PU_KV_ERR(r));
	if (r < 0)
		v->dns_method = "none";
	refresh_upstreams(v);
}

static int start_dns(struct pu_vpn *v, struct pu_failure *why)
{
	const struct pu_prefix own = host_prefix(AF_INET, v->dns_addr);
	struct pu_dns_server_config sc = { .listen = { endpoint_of(&own) },
					   .n_listen = 1,
					   .local_only = true };
	int r;

	v->dns_suffix = strdup(v->node->cfg->vpn.dns_suffix);
	if (!v->dns_suffix)
		return PU_ENOMEM;
	pu_zone_config(v->node, &sc.zone);
	sc.zone.suffix = v->dns_suffix;
	r = pu_dns_server_start(v->node->loop, &sc, &v->dns);
	if (r == PU_EADDRINUSE)
		return pu_failure_set(why, r, "port 53", "ss -lnup 'sport = :53'",
				      "another name server on this machine listens on every "
				      "address; bind it to its own ones, or set `vpn.dns: none` "
				      "and point it at us yourself");
	if (r < 0)
		return pu_failure_set(why, r, "name server", NULL, "%s", pu_err_text(r));
	tell_resolver(v, &own);
	return 0;
}

/* A name server is part of the product, but a taken port must not cost the tunnel
 * when the user said that he wants no resolver integration. */
static int start_names(struct pu_vpn *v, struct pu_failure *why)
{
	int r = start_dns(v, why);

	if (r == 0 || v->node->cfg->vpn.dns != PU_VPN_DNS_NONE)
		return r;
	pu_log(PU_LOG_WARN, "vpn", "no name server", PU_KV_STR("why", why ? why->why : ""));
	if (why)
		*why = (struct pu_failure){ .what = "" };
	v->dns_method = "none";
	return 0;
}

/* --- events --------------------------------------------------------------------- */

static void on_route(void *arg, const struct pu_route_event *ev)
{
	struct pu_vpn *v = arg;

	pu_vpn_routes_event(&v->routes, ev);
	if (v->bridge)
		pu_bridge_route(v->bridge, ev);
}

static void on_network_change(void *arg)
{
	struct pu_vpn *v = arg;

	pu_log_msg(PU_LOG_INFO, "vpn", "the network changed");
	pu_interfaces_tell(v->node, v->platform, v->node->cfg->vpn.interface);
	refresh_upstreams(v);
}

static const struct pu_platform_events platform_events = {
	.on_route = on_route,
	.on_network_change = on_network_change,
};

static void on_readable(uv_poll_t *h, int status, int events)
{
	struct pu_vpn *v = h->data;
	int r;

	pu_loop_uv_enter(v->node->loop);
	r = status < 0 ? PU_EIO : pu_bridge_readable(v->bridge);
	if (r == PU_EAGAIN) {
		uv_poll_stop(h);
		pu_timer_set(&v->pause, pu_loop_now(v->node->loop) + PU_US(PU_BRIDGE_PAUSE_US));
	} else if (r < 0) {
		pu_log(PU_LOG_ERROR, "vpn", "the device is gone",
		       PU_KV_STR("interface", v->dev.name), PU_KV_ERR(r));
		uv_poll_stop(h);
		if (v->on_lost)
			v->on_lost(v->lost_arg);
	}
	pu_loop_uv_leave(v->node->loop);
}

static void on_pause_over(void *arg)
{
	struct pu_vpn *v = arg;

	uv_poll_start(v->poll, UV_READABLE, on_readable);
}

static void on_poll_closed(uv_handle_t *h)
{
	free(h);
}

static int watch_device(struct pu_vpn *v)
{
	v->poll = calloc(1, sizeof *v->poll);
	if (!v->poll)
		return PU_ENOMEM;
	if (uv_poll_init(pu_loop_uv_of(v->node->loop), v->poll, v->dev.fd) < 0) {
		free(v->poll);
		v->poll = NULL;
		return PU_ESYS;
	}
	v->poll->data = v;
	uv_poll_start(v->poll, UV_READABLE, on_readable);
	return 0;
}

/* --- life ----------------------------------------------------------------------- */

static int start(struct pu_vpn *v, struct pu_failure *why)
{
	const struct pu_config_vpn *cfg = &v->node->cfg->vpn;
	int r;

	pu_platform_dns_recover(v->node->paths.state_dir);
	r = pu_platform_new(v->node->loop, &platform_events, v, &v->platform);
	if (r < 0)
		return pu_failure_set(why, r, "netlink", NULL, "%s", pu_err_text(r));
	r = check_overlap(v, &cfg->subnet, "subnet", why);
	if (r == 0)
		r = check_overlap(v, &cfg->ipv6_prefix, "ipv6_prefix", why);
	if (r == 0)
		r = open_device(v, why);
	if (r == 0)
		r = configure_device(v, why);
	if (r < 0)
		return r;
	r = pu_bridge_new(v->node, &v->dev, &v->bridge);
	if (r == 0)
		r = watch_device(v);
	if (r == 0)
		r = pu_platform_watch_routes(v->platform, v->dev.name);
	if (r < 0)
		return pu_failure_set(why, r, v->dev.name, NULL, "%s", pu_err_text(r));
	pu_interfaces_tell(v->node, v->platform, v->node->cfg->vpn.interface);
	return start_names(v, why);
}

int pu_vpn_start(struct pu_node *n, struct pu_vpn **pv, struct pu_failure *why)
{
	struct pu_vpn *v = calloc(1, sizeof *v);
	int r;

	if (!v)
		return PU_ENOMEM;
	v->node = n;
	pu_timer_init(&v->pause, n->loop, on_pause_over, v);
	v->dns_method = "none";
	v->mtu = n->cfg->vpn.mtu ? n->cfg->vpn.mtu : PU_VPN_MTU_DEFAULT;
	pu_vip_dns(pu_vip_table_range(n->vips), v->dns_addr);
	r = start(v, why);
	if (r < 0) {
		pu_vpn_stop(v);
		return r;
	}
	*pv = v;
	return 0;
}

void pu_vpn_stop(struct pu_vpn *v)
{
	if (!v)
		return;
	if (v->dns)
		pu_dns_server_stop(v->dns);
	pu_timer_stop(&v->pause);
	if (v->poll) {
		uv_poll_stop(v->poll);
		uv_close((uv_handle_t *)v->poll, on_poll_closed);
	}
	pu_bridge_free(v->bridge);
	pu_platform_free(v->platform);
	if (v->dev_open)
		pu_tun_device_close(&v->dev);
	pu_vpn_routes_deinit(&v->routes);
	free(v->dns_suffix);
	free(v);
}

const struct pu_vpn_routes *pu_vpn_kernel_routes(const struct pu_vpn *v)
{
	return &v->routes;
}

void pu_vpn_seal(struct pu_vpn *v)
{
	pu_platform_seal(v->platform);
}

void pu_vpn_on_lost(struct pu_vpn *v, pu_job_fn *fn, void *arg)
{
	v->on_lost = fn;
	v->lost_arg = arg;
}

bool pu_vpn_is_up(const struct pu_vpn *v)
{
	return pu_interfaces_is_up(v->dev.name);
}

void pu_vpn_info(const struct pu_vpn *v, struct pu_vpn_info *out)
{
	const struct pu_vip *own = &v->node->self->local;

	out->interface = v->dev.name;
	out->dns_method = v->dns_method;
	out->mtu = v->mtu;
	inet_ntop(AF_INET, own->v4, out->ipv4, sizeof out->ipv4);
	inet_ntop(AF_INET6, own->v6, out->ipv6, sizeof out->ipv6);
	inet_ntop(AF_INET, v->dns_addr, out->dns_server, sizeof out->dns_server);
	prefix_text(&v->node->cfg->vpn.subnet, out->subnet, sizeof out->subnet);
	prefix_text(&v->node->cfg->vpn.ipv6_prefix, out->ipv6_prefix, sizeof out->ipv6_prefix);
}

void pu_vpn_each_counter(const struct pu_vpn *v,
			 void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct pu_dns_server_stats dns;

	pu_bridge_each_counter(v->bridge, fn, arg);
	if (!v->dns)
		return;
	pu_dns_server_stats(v->dns, &dns);
	fn(arg, "dns_answered", dns.answered);
	fn(arg, "dns_refused", dns.refused);
	fn(arg, "dns_forwarded", dns.forwarded);
	fn(arg, "dns_failed", dns.failed);
}
